"""A tiny fit, from training to pixels: whether this machine can do the work at all."""

from __future__ import annotations

import numpy as np

from regrow.core.codec.decode.growing import fast_grower, reference_grower
from regrow.core.codec.fit.engines.base import Engine, Targets
from regrow.core.codec.fit.fitting import fit
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.format.fixed_point import integer_seed
from regrow.core.codec.presets import PATCH_SIZE, Preset, Schedule
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.seeds import SeedKind
from regrow.core.errors import RegrowError

STEPS = 4


class TrialFailed(RegrowError):
    """The machine's results are wrong."""


def try_out(engine: Engine) -> None:
    """Fit one patch for some iterations, round it, and regrow it as the decoder and as the specification say.

    Some milliseconds, once the engine's code is compiled. Raises whatever goes wrong; TrialFailed for a wrong result.
    """
    shape, rollout = Preset.MICRO.shape(), Rollout(STEPS)
    task = FitTask(
        shape=shape,
        seed=SeedKind.SCAFFOLD,
        targets=Targets(
            pixels=np.full((1, shape.visible, PATCH_SIZE, PATCH_SIZE), 0.5, dtype=np.float32),
            extents=np.full((1, 2), PATCH_SIZE, dtype=np.int32),
        ),
        rollout=rollout,
        schedule=Schedule(iterations=2, noisy_iterations=1),
        identities=((0, 0),),
    )
    fitted = fit(engine, task)
    if not np.isfinite(fitted.float_mse).all():
        raise TrialFailed(f"a tiny fit ends with the error {fitted.float_mse[0]}")
    rules, seed = [fitted.rules[0][0].rule], integer_seed(task.seed, shape, PATCH_SIZE)
    if not np.array_equal(fast_grower()(shape, rules, seed, rollout), reference_grower(shape, rules, seed, rollout)):
        raise TrialFailed("a tiny bundle regrows into other pixels than the specification's")
