"""Orthonormal bases of many small matrices at once, by Householder QR in batched tensor operations.

torch.linalg.qr would do on a CPU, but on a GPU it forms the Q factors of a batch one after the other. Here the number
of operations depends on the matrices' size only, nothing waits for the device, and rank-deficient input is no
special case: a product of reflections is orthogonal whatever the input was.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Below this squared length a column is left as it is: 2 / length² must not overflow, and skipping a reflection is safe.
SMALLEST_SQUARE = 1e-30


def orthonormalise(matrices: Tensor) -> Tensor:
    """The Q factors of finite (G, n, n) `matrices`; (G, n, n) of the same dtype.

    Source: Golub and Van Loan, "Matrix Computations", sections 5.1 and 5.2.
    """
    remaining = matrices.clone()
    size = matrices.shape[-1]
    reflections = []
    for column in range(size - 1):
        reflection = _reflection(remaining[:, column:, column])
        _reflect(remaining[:, column:, column + 1 :], *reflection)
        reflections.append(reflection)
    basis = torch.eye(size, dtype=matrices.dtype, device=matrices.device).repeat(len(matrices), 1, 1)
    for column in reversed(range(size - 1)):
        _reflect(basis[:, column:, column:], *reflections[column])
    return basis


def _reflection(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Normal v (G, m) and factor f (G, 1) of reflections I - f v vᵀ that turn `vectors` (G, m) to the first axis."""
    lengths = vectors.square().sum(dim=1).sqrt()
    normals = vectors.clone()
    normals[:, 0] += torch.copysign(lengths, vectors[:, 0])
    squares = normals.square().sum(dim=1, keepdim=True)
    usable = squares > SMALLEST_SQUARE
    return normals, torch.where(usable, 2 / torch.where(usable, squares, 1), 0)


def _reflect(block: Tensor, normals: Tensor, factors: Tensor) -> None:
    """Apply the reflections to the columns of `block` (G, m, k), in place."""
    along = torch.einsum("gm,gmk->gk", normals, block)
    block.sub_((factors * normals).unsqueeze(2) * along.unsqueeze(1))
