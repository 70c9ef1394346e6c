"""Every error that logitkit raises on purpose, as a small tree.

Each message is one sentence that says what is wrong, where (file, row, column), what was found, and what to do.
"""

__all__ = ["InputError", "LogitkitError", "ModelFileError", "NotFittedError", "OptionError", "OutputError"]


class LogitkitError(Exception):
    """The root of the tree: `except LogitkitError` catches whatever logitkit refuses.

    Example:
        >>> from logitkit.errors import LogitkitError, OptionError
        >>> issubclass(OptionError, LogitkitError)
        True
    """


class InputError(LogitkitError, ValueError):
    """The data is wrong: a missing file or column, a null label, a shape that does not fit."""


class OptionError(LogitkitError, ValueError):
    """An option is out of its range, or two options contradict each other."""


class OutputError(LogitkitError, OSError):
    """A result cannot be written: the path exists, is a folder, or the disk is full."""


class ModelFileError(LogitkitError, ValueError):
    """A `.logitkit` file is truncated, altered, foreign, or of a newer format."""


class NotFittedError(LogitkitError, RuntimeError):
    """A classifier was asked for logits before `fit` or `load`."""
