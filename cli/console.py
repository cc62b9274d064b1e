"""Progress bars and tables on a terminal; nothing of them in a pipe."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from regrow.core.names import printable

console = Console(stderr=True)


def complain(text: str) -> None:
    """Print a line on stderr. Names in it that no terminal can show are escaped."""
    print(printable(f"regrow: {text}"), file=sys.stderr)


def complain_of(image: Path, error: Exception) -> None:
    """Print a line on stderr that says what is wrong with an image."""
    text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    complain(text if text.startswith(f"{image}: ") else f"{image}: {text}")


def progress_bar() -> Progress:
    """A progress bar on stderr, shown only where stderr is a terminal. Its tasks have a field `note`."""
    return Progress(
        TextColumn("{task.description}", markup=False),  # it may be the name of a file, which may look like markup
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
