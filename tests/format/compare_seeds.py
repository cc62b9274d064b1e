"""All decoders of the profile `seeds` on bundles never seen: `python -m tests.format.compare_seeds --bundles N`.

Half of the bundles are of random seeds, half of noise behind right checksums. All decoders must make the same pixels of
one, or all refuse it; a bundle of seeds must not be refused.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from regrow.core.errors import BundleError
from tests.format import seeds_decoder
from tests.format.seeds_decoder_model import FormatError
from tests.format.seeds_samples import Pixels, decode_by, garbage, random_bundle, random_header, random_model

Decode = Callable[[bytes, int], Pixels | None]
"""A bundle by a random model's number: its pixels, None where it is refused."""

COMPILED = "regrow.core.codec.decode.seeds.compiled"
MODELS = 8


def _refusing(decode: Callable[[bytes, int], Pixels]) -> Decode:
    def decoded(data: bytes, model: int) -> Pixels | None:
        try:
            return decode(data, model)
        except (BundleError, FormatError):
            return None

    return decoded


def decoders() -> dict[str, Decode]:
    """All there are, the reference first; the compiled one where there is one."""
    found = {
        "reference": _refusing(lambda data, model: decode_by(data, random_model(model)[1])),
        "independent": _refusing(lambda data, model: seeds_decoder.decode(data, random_model(model)[0])),
    }
    if importlib.util.find_spec(COMPILED) is not None:
        patch = importlib.import_module(COMPILED).decode_patch
        found["compiled"] = _refusing(lambda data, model: decode_by(data, random_model(model)[1], patch))
    return found


def bundle_of(number: int, seed: int = 1) -> tuple[bytes, int, bool]:
    """The bundle of a number, its model's, and whether it is noise."""
    rng = np.random.default_rng([seed, number])
    model, noise = number % MODELS, number % 2 == 1 - number // MODELS % 2
    header = random_header(rng, 24 if number % 3 else 40, patches=number % 5 == 4)
    return (garbage(rng, header) if noise else random_bundle(rng, header, random_model(model)[1])), model, noise


def compare(number: int, seed: int = 1) -> str:
    """How the decoders ended on a bundle: pixels or refused. Raises AssertionError where they differ."""
    data, model, noise = bundle_of(number, seed)
    results = {name: decode(data, model) for name, decode in decoders().items()}
    expected = results["reference"]
    assert noise or expected is not None, f"bundle {number} of seed {seed} is refused"
    for name, pixels in results.items():
        same = (pixels is None) == (expected is None) and (pixels is None or np.array_equal(pixels, expected))
        assert same, f"{name} differs on bundle {number} of seed {seed}"
    kind = "noise" if noise else "seeds"
    return f"{kind}, refused" if expected is None else f"{kind}, pixels"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the decoders of the profile seeds")
    parser.add_argument("--bundles", type=int, default=1000, help="how many at most")
    parser.add_argument("--seconds", type=float, default=600.0, help="after which it stops")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun, outcomes, faults = time.monotonic(), Counter[str](), 0
    for number in range(arguments.bundles):
        try:
            outcomes[compare(number, arguments.seed)] += 1
        except Exception as error:
            faults += 1
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        if time.monotonic() - begun > arguments.seconds:
            break
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(outcomes.items()))
    sys.stdout.write(f"decoders: {', '.join(decoders())}; seed {arguments.seed}; {told}; {faults} faults\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
