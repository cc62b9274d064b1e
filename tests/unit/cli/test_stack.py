"""What `regrow serve` itself survives."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from regrow.cli.stack import Stack
from tests.jobs import backend_at


def test_A4_no_answer_of_the_broker_ends_the_service(tmp_path: Path) -> None:
    """Not even one that would be a bug elsewhere: the report is for the dashboard only."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"-ERR unknown command\r\n" * 10)
                while connection.recv(4096):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        backend = backend_at(f"redis://127.0.0.1:{server.getsockname()[1]}/0", tmp_path)
        with backend.redis:
            Stack(tmp_path, "127.0.0.1", 0, _backend=backend).tend()
        thread.join()
