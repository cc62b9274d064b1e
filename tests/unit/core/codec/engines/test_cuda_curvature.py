"""The CUDA engine's Gauss-Newton matrices against the float64 reference, on problems of test_cuda_engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import example, given, settings

from regrow.core.codec.fit.engines.gpu import engine as cuda_engine
from regrow.core.codec.fit.engines.gpu.engine import CudaEngine, gram
from regrow.core.codec.fit.engines.torch.engine import TorchEngine
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices
from tests.unit.core.codec.engines.test_cuda_engine import DEVICE, ORACLE, Case, cases

ENGINE = CudaEngine(DEVICE)
# Of a product of two rows of J, as a share of their lengths. More than a gradient's: what one pixel is derived by one
# weight is less of a sum, and what cancels in it is not made up for by other pixels.
TOLERANCE = 1e-3


def some_of(shape: RuleShape, seed: int) -> npt.NDArray[np.intp]:
    """Weights of every part of W1, of b1 and of W2, for a visible and for any channel, in no order."""
    rng = np.random.default_rng(seed)
    w1, b1, w2 = tensor_slices(shape)
    units, channels = rng.integers(shape.hidden, size=3), rng.integers(shape.channels, size=3)
    first = w1.start + units * shape.perceived + np.arange(3) * shape.channels + channels
    bias = b1.start + rng.integers(shape.hidden, size=1)
    second = w2.start + np.array([0, channels[0]]) * shape.hidden + rng.integers(shape.hidden, size=2)
    return rng.permutation(np.unique(np.concatenate([first, bias, second])))


def curvature(engine: CudaEngine | TorchEngine, case: Case, chosen: npt.NDArray[np.intp]) -> np.ndarray:
    """Of a case's last patch, whose extent is not the whole unless it is the only one."""
    extent = case.targets.extents[-1]
    return engine.curvature(case.shape, case.weights[-1], case.seeds[-1], extent, case.rollout, chosen)


def check(case: Case, chosen: npt.NDArray[np.intp]) -> None:
    assert case.distance_to_kinks() > 0.1
    got, expected = curvature(ENGINE, case, chosen), curvature(ORACLE, case, chosen)
    assert got.shape == expected.shape == (len(chosen), len(chosen))
    assert got.dtype == np.float32
    assert expected.any()
    lengths = np.sqrt(np.diag(expected))
    assert (np.abs(got - expected) <= TOLERANCE * lengths[:, None] * lengths).all()


@settings(max_examples=3, deadline=None, derandomize=True)
@given(cases())
@example(Case(RuleShape(7, 5, 1), (5, 7), Rollout(3)))
@example(Case(RuleShape(9, 20, 3), (4, 9), Rollout(2, 0.5, 77)))
@example(Case(RuleShape(18, 70, 4), (3, 5), Rollout(2, 0.4, 9), patches=1))
def test_equals_the_reference(case: Case) -> None:
    # One engine for all cases: what earlier ones left in its work memory must not matter.
    check(case, some_of(case.shape, 1))


def test_equals_the_reference_for_all_weights() -> None:
    check(Case(RuleShape(2, 1, 1), (3, 2), Rollout(2)), np.arange(RuleShape(2, 1, 1).parameters))


def test_no_weights_have_an_empty_matrix() -> None:
    assert curvature(ENGINE, Case(RuleShape(5, 6), (4, 4), Rollout(1)), np.arange(0)).shape == (0, 0)


def test_more_tangents_than_the_work_memory_holds_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(RuleShape(6, 8, 3), (5, 6), Rollout(2), patches=1)
    chosen = some_of(case.shape, 0)[:5]
    whole = curvature(CudaEngine(DEVICE), case, chosen)
    # Two tangents of two states of 7 x 8 ringed cells with 16 padded channels.
    monkeypatch.setattr(cuda_engine, "STATE_BYTES", 2 * 4 * 2 * 7 * 8 * 16)
    assert np.array_equal(curvature(CudaEngine(DEVICE), case, chosen), whole)


def test_may_be_called_from_several_threads() -> None:
    several = [Case(RuleShape(5, 6), (4, side), Rollout(1), patches=1) for side in (3, 4, 5)]
    chosen = some_of(RuleShape(5, 6), 2)[:3]
    expected = [curvature(ENGINE, case, chosen) for case in several]
    with ThreadPoolExecutor(3) as pool:
        for found, alone in zip(pool.map(lambda case: curvature(ENGINE, case, chosen), several), expected, strict=True):
            assert np.array_equal(found, alone)


def test_the_product_is_plain_float32_whatever_the_process_allows() -> None:
    setting = torch.backends.cuda.matmul
    before, setting.fp32_precision = setting.fp32_precision, "tf32"
    try:
        rows = torch.rand(20, 3000, generator=torch.Generator().manual_seed(1)).to(DEVICE)
        expected = rows.double() @ rows.double().T
        assert ((gram(rows) - expected).abs() < 1e-5 * expected).all()
        assert setting.fp32_precision == "tf32"
    finally:
        setting.fp32_precision = before
