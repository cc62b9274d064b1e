"""Where the files of the HTML pages are: scripts, style sheets, Swagger UI."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
