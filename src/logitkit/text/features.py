"""Texts to weighted sparse features: the fitted part of the path from text to logits.

    weight(f, text) = (1 + ln count(f, text)) · idf(f),    idf(f) = ln((1 + N) / (1 + documents(f))) + 1

Each view (words, characters) is then L2-normalised on its own, so that neither drowns the other. The weighting is that
of scikit-learn's `TfidfTransformer(sublinear_tf=True)`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.kernels import n_threads, run_blocks
from logitkit.kernels.hashing import Table, add_all, make_table
from logitkit.kernels.ngrams import Counts, make_scratch
from logitkit.kernels.occurrences import find_occurrences
from logitkit.kernels.weighting import count_documents, count_kept, renumber, weigh_rows
from logitkit.text.alphabet import alphabet
from logitkit.text.columns import Column
from logitkit.text.counting import Counter, grown, known_table
from logitkit.text.spec import NgramSpec

__all__ = ["Features", "NgramCounts", "Occurrences", "Vocabulary", "count_ngrams"]

_SHARD_BYTES = 1 << 28  # even all orders of n-grams of so much text seldom have 2³¹ entries


class Features(NamedTuple):
    """Sparse rows: row r has `indices[indptr[r]:indptr[r + 1]]` with weights `data[…]`, each feature at most once.

    Attributes:
        indptr: `[N + 1]` int64.
        indices: int32 in [0, F); word n-grams before character n-grams.
        data: float32, above 0.
        n_features: F.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.float32]
    n_features: int


