"""Text to features as plain loops over characters and dictionaries: what `logitkit.text` must equal.

Imports nothing of ours. Unicode is the interpreter's own, so this is an oracle for characters that every Python knows.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

SEPARATOR, WORD, IDEOGRAPH, SYMBOL = 0, 1, 2, 3
IDEOGRAPHS = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE", "BOPOMOFO")
MULTIPLIER = 0x9E3779B97F4A7C15
SEED_WORD = 0xCBF29CE484222325
SEED_WORDS = 0x84222325CBF29CE5
SEED_CHARS = 0x2545F4914F6CDD1D
ONES = (1 << 64) - 1

Token = tuple[int, str]


def normalise(text: str | bytes) -> str:
    """Replace what is no UTF-8, then NFKC, then the lower case of each character on its own."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return "".join(simple_lower(char) for char in unicodedata.normalize("NFKC", text))


def simple_lower(char: str) -> str:
    """Return the one character that is the lower case of `char` wherever it stands."""
    return "i" if char == "İ" else char.lower()


def kind_of(char: str) -> int:
    """Return what a character of normalised text is."""
    code = ord(char)
    if code == 0xFFFD or 0xFE00 <= code < 0xFE10 or 0xE0100 <= code < 0xE01F0:
        return SEPARATOR
    category = unicodedata.category(char)
    if category[0] in "LNM":
        return IDEOGRAPH if unicodedata.name(char, "").startswith(IDEOGRAPHS) else WORD
    return SYMBOL if category[0] in "PS" else SEPARATOR


def runs_of(text: str) -> list[list[Token]]:
    """Return the tokens of normalised text, a new list wherever separators stand between them."""
    runs: list[list[Token]] = [[]]
    before = SEPARATOR
    for char in text:
        kind = kind_of(char)
        if kind == SEPARATOR:
            runs.append([])
        elif kind == WORD and before == WORD:
            runs[-1][-1] = (WORD, runs[-1][-1][1] + char)
        else:
            runs[-1].append((kind, char))
        before = kind
    return runs


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of normalised text."""
    return [token for run in runs_of(text) for token in run]


def fold(h: int, unit: int) -> int:
    return ((h ^ unit) * MULTIPLIER) & ONES


def finish(h: int) -> int:
    h ^= h >> 32
    h = (h * 0xD6E8FEB86659FD93) & ONES
    return h ^ (h >> 32)


def hash_units(seed: int, units: Iterable[int]) -> int:
    for unit in units:
        seed = fold(seed, unit)
    return finish(seed)


def hash_token(token: str) -> int:
    raw = token.encode()
    return hash_units(SEED_WORD, (int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)))


def hash_word_ngram(tokens: Sequence[str]) -> int:
    if len(tokens) == 1:
        return hash_token(tokens[0])
    return hash_units(SEED_WORDS, map(hash_token, tokens))


def hash_char_ngram(chars: str) -> int:
    return hash_units(SEED_CHARS, map(ord, chars))


def windows(length: int, lowest: int, highest: int) -> list[tuple[int, int]]:
    """Return (start, stop) of all n-grams, ordered by where they end, then the longest first.

    A single unit comes before the longer ones where it is a token, which the caller sees to.
    """
    return [
        (stop - order, stop) for stop in range(1, length + 1) for order in range(min(highest, stop), lowest - 1, -1)
    ]


def word_ngrams(tokens: Sequence[Token], lowest: int, highest: int) -> list[tuple[tuple[str, ...], tuple[int, int]]]:
    """Return every word n-gram with its first and last token; a token alone comes before what ends with it."""
    found = []
    for first, stop in sorted(windows(len(tokens), lowest, highest), key=lambda w: (w[1], w[1] - w[0] != 1, w[0])):
        found.append((tuple(text for _, text in tokens[first:stop]), (first, stop - 1)))
    return found


def char_ngrams(
    runs: Sequence[Sequence[Token]], chars: tuple[int, int], ideographs: tuple[int, int]
) -> list[tuple[str, tuple[int, int]]]:
    """Return every character n-gram with the first and last token it covers, in the order of the text."""
    found: list[tuple[str, tuple[int, int]]] = []
    at = 0  # of tokens
    for run in runs:
        i = 0
        while i < len(run):
            kind, text = run[i]
            first = at + i
            i += 1
            if kind == WORD:
                text, orders, last = text[:64], chars, first
            elif kind == IDEOGRAPH:
                while i < len(run) and run[i][0] == IDEOGRAPH:
                    text += run[i][1]
                    i += 1
                orders, last = ideographs, at + i - 1
            else:
                continue
            padded = f" {text} "
            for start, stop in windows(len(padded), *orders):
                if padded[start:stop] != " ":
                    span = (
                        (first, last) if kind == WORD else (max(first, first + start - 1), min(last, first + stop - 2))
                    )
                    found.append((padded[start:stop], span))
        at += len(run)
    return found


def features(
    texts: Sequence[str | bytes],
    words: tuple[int, int] = (1, 2),
    chars: tuple[int, int] = (3, 5),
    ideographs: tuple[int, int] = (2, 3),
    rare: bool = True,
    fit_rows: Sequence[bool] | None = None,
) -> tuple[list[int], list[int], list[float], list[list[tuple[int, float]]]]:
    """Return the hashes of the word and of the character features, their idf, and each row as (feature, weight)."""
    chosen = [True] * len(texts) if fit_rows is None else list(fit_rows)
    views: list[list[dict[int, int]]] = [[], []]
    for text in texts:
        runs = runs_of(normalise(text))
        for view, hashes in enumerate((
            [hash_word_ngram(ngram) for ngram, _ in word_ngrams([t for run in runs for t in run], *words)],
            [hash_char_ngram(ngram) for ngram, _ in char_ngrams(runs, chars, ideographs)],
        )):  # fmt: skip
            counts: dict[int, int] = {}
            for h in hashes:
                counts[h] = counts.get(h, 0) + 1
            views[view].append(counts)
    known: list[list[int]] = []
    idf: list[float] = []
    for rows in views:
        documents: dict[int, int] = {}
        for counts, is_chosen in zip(rows, chosen, strict=True):
            for h in counts:
                documents[h] = documents.get(h, 0) + is_chosen
        kept = [h for h, n in documents.items() if n >= (1 if rare else 2)]
        known.append(kept)
        idf += [math.log((1 + sum(chosen)) / (1 + documents[h])) + 1 for h in kept]
    weighted: list[list[tuple[int, float]]] = [[] for _ in texts]
    base = 0
    for rows, kept in zip(views, known, strict=True):
        index = {h: base + i for i, h in enumerate(kept)}
        base += len(kept)
        for row, counts in enumerate(rows):
            entries = [(index[h], (1 + math.log(n)) * idf[index[h]]) for h, n in counts.items() if h in index]
            norm = math.sqrt(sum(weight * weight for _, weight in entries))
            weighted[row] += [(f, weight / norm) for f, weight in entries]
    return known[0], known[1], idf, weighted
