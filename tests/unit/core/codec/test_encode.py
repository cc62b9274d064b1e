"""The verb `encode`: a picture to a bundle, as the command line, the benchmarks and users call it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from regrow.core.codec.decode import decode
from regrow.core.codec.encode import EncodeProgress, encode
from regrow.core.codec.presets import SCHEDULES, Effort, Schedule
from regrow.core.codec.quality import measure
from regrow.core.codec.settings import EncodeSettings
from tests.pictures import smooth_picture


def test_what_is_reported_was_measured_on_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES, Effort.DRAFT, Schedule(20, 5))
    monkeypatch.setattr("regrow.core.codec.encode.PATCHES_AT_ONCE", 2)
    picture, seen = smooth_picture(50, 90, seed=3), list[EncodeProgress]()
    encoded = encode(picture, EncodeSettings(), on_progress=seen.append)
    assert encoded.quality == measure(picture.pixels, decode(encoded.bundle).picture.pixels)
    assert encoded.patch_iterations >= 20 * 6
    done = [progress.patches_done for progress in seen]
    assert (done, done[-1], {progress.patches_total for progress in seen}) == (sorted(done), 6, {6})
    monkeypatch.setattr("regrow.core.codec.encode.PATCHES_AT_ONCE", 64)
    np.testing.assert_array_equal(encode(picture, EncodeSettings()).bundle, encoded.bundle)


def test_planning_an_encode_loads_no_trainer() -> None:
    code = "import sys, regrow.core.codec.encode.plan; print({'torch', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
