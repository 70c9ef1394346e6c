"""The exact results that the errors of ops are measured by, in extended precision: 64 bits of mantissa."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from logitkit import ops


@dataclass(frozen=True)
class Exact:
    """One batch and all that the references are made of, in extended precision."""

    logits: Any
    z: Any
    labels: Any
    maximum: Any
    probs: Any
    log_probs: Any
    lse: Any


def exact(logits: Any, labels: Any) -> Exact:
    """Return softmax, its logarithm and logsumexp of logits [N, C] in extended precision."""
    z = logits.astype(np.longdouble)
    at = z.argmax(axis=1)[:, None]
    maximum = np.take_along_axis(z, at, 1)
    exps = np.exp(z - maximum)
    np.put_along_axis(exps, at, 0, 1)
    rest = exps.sum(axis=1, keepdims=True)
    np.put_along_axis(exps, at, 1, 1)
    log_total = np.log1p(rest)
    return Exact(
        logits, z, labels, maximum[:, 0], exps / (1 + rest), z - maximum - log_total, (maximum + log_total)[:, 0]
    )


def _at_label(rows: Any, labels: Any) -> Any:
    return np.take_along_axis(rows, labels[:, None], 1)[:, 0]


def _hot(logits: Any, labels: Any) -> Any:
    return (np.arange(logits.shape[1]) == labels[:, None]).astype(logits.dtype)


def _softplus(z: Any) -> Any:
    return np.maximum(z, 0) + np.log1p(np.exp(-abs(z)))


def _backward_of_softmax(e: Exact) -> tuple[Any, Any]:
    """Return the gradient for 1 at the label, and the size of its terms, from the probabilities that are given back."""
    probs = ops.softmax(e.logits).astype(np.longdouble)
    at_label = _at_label(probs, e.labels)[:, None]
    return probs * (_one_hot(e) - at_label), probs * np.where(_one_hot(e), 1, at_label)


def _probs_given_back(e: Exact) -> Any:
    return np.exp(ops.log_softmax(e.logits).astype(np.longdouble))


def _others(e: Exact) -> Any:
    """Return the probability of all classes but the label, summed without it."""
    return np.sum(np.where(_one_hot(e), 0, e.probs), axis=1)


def _one_hot(e: Exact) -> Any:
    return np.arange(e.z.shape[1]) == e.labels[:, None]


@dataclass(frozen=True)
class Measure:
    """A function, its exact result, and the size at which an error is counted where that is not the exact value."""

    name: str
    call: Callable[[Any, Any], Any]
    exact: Callable[[Exact], Any]
    size: Callable[[Exact], Any] | None = None


def _loss(
    name: str,
    call: Callable[..., Any],
    loss: Callable[[Exact], Any],
    grad: Callable[[Exact], Any] | None = None,
    grad_size: Callable[[Exact], Any] | None = None,
) -> tuple[Measure, ...]:
    """Return the measures of a loss, a value for each row, and of its gradient."""
    value = Measure(f"{name}: loss", lambda z, y: call(z, y, reduction="none"), loss)
    if grad is None:
        return (value,)
    return value, Measure(f"{name}: grad", lambda z, y: call(z, y, reduction="sum", grad=True)[1], grad, grad_size)


MEASURES = (
    Measure("softmax", lambda z, _: ops.softmax(z), lambda e: e.probs),
    Measure(
        "softmax: p ≥ 0.001",
        lambda z, _: ops.softmax(z),
        lambda e: e.probs,
        lambda e: np.where(e.probs >= 0.001, e.probs, 1),
    ),
    Measure("log_softmax", lambda z, _: ops.log_softmax(z), lambda e: e.log_probs),
    Measure(
        "log_softmax: ≥ 1",
        lambda z, _: ops.log_softmax(z),
        lambda e: e.log_probs,
        lambda e: np.maximum(abs(e.log_probs), 1),
    ),
    Measure(
        "logsumexp",
        lambda z, _: ops.logsumexp(z),
        lambda e: e.lse,
        lambda e: np.maximum(np.maximum(abs(e.maximum), abs(e.lse)), 1),
    ),
    Measure("entropy", lambda z, _: ops.entropy(z), lambda e: -np.sum(e.probs * e.log_probs, axis=1)),
    Measure("margin", lambda z, _: ops.margin(z), lambda e: -np.diff(-np.sort(-e.z, axis=1)[:, :2], axis=1)[:, 0]),
    Measure("sigmoid", lambda z, _: ops.sigmoid(z), lambda e: 1 / (1 + np.exp(-e.z))),
    Measure("log_sigmoid", lambda z, _: ops.log_sigmoid(z), lambda e: -_softplus(-e.z)),
    Measure("softplus", lambda z, _: ops.softplus(z), lambda e: _softplus(e.z)),
    Measure(
        "softmax_backward",
        lambda z, y: ops.softmax_backward(_hot(z, y), ops.softmax(z)),
        lambda e: _backward_of_softmax(e)[0],
        lambda e: _backward_of_softmax(e)[1],
    ),
    Measure(
        "log_softmax_backward",
        lambda z, y: ops.log_softmax_backward(_hot(z, y), ops.log_softmax(z)),
        lambda e: _one_hot(e) - _probs_given_back(e),
        lambda e: np.where(_one_hot(e), 1, _probs_given_back(e)),
    ),
    Measure(
        "logsumexp_backward",
        lambda z, _: ops.logsumexp_backward(np.ones(len(z), z.dtype), z),
        lambda e: e.probs,
    ),
    *_loss(
        "cross_entropy",
        ops.cross_entropy,
        lambda e: -_at_label(e.log_probs, e.labels),
        lambda e: e.probs - _one_hot(e),
        lambda e: np.where(_one_hot(e), 1, e.probs),
    ),
    *_loss(
        "focal_loss",
        ops.focal_loss,
        lambda e: -(_others(e) ** 2) * _at_label(e.log_probs, e.labels),
    ),
    *_loss(
        "kl_divergence",
        lambda z, _, **more: ops.kl_divergence(z, np.roll(z, 1, axis=1), **more),
        lambda e: np.sum(np.roll(e.probs, 1, axis=1) * (np.roll(e.log_probs, 1, axis=1) - e.log_probs), axis=1),
        lambda e: e.probs - np.roll(e.probs, 1, axis=1),
        lambda e: np.maximum(e.probs, np.roll(e.probs, 1, axis=1)),
    ),
    *_loss(
        "binary_cross_entropy",
        lambda z, y, **more: ops.binary_cross_entropy(z, np.arange(z.shape[1]) == y[:, None], **more),
        lambda e: _softplus(np.where(_one_hot(e), -e.z, e.z)),
        lambda e: np.where(_one_hot(e), -1, 1) / (1 + np.exp(np.where(_one_hot(e), e.z, -e.z))),
    ),
)
