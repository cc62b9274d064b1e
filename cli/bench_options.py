"""What commands of `regrow bench` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

Images = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="A folder of photos; without it, three of scikit-image's"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, as in docs/results")]


def bar_teller(bars: Progress) -> Callable[[str, int, int], None]:
    """Shows a bar for each thing that is being measured."""
    shown: dict[str, TaskID] = {}

    def tell(name: str, done: int, total: int) -> None:
        if name not in shown:
            shown[name] = bars.add_task(name, total=total, note="")
        bars.update(shown[name], completed=done)

    return tell
