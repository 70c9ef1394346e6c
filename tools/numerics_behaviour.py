"""What each function of ops does with types and with unusual input: every cell is a call, made when it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numerics_functions import FAMILIES, INPUTS, MASKED, Column

from logitkit.errors import LogitkitError

DTYPES = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)
Say = Callable[[str, str], str]  # picks the English or the Chinese words


def show(result: Any) -> str:
    """Return a result in few digits: `show((np.array([1.0]), np.array([[0.5, -np.inf]])))` is `1; 0.5 −∞`."""
    if isinstance(result, tuple):
        return "; ".join(show(part) for part in result)
    array = np.asarray(result)
    if array.size == 0:
        return str(list(array.shape)).replace(" ", "")
    return " ".join(_number(float(value)) for value in array.reshape(-1))


def _number(value: float) -> str:
    text = {"nan": "NaN", "inf": "+∞", "-inf": "−∞"}.get(str(value), f"{value + 0.0:.3g}")
    return text.replace("-", "−")


def cell(call: Callable[[Any], Any], logits: Any) -> str:
    """Call a function and say what it gives: a result, or the name of the error."""
    try:
        return show(call(logits))
    except LogitkitError as error:
        return type(error).__name__


def behaviour(say: Say) -> str:
    """Return a table a family: inputs by functions."""
    parts = []
    for family in FAMILIES:
        columns, inputs = family.columns, family.inputs or INPUTS
        head = say("embeddings", "向量") if family.inputs else "logits"
        lines = [[head, *(f"`{column.name}`" for column in columns)], ["---"] * (len(columns) + 1)]
        lines += [[say(*names), *(cell(column.call, given) for column in columns)] for *names, given in inputs]
        if any(column.masked for column in columns):
            last = [cell(column.masked, MASKED[2]) if column.masked else "–" for column in columns]
            lines.append([say(*MASKED[:2]), *last])
        parts.append(f"### {say(family.english, family.chinese)}\n\n{markdown(lines)}")
    return "\n\n".join(parts)


def types(say: Say) -> str:
    """Return the table of the results' types: found by calling each function with each type of logits."""
    head = [say("function", "函数"), say("result", "结果"), say("long sums", "长的求和")]
    lines = [head, ["---"] * 3]
    for family in FAMILIES:
        lines += [[f"`{column.name}`", _result_types(column, say), say(*column.sums)] for column in family.columns]
    return markdown(lines)


def _result_types(column: Column, say: Say) -> str:
    """Return in words what the types of the parts of a result are for the four types of logits."""
    results = [column.call(np.zeros((2, 3), dtype)) for dtype in DTYPES]
    words = []
    for parts in zip(*(result if isinstance(result, tuple) else (result,) for result in results), strict=True):
        found = [np.asarray(part).dtype for part in parts]
        if found == [np.dtype(dtype) for dtype in DTYPES]:
            words.append(say("the input's type", "与输入相同"))
        elif len(set(found)) == 1:
            words.append(found[0].name)
        else:
            words.append(", ".join(dtype.name for dtype in found))
    return "; ".join(words)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
