"""The seam between the profiles: counting, doing and putting together units of work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from regrow.core.codec.decode import decode
from regrow.core.codec.encode import EncodeProgress, encode
from regrow.core.codec.encode.candidate import Candidate, CandidateDocument
from regrow.core.codec.encode.effort import advice, with_default_effort
from regrow.core.codec.encode.plan import Extent, patch_cost
from regrow.core.codec.encode.pricing import refuse_impossible, unit_cost, units_of
from regrow.core.codec.encode.seeds.encoder import SeedsUnit
from regrow.core.codec.encode.units import document_of, unit_of
from regrow.core.codec.encode.work import assemble, flat_unit
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.format.seeds.bundle import SeedsBundle
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.quality import measure
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import BudgetTooSmall
from regrow.core.jobs.documents import PartDocument
from tests.pictures import smooth_picture

RULES, SEEDS = EncodeSettings(), EncodeSettings(profile=Profile.SEEDS)


def test_units_are_patches_or_the_whole_picture() -> None:
    size = Extent(300, 260)
    assert units_of(size, RULES) == units_of(size, replace(RULES, max_bytes=9000)) == 8 * 7
    assert (units_of(size, SEEDS), units_of(size, replace(SEEDS, max_bytes=9000))) == (4, 1)
    assert unit_cost(size, RULES) == patch_cost(size, RULES)
    assert unit_cost(size, replace(SEEDS, max_bytes=9000)) >= unit_cost(size, SEEDS) > 0


def test_budgets_below_any_bundle_are_refused_at_once() -> None:
    for settings in (RULES, SEEDS):
        with pytest.raises(BudgetTooSmall, match="9 bytes are too few"):
            refuse_impossible(Extent(300, 260), replace(settings, max_bytes=9))
        refuse_impossible(Extent(300, 260), replace(settings, max_bytes=9000))
        refuse_impossible(Extent(300, 260), settings)


@pytest.mark.parametrize(
    "unit", [[Candidate(RuleShape(6, 5), b"rule", 7), Candidate(RuleShape(8, 5), b"", 0)], SeedsUnit(900, (b"a", b""))]
)
def test_what_comes_of_a_unit_survives_a_part(unit: list[Candidate] | SeedsUnit) -> None:
    part = PartDocument(start=3, stop=4, patches=[document_of(unit)], patch_iterations=0, seconds=0)
    assert unit_of(PartDocument.model_validate_json(part.model_dump_json()).patches[0]) == unit


def test_parts_of_before_are_read() -> None:
    candidate = CandidateDocument.of(Candidate(RuleShape(6, 5), b"rule", 7)).model_dump_json()
    old = f'{{"version":2,"start":0,"stop":1,"patches":[[{candidate}]],"failed":0,"patch_iterations":1,"seconds":1}}'
    assert unit_of(PartDocument.model_validate_json(old).patches[0]) == [Candidate(RuleShape(6, 5), b"rule", 7)]


@pytest.mark.parametrize("settings", [SEEDS, replace(SEEDS, target_psnr=30.0)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_encoding_seeds_reports_what_the_bundle_shows(settings: EncodeSettings, channels: int) -> None:
    picture, seen = smooth_picture(30, 20, channels), list[EncodeProgress]()
    encoded = encode(picture, settings, on_progress=seen.append)
    assert isinstance(read_bundle(encoded.bundle), SeedsBundle)
    assert encoded.quality == measure(picture.pixels, decode(encoded.bundle).picture.pixels)
    assert encoded.quality.psnr > 25
    assert (seen[-1].patches_done, seen[-1].patches_total, encoded.patch_iterations) == (1, 1, 0)


def test_without_settings_it_is_seeds_at_effort_standard() -> None:
    picture = smooth_picture(12, 9)
    standard = replace(SEEDS, effort=Effort.STANDARD)
    assert with_default_effort(picture, SEEDS) == standard
    assert encode(picture).bundle == encode(picture, standard).bundle
    assert advice(picture, standard) == (
        "profile seeds, effort standard, about 1 s on two cores; --effort thorough: about 1 s, for a little more"
    )


@pytest.mark.parametrize("settings", [SEEDS, replace(SEEDS, max_bytes=5000)])
def test_a_flat_unit_has_the_mean_colour_of_what_is_seen(settings: EncodeSettings) -> None:
    pixels = np.zeros((12, 10, 4), dtype=np.uint8)
    pixels[:6] = (200, 40, 90, 255)
    pixels[6:] = (0, 255, 0, 0)
    picture = Picture(pixels)
    grown = decode(assemble(picture, settings, [flat_unit(picture, 0, settings)]).bundle).picture.pixels
    assert np.abs(grown[..., :3].astype(int) - (200, 40, 90)).max() < 20
    assert np.abs(grown[..., 3].astype(int) - 128).max() < 10


def test_counting_units_of_rules_loads_no_trainer() -> None:
    code = """
import sys
from regrow.core.codec.encode.pricing import unit_cost, units_of
from regrow.core.codec.encode.plan import Extent
from regrow.core.codec.settings import EncodeSettings
units_of(Extent(9, 9), EncodeSettings()), unit_cost(Extent(9, 9), EncodeSettings())
print({'torch', 'numba'} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
