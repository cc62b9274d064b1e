"""Results of measurements on a terminal: as tables, as Markdown or as JSON."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table


def show_result(result: dict[str, Any], *, as_json: bool, as_markdown: bool) -> None:
    """The result as JSON, or each list in it as a table and the rest as lines."""
    if as_json:
        print(json.dumps(result, indent=2))
        return
    out = Console()
    for name, value in result.items():
        rows = _rows(value)
        if rows is None:
            print(f"{name.replace('_', ' ')}: {_text(value)}")
        elif rows and as_markdown:
            print(_markdown(name, rows))
        elif rows:
            out.print(_table(name, rows))


def _rows(value: object) -> list[dict[str, Any]] | None:
    if isinstance(value, dict):
        return [{"": str(key).replace("_", " "), "value": item} for key, item in value.items()]
    return value if isinstance(value, list) else None


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name.replace("_", " "), title_justify="left")
    for column in rows[0]:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    return table


def _markdown(name: str, rows: list[dict[str, Any]]) -> str:
    head = " | ".join(column.replace("_", " ") for column in rows[0])
    lines = [" | ".join(_text(value) for value in row.values()) for row in rows]
    rule = "|".join("---" for _ in rows[0])
    body = [f"| {head} |", f"|{rule}|", *(f"| {line} |" for line in lines)]
    return "\n".join([f"**{name.replace('_', ' ')}**", "", *body, ""])


def _text(value: object) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
