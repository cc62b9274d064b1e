"""What the processor that numba compiles for can do, which need not be the one that it runs on."""

from __future__ import annotations

import functools

from numba.core.registry import cpu_target

_ALWAYS = {"x86_64": frozenset({"sse2"}), "aarch64": frozenset({"neon"})}
"""What every processor of an architecture has, by the first word of LLVM's triple."""


@functools.cache
def target_features() -> frozenset[str]:
    """LLVM's names of the target's features, such as `avx2`."""
    triple, _, flags = cpu_target.target_context.codegen().magic_tuple()
    return features_of(triple, flags)


def features_of(triple: str, flags: str) -> frozenset[str]:
    """What `flags` promises, such as `+avx,-avx2`, and what every such processor has.

    The flags are the host's, or what NUMBA_CPU_NAME=generic, NUMBA_CPU_FEATURES and NUMBA_ENABLE_AVX make of them: the
    string that LLVM is given, which is also part of the key of numba's cache. What the processor named by
    NUMBA_CPU_NAME has beside them is not known here, so it is not relied on.
    """
    named = [flag.strip() for flag in flags.split(",")]
    given = {flag[1:] for flag in named if flag.startswith("+")}
    taken = {flag[1:] for flag in named if flag.startswith("-")}
    return (_ALWAYS.get(triple.partition("-")[0], frozenset()) | given) - taken
