"""`regrow keys`: who may use a service."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from regrow.core.access.keys import KeyDocument, KeyStore
from regrow.core.access.principal import Role
from regrow.core.errors import InvalidSettings
from regrow.core.stores import make_blob_store
from regrow.core.stores.settings import BlobSettings
from regrow.core.times import iso, now_ms

app = typer.Typer(
    help="Who may use a service. As soon as there is a key, every request needs one.", no_args_is_help=True
)

Data = Annotated[
    Path | None,
    typer.Option(help="Data folder of `regrow serve`; without it, the blob store that REGROW_* settings name"),
]


@app.command()
def create(
    owner: Annotated[str, typer.Option(help="Whose jobs it sees; `local` owns those made before there were keys")],
    role: Annotated[Role, typer.Option(help="admin: everybody's jobs, and the dashboard")] = Role.USER,
    days: Annotated[float | None, typer.Option(min=0.001, max=36_500, help="After which it expires")] = None,
    max_patches: Annotated[int | None, typer.Option(min=0, help="Outstanding at a time, if not the default")] = None,
    data: Data = None,
) -> None:
    """Make a key and print it. It is not shown again: only a hash of it is kept."""
    expires = None if days is None else now_ms() + round(timedelta(days=days).total_seconds() * 1000)
    token, document = _store(data).create(owner, role, expires_ms=expires, max_patches=max_patches)
    print(token)
    print(f"key {document.id} of {owner} ({role}); in force within seconds", file=sys.stderr)


@app.command("list")
def list_keys(data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False) -> None:
    """Show every key there ever was, without the keys themselves."""
    keys = [_row(document) for document in _store(data).all()]
    if as_json:
        print(json.dumps(keys, indent=2))
        return
    if not keys:
        print("there are no keys: whoever reaches the service may use it")
        return
    table = Table()
    for name in keys[0]:
        table.add_column(name, no_wrap=name == "id")
    for key in keys:
        table.add_row(*("" if value is None else str(value) for value in key.values()))
    Console().print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="As `regrow keys list` shows it")], data: Data = None) -> None:
    """End a key. Every API process knows within seconds."""
    document = _store(data).revoke(key_id)
    print(f"key {document.id} of {document.owner} is revoked")


def _store(data: Path | None) -> KeyStore:
    """Raises InvalidSettings where no service keeps anything: a key that is made there would be in force nowhere."""
    settings = BlobSettings() if data is None else BlobSettings(blob_store="files", blob_folder=data / "blobs")
    if data is None and settings.blob_store == "files" and not settings.blob_folder.is_dir():
        raise InvalidSettings(f"there is no blob store in {settings.blob_folder}: name a data folder with --data")
    if data is not None and not data.is_dir():
        raise InvalidSettings(f"{data}: there is no such data folder; make it first, if a service shall begin with it")
    if data is not None and not (data / "blobs").is_dir() and any(data.iterdir()):
        raise InvalidSettings(f"{data} is not a data folder of `regrow serve`: it holds other things")
    return KeyStore(make_blob_store(settings))


def _row(document: KeyDocument) -> dict[str, str | int | None]:
    return {
        "id": document.id,
        "owner": document.owner,
        "role": document.role,
        "state": _state(document),
        "created": iso(document.created_ms),
        "expires": None if document.expires_ms is None else iso(document.expires_ms),
        "max_patches": document.max_patches,
    }


def _state(document: KeyDocument) -> str:
    if document.revoked_ms is not None:
        return "revoked"
    expired = document.expires_ms is not None and document.expires_ms <= now_ms()
    return "expired" if expired else "in force"
