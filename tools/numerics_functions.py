"""The functions of ops and the unusual inputs that the numerics pages show them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from logitkit import ops

INF, NAN = np.inf, np.nan

PIECES = ("float64, in pieces", "float64，分段")
ROWS = ("float64", "float64")
FLOATS = ("float64; products by BLAS", "float64；矩阵乘积由 BLAS 计算")
NONE = ("–", "–")


@dataclass(frozen=True)
class Column:
    """A function, how it is called with logits [N, C], and what it adds up in.

    `masked` is the call in which no row or class counts, for a function that can leave some out.
    """

    name: str
    call: Callable[[Any], Any]
    sums: tuple[str, str] = PIECES
    masked: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Family:
    """Functions that stand in one table, and what they are called with."""

    english: str
    chinese: str
    columns: tuple[Column, ...]
    inputs: tuple[tuple[str, str, Any], ...] = ()


def _row(*logits: float) -> Any:
    return np.array([logits], dtype=np.float32)


INPUTS: tuple[tuple[str, str, Any], ...] = (
    ("0, 2, 1", "0, 2, 1", _row(0.0, 2.0, 1.0)),
    ("0, +∞, 1", "0, +∞, 1", _row(0.0, INF, 1.0)),
    ("+∞, +∞, 0", "+∞, +∞, 0", _row(INF, INF, 0.0)),
    ("0, −∞, 1", "0, −∞, 1", _row(0.0, -INF, 1.0)),
    ("−∞, −∞, −∞", "−∞, −∞, −∞", _row(-INF, -INF, -INF)),
    ("0, NaN, 1", "0, NaN, 1", _row(0.0, NAN, 1.0)),
    ("one class: 5", "只有一类：5", _row(5.0)),
    ("no row: [0,3]", "没有行：[0,3]", np.empty((0, 3), np.float32)),
    ("no class: [1,0]", "没有类别：[1,0]", np.empty((1, 0), np.float32)),
)
EMBEDDINGS: tuple[tuple[str, str, Any], ...] = (
    ("1, 2, −1", "1, 2, −1", _row(1.0, 2.0, -1.0).T),
    ("0, 2, −1", "0, 2, −1", _row(0.0, 2.0, -1.0).T),
    ("2, 2, 2", "2, 2, 2", _row(2.0, 2.0, 2.0).T),
    ("+∞, 2, −1", "+∞, 2, −1", _row(INF, 2.0, -1.0).T),
    ("NaN, 2, −1", "NaN, 2, −1", _row(NAN, 2.0, -1.0).T),
    ("one: 2", "只有一个：2", _row(2.0)),
    ("none: [0,1]", "没有：[0,1]", np.empty((0, 1), np.float32)),
    ("no column: [1,0]", "没有列：[1,0]", np.empty((1, 0), np.float32)),
)
MASKED = ("0, 2, 1, all left out", "0, 2, 1，全部排除", INPUTS[0][2])


def _first(z: Any) -> Any:
    """Return labels that are all the first class."""
    return np.zeros(z.shape[0], int)


def _hot(z: Any) -> Any:
    """Return what is 1 at the first class, in the type of the logits."""
    return np.broadcast_to(np.arange(z.shape[-1]) == 0, z.shape).astype(z.dtype)


def _masks(function: Callable[..., Any]) -> Column:
    """Return the column of a function with a `where` mask."""
    return Column(function.__name__, function, masked=lambda z: function(z, where=np.zeros(z.shape, bool)))


def _loss(
    function: Callable[..., Any], target: Callable[[Any], Any], *, ignores: bool = False, **options: Any
) -> Column:
    """Return the column of a loss: the value of each row, and the gradient of their sum."""

    def call(z: Any, **more: Any) -> Any:
        return function(z, target(z), reduction="none", grad=True, **options, **more)

    return Column(function.__name__, call, ROWS, (lambda z: call(z, ignore_index=0)) if ignores else None)


def _taught(function: Callable[..., Any], *targets: Callable[[Any], Any]) -> Column:
    """Return the column of a loss that compares with a teacher: it knows nothing here, all its logits are 0."""

    def call(z: Any) -> Any:
        return function(z, np.zeros_like(z), *(target(z) for target in targets), reduction="none", grad=True)

    return Column(function.__name__, call, ROWS)


def _linear(z: Any, **options: Any) -> Any:
    """Call the loss of a linear layer whose weights are 0 and whose bias is the first row of logits."""
    hidden, weights = np.ones((z.shape[0], 1), z.dtype), np.zeros((z.shape[1], 1), z.dtype)
    bias = z[0] if len(z) else np.zeros(z.shape[1], z.dtype)
    options |= {"bias": bias, "reduction": "none", "grad": True}
    loss, grads = ops.linear_cross_entropy(hidden, weights, _first(z), **options)
    return loss, grads.bias


def _pairs(function: Callable[..., Any], **options: Any) -> Column:
    """Return the column of a loss of pairs: each embedding is its own positive; the gradient is that of the anchors."""

    def call(x: Any) -> Any:
        loss, grads = function(x, x, reduction="none", grad=True, **options)
        return loss, grads.anchors

    return Column(function.__name__, call, FLOATS)


def _groups(function: Callable[..., Any], **options: Any) -> Column:
    """Return the column of a loss of labelled embeddings, of which the first two are of one kind."""

    def call(x: Any) -> Any:
        loss, grads = function(x, np.arange(len(x)) // 2, reduction="none", grad=True, **options)
        return loss, getattr(grads, "embeddings", grads)

    return Column(function.__name__, call, FLOATS)


FAMILIES: tuple[Family, ...] = (
    Family("Softmax", "softmax 一族", (_masks(ops.softmax), _masks(ops.log_softmax), _masks(ops.logsumexp))),
    Family(
        "Sigmoid",
        "sigmoid 一族",
        tuple(Column(function.__name__, function, NONE) for function in (ops.sigmoid, ops.log_sigmoid, ops.softplus)),
    ),
    Family(
        "Losses of one label a row, which is the first class: value; gradient (of the linear layer: of its bias)",
        "每行一个标签的损失（标签是第一类）：值；梯度（线性层：对偏置的梯度）",
        (
            _loss(ops.cross_entropy, _first, ignores=True),
            _loss(ops.focal_loss, _first),
            Column("linear_cross_entropy", _linear, FLOATS, lambda z: _linear(z, ignore_index=0)),
        ),
    ),
    Family(
        "Losses of several labels a row, of which the first is true: values; gradient",
        "每行多个标签的损失（第一个为真）：值；梯度",
        (_loss(ops.binary_cross_entropy, _hot), _loss(ops.binary_focal_loss, _hot)),
    ),
    Family(
        "Losses beside a teacher whose logits are all 0 (and the label is the first class): value; gradient",
        "老师的 logits 全为 0 时的损失（标签是第一类）：值；梯度",
        (_taught(ops.kl_divergence), _taught(ops.distillation_loss, _first)),
    ),
    Family(
        "Backward: the gradient that comes in is 1 at the first class",
        "反向：传入的梯度在第一类处为 1",
        (
            Column("softmax_backward", lambda z: ops.softmax_backward(_hot(z), ops.softmax(z))),
            Column("log_softmax_backward", lambda z: ops.log_softmax_backward(_hot(z), ops.log_softmax(z))),
            Column("logsumexp_backward", lambda z: ops.logsumexp_backward(np.ones(z.shape[:1], z.dtype), z)),
        ),
    ),
    Family(
        "Decisions (a token is drawn with the uniform number 0.5)",
        "决策（抽词元用的均匀随机数是 0.5）",
        (
            Column("process_logits", lambda z: ops.process_logits(z, ops.SamplingOptions(temperature=0.5, top_k=2))),
            Column("sample", lambda z: ops.sample(z, uniforms=np.full(z.shape[:1], 0.5))),
            Column("argmax", ops.argmax, NONE),
            Column("top_k", lambda z: ops.top_k(z, 2 if z.shape[-1] > 1 else 1), NONE),
        ),
    ),
    Family(
        "How clear a decision is (the label whose rank is asked for is the first class)",
        "决策有多明确（求名次的标签是第一类）",
        (
            Column("margin", ops.margin, NONE),
            Column("entropy", ops.entropy),
            Column("energy", ops.energy),
            Column("rank_of_label", lambda z: ops.rank_of_label(z, _first(z)), NONE),
        ),
    ),
    Family(
        "Contrastive losses of embeddings of one column, at temperature 1: values; gradient",
        "对比损失（向量只有一列，温度为 1）：值；梯度",
        (
            _pairs(ops.info_nce, temperature=1.0),
            _pairs(ops.sigmoid_pairwise_loss, temperature=1.0, bias=0.0),
        ),
        EMBEDDINGS,
    ),
    Family(
        "The same with labels, of which the first two are equal",
        "同上，带标签，前两个标签相同",
        (
            _groups(ops.supervised_contrastive_loss, temperature=1.0),
            _groups(ops.triplet_loss, margin=1.0),
        ),
        EMBEDDINGS,
    ),
)
