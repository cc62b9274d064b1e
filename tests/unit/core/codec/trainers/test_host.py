"""Training on the CPU, where something is missing."""

from __future__ import annotations

import sys

import pytest

from regrow.core.codec.fit.trainers.host import _make_optimizer
from regrow.core.codec.presets import OptimizerName, Preset
from regrow.core.errors import InvalidSettings


def test_A1_effort_paper_without_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's failure then says what its worker lacks; all else is fitted without torch."""
    monkeypatch.delitem(sys.modules, "regrow.core.codec.fit.trainers.host_adam", raising=False)
    monkeypatch.delitem(sys.modules, "regrow.core.codec.fit.optimizers.adam", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InvalidSettings, match="effort paper needs PyTorch"):
        _make_optimizer(OptimizerName.ADAM, Preset.MICRO.shape(), 1)
