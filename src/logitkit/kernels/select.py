"""The largest logits of a row, found on integer keys (see kernels/exp.py (c)): NaN first, ties to the lower index.

A chunk of a row is passed over in one vector loop unless it holds something larger than what is already known.
"""

from __future__ import annotations

from typing import Any

from logitkit.kernels import jit
from logitkit.kernels.exp import largest_key, order_key

__all__ = ["argmax_block", "top_k_block"]

CHUNK = 256


@jit
def argmax_row(logits: Any) -> int:
    """Return the first index of the largest logit, or of the first NaN."""
    C = logits.shape[0]
    best = largest_key(logits[:CHUNK])
    chunk = 0
    for start in range(CHUNK, C, CHUNK):
        key = largest_key(logits[start : start + CHUNK])
        if key > best:
            best = key
            chunk = start
    found = logits[chunk : chunk + CHUNK]
    for i in range(found.shape[0]):
        if order_key(found[i]) == best:
            return chunk + i
    return 0


@jit
def argmax_block(logits: Any, labels_out: Any) -> None:
    """Write the arg max of every row into `labels_out` [N]."""
    for row in range(logits.shape[0]):
        labels_out[row] = argmax_row(logits[row])


@jit
def _worse(keys: Any, indices: Any, a: int, b: int) -> Any:
    """Whether entry a of the heap ranks below entry b: a smaller key, or the same key further right."""
    return keys[a] < keys[b] or (keys[a] == keys[b] and indices[a] > indices[b])


@jit
def _sink(keys: Any, indices: Any, top: int, size: int) -> None:
    """Move the entry at `top` down until no entry below it is worse: the worst of all is then at 0."""
    while True:
        child = 2 * top + 1
        if child >= size:
            return
        if child + 1 < size and _worse(keys, indices, child + 1, child):
            child += 1
        if not _worse(keys, indices, child, top):
            return
        keys[top], keys[child] = keys[child], keys[top]
        indices[top], indices[child] = indices[child], indices[top]
        top = child


@jit
def top_k_block(logits: Any, keys: Any, indices_out: Any) -> None:
    """Write the indices of every row's k largest logits, best first, into `indices_out` [N, k], 1 <= k <= C.

    `keys` [k] is scratch: a heap of the best so far, whose worst is at 0 and is the bar for the rest of the row.
    """
    N, C = logits.shape
    k = indices_out.shape[1]
    for row in range(N):
        indices = indices_out[row]
        for i in range(k):
            keys[i] = order_key(logits[row, i])
            indices[i] = i
        for i in range(k // 2 - 1, -1, -1):
            _sink(keys, indices, i, k)
        for start in range(k, C, CHUNK):
            chunk = logits[row, start : start + CHUNK]
            if largest_key(chunk) <= keys[0]:
                continue
            for i in range(chunk.shape[0]):
                key = order_key(chunk[i])
                if key > keys[0]:
                    keys[0] = key
                    indices[0] = start + i
                    _sink(keys, indices, 0, k)
        for end in range(k - 1, 0, -1):
            keys[0], keys[end] = keys[end], keys[0]
            indices[0], indices[end] = indices[end], indices[0]
            _sink(keys, indices, 0, end)
