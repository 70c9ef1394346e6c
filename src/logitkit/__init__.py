"""logitkit turns text, or the saved logits of any model, into decisions one can trust.

text → features → logits → probabilities → decision → report

Names are imported when they are first used, so that `import logitkit` is quick and compiles nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from logitkit._version import __version__

if TYPE_CHECKING:
    from logitkit import ops, trust
    from logitkit.audit.options import AuditOptions
    from logitkit.audit.run import audit_logits
    from logitkit.classifier import TextClassifier, load
    from logitkit.decision import Decision
    from logitkit.explain import Explanation
    from logitkit.model.options import TrainOptions
    from logitkit.policy import DecisionPolicy
    from logitkit.text import NgramSpec

__all__ = [
    "AuditOptions", "Decision", "DecisionPolicy", "Explanation", "NgramSpec", "TextClassifier", "TrainOptions",
    "__version__", "audit_logits", "load", "ops", "trust",
]  # fmt: skip

_HOMES = {
    "AuditOptions": "logitkit.audit.options",
    "Decision": "logitkit.decision",
    "DecisionPolicy": "logitkit.policy",
    "Explanation": "logitkit.explain",
    "NgramSpec": "logitkit.text",
    "TextClassifier": "logitkit.classifier",
    "TrainOptions": "logitkit.model.options",
    "audit_logits": "logitkit.audit.run",
    "load": "logitkit.classifier",
}


def __getattr__(name: str) -> Any:
    if name in ("ops", "trust"):
        return importlib.import_module(f"logitkit.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'logitkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
