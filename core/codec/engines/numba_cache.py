"""Keeps numba's disk cache honest about code that spreads over several files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(*parts: str) -> str:
    """A digest of the engine's files numba_<part>.py.

    Numba compiles a cached function anew when its own file changes, but not when the files that it calls do. It does
    look at the variables that a function takes from around it, so an entry point takes this digest.
    """
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / f"numba_{part}.py").read_bytes() for part in parts)).hexdigest()
