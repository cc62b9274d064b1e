"""Decoding: from a bundle to pixels."""

from regrow.core.codec.decode.decoder import Decoded, decode, decode_bundle
from regrow.core.codec.decode.view import Box, View

__all__ = ["Box", "Decoded", "View", "decode", "decode_bundle"]
