"""The only place that validates arrays and options. Each check returns what it has checked, ready for a kernel.

An error is one sentence: "The 'x' option of F must be <constraint>; got <value>."
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import read_only, to_numpy
from logitkit.errors import InputError, OptionError

__all__ = [
    "as_binary_targets",
    "as_labels",
    "as_logits",
    "as_mask",
    "as_out",
    "as_temperature",
    "as_weights",
    "check_at_least_zero",
    "check_axis",
    "check_choice",
    "check_count",
    "check_finite",
    "check_fraction",
    "check_integer",
    "check_temperature",
    "input_error",
    "option_error",
]

Array = NDArray[Any]
_FLOATS = {"float16", "bfloat16", "float32", "float64"}


def option_error(name: str, function: str, constraint: str, value: object) -> OptionError:
    """Return the error for an option out of its range.

    Example:
        >>> from logitkit.checks import option_error
        >>> print(option_error("temperature", "softmax", "greater than 0 and finite", -1))
        The 'temperature' option of softmax must be greater than 0 and finite; got -1.
    """
    return OptionError(f"The {name!r} option of {function} must be {constraint}; got {value!r}.")


def input_error(name: str, function: str, constraint: str, found: str) -> InputError:
    """Return the error for data that is wrong; `found` says what and where.

    Example:
        >>> from logitkit.checks import input_error
        >>> print(input_error("labels", "cross_entropy", "in [0, 3)", "7 in row 2"))
        The 'labels' of cross_entropy must be in [0, 3); got 7 in row 2.
    """
    return InputError(f"The {name!r} of {function} must be {constraint}; got {found}.")


def _as_number(value: Any) -> float:
    """Return `value` as a float, or NaN, which no range holds."""
    if isinstance(value, (bool, np.bool_, str, bytes)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def check_temperature(value: Any, function: str, name: str = "temperature") -> float:
    """Return a number greater than 0 and finite."""
    number = _as_number(value)
    if not 0.0 < number < math.inf or math.isinf(1.0 / number):
        raise option_error(name, function, "greater than 0 and finite", value)
    return number


def as_temperature(value: Any, shape: tuple[int, ...], function: str) -> float | NDArray[np.float64]:
    """Return a number greater than 0 and finite, or one for each row, as a float64 array of the rows' `shape`."""
    if isinstance(value, (float, int, str, bytes)) or value is None:
        return check_temperature(value, function)
    array = to_numpy(value, "temperature", function)
    if array.ndim == 0:
        return check_temperature(array[()], function)
    if array.dtype.name not in _FLOATS and array.dtype.kind not in "iu":
        raise input_error("temperature", function, "numbers", array.dtype.name)
    try:
        numbers = np.broadcast_to(array.astype(np.float64), shape)
    except ValueError:
        constraint, found = f"a number or of a shape that stretches to {list(shape)}", f"the shape {list(array.shape)}"
        raise input_error("temperature", function, constraint, found) from None
    with np.errstate(divide="ignore", over="ignore"):
        good = (numbers > 0.0) & (numbers < np.inf) & (1.0 / numbers < np.inf)
    if not good.all():
        row = int(np.argmin(good))
        raise input_error("temperature", function, "greater than 0 and finite", f"{numbers.flat[row]} in row {row}")
    return float(array.flat[0]) if array.size == 1 else numbers


def check_fraction(value: Any, name: str, function: str) -> float:
    """Return a number in [0, 1]."""
    number = _as_number(value)
    if not 0.0 <= number <= 1.0:
        raise option_error(name, function, "in [0, 1]", value)
    return number


def check_at_least_zero(value: Any, name: str, function: str) -> float:
    """Return a finite number that is not negative."""
    number = _as_number(value)
    if not 0.0 <= number < math.inf:
        raise option_error(name, function, "finite and at least 0", value)
    return number


def check_finite(value: Any, name: str, function: str) -> float:
    """Return a finite number."""
    number = _as_number(value)
    if not -math.inf < number < math.inf:
        raise option_error(name, function, "finite", value)
    return number


def check_choice(value: Any, choices: Sequence[str], name: str, function: str) -> str:
    """Return one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise option_error(name, function, "one of " + ", ".join(map(repr, choices)), value)
    return value


def check_count(value: Any, low: int, high: int, name: str, function: str) -> int:
    """Return an integer in [low, high]."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise option_error(name, function, f"an integer in [{low}, {high}]", value)
    return number


def check_integer(value: Any, name: str, function: str) -> int:
    """Return any integer."""
    try:
        return operator.index(value)
    except TypeError:
        raise option_error(name, function, "an integer", value) from None


def check_axis(value: Any, ndim: int, function: str) -> int:
    """Return an axis in [0, ndim)."""
    if type(value) is int and -ndim <= value < ndim:
        return value % ndim
    return check_count(value, -ndim, ndim - 1, "axis", function) % ndim


