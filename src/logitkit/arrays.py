"""Whose arrays come in: NumPy, PyTorch, JAX, memory maps, lists. No copy where the memory allows it.

PyTorch and JAX are never imported here: an array of theirs says itself how it is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError

__all__ = ["compute_dtype", "read_only", "to_numpy"]

Array = NDArray[Any]


def to_numpy(values: Any, name: str, function: str) -> Array:
    """Return `values` as a NumPy array that shares their memory where that is possible.

    Args:
        values: a NumPy array or memory map; a PyTorch tensor in CPU memory, with or without gradient, bfloat16 too; a
            JAX array; anything with `__array__` or DLPack; a number or nested lists of numbers.
        name: what the error calls the values.
        function: the function that the error names.

    Raises:
        InputError: if no array can be made of them: rows of unequal length, memory of a GPU.

    Example:
        >>> from logitkit.arrays import to_numpy
        >>> to_numpy([[2.0, 1.0, 0.1]], "logits", "softmax").shape
        (1, 3)
    """
    if type(values) is np.ndarray:
        return values
    try:
        if type(values).__module__.partition(".")[0] == "torch":
            return _from_torch(values)
        if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
            return np.from_dlpack(values)
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"The {name!r} of {function} must be an array of numbers in the memory of the CPU; "
            f"got {type(values).__name__} ({reason})."
        ) from error


def _from_torch(tensor: Any) -> Array:
    """Return a tensor's memory. NumPy has no bfloat16, so that one passes as its bits."""
    tensor = tensor.detach()
    if str(tensor.dtype) != "torch.bfloat16":
        return np.asarray(tensor.numpy())
    from ml_dtypes import bfloat16
    from torch import int16

    return np.asarray(tensor.view(int16).numpy().view(bfloat16))


def compute_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that kernels compute with: float64 for float64, float32 for float32, float16 and bfloat16.

    Example:
        >>> import numpy as np
        >>> from logitkit.arrays import compute_dtype
        >>> compute_dtype(np.dtype("float16"))
        dtype('float32')
    """
    return np.dtype(np.float64) if dtype.itemsize == 8 else np.dtype(np.float32)


def read_only(array: Array) -> Array:
    """Return a read-only view: kernels know one kind of input, so that each compiles once, and none writes into it.

    Example:
        >>> import numpy as np
        >>> from logitkit.arrays import read_only
        >>> read_only(np.zeros(3)).flags.writeable
        False
    """
    view = array.view()
    view.flags.writeable = False
    return view
