"""Training a linear layer: stochastic gradient descent on cross-entropy, step going linearly to zero.

    minimise  mean over rows of  weight · cross_entropy(x · W + b, label)  +  ½ l2 ‖W‖²

Initialisation: W = 0 and b = ln(share of each class), so that training starts at the entropy of the labels and the
logits grow only as the data asks. Regularisation: `l2` bounds their scale; `label_smoothing` bounds their margin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels.linear import row_squares, train_rows
from logitkit.model.linear import LinearModel
from logitkit.text.features import Features

__all__ = ["Solver", "TrainingStep", "default_epochs", "train_linear"]

_STEPS_AN_EPOCH = 10  # how often loss, gradient norm and logit scale are recorded


@dataclass(frozen=True, slots=True)
class Solver:
    """How a layer is trained.

    Attributes:
        l2: strength of ½ l2 ‖W‖².
        label_smoothing: the share of each target that goes to all classes alike, in [0, 1).
        epochs: passes over the rows that the step size is planned for.
        stop_after: passes that are really made, at most `epochs`.
        seed: of the order of the rows.
    """

    l2: float
    label_smoothing: float = 0.0
    epochs: int = 5
    stop_after: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What training looked like over a tenth of an epoch.

    Attributes:
        epoch: how many passes had been made at the end of it; fractional.
        loss: weighted mean of the cross-entropy of its rows, each before its own step.
        gradient_norm: weighted mean of the length of a row's gradient with respect to W.
        logit_scale: root mean square of its logits.
        largest_logit: the largest absolute one.
    """

    epoch: float
    loss: float
    gradient_norm: float
    logit_scale: float
    largest_logit: float


def default_epochs(rows: int) -> int:
    """Return how many passes `rows` examples are worth: five, more for fewer examples, at most 40."""
    return min(40, max(5, -(-25_000 // max(1, rows))))


def train_linear(
    features: Features,
    labels: NDArray[np.intp],
    row_weights: NDArray[np.float32],
    rows: NDArray[np.int64],
    n_classes: int,
    solver: Solver,
    after_epoch: Callable[[int, LinearModel], bool] | None = None,
) -> tuple[LinearModel, tuple[TrainingStep, ...]]:
    """Train a layer on some rows; serial, and the same bits for the same seed.

    Args:
        features: `[N, F]` sparse.
        labels: `[N]` class indices.
        row_weights: `[N]` float32, at least 0, of mean 1 over `rows`. A row heavier than 1 comes several times a pass,
            as often as makes each time weigh at most 1: one step as large as its weight would overshoot.
        rows: indices of the rows to train on.
        n_classes: C.
        solver: how.
        after_epoch: called with the number of passes made and the layer so far; False stops.

    Returns:
        The layer, and ten steps an epoch.
    """
    rng = np.random.default_rng(solver.seed)
    times = np.maximum(1, np.ceil(row_weights)).astype(np.int64)
    each_time = (row_weights / times).astype(np.float32)
    N = len(features.indptr) - 1
    squares = np.empty(N, np.float32)
    row_squares(features.indptr, features.data, squares)
    weights = np.zeros((features.n_features, n_classes), np.float32)
    shares = np.bincount(labels[rows], weights=row_weights[rows], minlength=n_classes) + 1e-2
    bias = np.log(shares / shares.sum()).astype(np.float32)
    scale = np.ones(1)
    logits = np.empty(n_classes, np.float32)
    first_step = 4.0 / max(1.0, float(squares[rows].mean()) if len(rows) else 1.0)
    steps: list[TrainingStep] = []
    repeated = np.repeat(rows, times[rows])
    l2 = solver.l2 * len(rows) / max(1, len(repeated))  # each step shrinks the weights, and there are more of them
    last = min(solver.epochs, solver.stop_after or solver.epochs)
    for epoch in range(last):
        order = rng.permutation(repeated)
        for part in range(_STEPS_AN_EPOCH):
            here = order[len(order) * part // _STEPS_AN_EPOCH : len(order) * (part + 1) // _STEPS_AN_EPOCH]
            done = epoch + part / _STEPS_AN_EPOCH
            until = epoch + (part + 1) / _STEPS_AN_EPOCH
            totals = np.zeros(4)
            train_rows(
                here, features.indptr, features.indices, features.data, labels, each_time, squares,
                first_step * (1.0 - done / solver.epochs), first_step * (1.0 - until / solver.epochs),
                l2, solver.label_smoothing, weights, bias, scale, logits, totals,
            )  # fmt: skip
            if len(here):
                loss, gradient = (totals[:2] / max(float(each_time[here].sum()), 1e-30)).tolist()
                scale_now = float(totals[2] / len(here)) ** 0.5
                steps.append(TrainingStep(until, loss, gradient, scale_now, float(totals[3])))
        if after_epoch is not None and not after_epoch(epoch + 1, _layer(weights, bias, scale)):
            break
    return _layer(weights, bias, scale), tuple(steps)


def _layer(weights: NDArray[np.float32], bias: NDArray[np.float32], scale: NDArray[np.float64]) -> LinearModel:
    """Fold the scale into the weights, in place, and return them as a layer."""
    weights *= np.float32(scale[0])
    scale[0] = 1.0
    return LinearModel(weights, bias)
