"""Matrix products into memory that exists already, by the BLAS of scipy: `out = a @ b`, or `out += a @ b`.

NumPy's product cannot add to its result, and scipy's own wrapper copies what is not laid out as it likes and holds the
interpreter meanwhile. This one does neither: the other threads of a server go on while a product of seconds runs.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

__all__ = ["multiply"]

Array = NDArray[Any]


def multiply(a: Array, b: Array, out: Array, *, add: bool = False) -> None:
    """Write a @ b into `out`, or add it.

    Args:
        a: `[M, K]`; it, `b` and `out` are all float32 or all float64. One of its two dimensions is contiguous, so that
            transposed arrays and slices of rows are taken as they are.
        b: `[K, N]`, likewise.
        out: `[M, N]`, with contiguous rows, and no memory of `a` or `b`.
        add: add to what `out` holds; without it, `out` need not be set.

    Example:
        >>> import numpy as np
        >>> from logitkit.ops._products import multiply
        >>> out = np.ones((1, 2))
        >>> multiply(np.array([[1.0, 2.0]]), np.eye(2), out, add=True)
        >>> out.tolist()
        [[2.0, 3.0]]
    """
    rows, columns, inner = out.shape[0], out.shape[1], a.shape[1]
    if rows == 0 or columns == 0:
        return
    number = ctypes.c_double if out.dtype.itemsize == 8 else ctypes.c_float
    integers = ctypes.c_int * 6
    # BLAS counts along columns: it is told of the transposed problem, out.T = b.T @ a.T, which is the same memory.
    flip_b, width_b = _layout(b)
    flip_a, width_a = _layout(a)
    sizes = integers(columns, rows, inner, width_b, width_a, max(1, out.strides[0] // out.itemsize, columns))
    at = ctypes.addressof(sizes)
    one, beta = number(1.0), number(1.0 if add else 0.0)
    gemm = _gemm(out.dtype.itemsize)
    gemm(flip_b, flip_a, at, at + 4, at + 8, ctypes.addressof(one), b.ctypes.data, at + 12, a.ctypes.data, at + 16,
         ctypes.addressof(beta), out.ctypes.data, at + 20)  # fmt: skip


def _layout(array: Array) -> tuple[bytes, int]:
    """Return how BLAS reads a matrix whose transposed it is told of, and the distance of its lines."""
    rows, columns = array.shape
    if columns == 1 or array.strides[1] == array.itemsize:
        return b"N", max(1, columns if rows == 1 else array.strides[0] // array.itemsize)
    return b"T", max(1, array.strides[1] // array.itemsize)


@functools.cache
def _gemm(itemsize: int) -> Callable[..., None]:
    """Return the product of scipy's BLAS for numbers of this size; calling it lets other threads run."""
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__["dgemm" if itemsize == 8 else "sgemm"]
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))(capsule)
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    address = pointer_of(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, name)
    text, pointer = ctypes.c_char_p, ctypes.c_void_p
    return ctypes.CFUNCTYPE(None, text, text, *[pointer] * 11)(address)
