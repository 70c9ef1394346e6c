"""Drawing tokens from logits: penalties, temperature, top-k, top-p, min-p, typical, in the field's order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only, to_numpy
from logitkit.checks import as_logits, input_error
from logitkit.errors import OptionError
from logitkit.kernels import run_blocks, split
from logitkit.kernels.candidates import candidates_for
from logitkit.kernels.draws import HAS_NAN, NO_TOKEN
from logitkit.kernels.nucleus import FEW
from logitkit.kernels.sampling import lists_for, process_block, sample_block
from logitkit.kernels.select import argmax_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._previous import Penalties
from logitkit.ops._rows import Array, block_rows, from_block, is_plain, to_block
from logitkit.ops.sampling_options import SamplingOptions, Steps, steps_of

__all__ = ["process_logits", "sample"]

PLAIN = SamplingOptions()


@returns_callers_kind
def sample(
    logits: Any, options: SamplingOptions = PLAIN, *, rng: Any = None, uniforms: Any = None, previous: Any = None
) -> tuple[Any, Any]:
    r"""Draw a token for each row of logits, by one uniform number a row.

    .. math:: \text{token} = \min \{ i : \textstyle\sum_{j \le i} p_j > u \}

    p is the softmax of `process_logits(logits, options)`: the tokens that the options keep stand in the order of their
    indices, whatever the options are. No row is sorted.

    Args:
        logits: `[V]`, `[N, V]`, any shape with one token or more along the last axis; types as for `softmax`.
        options: see `SamplingOptions`.
        rng: a `numpy.random.Generator`, which advances by a number for each row; or a seed; None takes a new one. Row i
            has the i-th number, so neither the threads nor the rows after it change its token.
        uniforms: instead of `rng`, the numbers themselves, one a row, in [0, 1): for rows with generators of their own.
        previous: token indices that went before, for the penalties: a sequence for logits `[V]`, else one for each row,
            of any lengths. An index of -1 stands for none.

    Returns:
        `(tokens, log_probs)` of the logits' shape without the last axis, NumPy numbers for logits `[V]`: intp, and
        float64 log p of each token drawn. Under the logits as they came, the log-probability is
        `-cross_entropy(logits, tokens, reduction="none")`. Tokens of logits +inf share the row equally; a token of -inf
        is never drawn.

    Raises:
        InputError: if a row has NaN, or nothing but -inf: there is no token to draw; if `uniforms` or `previous` does
            not fit the logits; or as `softmax`.
        OptionError: if both `rng` and `uniforms` are given.

    Example:
        >>> from logitkit import ops
        >>> options = ops.SamplingOptions(temperature=0.7, top_k=2)
        >>> tokens, log_probs = ops.sample([[2.0, 1.0, 0.1], [0.1, 3.0, 3.0]], options, uniforms=[0.9, 0.3])
        >>> tokens.tolist(), log_probs.round(3).tolist()
        ([1, 1], [-1.643, -0.693])
    """
    array = as_logits(logits, "sample")
    V, shape = array.shape[-1], array.shape[:-1]
    N = array.size // V
    if uniforms is None:
        numbers = np.random.default_rng(rng).random(N)
    elif rng is None:
        numbers = _as_uniforms(uniforms, shape)
    else:
        raise OptionError("Exactly one of 'rng' and 'uniforms' of sample must be given; got both.")
    tokens, log_probs = np.empty(N, np.intp), np.empty(N)
    penalties = Penalties.of(options, previous, shape, V, "sample")
    rows, scale = array.reshape(N, V), 1.0 / (options.temperature or 1.0)
    steps, compute = steps_of(options, V), compute_dtype(array.dtype)

    def work(start: int, stop: int) -> None:
        block, found = _block(rows[start:stop], start, penalties), tokens[start:stop]
        if options.temperature == 0.0:
            _argmax_or_reason(block, found)
            log_probs[start:stop] = 0.0
        else:
            sample_block(
                block, numbers[start:stop], scale, *steps, *_scratch(V, steps, compute), found, log_probs[start:stop]
            )

    run_blocks(work, split(N, block_rows(N, V)))
    if N and tokens.min() < 0:
        row = int(np.argmax(tokens < 0))
        if tokens[row] == HAS_NAN:
            raise input_error("logits", "sample", "free of NaN", f"NaN in row {row}")
        raise input_error("logits", "sample", "above -inf for one token at least", f"-inf alone in row {row}")
    return tokens.reshape(shape)[()], log_probs.reshape(shape)[()]


@returns_callers_kind
def process_logits(logits: Any, options: SamplingOptions, *, previous: Any = None) -> Array:
    """Return the logits from whose softmax `sample` draws: penalised, divided by the temperature, -inf where dropped.

    Args:
        logits: as for `sample`.
        options: see `SamplingOptions`. At temperature 0 the largest logit stays as it is, and all others are dropped.
        previous: as for `sample`.

    Returns:
        Logits of the shape and type that came in. A row with NaN is NaN; a row of nothing but -inf stays so.

    Raises:
        InputError: as `sample`, but for rows without a token to draw.

    Example:
        >>> from logitkit import ops
        >>> ops.process_logits([2.0, 1.0, 0.1], ops.SamplingOptions(temperature=0.5, top_k=2)).tolist()
        [4.0, 2.0, -inf]
    """
    array = as_logits(logits, "process_logits")
    V, shape = array.shape[-1], array.shape[:-1]
    N = array.size // V
    penalties = Penalties.of(options, previous, shape, V, "process_logits")
    rows, steps, compute = array.reshape(N, V), steps_of(options, V), compute_dtype(array.dtype)
    out = memory.empty((N, V), array.dtype if array.dtype.isnative else array.dtype.newbyteorder("="))

    def work(start: int, stop: int) -> None:
        block, target = _block(rows[start:stop], start, penalties), out[start:stop]
        block_out = target if target.dtype == compute else memory.empty(block.shape, compute)
        if options.temperature == 0.0:
            found = np.empty(stop - start, np.intp)
            _argmax_or_reason(block, found)
            block_out[...] = -np.inf
            block_out[found == HAS_NAN] = np.nan
            chosen = np.flatnonzero(found >= 0)
            block_out[chosen, found[chosen]] = block[chosen, found[chosen]]
        else:
            process_block(block, float(options.temperature), *steps, *_scratch(V, steps, compute), block_out)
        if block_out is not target:
            from_block(block_out, target)

    run_blocks(work, split(N, block_rows(N, V)))
    return out.reshape(array.shape)


def _as_uniforms(uniforms: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return one number in [0, 1) for each row."""
    numbers = to_numpy(uniforms, "uniforms", "sample")
    if numbers.dtype.kind not in "fiu" or numbers.shape != shape:
        found = f"{numbers.dtype.name} of the shape {list(numbers.shape)}"
        raise input_error("uniforms", "sample", f"numbers of the shape {list(shape)}, one for each row", found)
    flat = np.ascontiguousarray(numbers, dtype=np.float64).reshape(-1)
    if not ((flat >= 0.0) & (flat < 1.0)).all():
        row = int(np.argmin((flat >= 0.0) & (flat < 1.0)))
        raise input_error("uniforms", "sample", "in [0, 1)", f"{flat[row]} in row {row}")
    return flat


