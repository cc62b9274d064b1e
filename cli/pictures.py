"""Which pictures are meant by files and folders on a command line, and where what becomes of each goes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.console import complain
from regrow.core.errors import InvalidSettings
from regrow.core.names import is_hidden, looks_like_picture

MOST_NAMED = 3
"""Names of skipped files that one line lists at most."""

BUNDLE = ".gnca"

Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Go into the folders in a folder, too")]


@dataclass(slots=True)
class Chosen:
    """files: each picture, once, and its path below the folder that was named, which `-o` keeps. are_of_a_folder:
    whether one was named.

    The rest is what a folder has beside them, and what could not be read.
    """

    files: dict[Path, Path] = field(default_factory=dict)
    are_of_a_folder: bool = False
    hidden: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def targets(self, output: Path | None) -> dict[Path, Path]:
        """Where the bundle of each picture goes: beside it, or into the folder `output`, with folders as theirs."""
        targets = {
            file: (file if output is None else output / below).with_suffix(BUNDLE) for file, below in self.files.items()
        }
        if output is not None:
            for folder in {target.parent for target in targets.values()}:
                with contextlib.suppress(OSError):  # refuse_unwritable says so of each picture
                    folder.mkdir(parents=True, exist_ok=True)
        return targets

    def tell(self) -> None:
        """One line on stderr for each kind of thing that was left out."""
        for what in self.unreadable:
            complain(what)
        if self.others:
            complain(f"skipped {counted(len(self.others), 'file')} not called like pictures: {_some(self.others)}")
        if self.hidden:
            complain(f"skipped {counted(len(self.hidden), 'hidden name')}: {_some(self.hidden)}")
        if self.folders:
            complain(f"skipped {counted(len(self.folders), 'folder')} inside: -r goes into them: {_some(self.folders)}")


def choose(paths: Sequence[Path], *, recursive: bool) -> Chosen:
    """The files named, whatever they are called, and what is called like a picture in the folders named.

    Raises InvalidSettings where that is none.
    """
    chosen = Chosen()
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  # pathlib's raises for names that are too long
            chosen.are_of_a_folder = True
            _look_into(path, chosen, recursive=recursive)
        else:
            chosen.files.setdefault(path, Path(path.name))
    if not chosen.files:
        chosen.tell()
        raise InvalidSettings(f"there is no PNG, JPEG or WebP file in {', '.join(map(str, paths))}")
    return chosen


def _look_into(root: Path, chosen: Chosen, *, recursive: bool) -> None:
    """Links to folders are not followed: they may lead round in a circle."""
    waiting = [root]
    while waiting:
        folder, inside = waiting.pop(0), list[Path]()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            chosen.unreadable.append(f"{folder}: {error.strerror}")
            continue
        for entry in entries:
            path = folder / entry.name
            if is_hidden(entry.name):
                chosen.hidden.append(path)
            elif entry.is_dir(follow_symlinks=False):
                inside.append(path)
            elif looks_like_picture(entry.name) and entry.is_file():
                chosen.files.setdefault(path, path.relative_to(root))
            elif path.suffix.lower() != BUNDLE:  # what an earlier call made
                chosen.others.append(path)
        if recursive:
            waiting = inside + waiting
        else:
            chosen.folders += inside


def counted(number: int, name: str) -> str:
    """A number and a noun, with an s unless it is one: `2 images`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def _some(things: Sequence[Path]) -> str:
    more = ", …" if len(things) > MOST_NAMED else ""
    return ", ".join(thing.name for thing in things[:MOST_NAMED]) + more
