"""logitkit turns text, or the saved logits of any model, into decisions one can trust.

text → features → logits → probabilities → decision → report
"""

from logitkit._version import __version__

__all__ = ["__version__"]
