"""A process that prepares one uploaded file after the other, within limits of memory and time, for a parent.

What decodes strangers' files is in C and has had its bugs: here it has no sockets, no settings, and its own memory.
On stdin and stdout go a line of JSON and then so many bytes: a `Request` and the file, a `Reply` and the PNG. The
process ends when its parent does, which closes its stdin.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from regrow.core.codec.images import ImageLimits
from regrow.core.codec.reading.prepare import PreparedPicture, prepare
from regrow.core.codec.reading.source_format import SourceFormat
from regrow.core.errors import ImageError, ImageTooLarge

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """size: bytes that follow. seconds: of processor time, after which the system ends the process."""

    size: int
    seconds: float
    max_side: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Reply:
    """size: bytes that follow. error: the name of a class of core.errors, with its message, or "" for a traceback as
    the message; None where it went well."""

    size: int = 0
    height: int = 0
    width: int = 0
    channels: int = 0
    colours: str = ""
    source_format: SourceFormat | None = None
    error: str | None = None
    message: str = ""

    def picture(self, png: bytes) -> PreparedPicture:
        kind = SourceFormat(self.source_format) if self.source_format else None
        return PreparedPicture(self.height, self.width, self.channels, self.colours, kind, png)


T = TypeVar("T", Request, Reply)


def write_message(stream: BinaryIO, head: Request | Reply, body: bytes) -> None:
    """Raises OSError where the other side is gone."""
    stream.write(json.dumps(asdict(head)).encode() + b"\n")
    stream.write(body)
    stream.flush()


def read_message(stream: BinaryIO, kind: type[T]) -> tuple[T, bytes]:
    """Raises EOFError where the other side is gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = kind(**json.loads(line))
    body = stream.read(head.size)
    if len(body) < head.size:
        raise EOFError
    return head, body


def main() -> None:
    """Serve until stdin ends. The only argument is how much memory the work may take, in bytes."""
    memory = int(sys.argv[1])
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    _limit_memory(memory)
    while True:
        try:
            request, data = read_message(requests, Request)
            _limit_seconds(request.seconds)
            write_message(replies, *_answer(request, data, memory))
        except (EOFError, BrokenPipeError):
            return


def _answer(request: Request, data: bytes, memory: int) -> tuple[Reply, bytes]:
    try:
        done = prepare(data, ImageLimits(request.max_side, request.max_pixels))
        reply = Reply(len(done.png), done.height, done.width, done.channels, done.colours, done.source_format)
        return reply, done.png
    except ImageError as error:
        if isinstance(error.__cause__, MemoryError):
            return _too_much(memory), b""
        return Reply(error=type(error).__name__, message=str(error)), b""
    except MemoryError:
        return _too_much(memory), b""
    except Exception:  # the parent logs it
        return Reply(error="", message=traceback.format_exc()), b""


def _too_much(memory: int) -> Reply:
    message = f"the image takes more than {memory // MIB:,} MiB of memory to decode"
    return Reply(error=ImageTooLarge.__name__, message=message)


def _limit_memory(memory: int) -> None:
    """Beside what the process has already. Only Linux says how much that is, and keeps to such a limit."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_seconds(seconds: float) -> None:
    """So that a process whose parent has been killed does not go on for long."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds) + 1, hard))