def as_logits(values: Any, function: str, *, axis: Any = -1, ndim: int | None = None, name: str = "logits") -> Array:
    """Return logits as a float array with a class at least along `axis`; integers become float64."""
    array = to_numpy(values, name, function)
    if array.dtype.char not in "fde" and array.dtype.name not in _FLOATS:  # a dtype's name takes 2 µs to make
        if array.dtype.kind not in "iu":
            allowed = "float16, bfloat16, float32, float64 or integers"
            raise input_error(name, function, allowed, array.dtype.name)
        array = array.astype(np.float64)
    if array.ndim == 0 or (ndim is not None and array.ndim != ndim):
        shape = "of one dimension or more" if ndim is None else f"of {ndim} dimension{'s' * (ndim > 1)}"
        raise input_error(name, function, shape, f"the shape {list(array.shape)}")
    if array.shape[check_axis(axis, array.ndim, function)] == 0:
        raise input_error(name, function, "of one class or more", f"the shape {list(array.shape)}")
    return array


def as_labels(values: Any, shape: tuple[int, ...], C: int, function: str, *, lowest: int = 0) -> NDArray[np.intp]:
    """Return class indices in [lowest, C) of this shape, as a contiguous read-only intp array."""
    array = to_numpy(values, "labels", function)
    if array.shape != shape:
        found = f"the shape {list(array.shape)}"
        raise input_error("labels", function, f"of the shape {list(shape)}, one for each row of logits", found)
    if array.dtype.kind not in "iu" and array.size:
        raise input_error("labels", function, "integers", array.dtype.name)
    checked = np.ascontiguousarray(array, dtype=np.intp).reshape(array.shape)
    # Taken as a number without sign, a negative label is above all: one pass where lowest is 0, as it nearly always is.
    if checked.size and (checked.view(np.uintp).max() >= C if lowest == 0 else not _in_range(checked, lowest, C)):
        flat = array.reshape(-1)
        row = int(np.argmax((flat < lowest) | (flat >= C)))
        raise input_error("labels", function, f"in [{lowest}, {C})", f"{flat[row]} in row {row}")
    return read_only(checked)


def _in_range(labels: NDArray[np.intp], low: int, stop: int) -> bool:
    return bool(labels.min() >= low and labels.max() < stop)


def as_binary_targets(values: Any, shape: tuple[int, ...], function: str, name: str = "targets") -> NDArray[np.bool_]:
    """Return zeros and ones of this shape, one for each label of each row, as booleans."""
    array = to_numpy(values, name, function)
    if array.shape != shape:
        raise input_error(name, function, f"of the shape {list(shape)}", f"the shape {list(array.shape)}")
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "iuf":
        raise input_error(name, function, "0 or 1", array.dtype.name)
    ones = np.asarray(array == 1)
    wrong = np.flatnonzero(~(ones | (array == 0)).all(axis=1))
    if wrong.size:
        row = wrong[0]
        value = array[row][~(ones[row] | (array[row] == 0))][0]
        raise input_error(name, function, "0 or 1", f"{value} in row {row}")
    return ones


def as_weights(values: Any, shape: tuple[int, ...], name: str, function: str) -> NDArray[np.float64]:
    """Return finite weights of this shape, none negative, as a contiguous read-only float64 array."""
    array = to_numpy(values, name, function)
    if array.dtype.name not in _FLOATS and array.dtype.kind not in "iub":
        raise input_error(name, function, "numbers", array.dtype.name)
    if array.shape != shape:
        raise input_error(name, function, f"of the shape {list(shape)}", f"the shape {list(array.shape)}")
    weights = np.ascontiguousarray(array, dtype=np.float64).reshape(array.shape)
    if weights.size and not (weights.min() >= 0.0 and weights.max() < np.inf):
        flat = weights.reshape(-1)
        row = int(np.argmax(~((flat >= 0.0) & (flat < np.inf))))
        raise input_error(name, function, "finite and at least 0", f"{flat[row]} at {row}")
    return read_only(weights)


def as_mask(values: Any, shape: tuple[int, ...], function: str) -> NDArray[np.bool_]:
    """Return a boolean mask stretched to `shape`."""
    mask = to_numpy(values, "where", function)
    if mask.dtype != np.bool_:
        raise input_error("where", function, "booleans", mask.dtype.name)
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        found = f"the shape {list(mask.shape)}"
        raise input_error("where", function, f"of a shape that stretches to {list(shape)}", found) from None


def as_out(buffer: Any, shape: tuple[int, ...], dtype: np.dtype[Any], name: str, function: str) -> Array:
    """Return the caller's buffer, or a new array where there is none."""
    if buffer is None:
        return memory.empty(shape, dtype)
    if (
        not isinstance(buffer, np.ndarray)
        or buffer.shape != shape
        or buffer.dtype != dtype
        or not buffer.flags.writeable
    ):
        found = type(buffer).__name__
        if isinstance(buffer, np.ndarray):
            found = f"{'a' if buffer.flags.writeable else 'a read-only'} {buffer.dtype.name} array {list(buffer.shape)}"
        raise input_error(name, function, f"a writable {dtype.name} array {list(shape)}", found)
    return buffer
