"""Arg max, top-k and ranks, on integer keys (see kernels/exp.py (c)): NaN first, ties to the lower index."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.candidates import Candidates, find_largest
from logitkit.kernels.exp import order_key
from logitkit.kernels.pointers import pointer
from logitkit.kernels.threshold import FEW as SORTED_BY_INSERTION
from logitkit.kernels.threshold import sort_descending

__all__ = ["argmax_block", "rank_block", "top_k_block"]

CHUNK = 2048
SHORT, SHORT_ROW = 8, 512  # up to so many are wanted of so many classes, a row is read once into a sorted list
LINE = 64
FEW = 96  # rows with fewer classes than this are too short for two vector loops


@jit
def argmax_block(logits: Any, labels_out: Any) -> None:
    """Write the first index of the largest logit, or of the first NaN, of every row into `labels_out` [N]."""
    N, C = logits.shape
    if C < FEW and logits.itemsize == 4:
        _argmax_short(logits, labels_out)
        return
    p, labels = pointer(logits), pointer(labels_out)
    for row in range(N):
        base = row * C
        best, chunk = order_key(p[base]), 0
        for start in range(0, C, CHUNK):
            first = base + start
            largest = order_key(p[first])
            for i in range(min(CHUNK, C - start)):
                largest = max(largest, order_key(p[first + i]))
            if largest > best:
                best, chunk = largest, start
        first, at = base + chunk, np.int32(CHUNK)
        for i in range(min(CHUNK, C - chunk)):
            at = min(at, np.int32(i) if order_key(p[first + i]) == best else np.int32(CHUNK))
        labels[row] = chunk + at


@jit
def _argmax_short(logits: Any, labels_out: Any) -> None:
    """Carry the index in the lower half of a 64-bit key, counted from the end: the maximum of those is the answer."""
    N, C = logits.shape
    p, labels = pointer(logits), pointer(labels_out)
    for row in range(N):
        base = row * C
        best = np.int64(-(1 << 63))
        for c in range(C):
            best = max(best, (np.int64(order_key(p[base + c])) << 32) | np.int64(C - 1 - c))
        labels[row] = C - 1 - (best & 0xFFFFFFFF)


@jit
def top_k_block(logits: Any, scratch: Candidates, values_out: Any, indices_out: Any) -> None:
    """Write every row's k largest logits and their indices, best first, into the outputs [N, k], 1 <= k <= C."""
    N, C = logits.shape
    k = indices_out.shape[1]
    keys, indices, spare_keys, spare_indices, counts = scratch[0], scratch[1], scratch[2], scratch[3], scratch[5]
    p, values, out, at = pointer(logits), pointer(values_out), pointer(indices_out), pointer(indices)
    short = k <= SHORT and C <= SHORT_ROW
    for row in range(N):
        base, to = row * C, row * k
        if short:
            _insert_largest(logits, base, C, k, keys, indices)
        else:
            n = find_largest(logits, base, C, k, SORTED_BY_INSERTION, scratch)
            sort_descending(keys, indices, n, spare_keys, spare_indices, counts)
        for i in range(k):
            out[to + i] = at[i]
            values[to + i] = p[base + at[i]]


@jit
def _insert_largest(logits: Any, base: int, C: int, k: int, keys: Any, indices: Any) -> None:
    """List the k largest of the C entries from `base` on, the best first: quick where k is small, or C."""
    p, list_k, list_at = pointer(logits), pointer(keys), pointer(indices)
    for start in range(0, C, LINE):
        length, first = min(LINE, C - start), base + start
        if start >= k:
            worst, better = list_k[k - 1], np.int32(0)
            for i in range(length):
                better += np.int32(1) if order_key(p[first + i]) > worst else np.int32(0)
            if better == 0:
                continue
        for c in range(start, start + length):
            key = order_key(p[base + c])
            if c >= k and key <= list_k[k - 1]:
                continue
            i = min(c, k - 1)
            while i > 0 and list_k[i - 1] < key:
                list_k[i] = list_k[i - 1]
                list_at[i] = list_at[i - 1]
                i -= 1
            list_k[i] = key
            list_at[i] = c


@jit
def rank_block(logits: Any, labels: Any, ranks_out: Any) -> None:
    """Write how many entries of each row come before its label's: larger ones, and equal ones further left."""
    N, C = logits.shape
    p = pointer(logits)
    for row in range(N):
        base, label = row * C, labels[row]
        key = order_key(p[base + label])
        before = 0
        for c in range(C):
            before += order_key(p[base + c]) > key
        for c in range(label):
            before += order_key(p[base + c]) == key
        ranks_out[row] = before
