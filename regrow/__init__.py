"""Regrow: images as the weights of tiny neural cellular automata.

    import regrow

    encoded = regrow.encode(regrow.read_picture(open("photo.png", "rb").read()))
    picture = regrow.decode(encoded.bundle).picture  # picture.pixels: uint8 (height, width, channels)

    client = regrow.Client("http://127.0.0.1:8000")

In the repository the subpackages are links to the folders at its top: `regrow.core` is `core/`. What is named here is
loaded when it is first used, so that the client needs nothing but httpx and pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regrow.client import AsyncClient, Client, ClientError
    from regrow.core.codec.decode import Box, Decoded, View, decode
    from regrow.core.codec.encode import encode
    from regrow.core.codec.encode.encoded import Encoded
    from regrow.core.codec.images import Picture, read_picture
    from regrow.core.codec.presets import Effort, Preset
    from regrow.core.codec.profile import Profile
    from regrow.core.codec.settings import EncodeSettings
    from regrow.core.errors import RegrowError
    from regrow.core.version import VERSION as __version__  # noqa: N811 - the name that Python expects

_HOMES = {
    "AsyncClient": "client",
    "Box": "core.codec.decode",
    "Client": "client",
    "ClientError": "client",
    "Decoded": "core.codec.decode",
    "Effort": "core.codec.presets",
    "EncodeSettings": "core.codec.settings",
    "Encoded": "core.codec.encode.encoded",
    "Picture": "core.codec.images",
    "Preset": "core.codec.presets",
    "Profile": "core.codec.profile",
    "RegrowError": "core.errors",
    "View": "core.codec.decode",
    "decode": "core.codec.decode",
    "encode": "core.codec.encode",
    "read_picture": "core.codec.images",
}

__all__ = [
    "AsyncClient",
    "Box",
    "Client",
    "ClientError",
    "Decoded",
    "Effort",
    "EncodeSettings",
    "Encoded",
    "Picture",
    "Preset",
    "Profile",
    "RegrowError",
    "View",
    "__version__",
    "decode",
    "encode",
    "read_picture",
]


def __getattr__(name: str) -> Any:
    """What is in __all__, when it is first asked for (PEP 562)."""
    if name == "__version__":
        return import_module("regrow.core.version").VERSION
    if name not in _HOMES:
        raise AttributeError(f"module 'regrow' has no attribute {name!r}")
    try:
        return getattr(import_module(f"regrow.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("regrow"):
            raise
        lacking = f"regrow.{name} needs {error.name}, which is not installed: pip install 'regrow[codec]' brings it"
        raise ModuleNotFoundError(lacking, name=error.name) from error


def __dir__() -> list[str]:
    return __all__
