"""What held-out data decides: how strongly to regularise, whether rare n-grams help, when to stop, the temperature.

The rows are dealt into five stratified folds. Layers are trained without a fold and judged on it: on one fold where
that is a thousand rows, on up to five where there are fewer. The judge is the log loss at the best temperature, so that
the choice is of what the logits know, not of how loudly they say it. The logits of the chosen layer on the rows that
its weights and its vocabulary did not see are kept: calibration is fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import run_blocks
from logitkit.model.linear import LinearModel
from logitkit.model.trainer import Solver, train_linear
from logitkit.text import Features, NgramCounts
from logitkit.trust.folds import FOLDS, deal_folds
from logitkit.trust.metrics import log_loss
from logitkit.trust.temperature import fit_temperature

__all__ = ["Examples", "Selection", "Trial", "select"]

R = TypeVar("R")

_ENOUGH_ROWS = 1_000
_JUDGED_ROWS = 1_000  # after each epoch, for early stopping
_L2_AN_EXAMPLE = 0.1  # the first tried: l2 = 0.1 / N, which is C = 10 in scikit-learn's terms
_WORSE = 1.01  # a held-out loss is worse than the lowest only from 1 % on: the step has yet to shrink, and rows are few
_STRONGER, _STRONGEST = 3.0, 8.0  # times the first: 0.1, 0.3, 0.9 / N


@dataclass(frozen=True)
class Examples:
    """What there is to learn from.

    Attributes:
        counts: the rows' n-grams.
        labels: `[N]` class indices.
        row_weights: `[N]` float32 of mean 1.
        n_classes: C.
        groups: `[N]` or None; rows of one group are never on both sides of a held-out split.
    """

    counts: NgramCounts
    labels: NDArray[np.intp]
    row_weights: NDArray[np.float32]
    n_classes: int
    groups: NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to train, and what it was worth on held-out rows.

    Attributes:
        rare: whether n-grams that one text alone has are features.
        l2: strength of the regularisation.
        epochs: the last pass after which the held-out loss was not worse than the lowest.
        log_loss: of the held-out rows at their best temperature; None where no row could be held out.
    """

    rare: bool
    l2: float
    epochs: int
    log_loss: float | None


@dataclass(frozen=True)
class Selection(Generic[R]):
    """What was chosen, and why.

    Attributes:
        chosen: the trial of the lowest log loss.
        trials: all, in the order in which they were run.
        rows: `[H]` the held-out rows.
        logits: `[H, C]` their logits, by layers that had not seen them.
        trained: what `train` made of the chosen trial.
    """

    chosen: Trial
    trials: tuple[Trial, ...]
    rows: NDArray[np.int64]
    logits: NDArray[np.float32]
    trained: R


