"""Labels from a file of their own: npy, npz, safetensors, any table, or a text file with one label a line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.csv as pacsv

from logitkit.errors import InputError
from logitkit.tables.logits.formats import logits_format
from logitkit.tables.logits.label_values import FoundLabels, compact, labels_from_array, labels_from_columns
from logitkit.tables.logits.names import LABEL_NAMES, LABELS_OPTION, named, no_such_name, shown
from logitkit.tables.logits.whole_rows import WholeRows
from logitkit.tables.reader import read_batches
from logitkit.tables.sources import Source, unreadable
from logitkit.tables.stored import ARRAY_FORMATS, StoredArray, open_arrays

__all__ = ["choose_array", "read_labels"]


def read_labels(
    path: str | os.PathLike[str],
    labels_name: str | Sequence[str] | None = None,
    group_name: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[FoundLabels, FoundLabels | None]:
    r"""Return the labels in a file, and the groups if they are there.

    Args:
        path: A file whose name ends in .npy, .npz, .safetensors or .txt, or a table.
        labels_name: The array or column; without it `label` or `labels`, or else the only one there is.
        group_name: The array or column of groups, which may be missing here.
        progress: As in `read_batches`.

    Raises:
        InputError: If the file is missing or damaged, or does not say which are the labels.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels.txt"
        >>> _ = path.write_text("yes\nno\n")
        >>> read_labels(path)[0].texts
        ('yes', 'no')
    """
    name = "standard input" if str(path) == "-" else str(path)
    kind = logits_format(path, endings=(".txt",))
    if kind in ARRAY_FORMATS:
        arrays = open_arrays(path, kind)
        labels = choose_array(name, arrays, labels_name, LABELS_OPTION, LABEL_NAMES, _can_be_labels)
        group = arrays.get(group_name) if group_name is not None else None
        groups = None if group is None else labels_from_array(group.values(), group.source)
        return labels_from_array(labels.values(), labels.source), groups
    if kind == ".txt":
        return labels_from_columns([_lines(path, name)], ["label"], name), None
    with read_batches(path, bad_rows=WholeRows(name), progress=progress) as reader:
        names = reader.schema.names
        group_names = [group_name] if group_name is not None and group_name in names else []
        chosen = named(name, names, labels_name, LABELS_OPTION) or _only(name, names, group_names)
        parts: dict[str, list[pa.Array]] = {column: [] for column in (*chosen, *group_names)}
        for batch in reader:
            for column, arrays_of in parts.items():
                arrays_of.append(compact(batch.column(column)))
    if not any(parts.values()):
        raise InputError(f"{name} has no rows; give one label a row.")
    columns = {column: pa.chunked_array(arrays_of) for column, arrays_of in parts.items()}
    found = labels_from_columns([columns[column] for column in chosen], chosen, name)
    return found, labels_from_columns([columns[group_names[0]]], group_names, name) if group_names else None


def choose_array(
    name: str,
    arrays: Mapping[str, StoredArray],
    wanted: str | Sequence[str] | None,
    option: str,
    usual: Sequence[str],
    fits: Callable[[StoredArray], bool],
) -> StoredArray:
    """Return the array that was asked for, or that has a usual name, or the only one that fits.

    Args:
        name: What messages call the file.
        arrays: Its arrays.
        wanted: The name that was asked for, or None.
        option: What asks for one.
        usual: The usual names, the best first.
        fits: Whether an array of another name can be it.

    Raises:
        InputError: If it is not there, or nothing says which it is.

    Example:
        >>> choose_array("a.npz", {}, "logits", "--logits-name", (), bool)
        Traceback (most recent call last):
        logitkit.errors.InputError: a.npz has no 'logits', which --logits-name asks for: it has nothing.
    """
    chosen = (wanted,) if isinstance(wanted, str) else tuple(wanted or ())
    if len(chosen) > 1:
        raise InputError(f"{option} names {shown(chosen)}, and {name} holds whole arrays; name one.")
    if chosen and list(arrays) == [""]:
        raise InputError(f"{name} holds one array without a name; leave out {option}.")
    if chosen and chosen[0] not in arrays:
        raise no_such_name(name, list(arrays), chosen[0], option)
    if chosen:
        return arrays[chosen[0]]
    for key in usual:
        if key in arrays:
            return arrays[key]
    able = list(arrays) if len(arrays) == 1 else [key for key, array in arrays.items() if fits(array)]
    if len(able) == 1:
        return arrays[able[0]]
    said = ", ".join(f"{key[:40]!r} {list(array.shape)}" for key, array in list(arrays.items())[:12])
    raise InputError(f"{name} does not say which array is meant: it has {said}; pass {option} with its name.")


def _can_be_labels(array: StoredArray) -> bool:
    return array.kind.kind in "iubUS" and len(array.shape) in (1, 2)


def _only(name: str, names: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Return the column of labels where none was asked for."""
    free = [column for column in names if column not in groups]
    chosen = [column for column in LABEL_NAMES if column in free][:1] or free
    if len(chosen) > 1:
        raise InputError(f"{name} has the columns {shown(names)}; pass {LABELS_OPTION} to say which are the labels.")
    if chosen and chosen[0].strip().lstrip("-").isdigit():
        raise InputError(
            f"{name} begins with {chosen[0]!r}, and its first row must hold the name of the column; add one, such as"
            " label, or let the file's name end in .txt."
        )
    return tuple(chosen)


def _lines(path: str | os.PathLike[str], name: str) -> pa.ChunkedArray:
    """Return the lines of a text file; those at the end that are empty are none."""
    source = Source(path)
    try:
        data = b"".join(iter(lambda: source.read(1 << 24), b"")).rstrip()
        if not data:
            raise InputError(f"{name} is empty; give one label a line.")
        return pacsv.read_csv(
            pa.BufferReader(data),
            read_options=pacsv.ReadOptions(column_names=["label"], block_size=1 << 24),
            parse_options=pacsv.ParseOptions(delimiter="\x1f", quote_char=False, ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(column_types={"label": pa.string()}, strings_can_be_null=False),
        )["label"]
    except pa.ArrowException as error:
        raise unreadable(name, error) from None
    finally:
        source.close()
