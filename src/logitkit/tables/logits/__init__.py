"""Saved logits and labels of any model, from arrays or tables of any size."""

from logitkit.tables.logits.files import open_logits
from logitkit.tables.logits.formats import LOGIT_FORMATS
from logitkit.tables.logits.record import LogitsFile

__all__ = ["LOGIT_FORMATS", "LogitsFile", "open_logits"]
