"""`regrow serve`: the whole service on one machine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from regrow.core.errors import InvalidSettings
from regrow.core.logs import configure_logging
from regrow.core.settings import warn_of_unknown_settings
from regrow.core.stopping import on_stop


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback only with keys")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one")] = 8000,
    data: Annotated[Path, typer.Option(help="Folder for queue, pictures and bundles")] = Path("regrow-data"),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes")] = 1,
) -> None:
    """Run queue, workers and API on this machine, until Ctrl-C. A restart goes on where it was."""
    # Imported here, because the other commands should not wait for a server to be loaded.
    from regrow.api.__main__ import why_not
    from regrow.api.settings import ApiSettings
    from regrow.cli.stack import Stack

    settings = ApiSettings(host=host, blob_store="files", blob_folder=data / "blobs")
    configure_logging(settings.log_format, settings.log_level)  # the sweeper runs in this process
    warn_of_unknown_settings()
    refusal = why_not(settings)
    if refusal:
        raise InvalidSettings(refusal)
    stopped = threading.Event()
    on_stop(stopped.set)
    with Stack(data, host, port, workers) as stack:
        pages = f"dashboard: {stack.url}/admin, API: {stack.url}/docs"
        print(f"Regrow serves at {stack.url} ({pages}). Ctrl-C stops it.", flush=True)
        stack.wait(stopped.is_set)
