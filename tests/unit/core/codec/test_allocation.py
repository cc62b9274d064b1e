from __future__ import annotations

from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest

from regrow.core.codec.coder import Coder
from regrow.core.codec.encode.allocation import allocate, front
from regrow.core.codec.encode.assemble import assemble
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.encoder import encode_patches
from regrow.core.codec.encode.plan import presets_of, refuse_impossible
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.fitting import fit
from regrow.core.codec.fit.task import FitHooks, FitProgress
from regrow.core.codec.format.payload import write_payload
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import SCHEDULES, Effort, Preset, Schedule
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import BudgetTooSmall, InvalidSettings
from tests.bundles import random_rule
from tests.pictures import smooth_picture

SHAPE = RuleShape(6, 4)


def _patches(count: int, seed: int = 0) -> list[list[Candidate]]:
    """Patches of different difficulty, each with candidates on a falling curve."""
    rng = np.random.default_rng(seed)
    return [
        [
            Candidate(SHAPE, bytes(size), int(difficulty * 2 ** (-size / 40)))
            for size in sorted(rng.integers(20, 300, 4).tolist())
        ]
        for difficulty in rng.uniform(1e3, 1e6, count)
    ]


def _totals(patches: list[list[Candidate]], choice: tuple[int, ...] | list[int]) -> tuple[int, int]:
    chosen = [some[number] for some, number in zip(patches, choice, strict=True)]
    return sum(each.error for each in chosen), sum(len(each.payload) for each in chosen)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [1, 5])
def test_the_choice_is_close_to_the_best_of_all(seed: int, count: int) -> None:
    patches = _patches(count, seed)
    everything = [_totals(patches, choice) for choice in product(range(4), repeat=count)]
    slack = 1.0 if count == 1 else 1.1  # one patch has one price: nothing is lost
    max_error = float(np.median([error for error, _ in everything]))
    choice, met = allocate(patches, max_error=max_error)
    error, size = _totals(patches, choice)
    assert met
    assert error <= max_error
    assert size <= slack * min(less for other, less in everything if other <= max_error)
    max_bytes = float(np.median([size for _, size in everything]))
    choice, met = allocate(patches, max_bytes=max_bytes)
    error, size = _totals(patches, choice)
    assert met
    assert size <= max_bytes
    assert error <= 1.5 * min(other for other, less in everything if less <= max_bytes)


def test_what_no_price_would_choose_is_found_too() -> None:
    """Points above the convex hull, and errors so small that bytes seem to be worth more."""
    above = [[Candidate(SHAPE, bytes(size), error) for size, error in ((300, 100), (350, 60), (360, 10))]]
    assert allocate(above, max_error=60) == ([1], True)
    assert allocate(above, max_bytes=355) == ([1], True)
    small = [[Candidate(SHAPE, bytes(30), 1), Candidate(SHAPE, bytes(2000), 0)]]
    assert allocate(small, max_error=0.2) == ([1], True)


def test_only_what_is_beaten_by_none_is_kept() -> None:
    rng = np.random.default_rng(0)
    points = [Candidate(SHAPE, bytes(int(rng.integers(5, 40))), int(rng.integers(0, 1000))) for _ in range(40)]
    kept = front(points)
    assert all(a.error > b.error and len(a.payload) < len(b.payload) for a, b in pairwise(kept))
    for each in points:
        assert any(other.error <= each.error and len(other.payload) <= len(each.payload) for other in kept)


def test_a_budget_is_kept_and_used() -> None:
    patches = _patches(30)
    choice, met = allocate(patches, max_bytes=4000)
    assert met
    assert 3900 < _totals(patches, choice)[1] <= 4000


def test_targets_out_of_reach_get_what_is_nearest() -> None:
    patches = _patches(5)
    assert allocate(patches, max_error=0.0) == ([3] * 5, False)
    assert allocate(patches, max_bytes=10) == ([0] * 5, False)


