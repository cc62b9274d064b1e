"""`regrow worker`: one process of a fleet."""

from __future__ import annotations

from typing import Annotated

import typer


def worker(
    sweeper: Annotated[
        bool, typer.Option("--sweeper", help="Take no work; look after jobs that crashes left behind. Any number may")
    ] = False,
    queues: Annotated[
        str | None, typer.Option("-Q", "--queues", help="Take steps from these queues only; names with commas")
    ] = None,
) -> None:
    """Work for the service whose addresses are in REGROW_REDIS_URL and REGROW_BLOB_*, until SIGTERM."""
    if sweeper:
        from regrow.sweeper.__main__ import main as sweep

        sweep()
    else:
        from regrow.worker.__main__ import main  # imports Celery and the engines

        main(queues=queues)
