"""The record of an audit, for what draws it."""

from logitkit.audit.record import *  # noqa: F403
from logitkit.audit.record import __all__ as __all__
