"""Drawing tokens from logits: penalties, temperature, top-k, top-p, min-p, typical, in the field's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import compute_dtype, read_only, to_numpy
from logitkit.checks import (
    as_logits,
    check_at_least_zero,
    check_count,
    check_finite,
    check_fraction,
    check_temperature,
    input_error,
)
from logitkit.errors import OptionError
from logitkit.kernels import run_blocks, split
from logitkit.kernels.candidates import candidates_for
from logitkit.kernels.nucleus import FEW
from logitkit.kernels.sampling import HAS_NAN, NO_TOKEN, lists_for, penalise_block, process_block, sample_block
from logitkit.kernels.select import argmax_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._rows import Array, block_rows, is_plain, to_block

__all__ = ["SamplingOptions", "process_logits", "sample"]

UNLIMITED = 2**62


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    r"""How `sample` draws: the steps that narrow or bend the distribution, in the order in which they are taken.

    1. Penalties, on tokens that went before: a logit z becomes z · r where z < 0 and z / r elsewhere, then falls by
       presence + frequency · count.
    2. Temperature T divides the logits. 0 is greedy: the largest logit, ties to the lower index, has probability 1.
    3. Top-k keeps the k largest.
    4. Top-p (nucleus) keeps the fewest of the largest whose probabilities reach p, among what step 3 left.
    5. Min-p keeps what is at least p times as probable as the likeliest.
    6. Typical keeps the fewest tokens whose probabilities reach p, of those whose -log p is nearest to the entropy of
       what is left. The likeliest token may go.

    Each step keeps one token at least; of equal tokens, the lower index.

    Args:
        temperature: at least 0; 1 changes nothing.
        top_k: at least 1; V or more, or None, keeps all.
        top_p, typical_p: in [0, 1]; None or 1 keeps all, 0 a single token.
        min_p: in [0, 1]; None or 0 keeps all, 1 only those as probable as the likeliest.
        repetition_penalty: r > 0; above 1 it discourages, 1 changes nothing.
        presence_penalty, frequency_penalty: finite; above 0 they discourage, 0 changes nothing.

    Raises:
        OptionError: if one is out of its range.

    This is the order of Hugging Face transformers. vLLM takes min-p before top-k and top-p. llama.cpp takes typical
    before top-p and the temperature last, and its top-p at T ≠ 1 therefore differs. transformers and vLLM keep all
    that tie with the k-th token; here, as in llama.cpp, k is k. Penalties look at all of `previous`, as llama.cpp's do,
    while vLLM takes presence and frequency from the answer alone: pass what should count.

    Example:
        >>> from logitkit import ops
        >>> ops.SamplingOptions(temperature=0.7, top_k=50, top_p=0.95).top_k
        50

    References:
        Top-k: Fan et al. 2018. Top-p: Holtzman et al. 2020. Typical: Meister et al. 2023. Min-p: Nguyen et al. 2025.
        Repetition penalty: Keskar et al. 2019.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0

    def __post_init__(self) -> None:
        """Check every option once, so that drawing need not."""
        name = "SamplingOptions"
        if check_at_least_zero(self.temperature, "temperature", name) > 0.0:
            check_temperature(self.temperature, name)
        if self.top_k is not None:
            check_count(self.top_k, 1, UNLIMITED, "top_k", name)
        for option in ("top_p", "min_p", "typical_p"):
            if getattr(self, option) is not None:
                check_fraction(getattr(self, option), option, name)
        check_temperature(self.repetition_penalty, name, "repetition_penalty")
        check_finite(self.presence_penalty, "presence_penalty", name)
        check_finite(self.frequency_penalty, "frequency_penalty", name)


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
    penalties = _Penalties.of(options, previous, shape, V, "sample")
    rows, scale = array.reshape(N, V), 1.0 / (options.temperature or 1.0)
    steps, compute = _steps(options, V), compute_dtype(array.dtype)

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
    penalties = _Penalties.of(options, previous, shape, V, "process_logits")
    rows, steps, compute = array.reshape(N, V), _steps(options, V), compute_dtype(array.dtype)
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
            with np.errstate(over="ignore", invalid="ignore"):
                target[...] = block_out

    run_blocks(work, split(N, block_rows(N, V)))
    return out.reshape(array.shape)


