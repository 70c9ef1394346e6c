"""The page of a demo run: one file, two languages, no script, nothing fetched."""

from __future__ import annotations

from logitkit.report.demo import DemoReport
from logitkit.report.page_document import render_document
from logitkit.report.page_en import ENGLISH
from logitkit.report.page_markup import Html
from logitkit.report.page_sentence import head, logits, steps, words
from logitkit.report.page_training import corpus, run, training
from logitkit.report.page_trust import belief, errors
from logitkit.report.page_zh import CHINESE

__all__ = ["render_page"]

_SECTIONS = (head, words, logits, steps, belief, errors, training, corpus, run)


def render_page(report: DemoReport) -> str:
    """Return the run as one self-contained HTML page in English and Chinese.

    It holds the sentence through every step, whether to believe the model, and how it learnt. Words and class names
    are escaped. The versions it names are those of the libraries in use.

    Example:
        >>> from logitkit.demo import run_demo  # doctest: +SKIP
        >>> from logitkit.report.page import render_page
        >>> model, report = run_demo()  # doctest: +SKIP
        >>> Path("demo.html").write_text(render_page(report), encoding="utf-8")  # doctest: +SKIP
    """
    title = f"{report.sentence} – {report.decision.label or '?'} – logitkit"
    articles = [
        (language, Html("".join(part(report, language) + "\n" for part in _SECTIONS)))
        for language in (ENGLISH, CHINESE)
    ]
    return render_document(title, articles, ["page.css"])
