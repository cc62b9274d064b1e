"""The CUDA engine's kernels through Triton's compiler, which needs no GPU: its interpreter takes more than it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton", reason="Triton comes with Linux only")

INTEGERS = ("extent", "extents", "chosen")
POINTERS = ("weights", "seeds", "states", "pixels", "adjoints", "losses", "gradients", "seed_gradients")
POINTERS += ("tangents", "jacobian", *INTEGERS)


def test_compiles_for_a_gpu(tmp_path: Path) -> None:
    # In a process of its own, as kernels are for the interpreter or for the compiler from when they are defined.
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    script = f"from {__name__} import compile_all; compile_all()"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def compile_all() -> None:
    from regrow.core.codec.fit.engines.gpu.jacobian import tangent_kernel
    from regrow.core.codec.fit.engines.gpu.kernels import backward_kernel, grow_kernel

    compile_for_hopper(grow_kernel, {})
    compile_for_hopper(backward_kernel, {"VISIBLE": 3, "OFFSET": 0.5, "SEED_GRADIENTS": False})
    compile_for_hopper(tangent_kernel, {"VISIBLE": 3})


def compile_for_hopper(kernel: Any, more: dict[str, Any]) -> None:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from regrow.core.codec.fit.engines.gpu.launch import constants
    from regrow.core.codec.rollout import Rollout
    from regrow.core.codec.rule import RuleShape

    values = constants(RuleShape(14, 20), 40, 40, Rollout(3, 0.5), "bf16x3") | more
    options = {name: values.pop(name) for name in ("num_warps", "num_stages", "maxnreg")}
    types = dict.fromkeys(kernel.arg_names, "i32") | dict.fromkeys(values, "constexpr")
    types |= {name: "*i32" if name in INTEGERS else "*fp32" for name in kernel.arg_names if name in POINTERS}
    compiled = triton.compile(ASTSource(kernel, types, values), target=GPUTarget("cuda", 90, 32), options=options)
    assert compiled.asm["cubin"]