class _Penalties:
    """What `penalise_block` needs: the factor and the terms, and every row's previous tokens, one after the other."""

    def __init__(self, options: SamplingOptions, indptr: NDArray[np.intp], tokens: NDArray[np.intp]) -> None:
        self.numbers = (
            *(float(options.repetition_penalty), float(options.presence_penalty)),
            float(options.frequency_penalty),
        )
        self.indptr, self.tokens = indptr, tokens

    @classmethod
    def of(
        cls, options: SamplingOptions, previous: Any, shape: tuple[int, ...], V: int, function: str
    ) -> _Penalties | None:
        """Return the penalties, or None where nothing is penalised."""
        if previous is None or (
            options.repetition_penalty == 1.0 and options.presence_penalty == options.frequency_penalty == 0.0
        ):
            return None
        lists = _token_lists(previous, shape, function)
        indptr = np.zeros(len(lists) + 1, np.intp)
        np.cumsum([len(tokens) for tokens in lists], out=indptr[1:])
        for row, tokens in enumerate(lists):
            if tokens.size and (tokens.min() < -1 or tokens.max() >= V):
                wrong = tokens[(tokens < -1) | (tokens >= V)][0]
                raise input_error("previous", function, f"token indices in [0, {V}), or -1", f"{wrong} in row {row}")
        return cls(options, read_only(indptr), read_only(np.concatenate([*lists, np.empty(0, np.intp)])))


def _token_lists(previous: Any, shape: tuple[int, ...], function: str) -> list[NDArray[np.intp]]:
    """Return each row's previous tokens."""
    rows = int(np.prod(shape))
    if not shape:
        lists: Sequence[Any] = [previous]
    elif isinstance(previous, (list, tuple)) and len(shape) == 1:
        lists = previous
    else:
        array = to_numpy(previous, "previous", function)
        if array.ndim != len(shape) + 1 or array.shape[:-1] != shape:
            wanted = f"of the shape {[*shape, 'T']}".replace("'", "")
            raise input_error("previous", function, wanted, f"the shape {list(array.shape)}")
        lists = list(array.reshape(rows, -1))
    if len(lists) != rows:
        raise input_error("previous", function, f"a sequence for each of {rows} rows", f"{len(lists)} sequences")
    arrays = [to_numpy(tokens, "previous", function) for tokens in lists]
    for array in arrays:
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            found = f"{array.dtype.name} of the shape {list(array.shape)}"
            raise input_error("previous", function, "sequences of integers", found)
    return [array.astype(np.intp) for array in arrays]


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


def _steps(options: SamplingOptions, V: int) -> tuple[int, float, float, float]:
    """Return top-k, top-p, min-p and typical-p as kernels take them: what is None keeps all."""
    return (
        V if options.top_k is None else min(int(options.top_k), V),
        1.0 if options.top_p is None else float(options.top_p),
        0.0 if options.min_p is None else float(options.min_p),
        1.0 if options.typical_p is None else float(options.typical_p),
    )


def _scratch(V: int, steps: tuple[int, float, float, float], compute: np.dtype[Any]) -> tuple[Any, Any]:
    """Return what the kernels work in: a short list with top-k, else one that may hold the whole row."""
    top_k, _, _, typical_p = steps
    typical = typical_p < 1.0
    if top_k < V:
        candidates = candidates_for(V, top_k, compute)
    else:
        candidates = candidates_for(1, 1, compute, room=V + 1 if typical else FEW)
    return candidates, lists_for(V, candidates[0].shape[0], top_k >= V, typical, compute)


def _block(rows: Array, start: int, penalties: _Penalties | None) -> Array:
    """Return rows as kernels read them, penalised in a copy; `start` is the first row's number."""
    compute = compute_dtype(rows.dtype)
    if penalties is None:
        return read_only(rows if rows.dtype == compute and is_plain(rows) else to_block(rows))
    block = to_block(rows)
    indptr = penalties.indptr[start : start + len(rows) + 1]
    penalise_block(block, indptr, penalties.tokens, *penalties.numbers, np.zeros(rows.shape[1], np.intp))
    return read_only(block)


def _argmax_or_reason(block: Array, tokens_out: NDArray[np.intp]) -> None:
    """Write each row's arg max, or why there is none."""
    argmax_block(block, tokens_out)
    largest = block[np.arange(len(block)), tokens_out]
    tokens_out[largest == -np.inf] = NO_TOKEN
    tokens_out[np.isnan(largest)] = HAS_NAN
