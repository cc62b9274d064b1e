"""`python -m regrow.cli.die_with_parent PARENT COMMAND...`: becomes COMMAND, which the kernel kills when PARENT ends.

PARENT is the number of the process that started this one. A process that is killed outright cannot stop its children.
This is a program of its own because what runs between fork and exec must not be Python: the parent may have threads.
Elsewhere than on Linux it only becomes COMMAND.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; outlives the exec. Really at the end of the thread that started this process.


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("regrow: the kernel refuses PR_SET_PDEATHSIG")
    if os.getppid() != parent:  # it ended before the request
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
