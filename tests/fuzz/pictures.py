"""Fuzzing of what reads pictures: `python -m tests.fuzz.pictures --files 100000 --seconds 600 --seed 1`.

Every input must end in pixels or in an ImageError. Prints what does not, each kind once with the number of its input,
keeps such inputs in --keep, and ends with status 1 if there were any. The same seed makes the same inputs.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from regrow.core.codec.images import ImageLimits, read_picture
from regrow.core.errors import DamagedImage, ImageError
from tests.fuzz.picture_files import mutated, seeds

LIMITS = ImageLimits(max_side=4096, max_pixels=1 << 18)  # a mutated width shall not make the fuzzer slow
_OURS = "core/codec/"
_PROGRAMMING = (NameError, AttributeError, AssertionError, TypeError)
_EVERY = 5000


@dataclass(slots=True)
class Findings:
    """outcomes: how many inputs ended how. faults: where it went wrong, with the first traceback."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0

    def try_one(self, data: bytes) -> bool:
        """Whether the input ends as it should."""
        begun = time.perf_counter()
        try:
            _check(read_picture(data, LIMITS).pixels)
            self.outcomes["pixels"] += 1
        except ImageError as error:
            self.outcomes[type(error).__name__] += 1
            if hides_a_fault(error):
                return self._fault(error.__cause__)
        except Exception as error:  # is what is looked for
            return self._fault(error)
        finally:
            self.slowest = max(self.slowest, time.perf_counter() - begun)
        return True

    def _fault(self, error: BaseException | None) -> bool:
        self.outcomes["faults"] += 1
        text = "".join(traceback.format_exception(error))
        self.faults.setdefault("\n".join(text.splitlines()[-3:]), text)
        return False


def hides_a_fault(error: ImageError) -> bool:
    """Whether it is a mistake in our own lines that was taken for one of the decoder's many exceptions."""
    cause = error.__cause__
    if not isinstance(error, DamagedImage) or not isinstance(cause, _PROGRAMMING):
        return False
    return _OURS in traceback.extract_tb(cause.__traceback__)[-1].filename


def _check(pixels: np.ndarray) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise TypeError(f"pixels of {pixels.dtype} {pixels.shape}")


def run(files: int, seconds: float, seed: int, keep: Path | None) -> Findings:
    findings, real, begun, count = Findings(), seeds(), time.monotonic(), 0
    for data in real:
        findings.try_one(data)
    for count in range(1, files + 1):
        data = mutated(random.Random(f"{seed}/{count}"), real)
        if not findings.try_one(data) and keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{seed}-{count}").write_bytes(data)
        passed = time.monotonic() - begun
        if count % _EVERY == 0:
            print(f"{count:,} files in {passed:.0f} s: {dict(findings.outcomes)}", flush=True)
        if passed > seconds:
            break
    spent = time.monotonic() - begun
    outcomes = ", ".join(f"{name} {number:,}" for name, number in sorted(findings.outcomes.items()))
    print(f"{count:,} mutated files, seed {seed}, {spent:.0f} s; slowest {findings.slowest:.2f} s; {outcomes}")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz what reads pictures")
    parser.add_argument("--files", type=int, default=100_000, help="how many mutated files at most")
    parser.add_argument("--seconds", type=float, default=600.0, help="after which it stops")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for inputs that end wrongly")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # of Pillow, about metadata
    findings = run(arguments.files, arguments.seconds, arguments.seed, arguments.keep)
    for text in findings.faults.values():
        print(text, file=sys.stderr)
    sys.exit(1 if findings.faults else 0)


if __name__ == "__main__":
    main()
