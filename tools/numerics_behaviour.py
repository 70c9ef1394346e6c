"""What each function of ops does with unusual input: every cell is a call, made when the table is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from logitkit import ops
from logitkit.errors import LogitkitError

INF, NAN = np.inf, np.nan
Say = Callable[[str, str], str]  # picks the English or the Chinese words


@dataclass(frozen=True)
class Column:
    """A function: how it is called with logits [N, C], labels [N] and, for rows that do not count, with `out=True`."""

    name: str
    call: Callable[..., Any]
    masks: bool = False


def _row(*logits: float) -> np.ndarray:
    return np.array([logits], dtype=np.float32)


INPUTS: tuple[tuple[str, str, np.ndarray], ...] = (
    ("one +∞", "一个 +∞", _row(0.0, INF, 1.0)),
    ("two +∞", "两个 +∞", _row(INF, INF, 0.0)),
    ("one −∞", "一个 −∞", _row(0.0, -INF, 1.0)),
    ("all −∞", "全是 −∞", _row(-INF, -INF, -INF)),
    ("a NaN", "有 NaN", _row(0.0, NAN, 1.0)),
    ("one class", "只有一类", _row(5.0)),
    ("no row", "没有行", np.empty((0, 3), np.float32)),
    ("no class", "没有类别", np.empty((1, 0), np.float32)),
)
MASKED = ("a masked or ignored row", "被遮住或忽略的一行", _row(0.0, 2.0, 1.0))


def _where(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(z: Any, y: Any, out: bool = False) -> Any:  # noqa: ARG001
        return function(z, where=np.zeros(z.shape, bool)) if out else function(z)

    return call


def _loss(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    def call(z: Any, y: Any, out: bool = False) -> Any:
        ignored = {"ignore_index": 0} if out else {}
        return function(z, y, reduction="none", grad=True, **options, **ignored)

    return call


FAMILIES: tuple[tuple[str, str, tuple[Column, ...]], ...] = (
    (
        "Softmax family",
        "softmax 一族",
        (
            Column("softmax", _where(ops.softmax), True),
            Column("log_softmax", _where(ops.log_softmax), True),
            Column("logsumexp", _where(ops.logsumexp), True),
        ),
    ),
    (
        "Losses: value; gradient (the label is the first class)",
        "损失：值；梯度（标签是第一类）",
        (Column("cross_entropy", _loss(ops.cross_entropy)),),
    ),
    (
        "Element by element",
        "逐个元素",
        (
            Column("sigmoid", lambda z, _: ops.sigmoid(z)),
            Column("log_sigmoid", lambda z, _: ops.log_sigmoid(z)),
            Column("softplus", lambda z, _: ops.softplus(z)),
        ),
    ),
    (
        "Decisions",
        "决策",
        (
            Column("argmax", lambda z, _: ops.argmax(z)),
            Column("top_k", lambda z, _: ops.top_k(z, min(2, max(1, z.shape[-1])))),
        ),
    ),
)


def show(result: Any) -> str:
    """Return a result as a few digits; the parts of a tuple are divided by semicolons.

    Example:
        `show((np.array([1.0]), np.array([[0.5, -np.inf]])))` is `1; 0.5 −∞`.
    """
    if isinstance(result, tuple):
        return "; ".join(show(part) for part in result)
    array = np.asarray(result)
    if array.size == 0:
        return str(list(array.shape)).replace(" ", "")
    return " ".join(_number(float(value)) for value in array.reshape(-1))


def _number(value: float) -> str:
    text = {"nan": "NaN", "inf": "+∞", "-inf": "−∞"}.get(str(value), f"{value + 0.0:.3g}")
    return text.replace("-", "−")


def cell(column: Column, logits: np.ndarray, **options: Any) -> str:
    """Call a function and say what it gives: a result, or the name of the error."""
    labels = np.zeros(logits.shape[0], int)
    try:
        return show(column.call(logits, labels, **options))
    except LogitkitError as error:
        return type(error).__name__


def tables(say: Say) -> str:
    """Return the tables, one a family, as Markdown."""
    parts = []
    for english, chinese, columns in FAMILIES:
        lines = [[say("one row", "一行"), *(f"`{column.name}`" for column in columns)], ["---"] * (len(columns) + 1)]
        for in_english, in_chinese, logits in INPUTS:
            lines.append([say(in_english, in_chinese), *(cell(column, logits) for column in columns)])
        if any(column.masks for column in columns):
            last = [cell(column, MASKED[2], out=True) if column.masks else "–" for column in columns]
            lines.append([say(*MASKED[:2]), *last])
        parts.append(f"### {say(english, chinese)}\n\n{markdown(lines)}")
    return "\n\n".join(parts)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
