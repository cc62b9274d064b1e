"""Uploaded pictures are decoded in processes that can be given up: one that takes too long, or that nobody waits for
any more, is killed, and another takes its place."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, cast

from regrow.api.submit.gone import Gone
from regrow.api.submit.turns import ThreadTurns
from regrow.core import errors
from regrow.core.codec.images import Head, ImageLimits
from regrow.core.codec.reading.prepare import PreparedPicture
from regrow.core.codec.reading.prepare_process import Reply, Request, read_message, write_message
from regrow.core.errors import DamagedImage, ImageError, ImageTooLarge, ServiceUnavailable

LARGE_PIXELS = 4_194_304
"""Of a picture, over all its scans, from which on it waits for other large ones only, and no small one for it."""

_CODE = "import sys; sys.path[:] = sys.argv[2:]; from regrow.core.codec.reading.prepare_process import main; main()"
_ENVIRONMENT = frozenset(("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE"))
"""What the processes get of this one's: no settings, no credentials."""


@dataclass(frozen=True, slots=True)
class PreparingLimits:
    """seconds: that one picture may take. memory: that a process may take for it, in bytes."""

    image: ImageLimits
    seconds: float
    memory: int


class _Process:
    """One process, which starts at once and takes its first picture when it is up."""

    def __init__(self, memory: int) -> None:
        command = [sys.executable, "-P", "-c", _CODE, str(memory), *sys.path]
        environment = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
        self._child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            process_group=0,  # a terminal's Ctrl-C is the parent's to deal with
        )
        self._requests = cast("BinaryIO", self._child.stdin)
        self._replies = cast("BinaryIO", self._child.stdout)

    def ask(self, request: Request, data: bytes) -> tuple[Reply, bytes]:
        """Raises EOFError or OSError where the process ends before it has answered."""
        write_message(self._requests, request, data)
        return read_message(self._replies, Reply)

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None

    def kill(self) -> None:
        """May be called from any thread."""
        self._child.kill()

    def end(self) -> None:
        """Kill it, and leave nothing of it."""
        self._child.kill()
        for pipe in (self._requests, self._replies):
            with suppress(OSError):  # what was not written yet cannot be
                pipe.close()
        self._child.wait()


class Preparing:
    """Thread-safe. Keeps as many processes as cores for small pictures and as many for large ones, from first use on;
    and of each kind one more, so that no owner has all.

    They are started with none of this process's sockets, files or settings.
    """

    def __init__(self, limits: PreparingLimits, cores: int | None = None) -> None:
        self._limits = limits
        cores = cores or os.cpu_count() or 1
        self._turns = {large: ThreadTurns(cores) for large in (False, True)}
        self._idle: list[_Process] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Have a process before the first picture comes; where the system gives none, the first picture says so."""
        with suppress(OSError):
            self._give_back(_Process(self._limits.memory))

    @property
    def idle(self) -> int:
        """Processes that are there and do nothing."""
        return len(self._idle)

    def close(self) -> None:
        """End the processes that do nothing. The others end with this process, at the latest."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def prepare(self, data: bytes, head: Head, owner: str, gone: Gone | None = None) -> PreparedPicture:
        """An image file, decoded. Waits for a process. head: the file's.

        Raises ImageError where the file is bad, or takes too long or too much memory; ClientDisconnect when its client
        goes before it is done; ServiceUnavailable where the system gives no process.
        """
        gone = gone or Gone()
        with self._turns[is_large(head)].of(owner, gone):
            try:
                return self._prepare(data, gone)
            except (EOFError, OSError):  # it may have been ended by something else
                gone.check()
            try:
                return self._prepare(data, gone)
            except (EOFError, OSError) as error:
                gone.check()
                raise DamagedImage("the image made its decoder crash") from error

    def _prepare(self, data: bytes, gone: Gone) -> PreparedPicture:
        """Raises EOFError or OSError where the process ended, or was killed because the client has gone.

        Raises ServiceUnavailable where the system gives no process, or no thread that could give it up.
        """
        limits = self._limits
        request = Request(len(data), limits.seconds, limits.image.max_side, limits.image.max_pixels)
        process, late = self._take(), threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limits.seconds, give_up)
        timer.daemon = True
        try:
            _start(timer)
            with gone.calling(process.kill):
                reply, png = process.ask(request, data)
        except BaseException as error:
            process.end()
            if late.is_set():
                raise ImageTooLarge(f"the image took longer than {limits.seconds:g} s to decode") from error
            raise
        finally:
            timer.cancel()
        self._give_back(process)
        if reply.error is None:
            return reply.picture(png)
        raise _error(reply)

    def _take(self) -> _Process:
        while True:
            with self._lock:
                if not self._idle:
                    break
                process = self._idle.pop()
            if process.is_alive:
                return process
            process.end()
        try:
            return _Process(self._limits.memory)
        except OSError as error:
            raise ServiceUnavailable(f"no process could be started to decode the image: {error}") from error

    def _give_back(self, process: _Process) -> None:
        with self._lock:
            self._idle.append(process)


def _start(timer: threading.Timer) -> None:
    try:
        timer.start()
    except RuntimeError as error:
        raise ServiceUnavailable(f"no thread could be started to decode the image: {error}") from error


def is_large(head: Head) -> bool:
    """Whether the picture takes long to decode."""
    return head.width * head.height * head.scans > LARGE_PIXELS


def _error(reply: Reply) -> Exception:
    kind = getattr(errors, reply.error or "", None)
    if isinstance(kind, type) and issubclass(kind, ImageError):
        return kind(reply.message)
    return RuntimeError(f"a process that prepares pictures met a bug:\n{reply.message}")
