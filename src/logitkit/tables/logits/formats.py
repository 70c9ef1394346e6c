"""What a file of logits or labels is: arrays or a table, from the end of its name."""

from __future__ import annotations

import os
from pathlib import Path

from logitkit.errors import InputError, OptionError
from logitkit.tables.sources import FORMATS, table_format
from logitkit.tables.stored.files import ARRAY_FORMATS, pickle_error

__all__ = ["LOGIT_FORMATS", "logits_format"]

LOGIT_FORMATS = (*ARRAY_FORMATS, *FORMATS)
"""The formats that logits are read from."""

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")


def logits_format(path: str | os.PathLike[str], format: str | None = None, endings: tuple[str, ...] = ()) -> str:
    """Return one of `LOGIT_FORMATS`, or one of the further `endings`.

    Args:
        path: A file, an address with `://`, or `-`, which is CSV unless `format` says otherwise.
        format: The format, where the name does not say it.
        endings: What else the name may end in.

    Raises:
        InputError: If there is no such file, or its name says that it is a pickle, which is never opened.
        OptionError: If the format is unknown.

    Example:
        >>> logits_format("-"), logits_format("-", "jsonl")
        ('csv', 'jsonl')
        >>> logits_format("logits.npy")
        Traceback (most recent call last):
        logitkit.errors.InputError: logits.npy does not exist; check the path.
    """
    name = str(path)
    if format is not None and format not in LOGIT_FORMATS:
        raise OptionError(f"The format {format!r} is unknown; choose one of {', '.join(LOGIT_FORMATS)}.")
    if name != "-" and "://" not in name:
        if not Path(path).exists():
            raise InputError(f"{name} does not exist; check the path.")
        if Path(path).is_dir():
            raise InputError(f"{name} is a folder; name a file in it.")
    ending = Path(name.lower()).suffix
    if format is None and ending in _PICKLES:
        raise pickle_error(name)
    if format is None and ending in endings:
        return ending
    if format is None and ending.removeprefix(".") in ARRAY_FORMATS:
        return ending.removeprefix(".")
    try:
        return format if format in ARRAY_FORMATS else table_format(path, format)[0]
    except OptionError:
        known = ", ".join("." + kind for kind in LOGIT_FORMATS)
        more = "".join(f", {other}" for other in endings)
        raise OptionError(
            f"{name} does not end in a format that is known here; use one of {known}{more} (csv, tsv and jsonl also"
            " with .gz or .zst), or give the format."
        ) from None
