"""Saved logits and labels of any model, from files of any size."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from logitkit.errors import InputError, OptionError
from logitkit.tables.logits.fitting import FoundLogits, fitted
from logitkit.tables.logits.formats import logits_format
from logitkit.tables.logits.label_files import choose_array, read_labels
from logitkit.tables.logits.label_values import labels_from_array
from logitkit.tables.logits.names import (
    GROUP_OPTION,
    LABEL_NAMES,
    LABELS_OPTION,
    LIST_NAMES,
    LOGITS_OPTION,
    Wanted,
    no_such_name,
)
from logitkit.tables.logits.record import LogitsFile
from logitkit.tables.logits.table import read_logit_table
from logitkit.tables.stored import ARRAY_FORMATS, StoredArray, open_arrays
from logitkit.tables.stored.rows import is_number

__all__ = ["open_logits"]


def open_logits(
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    logits_name: str | Sequence[str] | None = None,
    labels_name: str | Sequence[str] | None = None,
    group_name: str | None = None,
    class_names: Sequence[str] | None = None,
    probs: bool = False,
    multilabel: bool | None = None,
    format: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> LogitsFile:
    r"""Opens saved logits, with their labels, without loading the logits.

    Arrays are read in place, whatever their size; compressed ones and tables are read once into memory, or into a
    temporary file if they are large. Labels are read and checked. Nothing is unpickled.

    Args:
        path: .npy, .npz, .safetensors, or a table (.csv, .tsv, .jsonl, .parquet, .arrow …); `-` is a table from the
            standard input. Arrays are `[N, C]`; `[N, T, V]`, of a language model, counts as `[N * T, V]`, and positions
            whose label is -100 are left out. In a table the logits are one list column or one column a class.
        labels: A file with the labels, if they are not in `path`: arrays, a table, or .txt with one label a line.
        logits_name: The array, or the column or columns (a sequence, or with commas). Without it: `logits`, or what
            begins with `logit_`, or the only one that can be logits.
        labels_name: As `logits_name`; without it `label` or `labels`, or the only one that can be labels.
        group_name: An array or column whose values put the rows into groups.
        class_names: The names of the classes in the order of the logits, where the file does not say them.
        probs: The file holds probabilities and not logits.
        multilabel: Whether several classes can be right in a row; None: whether the labels are `[N, C]`.
        format: The format, where the name of `path` does not say it.
        progress: Called with the bytes read and the total (None for a pipe) of tables and compressed arrays.

    Returns:
        The logits, and what belongs to them. What they look like is for `check_logits` to say.

    Raises:
        InputError: A file is missing, damaged, a pickle, or of another kind; shapes disagree; a label is no class; a
            cell is no number; or nothing says what is what.
        OptionError: The format is unknown.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "logits.csv"
        >>> _ = path.write_text("logit_no,logit_yes,label\n2.0,0.1,no\n-1.0,0.5,yes\n0.2,0.4,no\n")
        >>> with open_logits(path) as file:
        ...     file.class_names, file.labels.tolist(), file.rows.read(0, 1).tolist()
        (('no', 'yes'), [0, 1, 0], [[2.0, 0.1]])
    """
    name = "standard input" if str(path) == "-" else str(path)
    if str(path) == "-" == str(labels):
        raise OptionError("Logits and labels cannot both come from the standard input; name a file for one of them.")
    kind = logits_format(path, format)
    own_labels = labels_name if labels is None else None
    wanted = Wanted(logits_name, own_labels, group_name, probs, with_labels=labels is None)
    if kind in ARRAY_FORMATS:
        found = _from_arrays(name, open_arrays(path, kind, progress), wanted)
    else:
        table = read_logit_table(path, wanted, format=format, progress=progress)
        found = FoundLogits(table.rows, table.rows.shape, table.labels, table.groups, table.class_names, table.names)
    if labels is not None:
        other_labels, groups = read_labels(labels, labels_name, group_name, progress)
        found = replace(found, labels=other_labels, groups=found.groups or groups)
    if group_name is not None and found.groups is None:
        raise no_such_name(name, found.names, group_name, GROUP_OPTION)
    if class_names is not None:
        found = replace(found, class_names=tuple(class_names))
    return fitted(name, found, probs, multilabel)


def _from_arrays(name: str, arrays: Mapping[str, StoredArray], wanted: Wanted) -> FoundLogits:
    usual = LIST_NAMES[wanted.probs]
    logits = choose_array(name, arrays, wanted.logits, LOGITS_OPTION, usual, _can_be_logits)
    rows = logits.rows()
    rest = {key: array for key, array in arrays.items() if array is not logits}

    def can_be_labels(array: StoredArray) -> bool:
        return array.kind.kind in "iu" and array.shape in (logits.shape[:1], logits.shape[:-1])

    labels = None
    if wanted.labels is not None and not rest:
        raise InputError(f"{name} holds the logits alone, and no labels; give the labels as a file of their own.")
    has_labels = any(key in LABEL_NAMES or can_be_labels(array) for key, array in rest.items())
    if wanted.labels is not None or (wanted.with_labels and has_labels):
        array = choose_array(name, rest, wanted.labels, LABELS_OPTION, LABEL_NAMES, can_be_labels)
        labels = labels_from_array(array.values(), array.source)
    group = rest.get(wanted.group) if wanted.group is not None else None
    return FoundLogits(
        rows,
        logits.shape,
        labels,
        None if group is None else labels_from_array(group.values(), group.source),
        labels_from_array(rest["class_names"].values(), name).texts if "class_names" in rest else None,
        tuple(rest),
    )


def _can_be_logits(array: StoredArray) -> bool:
    return len(array.shape) in (2, 3) and is_number(array.kind) and array.kind.kind not in "iu"