def test_a_large_picture_takes_no_time() -> None:
    patches = _patches(300) * 100
    choice, met = allocate(patches, max_bytes=100 * 300 * 100)
    assert met
    assert _totals(patches, choice)[1] > 0.99 * 100 * 300 * 100


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES, Effort.DRAFT, Schedule(40, 10))


def _encode(picture: Picture, settings: EncodeSettings) -> tuple[object, list[list[Candidate]]]:
    engine, seen = make_engine("numba"), []
    count = -(-picture.height // 40) * -(-picture.width // 40)

    def watch(progress: FitProgress) -> None:
        seen.append(float(progress.share.mean()))

    hooks = FitHooks(on_progress=watch)
    encoded = encode_patches(picture, range(count), settings, partial(fit, engine), hooks)
    assert seen[-1] == 1
    return assemble(picture, settings, encoded.candidates), encoded.candidates


@pytest.mark.usefixtures("short")
def test_flat_patches_cost_little_at_a_target() -> None:
    """One patch of grey, one of waves."""
    pixels = smooth_picture(40, 80).pixels.copy()
    pixels[:, :40] = 90
    pixels[:, 40:] = np.random.default_rng(0).integers(0, 40, (40, 40, 3)) + pixels[:, 40:] // 2
    settings = EncodeSettings(target_psnr=22.0)
    encoded, candidates = _encode(Picture(pixels), settings)
    assert encoded.target_met  # type: ignore[attr-defined]
    assert encoded.quality.psnr >= 22  # type: ignore[attr-defined]
    flat, rich = ({each.shape for each in some} for some in candidates)
    assert flat == {Preset.MICRO.shape()}, "the flat patch was good enough with the smallest preset"
    assert len(rich) > 1


@pytest.mark.usefixtures("short")
def test_a_number_of_bytes_is_kept() -> None:
    settings = EncodeSettings(max_bytes=400)
    encoded, candidates = _encode(smooth_picture(40, 80), settings)
    assert len(encoded.bundle) <= 400  # type: ignore[attr-defined]
    assert presets_of(smooth_picture(40, 80), settings)[-1] is Preset.SMALL, "larger ones cannot fit"
    tiny = EncodeSettings(max_bytes=60)
    with pytest.raises(BudgetTooSmall, match="smallest bundle takes"):
        assemble(smooth_picture(40, 80), tiny, candidates)


def test_impossible_budgets_are_refused_before_training() -> None:
    with pytest.raises(BudgetTooSmall, match="50 bytes are too few for 4 patches"):
        refuse_impossible(smooth_picture(80, 80), EncodeSettings(max_bytes=50))
    refuse_impossible(smooth_picture(80, 80), EncodeSettings(max_bytes=5000))
    assert presets_of(smooth_picture(40, 40), EncodeSettings(Preset.LARGE)) == [Preset.LARGE]


@pytest.mark.parametrize(
    "options",
    [
        {"target_psnr": 30.0, "max_bytes": 1000},
        {"target_psnr": 5.0},
        {"target_psnr": float("nan")},
        {"max_bytes": 0},
        {"target_psnr": 30.0, "coder": Coder.BYTES},
        {"target_psnr": 30.0, "effort": Effort.PAPER},
        {"max_bytes": 10**400},
    ],
)
def test_targets_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings):
        EncodeSettings(**options)  # type: ignore[arg-type]


def test_E8_the_next_better_file_is_known() -> None:
    """Two candidates, of which the better is 300 bytes too long."""
    shape = Preset.MICRO.shape()
    payload = write_payload(shape, random_rule(shape, 1), Coder.ANS, 0)
    rules = [Candidate(shape, payload, 9000), Candidate(shape, payload + bytes(300), 10)]
    encoded = assemble(smooth_picture(8, 8), EncodeSettings(max_bytes=400), [rules])
    assert encoded.next_bytes == len(encoded.bundle) + 300
    assert assemble(smooth_picture(8, 8), EncodeSettings(max_bytes=400), [rules[:1]]).next_bytes is None