def select(
    examples: Examples,
    solver: Solver,
    train: Callable[[Trial, Callable[[], bool]], R],
    *,
    l2: float | None,
    rare: bool | None,
    patience: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Selection[R]:
    """Try ways to train on held-out rows: rare n-grams or not, then regularisation, stronger as long as that is better.

    While a stronger one is tried, the best so far is trained on all rows beside it: it is rarely in vain.

    Args:
        examples: what to learn from.
        solver: how; its `l2` is not used.
        train: trains a trial on all rows; called with the trial, and with what says after each pass whether to go on.
        l2: the regularisation, or None to choose it.
        rare: whether to keep rare n-grams, or None to choose.
        patience: passes with a worse held-out loss after which training stops.
        progress: called with the fraction done.
    """
    folds = deal_folds(examples.labels, examples.groups, solver.seed)
    held = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
    enough = np.searchsorted(np.cumsum([len(rows) for rows in held]), _ENOUGH_ROWS) + 1
    held = [rows for rows in held[:enough] if len(rows)]
    options = (False, True) if rare is None else (rare,)
    first = [Trial(keep, l2 or _L2_AN_EXAMPLE / len(folds), solver.epochs, None) for keep in options]
    if not held:
        only = first[-1]  # rare n-grams are all there are
        nothing = np.empty((0, examples.n_classes), np.float32)
        return Selection(only, (only,), np.empty(0, np.int64), nothing, train(only, lambda: True))
    bench = _Bench(examples, solver, held, patience, progress)
    results = bench.run(first)[0]
    best, logits = min(results, key=_loss)
    bench.forget(not best.rare)
    while True:
        times = best.l2 / first[0].l2
        stronger = [replace(best, l2=_STRONGER * best.l2)] if l2 is None and times < _STRONGEST else []
        further, trained = bench.run(stronger, beside=partial(train, best, lambda: not bench.stopped))
        results += further
        better = [result for result in further if _loss(result) < _loss((best, logits))]
        if not better:
            trials = tuple(trial for trial, _ in results)
            return Selection(best, trials, np.concatenate(held), logits, cast("R", trained))
        best, logits = better[0]


def _loss(result: tuple[Trial, NDArray[np.float32]]) -> float:
    return result[0].log_loss if result[0].log_loss is not None else np.inf


class _Bench:
    """Runs trials on the same held-out rows, all threads at once; each is serial, so nothing depends on how many."""

    def __init__(
        self, examples: Examples, solver: Solver, held: list[NDArray[np.int64]], patience: int,
        progress: Callable[[float], None],
    ) -> None:  # fmt: skip
        self._examples, self._solver, self._held, self._patience = examples, solver, held, patience
        self._features: dict[tuple[bool, int], Features] = {}
        self._progress, self._done, self._planned = progress, 0, 4 * len(held)
        self.stopped = False

    def run(
        self, trials: list[Trial], beside: Callable[[], R] | None = None
    ) -> tuple[list[tuple[Trial, NDArray[np.float32]]], R | None]:
        """Return each trial with its epochs and log loss filled in, its logits on the held-out rows, and `beside()`."""
        jobs = [(trial, fold) for trial in trials for fold in range(len(self._held))]
        work: list[Callable[[], Any]] = [partial(self._train, *job) for job in jobs]
        if beside is not None:
            work.insert(0, beside)  # the longest first

        def one(i: int, _: int) -> Any:
            with self._stop_on_error():
                return work[i]()

        with self._stop_on_error():  # Ctrl-C comes to the main thread alone, which may be waiting here
            runs = run_blocks(one, [(i, i + 1) for i in range(len(work))])
        made = runs.pop(0) if beside is not None else None
        rows = np.concatenate(self._held)
        results: list[tuple[Trial, NDArray[np.float32]]] = []
        for trial in trials:
            of_trial = [run for (other, _), run in zip(jobs, runs, strict=True) if other is trial]
            logits = np.concatenate([logits for _, logits in of_trial])
            epochs = int(np.median([epochs for epochs, _ in of_trial]))
            loss = _calibrated_loss(logits, self._examples.labels[rows], self._examples.row_weights[rows])
            results.append((replace(trial, epochs=epochs, log_loss=loss), logits))
        return results, made

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        """After an error or Ctrl-C in one thread, let the trials of the others end with the pass that they are in."""
        try:
            yield
        except BaseException:
            self.stopped = True
            raise

    def forget(self, rare: bool) -> None:
        """Drop the features that no further trial needs."""
        self._features = {key: value for key, value in self._features.items() if key[0] != rare}

    def _train(self, trial: Trial, fold: int) -> tuple[int, NDArray[np.float32]]:
        """Train without one fold until its loss stops falling; return the best epoch and its logits on the fold."""
        examples, rows = self._examples, self._held[fold]
        inside = np.ones(len(examples.labels), np.bool_)
        inside[rows] = False
        key = (trial.rare, fold)
        if key not in self._features:
            self._features[key] = examples.counts.weigh(rare=trial.rare, fit_rows=inside)[1]
        features = self._features[key]
        judged = slice(None, None, -(-len(rows) // _JUDGED_ROWS))
        lowest = np.inf
        best: tuple[int, NDArray[np.float32]] | None = None

        def judge(epoch: int, layer: LinearModel) -> bool:
            nonlocal best, lowest
            logits = layer.logits(features, rows)
            loss = _calibrated_loss(logits[judged], examples.labels[rows[judged]], examples.row_weights[rows[judged]])
            lowest = min(lowest, loss)
            if best is None or loss <= _WORSE * lowest:
                best = (epoch, logits)
            return not self.stopped and epoch - best[0] < self._patience

        solver = replace(self._solver, l2=trial.l2)
        train_linear(
            features, examples.labels, examples.row_weights, np.flatnonzero(inside), examples.n_classes, solver, judge
        )
        self._done += 1
        self._progress(min(1.0, self._done / self._planned))
        assert best is not None  # there is at least one pass
        return best


def _calibrated_loss(logits: NDArray[np.float32], labels: NDArray[np.intp], row_weights: NDArray[np.float32]) -> float:
    temperature = fit_temperature(logits, labels, sample_weights=row_weights)
    return log_loss(labels, logits=logits, temperature=temperature, sample_weights=row_weights)
