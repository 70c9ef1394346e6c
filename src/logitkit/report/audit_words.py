"""What an audit says, in a language: templates of words, and how their values are written.

A template is HTML with placeholders, as in `page_en`. What follows a placeholder's colon says how its value is written:

- nothing: a whole number with thousands separators, or a text as it is;
- `d`: a whole number without separators, such as a row's;
- `n3`: a number with three decimals;
- `p1`: a share in percent with one decimal; `p`: with as many as it has;
- `x1`: a difference of shares, or a share that is an error, in percentage points with one decimal;
- `t`: a probability with as many decimals as tell it from 1;
- a noun, such as `row`: the number with the noun, in the singular for 1;
- a family of names, such as `method`: the name in this language of what the value is called in the record;
- `english`: a sentence that is English in the record, and marked as such elsewhere.
"""

from __future__ import annotations

import html as markup
import math
import re

from logitkit.audit.record import Audit, Sentence
from logitkit.report.audit_en import ENGLISH
from logitkit.report.audit_zh import CHINESE
from logitkit.report.page_markup import Html, Language, element, escape, name, number
from logitkit.report.page_svg import shorten

__all__ = ["LANGUAGES", "Value", "clean", "facts", "fill", "gap", "language_of", "say", "short_name"]

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}
_NAME_WIDTH = 60
_ENGLISH = ("english", "refusal")  # a reason that is no known one is an English sentence
# Control characters, and those that turn the direction of what follows them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

Raw = float | int | str | None


def language_of(code: str) -> Language:
    """Return the language "en" or "zh"."""
    return LANGUAGES[code]


def say(sentence: Sentence, language: str = "en", html: bool = False) -> str:
    """Return a sentence of an audit as text, or as HTML with every name escaped and isolated.

    Args:
        sentence: its key and raw values.
        language: "en" or "zh".
        html: whether it goes into a page.

    Example:
        >>> from logitkit.audit.record import Audit, Sentence
        >>> from logitkit.report.audit_words import say
        >>> say(Sentence("verdict.believe", {"error": 0.0123, "rows": 5000}))
        'Its confidence can be believed: on 5,000 predictions it is off by 1.2 percentage points on average.'
        >>> say(Sentence("verdict.believe", {"error": 0.0123, "rows": 1}), "zh")
        '它的置信度可以相信：在 1 个预测上平均只偏离 1.2 个百分点。'
    """
    return fill(LANGUAGES[language], sentence.key, html=html, **sentence.values)


def fill(language: Language, key: str, *, html: bool = False, **values: Raw) -> str:
    """Return the words of a key with their raw values written in; as HTML, what is written in is escaped."""
    written = {placeholder: Value(value, language, html) for placeholder, value in values.items()}
    template = language.words[key]
    return Html(template.format(**written)) if html else markup.unescape(template).format(**written)


def facts(audit: Audit, language: Language, *, html: bool = False) -> str:
    """Return of which rows the audit is, and which of them fitted and judged."""
    rows = fill(
        language, "facts.labels" if audit.multilabel else "facts.classes", html=html, name=audit.name, rows=audit.rows,
        classes=len(audit.class_names),
    )  # fmt: skip
    split = fill(
        language, "facts.here" if audit.fit.source == audit.name else "facts.elsewhere", html=html, fit=audit.fit.rows,
        judged=audit.judged_rows, source=audit.fit.source,
    )  # fmt: skip
    both = gap(language).join((rows, split))
    return Html(both) if html else both


def gap(language: Language) -> str:
    """Return what stands between two sentences."""
    return "" if language.code == "zh" else " "


class Value:
    """A raw value that is written as its placeholder wants."""

    __slots__ = ("html", "language", "value")

    def __init__(self, value: Raw, language: Language, html: bool) -> None:
        self.value, self.language, self.html = value, language, html

    def __format__(self, spec: str) -> str:
        words, value = self.language.words, self.value
        if f"{spec}.{value}" in words:
            return self._own(words[f"{spec}.{value}"])
        if value is None:
            return "–"
        if isinstance(value, str):
            return self._foreign(value, spec)
        if not math.isfinite(value):
            return number(value)
        if f"{spec}.many" in words:
            which = "none" if value == 0 and f"{spec}.none" in words else "one" if value == 1 else "many"
            return self._own(words[f"{spec}.{which}"].format(n=f"{value:,.0f}"))
        return self._own(escape(_write(float(value), spec, self.language)))

    def _own(self, template: str) -> str:
        return template if self.html else markup.unescape(template)

    def _foreign(self, text: str, spec: str) -> str:
        """Return a text that is not ours."""
        if not self.html:
            return clean(text) if spec in _ENGLISH else short_name(text)
        if spec in _ENGLISH:
            return element("span", clean(text), lang="en") if self.language.code != "en" else escape(clean(text))
        return name(short_name(text))


def _write(value: float, spec: str, language: Language) -> str:
    kind, digits = spec[:1], int(spec[1:] or 0)
    if kind == "n":
        return number(value, digits)
    if kind == "x":
        return language.percent(value, digits).removesuffix(language.percent_sign)
    if kind == "p":
        return f"{100.0 * value:.4g}{language.percent_sign}" if spec == "p" else language.percent(value, digits)
    if kind == "t":
        gap = 1.0 - value
        return f"{value:.{max(3, math.ceil(-math.log10(gap) - 1e-9) + 1) if 1e-16 < gap < 1.0 else 3}f}"
    return f"{value:.0f}" if kind == "d" else f"{value:,.0f}"


def clean(text: str) -> str:
    r"""Return a text that moves nothing around it: no control characters, none that turn the writing direction.

    Example:
        >>> from logitkit.report.audit_words import clean
        >>> clean("a\x1b[31mb") == "a\ufffd[31mb"
        True
    """
    return _UNSEEN.sub("\ufffd", text)


def short_name(text: str, width: int = _NAME_WIDTH) -> str:
    """Return a name that fits into a line; a long one ends with an ellipsis."""
    return shorten(clean(text), width)
