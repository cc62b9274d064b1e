"""Names of files: which are pictures, which are nobody's, and how any of them can be shown."""

from __future__ import annotations

import re

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp")
"""In lower case: what files are called that may be pictures."""

_BY_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx")
_UNSENDABLE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""U+202A to U+202E and U+2066 to U+2069 turn the direction of writing: `exe.png` may then be shown for `gnp.exe`."""


def printable(name: object) -> str:
    """A name, or a text with names in it, that any terminal, JSON parser and UTF-8 stream takes, in one line.

    Python holds bytes of a name that are no UTF-8 as surrogates (PEP 383): they become `\\xff`, as do control
    characters. What is printable is left as it is.
    """
    text = _UNSENDABLE.sub("\ufffd", str(name)).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def looks_like_picture(name: str) -> bool:
    """Whether a file of this name, without its folder, may be a picture that somebody wants to have encoded."""
    return name.lower().endswith(PICTURE_SUFFIXES) and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that people do not see: `._x.jpg` is macOS's companion of `x.jpg`."""
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _BY_SYSTEMS


def is_noise(path: str) -> bool:
    """Whether a file of an archive, by its path in it, is hidden, or in a folder that is. Windows may write `\\`."""
    return any(map(is_hidden, path.replace("\\", "/").split("/")))
