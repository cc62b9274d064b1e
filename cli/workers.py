"""`regrow workers`: who works for a service, and who shall take no more."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry
from regrow.core.stores.redis import connect

app = typer.Typer(help="Who works for the service whose Redis REGROW_REDIS_URL names.", no_args_is_help=True)

WorkerId = Annotated[str, typer.Argument(metavar="ID", help="As `regrow workers list` shows it")]


@app.command("list")
def list_workers(as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False) -> None:
    """Show the workers that are alive, and what each has in hand."""
    workers = _registry().alive()
    if as_json:
        print(json.dumps([worker.model_dump() for worker in workers], indent=2))
        return
    if not workers:
        print("no worker is alive")
        return
    table = Table("id", "device", "queues", "state", "current", "patch-iterations/s")
    for worker in workers:
        speed = worker.patch_iterations_per_second
        shown = "" if speed is None else f"{speed:,.0f}"
        table.add_row(worker.id, worker.device, " ".join(worker.queues), _state(worker), worker.current or "", shown)
    Console().print(table)


@app.command()
def drain(worker: WorkerId) -> None:
    """Have a worker finish what it has begun and take no more; it stays alive."""
    _registry().drain(worker)


@app.command()
def resume(worker: WorkerId) -> None:
    """Have a worker that was drained take steps again."""
    _registry().resume(worker)


def _state(worker: WorkerRecord) -> str:
    if worker.refused is not None:
        return f"refuses: {worker.refused}"
    if worker.drained:
        return "drained"
    return "takes steps" if worker.ready else "begins or ends"


def _registry() -> WorkerRegistry:
    return WorkerRegistry(connect(ServiceSettings().redis_url.get_secret_value()))
