"""Files are written and measured side by side, and what was measured once is remembered in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Lock

import numba

from regrow.benchmarks.rd_curve import Curve, CurvePoint, StoredPicture
from regrow.core.codec.images import Picture
from regrow.core.codec.quality import Quality

Tell = Callable[[str, int, int], None]
"""Called with what is being measured, how many of its files are, and how many there will be."""

Measure = Callable[[Picture, float], StoredPicture]
"""Writes a picture at a setting and measures the file."""


def tell_nobody(name: str, done: int, total: int) -> None:
    """For those who do not ask how far it is."""


class KnownFiles:
    """What was measured before, under a digest of the picture and of everything that decides the file.

    path: a line of JSON for each file, added as soon as it is measured; None to remember nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._lock = path, Lock()
        self._known: dict[str, StoredPicture] = {}
        text = path.read_text() if path is not None and path.exists() else ""
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):  # else the writer was interrupted in it
                stored = json.loads(line)
                self._known[stored["key"]] = StoredPicture(
                    stored["size"], Quality(**stored["quality"]), stored["coded"]
                )
        if path is not None and text and not text.endswith("\n"):
            path.write_text(text[: text.rfind("\n") + 1])

    def get(self, key: str) -> StoredPicture | None:
        """None for what was not measured yet."""
        return self._known.get(key)

    def add(self, key: str, file: StoredPicture) -> None:
        """Remember a file. May be called by several threads."""
        if self._path is None:
            return
        with self._lock, self._path.open("a") as out:
            self._known[key] = file
            out.write(json.dumps({"key": key, **asdict(file)}) + "\n")


class Measurer:
    """Measures all pictures at all settings, on as many threads as numba has: compiled code lets go of the interpreter.

    known: what need not be measured again. tell: is told how far it is.
    """

    def __init__(self, known: KnownFiles | None = None, tell: Tell = tell_nobody) -> None:
        self._known, self.tell = known or KnownFiles(), tell

    def curve(
        self,
        name: str,
        pictures: Sequence[Picture],
        settings: Sequence[float],
        identity: Callable[[float], str],
        measure: Measure,
    ) -> Curve:
        """A point for each setting. identity: what decides a file at a setting, beside the picture."""
        tasks = [(setting, picture) for setting in settings for picture in pictures]
        done, lock = 0, Lock()
        self.tell(name, done, len(tasks))

        def work(task: tuple[float, Picture]) -> StoredPicture:
            nonlocal done
            setting, picture = task
            file = self._measured(picture, setting, identity(setting), measure)
            with lock:
                done += 1
                self.tell(name, done, len(tasks))
            return file

        with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as pool:
            files = iter(list(pool.map(work, tasks)))
        points = [CurvePoint(f"{setting:g}", tuple(next(files) for _ in pictures)) for setting in settings]
        return Curve(name, tuple(points))

    def _measured(self, picture: Picture, setting: float, identity: str, measure: Measure) -> StoredPicture:
        key = _digest(picture, identity)
        file = self._known.get(key)
        if file is None:
            file = measure(picture, setting)
            self._known.add(key, file)
        return file


def _digest(picture: Picture, identity: str) -> str:
    digest = hashlib.sha256(f"{identity}\n{picture.pixels.shape}\n".encode())
    digest.update(picture.pixels.tobytes())
    return digest.hexdigest()
