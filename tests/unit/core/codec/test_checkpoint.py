"""An encode that is interrupted anywhere, and gone on with, ends at the bytes of one that nobody disturbed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

import regrow.core.codec.encode.encoder
import regrow.core.codec.fit.stages
from regrow.core.codec.encode.checkpoint_file import pack, unpack
from regrow.core.codec.encode.encoder import EncodedPatches, encode_patches
from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.engines.base import LossAndGradients
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.fitting import fit
from regrow.core.codec.fit.phase import LOOK_EVERY
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import SCHEDULES, Effort, OptimizerName, Preset, Schedule
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import FitStopped
from tests.pictures import smooth_pixels

MICRO = EncodeSettings(Preset.MICRO)
GROUPED = Schedule(12, 8, groups=3, tuning_iterations=7)


@dataclass(frozen=True)
class Case:
    """What is encoded, and the names of the stages that it goes through."""

    settings: EncodeSettings
    schedule: Schedule
    stages: frozenset[str]
    engine: str = "numba"
    presets: tuple[Preset, ...] = (Preset.MICRO,)
    channels: int = 3

    def encode(self, hooks: FitHooks, checkpoints: Checkpoints[bytes] | None = None) -> EncodedPatches:
        """With a new engine; two patches, one of them flat."""
        pixels = smooth_pixels(40, 56, self.channels)
        pixels[:, :40] = 90
        engine = make_engine(self.engine)
        return encode_patches(Picture(pixels), range(2), self.settings, partial(fit, engine), hooks, checkpoints)


SOAP_STAGES = frozenset({"plain", "noisy", "rounding"})
CASES = {
    "usual": Case(MICRO, GROUPED, SOAP_STAGES),
    "several presets in grey": Case(
        EncodeSettings(target_psnr=20.0), GROUPED, SOAP_STAGES, presets=(Preset.MICRO, Preset.TINY), channels=1
    ),
    "rules that diverge": Case(
        MICRO, replace(GROUPED, learning_rate=3.0), SOAP_STAGES | {"plain again", "noisy again"}
    ),
    "the paper's loop": Case(
        replace(MICRO, effort=Effort.PAPER),
        Schedule(23, learning_rate=2e-3, decays=False, optimizer=OptimizerName.ADAM, steps=4, groups=0),
        frozenset({"plain", "rounding"}),
        engine="torch",
    ),
    "another engine": Case(MICRO, Schedule(8, 6, groups=0), SOAP_STAGES, engine="torch"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    case = CASES[request.param]
    monkeypatch.setitem(SCHEDULES, case.settings.effort, case.schedule)
    monkeypatch.setattr(regrow.core.codec.encode.encoder, "presets_of", lambda picture, settings: list(case.presets))
    return case


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setitem(SCHEDULES, Effort.DRAFT, GROUPED)
    return CASES["usual"]


def _at(call: int) -> Callable[[], bool]:
    """True from its so-many-th call on, the first being 1."""
    calls = iter(range(1, 1 << 30))
    return lambda: next(calls) >= call


def _saved(case: Case) -> list[bytes]:
    """Every checkpoint that an encode can leave."""
    saved: list[bytes] = []
    case.encode(FitHooks(), Checkpoints(due=lambda: True, save=saved.append))
    return saved


def test_every_checkpoint_leads_to_the_same_bytes(case: Case) -> None:
    undisturbed, saved = case.encode(FitHooks()), _saved(case)
    headers = [unpack(data)[0] for data in saved]
    assert {header["running"] for header in headers} == case.stages
    assert {header["preset"] for header in headers} == set(range(len(case.presets)))
    assert len(headers[-1]["waiting"]) == 3 - len(case.presets), "the flat patch is good enough at once"
    for data in saved[1::4]:
        assert case.encode(FitHooks(), Checkpoints(data)) == undisturbed


def test_an_encode_stopped_at_every_look_gets_there(case: Case) -> None:
    undisturbed, left, stops = case.encode(FitHooks()), [None], 0
    while True:
        checkpoints = Checkpoints(left[-1], save=left.append)
        try:
            encoded = case.encode(FitHooks(should_stop=_at(2)), checkpoints)
            break
        except FitStopped:
            stops += 1
            assert stops < 100, "it does not get further"
    assert encoded == undisturbed
    assert len(left) == stops + 1, "each stop saved once"
    assert len(set(left)) == len(left), "each got further"
    assert stops >= (case.schedule.total + case.schedule.tuning) / LOOK_EVERY


def test_tuning_is_saved_midway(usual: Case) -> None:
    tuned = [arrays["rounding.tuning.iteration"][0] for _, arrays in map(unpack, _saved(usual)) if _tunes(arrays)]
    assert tuned == [0, 5, 0, 5]


def _tunes(arrays: dict[str, np.ndarray]) -> bool:
    return "rounding.tuning.iteration" in arrays


def test_an_encode_goes_on_rather_than_anew(usual: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    class Counting(NumbaEngine):
        def loss_and_gradients(self, shape, weights, *rest, **options) -> LossAndGradients:  # type: ignore[no-untyped-def]
            calls.append(len(weights))
            return super().loss_and_gradients(shape, weights, *rest, **options)

    saved = _saved(usual)
    monkeypatch.setitem(globals(), "make_engine", lambda name: Counting())
    usual.encode(FitHooks(), Checkpoints(saved[-1]))
    assert not calls, "only the last group was left to do"
    usual.encode(FitHooks(), Checkpoints(saved[0]))
    assert len(calls) == GROUPED.total + GROUPED.tuning


def test_progress_goes_on_too(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["several presets in grey"]
    monkeypatch.setitem(SCHEDULES, Effort.DRAFT, case.schedule)
    monkeypatch.setattr(regrow.core.codec.encode.encoder, "presets_of", lambda picture, settings: list(case.presets))
    told: list[list[float]] = []
    hooks = FitHooks(on_progress=lambda progress: told.append(progress.share.tolist()))
    saved = _saved(case)
    case.encode(hooks, Checkpoints(saved[-1]))
    shares, end = told[0], told[-1]
    assert shares[0] == 1
    assert 0.5 < shares[1] <= 1
    assert end == [1, 1]


def test_nobody_pays_for_checkpoints_that_nobody_keeps(usual: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrow.core.codec.fit.stages.Stages, "save", None)
    usual.encode(FitHooks(), Checkpoints(due=lambda: True))
    with pytest.raises(FitStopped):
        usual.encode(FitHooks(should_stop=_at(3)), Checkpoints(due=lambda: True))


def _damaged(data: bytes) -> dict[str, bytes]:
    header, arrays = unpack(data)
    del header["candidates"]
    first = next(iter(arrays))
    flipped = bytearray(data)
    flipped[-9] ^= 4
    return {
        "nothing": b"",
        "not a checkpoint": b"\x89PNG" + data,
        "truncated": data[:-1],
        "cut in the head": data[:7],
        "a flipped bit": bytes(flipped),
        "no such header": pack(header, arrays),
        "no header": pack({}, {}),
    } | {
        name: _rewritten(data, change)
        for name, change in {
            "another release": lambda header, arrays: header.update(release="0.0.1"),
            "another format": lambda header, arrays: header.update(format=0),
            "another engine": lambda header, arrays: header.update(engine="cuda"),
            "another task": lambda header, arrays: header.update(task="0" * 64),
            "a lying preset": lambda header, arrays: header.update(preset=9),
            "a lying patch": lambda header, arrays: header.update(waiting=[0, 5]),
            "no patches": lambda header, arrays: header.update(waiting=[]),
            "an unknown stage": lambda header, arrays: header.update(running="none"),
            "an array less": lambda header, arrays: arrays.pop(first),
            "a rule less": lambda header, arrays: arrays.update({first: arrays[first][:1]}),
            "another type": lambda header, arrays: arrays.update({first: arrays[first].astype(np.float64)}),
            "rules apart": lambda header, arrays: arrays.update({"plain.iteration": np.array([5, 10])}),
            "beyond the end": lambda header, arrays: arrays.update({"plain.iteration": np.array([99, 99])}),
        }.items()
    }


def _rewritten(data: bytes, change: Callable[[dict, dict], object]) -> bytes:  # type: ignore[type-arg]
    header, arrays = unpack(data)
    change(header, arrays)
    return pack(header, arrays)


def test_what_cannot_be_used_is_ignored_with_a_warning(usual: Case, caplog: pytest.LogCaptureFixture) -> None:
    undisturbed, saved = usual.encode(FitHooks()), _saved(usual)
    for name, data in _damaged(saved[1]).items():
        caplog.clear()
        with caplog.at_level(logging.WARNING, "regrow.codec"):
            assert usual.encode(FitHooks(), Checkpoints(data)) == undisturbed, name
        assert [record.levelname for record in caplog.records] == ["WARNING"], name
        assert "start anew" in caplog.text


def test_a_damaged_rounding_is_ignored_too(usual: Case, caplog: pytest.LogCaptureFixture) -> None:
    undisturbed, last = usual.encode(FitHooks()), _saved(usual)[-1]
    for name, value in {"scales": 99, "symbols": -128}.items():
        caplog.clear()
        header, arrays = unpack(last)
        arrays[f"rounding.drafts.{name}"] = np.full_like(arrays[f"rounding.drafts.{name}"], value)
        data = pack(header, arrays)
        assert usual.encode(FitHooks(), Checkpoints(data)) == undisturbed
        assert "start anew" in caplog.text


@pytest.mark.parametrize(
    "changes", [{"seed_number": 1}, {"preset": Preset.TINY}, {"fire_rate": 0.5}, {"effort": Effort.STANDARD}]
)
def test_another_task_does_not_go_on(
    usual: Case, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(SCHEDULES, Effort.STANDARD, replace(GROUPED, iterations=13))
    other = replace(usual, settings=replace(usual.settings, **changes))  # type: ignore[arg-type]
    assert other.encode(FitHooks(), Checkpoints(_saved(usual)[1])) == other.encode(FitHooks())
    assert "another task" in caplog.text


def test_another_picture_does_not_go_on(usual: Case, caplog: pytest.LogCaptureFixture) -> None:
    saved, engine = _saved(usual)[1], make_engine("numba")
    picture = Picture(smooth_pixels(40, 56, seed=1))

    def encode(resume: bytes | None) -> EncodedPatches:
        fitter = partial(fit, engine)
        return encode_patches(picture, range(2), usual.settings, fitter, FitHooks(), Checkpoints(resume))

    assert encode(saved) == encode(None)
    assert "another task" in caplog.text
