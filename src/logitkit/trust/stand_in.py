"""Stand-in until ops and checks land; deleted then."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logitkit.errors import InputError


def read_only(array):
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def checked_logits(logits):
    z = np.asarray(logits)
    if z.ndim != 2:
        raise InputError(f"logits must have the shape [N, C]; got {list(z.shape)}.")
    if z.dtype.kind not in "fiu":
        raise InputError(f"logits must be numbers; got {z.dtype}.")
    if z.shape[1] == 0:
        raise InputError("logits must have at least one class; got none.")
    if z.dtype == np.float16:
        z = z.astype(np.float32)
    if z.dtype not in (np.float32, np.float64):
        z = z.astype(np.float64)
    return read_only(z)


def checked_labels(labels, N, C, lowest=0):
    y = np.asarray(labels)
    if y.shape != (N,):
        raise InputError(f"labels must have the shape [{N}], one a row of logits; got {list(y.shape)}.")
    if y.size == 0:
        return np.zeros(0, np.intp)
    if y.dtype.kind not in "iu":
        raise InputError(f"labels must be integers; got {y.dtype}.")
    wrong = np.flatnonzero((y < lowest) | (y >= C))
    if wrong.size:
        raise InputError(f"labels must be in [{lowest}, {C}); row {wrong[0]} has {y[wrong[0]]}.")
    return read_only(y.astype(np.intp, copy=False))


def checked_weights(w, N):
    if w is None:
        return read_only(np.empty(0))
    w = np.asarray(w, dtype=np.float64)
    if w.shape != (N,):
        raise InputError(f"sample_weights must have the shape [{N}], one a row of logits; got {list(w.shape)}.")
    wrong = np.flatnonzero(~((w >= 0) & np.isfinite(w)))
    if wrong.size:
        raise InputError(f"sample_weights must be finite and at least 0; row {wrong[0]} has {w[wrong[0]]}.")
    return read_only(w)


def softmax(z, *, temperature=1.0):
    e = np.exp((z - z.max(1, keepdims=True)) / temperature)
    return e / e.sum(1, keepdims=True)


def log_softmax(z, *, temperature=1.0):
    d = (z - z.max(1, keepdims=True)) / temperature
    return d - np.log(np.exp(d).sum(1, keepdims=True))
