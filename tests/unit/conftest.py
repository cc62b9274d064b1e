from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    # Before anything imports triton: without a GPU, its kernels run in its interpreter.
    os.environ.setdefault("TRITON_INTERPRET", "1")
