"""The GPU's trainer, under Triton's interpreter where there is no GPU, does what the CPU's does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("triton", reason="Triton comes with Linux only")

import torch

from regrow.core.codec.fit.engines.base import Engine, Targets
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.engines.gpu.engine import CudaEngine
from regrow.core.codec.fit.engines.gpu.products import INTERPRETED
from regrow.core.codec.fit.engines.torch.engine import TorchEngine
from regrow.core.codec.fit.noise import rule_keys
from regrow.core.codec.fit.trainers import Training, make_trainer
from regrow.core.codec.fit.trainers.device import DeviceTrainer
from regrow.core.codec.fit.trainers.host import HostTrainer
from regrow.core.codec.presets import OptimizerName
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from tests.triton_interpreter import quicken

if INTERPRETED:
    quicken()

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def _cuda() -> CudaEngine:
    """The interpreter's, in the precision that is least work: products are test_cuda_engine's."""
    return CudaEngine(DEVICE, "ieee" if INTERPRETED else "bf16x3")


def _training(optimizer: OptimizerName) -> Training:
    rng, shape = np.random.default_rng(0), RuleShape(5, 6)
    return Training(
        shape=shape,
        seed=rng.normal(size=(5, 5, 6)).astype(np.float32),
        targets=Targets(rng.random((3, 3, 5, 6), dtype=np.float32), np.tile(np.int32([5, 6]), (3, 1))),
        rollout=Rollout(2),
        optimizer=optimizer,
        weights=rng.normal(0, 0.2, (3, shape.parameters)).astype(np.float32),
        keys=rule_keys([(0, 0), (0, 1), (0, 2)]),
    )


@pytest.mark.parametrize("optimizer", OptimizerName)
def test_host_and_device_train_alike(optimizer: OptimizerName) -> None:
    host = make_trainer(TorchEngine(), _training(optimizer))
    device = make_trainer(_cuda(), _training(optimizer))
    assert isinstance(host, HostTrainer)
    assert isinstance(device, DeviceTrainer)
    for iteration in range(6):
        losses = [trainer.iterate(iteration, 1e-3, noisy=iteration > 2) for trainer in (host, device)]
        np.testing.assert_allclose(losses[0], losses[1], rtol=5e-3)
        if iteration == 3:
            for trainer in (host, device):
                trainer.keep(np.array([0, 2]))
    (ours, our_losses), (theirs, their_losses) = host.best(), device.best()
    np.testing.assert_allclose(our_losses, their_losses, rtol=5e-3)
    start = _training(optimizer).weights[[0, 2]]
    # SOAP's bases of null spaces are arbitrary, so only most of its path is common.
    share = 0.02 if optimizer is OptimizerName.ADAM else 0.5
    assert np.linalg.norm(ours - theirs) < share * np.linalg.norm(theirs - start)


@pytest.mark.parametrize("optimizer", OptimizerName)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("engine", [TorchEngine, NumbaEngine, _cuda])
def test_a_restored_state_goes_on_bit_for_bit(
    engine: Callable[[], Engine], frozen: bool, optimizer: OptimizerName
) -> None:
    training = _training(optimizer)
    if frozen:
        training = replace(training, frozen=np.random.default_rng(1).random(training.weights.shape) < 0.4)
    whole = make_trainer(engine(), training)
    for iteration in range(3):
        whole.iterate(iteration, 1e-2, noisy=True)
        if iteration == 0:
            whole.keep(np.array([0, 2]))
    state = {name: array[[1, 0]] for name, array in whole.state().items()}
    restored = make_trainer(engine(), training)
    restored.keep(np.array([2, 0]))
    restored.restore(state)
    for iteration in range(3, 6):
        ours, theirs = (trainer.iterate(iteration, 1e-2, noisy=True) for trainer in (whole, restored))
        assert ours[::-1].tobytes() == theirs.tobytes()
    for name, array in whole.state().items():
        assert array[::-1].tobytes() == restored.state()[name].tobytes(), name


def test_on_a_device_too_a_rules_bytes_do_not_depend_on_its_batch() -> None:
    def train(rules: list[int]) -> bytes:
        whole = _training(OptimizerName.SOAP)
        targets = Targets(whole.targets.pixels[rules], whole.targets.extents[rules])
        part = replace(whole, targets=targets, weights=whole.weights[rules], keys=whole.keys[rules])
        trainer = make_trainer(_cuda(), part)
        for iteration in range(6):
            trainer.iterate(iteration, 1e-2, noisy=iteration > 2)
        return trainer.best()[0][rules.index(1)].tobytes()

    assert train([1]) == train([2, 0, 1])
