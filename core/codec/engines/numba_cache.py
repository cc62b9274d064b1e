"""Keeps numba's disk cache honest about code that spreads over several files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType


def digest(*modules: ModuleType) -> str:
    """A digest of the modules' files.

    Numba compiles a cached function anew when its own file changes, but not when the files that it calls do. It does
    look at the variables that a function takes from around it, so an entry point takes this digest.
    """
    return hashlib.sha256(b"".join(Path(module.__file__ or "").read_bytes() for module in modules)).hexdigest()
