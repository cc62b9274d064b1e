"""The CUDA engine against the float64 reference: on a GPU where there is one, else under Triton's interpreter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("triton", reason="Triton comes with Linux only")

ON_GPU = torch.cuda.is_available()

from regrow.core.codec.fit.engines.base import LossAndGradients, Targets  # noqa: E402
from regrow.core.codec.fit.engines.gpu import engine as cuda_engine  # noqa: E402
from regrow.core.codec.fit.engines.gpu import tuning as cuda_tuning  # noqa: E402
from regrow.core.codec.fit.engines.gpu.engine import CudaEngine, Precision  # noqa: E402
from regrow.core.codec.fit.engines.torch.engine import TorchEngine, grow, perceive  # noqa: E402
from regrow.core.codec.rollout import Rollout  # noqa: E402
from regrow.core.codec.rule import RuleShape, split  # noqa: E402
from regrow.core.errors import InvalidSettings  # noqa: E402
from tests.triton_interpreter import quicken  # noqa: E402

if cuda_engine.INTERPRETED:
    quicken()

DEVICE = "cuda" if ON_GPU else "cpu"
ORACLE = TorchEngine(dtype=torch.float64)
TOLERANCE = 1e-4


class Case:
    """A random problem whose pre-activations stay away from ReLU's kink.

    A pre-activation that rounding carries over the kink changes the gradient by a whole cell's share, which no
    tolerance allows for. So the last channel is +2 or -2 by cell and every unit weighs it with about +1 or -1; all
    else adds little to a pre-activation, so that which units are on depends on the cell but not on rounding.
    """

    def __init__(
        self,
        shape: RuleShape,
        size: tuple[int, int],
        rollout: Rollout,
        *,
        patches: int = 3,
        seed: int = 0,
        shared_rule: bool = False,
        common_seed: bool = False,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.shape, self.rollout = shape, rollout
        rules, seeds = (1 if shared_rule else patches), (1 if common_seed else patches)
        self.weights = (0.2 * rng.normal(size=(rules, shape.parameters))).astype(np.float32)
        w1, _b1, w2 = split(self.weights, shape)
        w1 /= np.sqrt(shape.perceived)
        w1[:, :, shape.channels - 1] = rng.choice([-1, 1], w1.shape[:2]) * rng.uniform(0.8, 1.2, w1.shape[:2])
        w2 /= np.sqrt(shape.hidden)
        w2[:, -1] *= 0.1
        self.seeds = (0.3 * rng.normal(size=(seeds, shape.channels, *size))).astype(np.float32)
        self.seeds[:, -1] = rng.choice([-2, 2], (seeds, *size))
        extents = np.stack([rng.integers(1, side + 1, patches) for side in size], axis=1).astype(np.int32)
        extents[0] = size
        pixels = rng.uniform(size=(patches, shape.visible, *size)).astype(np.float32)
        self.targets = Targets(pixels, extents)

    def run(self, engine: CudaEngine | TorchEngine, *, seed_gradients: bool = True) -> LossAndGradients:
        return engine.loss_and_gradients(
            self.shape, self.weights, self.seeds, self.targets, self.rollout, seed_gradients=seed_gradients
        )

    def distance_to_kinks(self) -> float:
        """The smallest pre-activation of the synchronous rollout, without its sign."""
        weights = torch.tensor(self.weights, dtype=torch.float64)
        state = torch.tensor(self.seeds, dtype=torch.float64).expand(len(self.targets.pixels), -1, -1, -1)
        w1, b1, _ = split(self.weights.astype(np.float64), self.shape)
        smallest = np.inf
        for _ in range(self.rollout.steps):
            before = torch.tensor(w1) @ perceive(state).flatten(2) + torch.tensor(b1)[:, :, None]
            smallest = min(smallest, before.abs().min().item())
            state = grow(self.shape, weights, state, None, 1)
        return smallest


def assert_close(got: np.ndarray | None, expected: np.ndarray | None) -> None:
    """Relative error in norm of every row."""
    assert got is not None
    assert expected is not None
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    rows = len(expected)
    error = np.linalg.norm((got.astype(np.float64) - expected).reshape(rows, -1), axis=1)
    assert (error <= TOLERANCE * np.linalg.norm(expected.reshape(rows, -1), axis=1)).all(), error


def check(case: Case, engine: CudaEngine) -> None:
    assert case.distance_to_kinks() > 0.1
    got, expected = case.run(engine), case.run(ORACLE)
    assert_close(got.losses, expected.losses)
    assert_close(got.weights, expected.weights)
    assert_close(got.seeds, expected.seeds)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    visible = draw(st.sampled_from([1, 3, 4]))
    shape = RuleShape(draw(st.integers(visible + 1, 18)), draw(st.integers(1, 36)), visible)
    rollout = Rollout(
        draw(st.integers(1, 3)), draw(st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0])), draw(st.integers(0, 2**32 - 1))
    )
    return Case(
        shape,
        (draw(st.integers(1, 9)), draw(st.integers(1, 9))),
        rollout,
        patches=draw(st.integers(1, 2)),
        seed=draw(st.integers(0, 1000)),
        shared_rule=draw(st.booleans()),
        common_seed=draw(st.booleans()),
    )


@pytest.fixture(scope="module")
def engine() -> CudaEngine:
    return CudaEngine(DEVICE)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
@example(Case(RuleShape(2, 1, 1), (1, 1), Rollout(1), patches=2))
@example(Case(RuleShape(14, 20, 3), (1, 9), Rollout(3, 0.5, 77), patches=2, shared_rule=True))
@example(Case(RuleShape(16, 16, 4), (9, 1), Rollout(2), common_seed=True))
@example(Case(RuleShape(17, 33, 3), (7, 7), Rollout(2, 1.0), patches=2))
def test_equals_the_reference(engine: CudaEngine, case: Case) -> None:
    # One engine for all cases: what earlier ones left in its work memory must not matter.
    check(case, engine)


def test_equals_the_reference_for_whole_patches(monkeypatch: pytest.MonkeyPatch, engine: CudaEngine) -> None:
    if not ON_GPU:
        # The interpreter takes as long for a small tile as for a large one.
        monkeypatch.setattr(cuda_tuning, "BLOCK", 512)
    check(Case(RuleShape(14, 20, 3), (40, 40), Rollout(2, 0.5, 3), patches=1), engine)


def test_equals_the_reference_for_the_largest_rules(engine: CudaEngine) -> None:
    check(Case(RuleShape(64, 200, 3), (5, 7), Rollout(2), patches=1), engine)


@pytest.mark.parametrize("precision", ["bf16x3", "tf32x3", "ieee"])
def test_every_precision_meets_the_tolerance_over_many_steps(precision: Precision) -> None:
    check(Case(RuleShape(8, 10, 3), (5, 6), Rollout(8), patches=1), CudaEngine(DEVICE, precision))


def test_a_patch_does_not_depend_on_its_neighbours(engine: CudaEngine) -> None:
    case = Case(RuleShape(9, 12, 3), (7, 6), Rollout(2, 0.5, 9), patches=3)
    together = case.run(engine)
    for patch in (0, 2):
        rows = slice(patch, patch + 1)
        targets = Targets(case.targets.pixels[rows], case.targets.extents[rows])
        alone = engine.loss_and_gradients(
            case.shape, case.weights[rows], case.seeds[rows], targets, case.rollout, seed_gradients=True
        )
        assert np.array_equal(alone.losses, together.losses[rows])
        assert np.array_equal(alone.weights, together.weights[rows])
        assert alone.seeds is not None
        assert together.seeds is not None
        assert np.array_equal(alone.seeds, together.seeds[rows])


@pytest.mark.parametrize("shared_rule", [False, True])
def test_a_batch_larger_than_the_work_memory_is_split(monkeypatch: pytest.MonkeyPatch, shared_rule: bool) -> None:
    case = Case(RuleShape(6, 8, 3), (5, 6), Rollout(3), patches=5, shared_rule=shared_rule)
    whole = case.run(CudaEngine(DEVICE))
    # Two patches of (3 + 1) states of 7 x 8 ringed cells with 16 padded channels.
    monkeypatch.setattr(cuda_engine, "STATE_BYTES", 2 * 4 * 7 * 8 * 16 * 4)
    parts = case.run(CudaEngine(DEVICE))
    assert np.array_equal(whole.losses, parts.losses)
    assert np.array_equal(whole.weights, parts.weights)
    assert whole.seeds is not None
    assert parts.seeds is not None
    assert np.array_equal(whole.seeds, parts.seeds)


def test_seed_gradients_are_left_out_unless_asked_for(engine: CudaEngine) -> None:
    case = Case(RuleShape(5, 6, 3), (4, 4), Rollout(2))
    with_seeds, without = case.run(engine), case.run(engine, seed_gradients=False)
    assert without.seeds is None
    assert np.array_equal(without.weights, with_seeds.weights)


def test_padding_of_a_patch_does_not_count(engine: CudaEngine) -> None:
    case = Case(RuleShape(5, 6, 3), (6, 6), Rollout(2))
    case.targets.extents[:] = 3, 4
    before = case.run(engine)
    case.targets.pixels[:, :, 3:] = np.nan
    case.targets.pixels[:, :, :, 4:] = 7.0
    after = case.run(engine)
    assert np.array_equal(before.losses, after.losses)
    assert np.array_equal(before.weights, after.weights)


@pytest.mark.skipif(ON_GPU, reason="says what happens without a GPU")
def test_a_cpu_is_refused_without_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_engine, "INTERPRETED", False)
    with pytest.raises(InvalidSettings, match="CUDA device"):
        CudaEngine("cpu")