def _scratch(V: int, steps: Steps, compute: np.dtype[Any]) -> tuple[Any, Any]:
    """Return what the kernels work in: a short list with top-k, else one that may hold the whole row."""
    top_k, _, _, typical_p = steps
    typical = typical_p < 1.0
    if top_k < V:
        candidates = candidates_for(V, top_k, compute)
    else:
        candidates = candidates_for(1, 1, compute, room=V + 1 if typical else FEW)
    return candidates, lists_for(V, candidates[0].shape[0], top_k >= V, typical, compute)


def _block(rows: Array, start: int, penalties: Penalties | None) -> Array:
    """Return rows as kernels read them, penalised in a copy; `start` is the first row's number."""
    compute = compute_dtype(rows.dtype)
    if penalties is None:
        return read_only(rows if rows.dtype == compute and is_plain(rows) else to_block(rows))
    block = to_block(rows)
    penalties.lower(block, start)
    return read_only(block)


def _argmax_or_reason(block: Array, tokens_out: NDArray[np.intp]) -> None:
    """Write each row's arg max, or why there is none."""
    argmax_block(block, tokens_out)
    largest = block[np.arange(len(block)), tokens_out]
    tokens_out[largest == -np.inf] = NO_TOKEN
    tokens_out[np.isnan(largest)] = HAS_NAN
