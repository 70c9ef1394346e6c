"""Where in one text each known n-gram occurs: the counting pass once more, with places instead of counts.

It calls the functions that `count_rows` calls, so a feature occurs here as often as it is counted there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.hashing import SEED_CHARS, SEED_WORDS, find, finish
from logitkit.kernels.ngrams import ONCE, ZERO, restart, roll, roll_pad, word_chars
from logitkit.kernels.pointers import pointer
from logitkit.kernels.tokens import alphabet_pointers, next_token
from logitkit.kernels.utf8 import IDEOGRAPH, SEPARATOR, WORD, decode


@jit
def _place(h: Any, slots: Any, mask: Any, base: Any, first: Any, last: Any, spans_out: Any, n_spans: Any) -> Any:
    """Append (feature, first token, last token) if `h` is known and there is room; return how many there are so far."""
    number = find(slots, mask, h)
    if number < 0:
        return n_spans
    if n_spans < spans_out.shape[0]:
        spans_out[n_spans, 0] = base + number
        spans_out[n_spans, 1] = first
        spans_out[n_spans, 2] = last
    return n_spans + 1


@jit
def _place_run(
    hashes: Any, n_hashes: Any, units: Any, highest: Any, run_first: Any, run_last: Any,
    slots: Any, mask: Any, base: Any, spans_out: Any, n_spans: Any,
) -> Any:  # fmt: skip
    """Place the n-grams that end at the newest of a run's `units`, the longest first, as `roll` appended them.

    Unit 0 is the space before the run, unit u its token `run_first + u - 1`; a last space is one beyond `run_last`.
    """
    order = min(highest, units)
    for k in range(n_hashes):
        first = max(run_first, run_first + units - 1 - (order - k))
        last = min(run_last, run_first + units - 2)
        n_spans = _place(hashes[k], slots, mask, base, first, last, spans_out, n_spans)
    return n_spans


@jit
def find_occurrences(
    data_array: Any, offsets: Any, classes: Any, orders: Any, word_slots: Any, char_slots: Any, n_words: Any,
    scratch: Any, tokens_out: Any, spans_out: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Find the tokens of one text and the occurrences of known n-grams; return how many there are of each.

    What does not fit into the outputs is counted and not written: call with empty outputs to learn their sizes.

    Args:
        data_array: uint8 bytes of the column, normalised.
        offsets: `[2]`; the text is data[offsets[0]:offsets[1]].
        classes: an `Alphabet`.
        orders: `[6]` int64; as `count_rows` takes them.
        word_slots: the slots of the table of known word n-grams.
        char_slots: the slots of the table of known character n-grams.
        n_words: how many word n-grams are known; character n-gram k is feature n_words + k.
        scratch: `ngrams.Scratch`.
        tokens_out: `[tokens, 3]` int64; start, stop, kind.
        spans_out: `[occurrences, 3]` int64; feature, first token, last token.
    """
    data, limit = pointer(data_array), np.int64(data_array.shape[0]) - 8
    alphabet = alphabet_pointers(classes)
    word_low, word_high, char_low, char_high, ideo_low, ideo_high = orders
    words, chars = pointer(word_slots), pointer(char_slots)
    word_mask, char_mask = np.uint64(word_slots.shape[0] - 2), np.uint64(char_slots.shape[0] - 2)
    hashes = pointer(scratch.fresh)
    word_roll, char_roll = pointer(scratch.rolling[0]), pointer(scratch.rolling[1])
    n_tokens = n_spans = ZERO
    units = run_first = ZERO  # of the current run of ideographs, with the space before it; no units, no run
    at, stop = np.int64(offsets[0]), np.int64(offsets[1])
    restart(word_roll, SEED_WORDS)
    while at < stop:
        start = at
        kind, h, at = next_token(data, start, stop, limit, alphabet)
        if units > 0 and kind != IDEOGRAPH:
            n = roll_pad(char_roll, ideo_low, ideo_high, hashes, ZERO)
            n_spans = _place_run(
                hashes, n, units + 1, ideo_high, run_first, n_tokens - 1,
                chars, char_mask, n_words, spans_out, n_spans,
            )  # fmt: skip
            units = ZERO
        if kind == SEPARATOR:
            continue
        token = n_tokens
        if token < tokens_out.shape[0]:
            tokens_out[token, 0] = start
            tokens_out[token, 1] = at
            tokens_out[token, 2] = kind
        n_tokens += 1
        h = finish(h)
        if word_low <= 1:
            n_spans = _place(h, words, word_mask, ZERO, token, token, spans_out, n_spans)
        n = roll(h, word_roll, max(2, word_low), word_high, hashes, ZERO)
        n_spans = _place_run(
            hashes, n, token + 2, min(word_high, token + 1), ZERO, token, words, word_mask, ZERO, spans_out, n_spans
        )
        if kind == WORD and char_high > 0:
            n = word_chars(data, start, at, alphabet, char_low, char_high, char_roll, hashes)
            for k in range(n):
                n_spans = _place(hashes[k], chars, char_mask, n_words, token, token, spans_out, n_spans)
        elif kind == IDEOGRAPH and ideo_high > 0:
            if units == 0:
                run_first = token
                restart(char_roll, SEED_CHARS)
                roll_pad(char_roll, ideo_low, ideo_high, hashes, ZERO)
                units = ONCE
            units += 1
            n = roll(np.uint64(decode(data, start, at)[0]), char_roll, ideo_low, ideo_high, hashes, ZERO)
            n_spans = _place_run(
                hashes, n, units, ideo_high, run_first, token, chars, char_mask, n_words, spans_out, n_spans
            )
    if units > 0:
        n = roll_pad(char_roll, ideo_low, ideo_high, hashes, ZERO)
        n_spans = _place_run(
            hashes, n, units + 1, ideo_high, run_first, n_tokens - 1, chars, char_mask, n_words, spans_out, n_spans
        )
    return n_tokens, n_spans