class Occurrences(NamedTuple):
    """The tokens of one text, and the places in it of every n-gram that is a feature.

    Attributes:
        token_starts: `[T]` int64; token t is `column.data[token_starts[t]:token_stops[t]]`.
        token_stops: `[T]` int64.
        token_kinds: `[T]` int64; 1 a word, 2 an ideograph, 3 a symbol.
        features: `[K]` int64 in [0, F); a feature comes as often as the text has it.
        first_tokens: `[K]` int64 in [0, T); occurrence k covers the tokens first_tokens[k] to last_tokens[k].
        last_tokens: `[K]` int64 in [0, T).
    """

    token_starts: NDArray[np.int64]
    token_stops: NDArray[np.int64]
    token_kinds: NDArray[np.int64]
    features: NDArray[np.int64]
    first_tokens: NDArray[np.int64]
    last_tokens: NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """The n-grams that a model knows, and their inverse document frequencies.

    Attributes:
        spec: which n-grams there are.
        word_hashes: `[F_words]` uint64; feature f is the word n-gram of hash `word_hashes[f]`.
        char_hashes: `[F_chars]` uint64; feature F_words + f is the character n-gram of hash `char_hashes[f]`.
        idf: `[F]` float32, at least 1; F = F_words + F_chars.
    """

    spec: NgramSpec
    word_hashes: NDArray[np.uint64]
    char_hashes: NDArray[np.uint64]
    idf: NDArray[np.float32]
    _idle: list[Counter] = field(default_factory=list, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    @property
    def n_features(self) -> int:
        """F, the number of features."""
        return len(self.idf)

    @cached_property
    def tables(self) -> tuple[Table, Table]:
        """The tables that find a word's and a character n-gram's number by its hash."""
        return known_table(self.word_hashes), known_table(self.char_hashes)

    @cached_property
    def _all(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The feature of each number in the two tables: every n-gram there is a feature."""
        n_words = len(self.word_hashes)
        return np.arange(n_words, dtype=np.int32), np.arange(n_words, self.n_features, dtype=np.int32)

    def transform(self, column: Column) -> Features:
        """Return the features of `column`, `[N, F]` sparse; n-grams that are not known are passed over.

        Serial, and safe to call from many threads at once.
        """
        with self._lock:
            counter = self._idle.pop() if self._idle else Counter(self.spec, self.tables)
        try:
            return _weigh([counter.count(column)], self._all, self.idf)
        finally:
            with self._lock:
                self._idle.append(counter)

    def occurrences(self, column: Column) -> Occurrences:
        """Return the tokens of one text, and which features cover which of them.

        A word n-gram covers its tokens, a character n-gram the word or the ideographs that its characters are of.

        Args:
            column: one text.

        Raises:
            InputError: if `column` has not one text.

        Example:
            >>> from logitkit.text import NgramSpec, as_column, count_ngrams
            >>> column = as_column(["to be or not to be"])
            >>> vocabulary, _ = count_ngrams(column, NgramSpec(chars=(1, 0))).weigh()
            >>> found = vocabulary.occurrences(column)
            >>> [bytes(column.data[a:b]).decode() for a, b in zip(found.token_starts, found.token_stops)]
            ['to', 'be', 'or', 'not', 'to', 'be']
            >>> found.features[found.first_tokens == 4].tolist()  # "to", "to be"
            [0, 2]
        """
        if column.rows != 1:
            raise InputError(f"Occurrences are those of one text; got {column.rows} texts: pass one at a time.")
        words, chars = self.tables
        scratch = make_scratch()
        tokens, spans = np.empty((0, 3), np.int64), np.empty((0, 3), np.int64)
        for _ in range(2):  # to learn their sizes, then to fill them
            sizes = find_occurrences(
                column.data, column.offsets, alphabet(), self.spec.orders(), words.slots, chars.slots,
                len(self.word_hashes), scratch, tokens, spans,
            )  # fmt: skip
            if sizes != (len(tokens), len(spans)):
                tokens, spans = np.empty((sizes[0], 3), np.int64), np.empty((sizes[1], 3), np.int64)
        return Occurrences(*tokens.T, *spans.T)


@dataclass(frozen=True)
class NgramCounts:
    """How often each n-gram occurs in each row of a column, before anything is chosen or weighted.

    Attributes:
        spec: which n-grams were counted.
        rows: N.
        hashes: uint64; the hashes of the word and of the character n-grams, in the order of their first occurrence.
        shards: the rows' counts, cut into consecutive ranges.
    """

    spec: NgramSpec
    rows: int
    hashes: tuple[NDArray[np.uint64], NDArray[np.uint64]]
    shards: list[tuple[Counts, Counts]]

    def weigh(self, *, rare: bool = True, fit_rows: NDArray[np.bool_] | None = None) -> tuple[Vocabulary, Features]:
        """Fit the vocabulary on some of the rows, and return it with the features of all rows.

        Args:
            rare: keep the n-grams that one text alone has.
            fit_rows: `[N]` bool; the rows to learn from, all if None. What only other rows have is no feature.
        """
        chosen = np.ones(self.rows, np.bool_) if fit_rows is None else fit_rows
        kept, hashes, idf = [], [], []
        n_features = 0
        for view in (0, 1):
            documents = self._documents(view, chosen)
            keep = np.flatnonzero(documents >= (1 if rare else 2))
            feature_of = np.full(len(documents), -1, np.int32)
            feature_of[keep] = np.arange(n_features, n_features + len(keep), dtype=np.int32)
            n_features += len(keep)
            kept.append(feature_of)
            hashes.append(self.hashes[view][keep])
            idf.append(np.log((1.0 + chosen.sum()) / (1.0 + documents[keep])) + 1.0)
        vocabulary = Vocabulary(self.spec, hashes[0], hashes[1], np.concatenate(idf).astype(np.float32))
        return vocabulary, _weigh(self.shards, (kept[0], kept[1]), vocabulary.idf)

    def _documents(self, view: int, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return in how many of the chosen rows each of one view's n-grams is."""
        starts = _starts(self.shards)

        def count(i: int, _: int) -> NDArray[np.int32]:
            counts = self.shards[i][view]
            documents = np.zeros(len(self.hashes[view]), np.int32)
            count_documents(counts.numbers, counts.indptr, chosen[starts[i] : starts[i + 1]], documents)
            return documents

        first, *others = run_blocks(count, [(i, i + 1) for i in range(len(self.shards))])
        for documents in others:
            first += documents
        return first


def count_ngrams(column: Column, spec: NgramSpec) -> NgramCounts:
    """Count the n-grams of `column` on all threads; the result is the same at any number of threads.

    Example:
        >>> from logitkit.text import NgramSpec, as_column, count_ngrams
        >>> vocabulary, features = count_ngrams(as_column(["to be or not to be"]), NgramSpec(chars=(1, 0))).weigh()
        >>> vocabulary.n_features  # to, be, or, not, and "to be", "be or", "or not", "not to"
        8
    """
    blocks = column.blocks(min(_SHARD_BYTES, max(1, -(-column.size // n_threads())))) or [(0, 0)]

    def count(start: int, stop: int) -> tuple[Counts, Counts]:
        part = Column(column.data, column.offsets[start : stop + 1])
        return Counter(spec, size=part.size).count(part)

    shards = run_blocks(count, blocks)
    hashes = _join(shards, 0), _join(shards, 1)
    shards = [(_without_table(words), _without_table(chars)) for words, chars in shards]
    return NgramCounts(spec, column.rows, hashes, shards)


def _join(shards: list[tuple[Counts, Counts]], view: int) -> NDArray[np.uint64]:
    """Number one view's n-grams over all shards, rewrite the shards' entries, and return the hashes by number.

    Shards are consecutive, so going through each one's n-grams in turn meets them in the order of first occurrence.
    """
    first, *others = (shard[view] for shard in shards)
    table = first.table  # its numbers are final
    for part in others:
        hashes = part.table.hashes[: part.table.size[0]]
        numbers = np.empty(len(hashes), np.int32)
        done = 0
        while done < len(hashes):
            room = len(table.hashes) - int(table.size[0])
            if room == 0:
                table = grown(table, len(hashes) - done)
                continue
            add_all(table, hashes[done : done + room], numbers[done : done + room])
            done += room
        renumber(part.numbers[: part.indptr[-1]], numbers)
    return table.hashes[: table.size[0]].copy()


def _without_table(counts: Counts) -> Counts:
    """Return the counts alone: once numbered, they need no table."""
    return counts._replace(table=make_table(1), last=np.empty(0, np.int32))


def _starts(shards: list[tuple[Counts, Counts]]) -> NDArray[np.int64]:
    """Return where each shard's rows begin, and where the last one's end."""
    return np.cumsum([0, *(len(words.indptr) - 1 for words, _ in shards)])


def _weigh(
    shards: list[tuple[Counts, Counts]], kept: tuple[NDArray[np.int32], NDArray[np.int32]], idf: NDArray[np.float32]
) -> Features:
    """Join the two views of every shard to weighted rows."""
    starts = _starts(shards)
    lengths = np.zeros(starts[-1], np.int64)
    blocks = [(i, i + 1) for i in range(len(shards))]

    def measure(i: int, _: int) -> None:
        for counts, feature_of in zip(shards[i], kept, strict=True):
            count_kept(counts.numbers, counts.indptr, feature_of, lengths[starts[i] : starts[i + 1]])

    def fill(i: int, _: int) -> None:
        for counts, feature_of in zip(shards[i], kept, strict=True):
            ends_here = ends[starts[i] : starts[i + 1]]
            weigh_rows(counts.numbers, counts.counts, counts.indptr, feature_of, idf, ends_here, indices, data)

    run_blocks(measure, blocks)
    indptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    ends = indptr[:-1].copy()
    indices = np.empty(indptr[-1], np.int32)
    data = np.empty(indptr[-1], np.float32)
    run_blocks(fill, blocks)
    return Features(indptr, indices, data, len(idf))
