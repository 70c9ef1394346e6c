"""The page of a demo run: one file, two languages, no script, nothing fetched."""

from __future__ import annotations

from importlib.resources import files

from logitkit.report.demo import DemoReport
from logitkit.report.page_en import ENGLISH
from logitkit.report.page_markup import Html, Language, element, escape
from logitkit.report.page_sentence import head, logits, steps, words
from logitkit.report.page_training import corpus, run, training
from logitkit.report.page_trust import belief, errors
from logitkit.report.page_zh import CHINESE

__all__ = ["render_page"]

_SECTIONS = (head, words, logits, steps, belief, errors, training, corpus, run)
# The page may use its own style and nothing else: no script, no request.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


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
    style = files("logitkit.report").joinpath("page.css").read_text(encoding="utf-8")
    title = escape(f"{report.sentence} – {report.decision.label or '?'} – logitkit")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}</title>\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n{_body(report)}\n</body>\n</html>\n"
    )


def _body(report: DemoReport) -> Html:
    # The radio buttons stand before the articles, so that plain CSS shows the one that is chosen.
    buttons = (
        '<input type="radio" name="language" id="choose-en" checked>'
        '<input type="radio" name="language" id="choose-zh">\n'
        '<div class="bar"><span class="brand">logitkit</span><span class="choice">'
        '<label for="choose-en" lang="en">English</label> <label for="choose-zh" lang="zh-Hans">中文</label>'
        "</span></div>\n"
    )
    return element("main", Html(buttons), *(_article(report, language) for language in (ENGLISH, CHINESE)))


def _article(report: DemoReport, language: Language) -> Html:
    parts = [Html(part(report, language) + "\n") for part in _SECTIONS]
    return element("article", *parts, lang=language.tag, id=language.code)
