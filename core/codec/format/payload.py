"""A payload: one patch's rule in a bundle, six bytes of scales and models, then its symbols."""

from __future__ import annotations

import numpy as np

from regrow.core.codec.coder import Coder
from regrow.core.codec.format.entropy_coding import SCALE_CODES, best_scale_code, decode_symbols, encode_symbols
from regrow.core.codec.format.fixed_point import IntegerRule, Scales
from regrow.core.codec.rule import RuleShape, tensor_slices
from regrow.core.errors import DamagedBundle

HEAD_BYTES = 6


def write_payload(shape: RuleShape, rule: IntegerRule, coder: Coder, preset: int) -> bytes:
    """The bytes of one rule. preset: its number in the bundle's list of presets."""
    tensors = [rule.symbols[part] for part in tensor_slices(shape)]
    codes = [0, 0, 0] if coder is Coder.BYTES else [best_scale_code(symbols) for symbols in tensors]
    scales = rule.scales
    head = bytes(
        [
            scales.gain,
            scales.precision | scales.hidden_shift << 4,
            scales.bias_shift | preset << 5,
            *codes,
        ]
    )
    return head + (rule.symbols.tobytes() if coder is Coder.BYTES else encode_symbols(tensors, codes))


def with_preset(payload: bytes, preset: int) -> bytes:
    """The same rule as one of the bundle's preset number `preset`."""
    return payload[:2] + bytes([payload[2] & 31 | preset << 5]) + payload[3:]


def preset_of(payload: bytes) -> int:
    """The number of the rule's preset in the bundle's list. Raises DamagedBundle where the payload ends before it."""
    if len(payload) < HEAD_BYTES:
        raise DamagedBundle(f"a payload of {len(payload)} bytes is too short: its head alone takes {HEAD_BYTES}")
    return payload[2] >> 5


def read_payload(payload: bytes, shape: RuleShape, coder: Coder) -> IntegerRule:
    """The rule of a payload. Raises DamagedBundle."""
    preset_of(payload)
    scales = Scales(payload[0], payload[1] & 15, payload[2] & 31, payload[1] >> 4)
    codes, data = list(payload[3:HEAD_BYTES]), payload[HEAD_BYTES:]
    if coder is Coder.BYTES:
        if codes != [0, 0, 0]:
            raise DamagedBundle("a payload of plain bytes names a model")
        if len(data) != shape.parameters:
            raise DamagedBundle(f"a payload of plain bytes has {len(data)} symbols, not {shape.parameters}")
        return IntegerRule(np.frombuffer(data, dtype=np.int8), scales)
    if max(codes) >= SCALE_CODES:
        raise DamagedBundle(f"a payload names model {max(codes)}: there are {SCALE_CODES}")
    sizes = [part.stop - part.start for part in tensor_slices(shape)]
    return IntegerRule(decode_symbols(data, sizes, codes), scales)
