"""Small dense linear algebra in numba code for the SOAP optimiser: eigenbases and changes of basis.

A basis is stored as a square matrix whose rows are the basis vectors, largest eigenvalue first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.core.codec.simd.dense import product

SWEEPS = 16  # of the Jacobi method; it needs about 7
TINY = np.float32(1e-30)  # squares below it count as zero, so that no reciprocal overflows
NOISE = np.float32(1e-5)  # of the largest value: rounding leaves about 1e-7
FAST = {"reassoc", "contract", "nsz"}  # allows vectors, but keeps infinities and not-a-numbers what they are


@njit(nogil=True, error_model="numpy")
def _transpose(matrix, out):  # type: ignore[no-untyped-def]
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[j, i] = matrix[i, j]


@njit(nogil=True, error_model="numpy")
def _rotate_pair(matrix, basis, p, q):  # type: ignore[no-untyped-def]
    """One Jacobi rotation: makes matrix[p, q] zero (Golub and Van Loan, Matrix Computations, 8.5)."""
    theta = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
    t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
    t = t if theta >= 0 else -t
    cosine = 1.0 / np.sqrt(t * t + 1.0)
    sine = t * cosine
    for k in range(len(matrix)):
        first, second = matrix[k, p], matrix[k, q]
        matrix[k, p], matrix[k, q] = cosine * first - sine * second, sine * first + cosine * second
    for rows in (matrix, basis):
        for k in range(len(matrix)):
            first, second = rows[p, k], rows[q, k]
            rows[p, k], rows[q, k] = cosine * first - sine * second, sine * first + cosine * second


@njit(nogil=True, error_model="numpy")
def _descending(values):  # type: ignore[no-untyped-def]
    """The indices that put `values` in descending order; equal values stay in their order."""
    order = np.arange(len(values))
    for i in range(1, len(values)):
        index, k = order[i], i
        while k > 0 and values[order[k - 1]] < values[index]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = index
    return order


@njit(nogil=True, error_model="numpy")
def eigenbasis(gradient, basis):  # type: ignore[no-untyped-def]
    """Eigenvectors of gradient · gradient^T into the rows of `basis`, by the cyclic Jacobi method.

    In float64: in this basis and its counterpart the first gradient is diagonal, and what is left beside the diagonal
    should be far below EPSILON.
    """
    size = len(gradient)
    matrix = np.zeros((size, size))
    vectors = np.zeros((size, size))
    trace = 0.0
    for i in range(size):
        vectors[i, i] = 1.0
        for j in range(size):
            for k in range(gradient.shape[1]):
                matrix[i, j] += np.float64(gradient[i, k]) * np.float64(gradient[j, k])
        trace += matrix[i, i]
    for _ in range(SWEEPS):
        rotated = False
        for p in range(size - 1):
            for q in range(p + 1, size):
                if abs(matrix[p, q]) > 1e-12 * trace:
                    _rotate_pair(matrix, vectors, p, q)
                    rotated = True
        if not rotated:
            break
    order = _descending(np.diag(matrix).copy())
    for i in range(size):
        for k in range(size):
            basis[i, k] = vectors[order[i], k]


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _reflect(matrix, normal, scale, start, products):  # type: ignore[no-untyped-def]
    """matrix -= scale · normal^T · (normal · matrix); normal (1, n) is zero before `start`, products (1, n) scratch."""
    product(normal, matrix, products)
    for k in range(start, matrix.shape[0]):
        factor = scale * normal[0, k]
        for j in range(matrix.shape[1]):
            matrix[k, j] -= factor * products[0, j]


@njit(nogil=True, error_model="numpy")
def _orthonormalise(rows, basis):  # type: ignore[no-untyped-def]
    """Orthonormal rows that span what the first rows of `rows` span, by Householder reflections.

    A zero row, or one that depends on those before it, still yields a unit vector at right angles to them.
    """
    size = len(rows)
    matrix, products = transposed(rows), np.empty((1, size), dtype=np.float32)
    normals, scale = np.zeros((size, 1, size), dtype=np.float32), np.zeros(size, dtype=np.float32)
    for i in range(size):
        square = np.float32(0.0)
        for k in range(i, size):
            square += matrix[k, i] * matrix[k, i]
        if square > TINY:
            norm = np.sqrt(square)
            for k in range(i, size):
                normals[i, 0, k] = matrix[k, i]
            normals[i, 0, i] += norm if matrix[i, i] >= 0 else -norm
            scale[i] = 1.0 / (norm * abs(normals[i, 0, i]))
            _reflect(matrix, normals[i], scale[i], i, products)
    matrix[:] = np.float32(0.0)
    for i in range(size - 1, -1, -1):
        matrix[i, i] = np.float32(1.0)
        _reflect(matrix, normals[i], scale[i], i, products)
    _transpose(matrix, basis)


@njit(nogil=True, error_model="numpy")
def refresh_basis(average, basis):  # type: ignore[no-untyped-def]
    """One power iteration on a basis. Returns the order, by estimated eigenvalue, into which it put the old vectors."""
    size = len(basis)
    images, ordered = np.empty_like(basis), np.empty_like(basis)
    product(basis, average, images)
    eigenvalues = np.zeros(size)
    for i in range(size):
        for k in range(size):
            eigenvalues[i] += images[i, k] * basis[i, k]
    order = _descending(eigenvalues)
    for i in range(size):
        ordered[i] = images[order[i]]
    _orthonormalise(ordered, basis)
    return order


@njit(nogil=True, error_model="numpy")
def between(left, matrix, right):  # type: ignore[no-untyped-def]
    """left · matrix · right."""
    half = np.empty_like(matrix)
    product(left, matrix, half)
    out = np.empty_like(matrix)
    product(half, right, out)
    return out


@njit(nogil=True, error_model="numpy")
def drop_noise(rotated, matrix):  # type: ignore[no-untyped-def]
    """Zero in `matrix` what is beside the diagonal and, in `rotated`, below NOISE of the largest.

    In the bases made of it a gradient has nothing beside its diagonal but rounding errors, which differ from processor
    to processor, and of which Adam would make steps. But where singular values are equal, any bases of their spaces
    are eigenvectors, and the two sides' need not match: what is beside the diagonal then is the gradient itself.
    """
    largest = np.float32(0.0)
    for i in range(rotated.shape[0]):
        for j in range(rotated.shape[1]):
            largest = max(largest, abs(rotated[i, j]))
    for i in range(rotated.shape[0]):
        for j in range(rotated.shape[1]):
            if i != j and abs(rotated[i, j]) < NOISE * largest:
                matrix[i, j] = np.float32(0.0)


@njit(nogil=True, error_model="numpy")
def transposed(matrix):  # type: ignore[no-untyped-def]
    """A transposed copy of a float32 matrix, contiguous in memory."""
    out = np.empty((matrix.shape[1], matrix.shape[0]), dtype=np.float32)
    _transpose(matrix, out)
    return out
