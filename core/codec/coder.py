"""How the weights of a bundle may be written."""

from __future__ import annotations

from enum import StrEnum


class Coder(StrEnum):
    """How symbols are written: one byte each (the paper's numbers), or entropy coded."""

    BYTES = "bytes"
    ANS = "ans"
