"""The ways in which a bundle can hold the weights of its rules."""

from __future__ import annotations

from enum import StrEnum


class Coder(StrEnum):
    """How symbols are written: one byte each (the paper's numbers), or entropy coded."""

    BYTES = "bytes"
    ANS = "ans"
