"""Whose arrays come in: NumPy, PyTorch, JAX, memory maps, lists. No copy where the memory allows it.

PyTorch and JAX are never imported here: an array of theirs exists only where they are loaded already.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError

__all__ = ["compute_dtype", "is_jax", "is_torch", "read_only", "to_numpy"]

Array = NDArray[Any]
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def is_torch(values: Any) -> bool:
    """Whether `values` is a PyTorch tensor, of a subclass too.

    Example:
        >>> from logitkit.arrays import is_torch
        >>> is_torch([2.0, 1.0, 0.1])
        False
    """
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, getattr(torch, "Tensor", ()))


def is_jax(values: Any) -> bool:
    """Whether `values` is a JAX array, or what stands for one while JAX traces a function.

    Example:
        >>> from logitkit.arrays import is_jax
        >>> is_jax([2.0, 1.0, 0.1])
        False
    """
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(values, getattr(jax, "Array", ()))


def to_numpy(values: Any, name: str, function: str) -> Array:
    """Return `values` as a NumPy array that shares their memory where that is possible.

    Args:
        values: a NumPy array or memory map; a PyTorch tensor in CPU memory, with or without gradient, bfloat16 too; a
            JAX array; anything with `__array__` or DLPack; a number or nested lists of numbers.
        name: what the error calls the values.
        function: the function that the error names.

    Raises:
        InputError: if no array can be made of them: rows of unequal length, a mask that would be forgotten, a sparse
            or quantised tensor, memory of a GPU, a JAX tracer, which has no values yet.

    Example:
        >>> from logitkit.arrays import to_numpy
        >>> to_numpy([[2.0, 1.0, 0.1]], "logits", "softmax").shape
        (1, 3)
    """
    if type(values) is np.ndarray:
        return values
    try:
        if is_torch(values):
            return _memory_of(values.detach().resolve_conj().resolve_neg())
        found = _unreadable(values)
        if not found:
            if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
                return np.from_dlpack(values)
            return np.asarray(values)
    except (TypeError, ValueError, RuntimeError, BufferError, ImportError) as error:
        found = _unreadable(values)
        if not found:
            reason = " ".join(str(error).split()).rstrip(".")
            raise InputError(
                f"The {name!r} of {function} must be an array of numbers in the memory of the CPU; "
                f"got {type(values).__name__} ({reason})."
            ) from error
    raise InputError(
        f"The {name!r} of {function} must be a plain array of numbers in the memory of the CPU; got {found}."
    )


def _unreadable(values: Any) -> str:
    """Return in words why `values` cannot be read as they lie, or "" where nothing is known against it."""
    if isinstance(values, np.ma.MaskedArray):
        return "a masked array, whose mask would be forgotten: pass its data, and the mask as weights or as 'where'"
    if is_torch(values):
        if values.layout is not sys.modules["torch"].strided:
            return f"a {str(values.layout).removeprefix('torch.')} tensor: call .to_dense() first"
        if values.is_quantized:
            return "a quantised tensor: call .dequantize() first"
        if values.device.type != "cpu":
            return f"a tensor on {values.device}" + ("" if values.is_meta else ": call .cpu() first")
    elif is_jax(values):
        if isinstance(values, sys.modules["jax"].core.Tracer):
            return "a JAX tracer, which has no values: call it outside jit, grad and vmap, or by jax.pure_callback"
        if any(device.platform != "cpu" for device in values.devices()):
            return "a JAX array on another device: jax.device_put it to jax.devices('cpu')[0] first"
    return ""


def _memory_of(tensor: Any) -> Array:
    """Return a tensor's memory. NumPy has no bfloat16, so that one passes as its bits."""
    torch = sys.modules["torch"]
    if tensor.dtype is not torch.bfloat16:
        return cast("Array", tensor.numpy())
    from ml_dtypes import bfloat16

    return cast("Array", tensor.view(torch.int16).numpy().view(bfloat16))


def compute_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that kernels compute with: float64 for float64, float32 for float32, float16 and bfloat16.

    Example:
        >>> import numpy as np
        >>> from logitkit.arrays import compute_dtype
        >>> compute_dtype(np.dtype("float16"))
        dtype('float32')
    """
    return _FLOAT64 if dtype.itemsize == 8 else _FLOAT32


def read_only(array: Array) -> Array:
    """Return a read-only view: kernels know one kind of input, so that each compiles once, and none writes into it.

    Example:
        >>> import numpy as np
        >>> from logitkit.arrays import read_only
        >>> read_only(np.zeros(3)).flags.writeable
        False
    """
    view = array.view()
    view.setflags(write=False)
    return view
