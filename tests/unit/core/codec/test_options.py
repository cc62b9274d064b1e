"""Which profile a choice of options means, and what does not go together."""

from __future__ import annotations

from typing import Any

import pytest

from regrow.core.codec.coder import Coder
from regrow.core.codec.options import CodecOptions, OptionConflict, options_of, settings_of
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.profile import Profile
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import DEFAULT_QUALITY, EncodeSettings
from regrow.core.jobs.documents import JobDocument
from tests.jobs import job_document


@pytest.mark.parametrize(
    ("chosen", "profile"),
    [
        ({}, Profile.SEEDS),
        ({"effort": Effort.THOROUGH}, Profile.SEEDS),
        ({"quality": 0.0}, Profile.SEEDS),
        ({"target_psnr": 30.0}, Profile.SEEDS),
        ({"max_bytes": 300}, Profile.SEEDS),
        ({"preset": Preset.SMALL}, Profile.RULES),
        ({"seed": SeedKind.PIXEL}, Profile.RULES),
        ({"seed_number": 0}, Profile.RULES),
        ({"coder": Coder.ANS}, Profile.RULES),
        ({"effort": Effort.PAPER}, Profile.RULES),
        ({"profile": Profile.RULES, "max_bytes": 300}, Profile.RULES),
        ({"profile": Profile.SEEDS}, Profile.SEEDS),
    ],
)
def test_the_profile_is_what_is_named_or_what_the_options_are_of(chosen: dict[str, Any], profile: Profile) -> None:
    settings = CodecOptions(**chosen).settings()
    assert settings.profile is profile
    assert all(getattr(settings, name) == value for name, value in chosen.items())


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (
            {"profile": "seeds", "preset": "small"},
            "preset is for the profile rules: leave it out, or choose profile rules",
        ),
        ({"profile": "seeds", "seed_number": 0}, "seed_number is for the profile rules"),
        ({"profile": "seeds", "seed": "pixel"}, "seed is for the profile rules"),
        ({"profile": "seeds", "coder": "ans"}, "coder is for the profile rules"),
        ({"profile": "seeds", "effort": "paper"}, "effort paper is for the profile rules"),
        ({"profile": "rules", "quality": 50}, "quality is for the profile seeds: leave out profile rules, or"),
        ({"preset": "small", "quality": 50}, "quality is for the profile seeds: leave out preset, or"),
        ({"quality": 50, "target_psnr": 30}, "quality and target_psnr exclude each other: leave one of them out"),
        ({"quality": 50, "max_bytes": 300}, "quality and max_bytes exclude each other: leave one of them out"),
    ],
)
def test_what_does_not_go_together_is_said(chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionConflict, match=words):
        CodecOptions.model_validate(chosen).settings()


@pytest.mark.parametrize(
    "settings",
    [
        EncodeSettings(),
        EncodeSettings(Preset.LARGE, Effort.PAPER, SeedKind.PIXEL, seed_number=3),
        EncodeSettings(target_psnr=30.0),
        EncodeSettings(profile=Profile.SEEDS),
        EncodeSettings(profile=Profile.SEEDS, quality=0.0, effort=Effort.THOROUGH),
        EncodeSettings(profile=Profile.SEEDS, max_bytes=300),
    ],
)
def test_settings_survive_a_job_document(settings: EncodeSettings) -> None:
    assert settings_of(options_of(settings)) == settings
    document = JobDocument(**job_document(1).model_dump() | options_of(settings))
    assert JobDocument.model_validate_json(document.model_dump_json()).settings() == settings


def test_what_has_no_part_in_it_is_not_said() -> None:
    of_seeds = options_of(EncodeSettings(profile=Profile.SEEDS))
    assert {name for name, value in of_seeds.items() if value is not None} == {"profile", "quality", "effort"}
    assert of_seeds["quality"] == DEFAULT_QUALITY
    assert options_of(EncodeSettings(profile=Profile.SEEDS, max_bytes=300))["quality"] is None
    assert options_of(EncodeSettings())["quality"] is None


def test_documents_of_before_are_of_rules() -> None:
    old = job_document(1, target_psnr=30.0).model_dump(exclude={"profile", "quality"})
    settings = JobDocument.model_validate(old).settings()
    assert (settings.profile, settings.preset, settings.target_psnr) == (Profile.RULES, Preset.SMALL, 30.0)
