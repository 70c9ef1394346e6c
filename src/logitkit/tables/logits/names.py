"""What a caller asks for by name, and what is said where a name is not there."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from logitkit.errors import InputError

__all__ = [
    "GROUP_OPTION",
    "LABELS_OPTION",
    "LABEL_NAMES",
    "LIST_NAMES",
    "LOGITS_OPTION",
    "Wanted",
    "named",
    "no_such_name",
    "shown",
]

LOGITS_OPTION = "--logits-name (logits_name)"
LABELS_OPTION = "--labels-name (labels_name)"
GROUP_OPTION = "--group-name (group_name)"

LABEL_NAMES = ("label", "labels")
"""The names that labels have unless others are given."""

LIST_NAMES = {False: ("logits",), True: ("probs", "probabilities", "logits")}
"""The names that logits have in one piece, and the same where probabilities are wanted: the best first."""


@dataclass(frozen=True)
class Wanted:
    """What a caller asked for.

    Attributes:
        logits: The name of the logits, or several, as a sequence or with commas; None: what names say.
        labels: The same of the labels.
        group: The name of the groups, which may be somewhere else.
        probs: Whether probabilities are wanted, which have names of their own.
        with_labels: Whether labels are looked for where no name is given.
    """

    logits: str | Sequence[str] | None = None
    labels: str | Sequence[str] | None = None
    group: str | None = None
    probs: bool = False
    with_labels: bool = True


def named(name: str, names: Sequence[str], wanted: str | Sequence[str] | None, option: str) -> tuple[str, ...]:
    """Return the names that were asked for, after a look that each is there once.

    Example:
        >>> named("news.csv", ["a", "b", "c,d"], "a,b", LOGITS_OPTION)
        ('a', 'b')
    """
    chosen = _split(names, wanted)
    for column in chosen:
        if column not in names:
            raise no_such_name(name, names, column, option)
        if chosen.count(column) > 1:
            raise InputError(f"{option} names {column!r} twice; name each once.")
    return chosen


def no_such_name(name: str, names: Sequence[str], wanted: str, option: str) -> InputError:
    """Return the error for a name that is not there, with what was probably meant.

    Example:
        >>> print(no_such_name("news.npz", ["logits", "classes"], "class", LABELS_OPTION))
        news.npz has no 'class', which --labels-name (labels_name) asks for: it has 'logits', 'classes'; did you ...
    """
    close = difflib.get_close_matches(wanted, names, 1)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return InputError(f"{name} has no {wanted!r}, which {option} asks for: it has {shown(names)}{meant}")


def shown(names: Sequence[str]) -> str:
    """Return names as messages list them.

    Example:
        >>> shown(["text", "label"])
        "'text', 'label'"
    """
    return ", ".join(repr(name[:40]) for name in names[:12]) + ", …" * (len(names) > 12) or "nothing"


def _split(names: Sequence[str], wanted: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return names given as a sequence, or as a text with commas unless that is a name itself."""
    if wanted is None:
        return ()
    if not isinstance(wanted, str):
        return tuple(wanted)
    return (wanted,) if wanted in names else tuple(part.strip() for part in wanted.split(","))
