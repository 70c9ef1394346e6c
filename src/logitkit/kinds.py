"""Whose arrays go out: a result is of the kind of the first argument, in the same memory where its library allows.

Functions compute and return NumPy arrays; `returns_callers_kind` gives their memory a caller's form. PyTorch and JAX
are never imported here: an array of theirs exists only where they are loaded already.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import is_jax, is_torch, to_numpy
from logitkit.errors import InputError

__all__ = ["returns_callers_kind"]

Array = NDArray[Any]
GiveBack = Callable[[Array], Any]
P = ParamSpec("P")
R = TypeVar("R")

_NUMPY = frozenset({np.ndarray, np.memmap, list, tuple, float, int, np.float32, np.float64})


def returns_callers_kind(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function that returns NumPy arrays return arrays of the kind of its first argument.

    NumPy arrays, lists, memory maps, tables: NumPy. A PyTorch tensor: tensors in the memory of the results, numbers as
    tensors of no dimension (a float as float64). A JAX array: JAX arrays, in the types that JAX has enabled. Any other
    array with a namespace that knows DLPack: arrays of that namespace. Tuples and records keep their form.

    A buffer (`*_out`) may be a tensor: it is written in place and returned as it came. Tensors that require a gradient
    are refused where a real result would lose it in silence, unless the caller takes the gradient by `grad=True`, or
    gradients are off.

    Example:
        >>> import numpy as np
        >>> from logitkit.kinds import returns_callers_kind
        >>> @returns_callers_kind
        ... def total(values):
        ...     return np.asarray(values).sum()
        >>> total([1.0, 2.0])
        np.float64(3.0)
    """
    parameters = list(inspect.signature(function).parameters)
    first = parameters[0]
    buffers = frozenset(name for name in parameters if name.endswith("_out"))
    no_buffer_in = buffers.isdisjoint

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        # NumPy's users pay for this line alone: about 0.1 µs.
        if args and type(args[0]) in _NUMPY and no_buffer_in(kwargs):
            return function(*args, **kwargs)
        return cast("R", _call(function, args, kwargs, args[0] if args else kwargs.get(first), buffers))

    return wrapper


def _call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], owner: Any, buffers: frozenset[str]
) -> Any:
    """Call with NumPy views for buffers, and return what the owner of the first argument expects."""
    name, given = function.__name__, {}
    given_options = [option for option in buffers & kwargs.keys() if kwargs[option] is not None]
    for option in given_options:
        buffer = kwargs[option]
        kwargs[option] = view = _buffer_view(buffer, option, name)
        given[id(view)] = buffer
    give_back = _giver(owner)
    takes_gradient = kwargs.get("grad") or any(option.endswith("grad_out") for option in given_options)
    if give_back is _as_tensor and not takes_gradient and _asks_for_gradient(*args, *kwargs.values()):
        give_back = _no_gradient(name)
    result = function(*args, **kwargs)
    for buffer in given.values():
        if is_torch(buffer) and not buffer.is_inference():
            sys.modules["torch"].autograd.graph.increment_version(buffer)  # else backward would trust what is no more
    return _convert(result, give_back, given)


def _asks_for_gradient(*values: Any) -> bool:
    """Whether gradients are on and a tensor among the values requires one."""
    return sys.modules["torch"].is_grad_enabled() and any(is_torch(value) and value.requires_grad for value in values)


def _buffer_view(buffer: Any, option: str, function: str) -> Any:
    """Return a writable NumPy view of a caller's buffer; what is no array passes on to the function's own check."""
    if type(buffer) is np.ndarray:
        return buffer
    found = ""
    if is_jax(buffer):
        found = "a JAX array, which never changes"
    elif is_torch(buffer):
        if buffer.requires_grad and sys.modules["torch"].is_grad_enabled():
            found = "a tensor that requires a gradient"
        elif buffer.is_neg() or any(n > 1 and step == 0 for n, step in zip(buffer.shape, buffer.stride(), strict=True)):
            found = "a tensor whose elements have no memory of their own"
    elif isinstance(buffer, np.ma.MaskedArray):
        found = "a masked array"
    elif isinstance(buffer, np.ndarray):
        return buffer.view(np.ndarray)
    else:
        return buffer
    if found:
        raise InputError(f"The {option!r} of {function} must be an array to write into; got {found}.")
    return to_numpy(buffer, option, function)


def _giver(owner: Any) -> GiveBack:
    """Return the function that turns a NumPy array into one of the owner's kind."""
    if type(owner) in _NUMPY or isinstance(owner, (np.ndarray, np.generic)):
        return _as_numpy
    if is_torch(owner):
        return _as_tensor
    if is_jax(owner) and not isinstance(owner, sys.modules["jax"].core.Tracer):
        device = next(iter(owner.devices()))
        return lambda array: sys.modules["jax"].device_put(array, device)
    if hasattr(owner, "__array_namespace__") and not is_jax(owner):
        return lambda array: _by_namespace(owner, array)
    return _as_numpy


def _as_numpy(array: Array) -> Any:
    """Return the array as it is; one of no dimension is a NumPy number already."""
    return array


def _as_tensor(array: Array) -> Any:
    """Return a tensor in the array's memory; bfloat16, which NumPy lacks, passes as its bits."""
    torch = sys.modules["torch"]
    if not array.flags.writeable or (array.ndim and min(array.strides) < 0) or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="), order="C")  # torch has no such memory
    if array.dtype.kind == "V":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _no_gradient(function: str) -> GiveBack:
    """Return a giver that refuses real numbers, which would have lost their gradient; indices never had one."""

    def give_back(array: Array) -> Any:
        if array.dtype.kind in "iub":
            return _as_tensor(array)
        raise InputError(
            f"The result of {function} would lose the gradient that a tensor given to it requires: "
            "use logitkit.torch, torch.no_grad() or .detach()."
        )

    return give_back


def _by_namespace(owner: Any, array: Array) -> Any:
    """Return the array in the owner's namespace, or as it is where that one takes no memory from outside."""
    try:
        return owner.__array_namespace__().from_dlpack(array)
    except (AttributeError, TypeError, ValueError, RuntimeError, BufferError):
        return array


def _convert(result: Any, give_back: GiveBack, given: dict[int, Any]) -> Any:
    """Return the result with its arrays and numbers given back, in tuples, lists, dicts and records too."""
    if id(result) in given:
        return given[id(result)]
    if give_back is _as_numpy and not given:
        return result
    if isinstance(result, np.ndarray):
        return give_back(result)
    if isinstance(result, (np.generic, float, int)) and not isinstance(result, bool):
        return result if give_back is _as_numpy else give_back(np.array(result))
    if isinstance(result, (tuple, list)):
        parts = [_convert(part, give_back, given) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    if isinstance(result, dict):
        return {key: _convert(part, give_back, given) for key, part in result.items()}
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        record = copy.copy(result)
        for field in dataclasses.fields(result):
            object.__setattr__(record, field.name, _convert(getattr(result, field.name), give_back, given))
        return record
    return result
