"""A learned rule as the format can hold it: eight-bit symbols and their step sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from regrow.core.codec.fit.quantization import StepSizes, one_byte_step_sizes
from regrow.core.codec.format.fixed_point import SYMBOL_LIMIT
from regrow.core.codec.rule import RuleShape


@dataclass(frozen=True, slots=True, eq=False)
class RoundedRule:
    """symbols: int8 (parameters,). weights: float32 (parameters,), what they stand for."""

    symbols: npt.NDArray[np.int8]
    step_sizes: StepSizes
    weights: npt.NDArray[np.float32]


def rounded_rule(weights: Tensor, shape: RuleShape) -> RoundedRule:
    """Weights (parameters,) rounded to nearest with the finest step sizes that a bundle's rule can have."""
    floats = weights.detach().cpu().numpy()
    step_sizes = one_byte_step_sizes(floats, shape)
    per_weight = step_sizes.per_weight(shape)
    symbols = np.clip(np.rint(floats / per_weight), -SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int8)
    return RoundedRule(symbols, step_sizes, (symbols * per_weight).astype(np.float32))
