"""What every page of ours is: one file, two languages, no script, nothing fetched."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from importlib.resources import files

from logitkit.report.page_markup import Html, Language, element, escape

__all__ = ["render_document", "section", "versions"]

# The page may use its own style and nothing else: no script, no request.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_LIBRARIES = ("numpy", "numba", "scipy", "pyarrow")


def render_document(title: str, articles: Sequence[tuple[Language, Html]], styles: Sequence[str]) -> str:
    """Return a self-contained page that shows one of its articles, English first; a click shows the other.

    Args:
        title: of the page; escaped here.
        articles: the same content in English and in Chinese.
        styles: names of style sheets in this package, the later over the earlier.
    """
    style = "".join(files("logitkit.report").joinpath(name).read_text(encoding="utf-8") for name in styles)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n{_body(articles)}\n</body>\n</html>\n"
    )


def _body(articles: Sequence[tuple[Language, Html]]) -> Html:
    # The radio buttons stand before the articles, so that plain CSS shows the one that is chosen.
    buttons = (
        '<input type="radio" name="language" id="choose-en" checked>'
        '<input type="radio" name="language" id="choose-zh">\n'
        '<div class="bar"><span class="brand">logitkit</span><span class="choice">'
        '<label for="choose-en" lang="en">English</label> <label for="choose-zh" lang="zh-Hans">中文</label>'
        "</span></div>\n"
    )
    shown = (element("article", content, lang=language.tag, id=language.code) for language, content in articles)
    return element("main", Html(buttons), *shown)


def section(language: Language, key: str, *content: str) -> Html:
    """Return a section with its heading."""
    ident = f"{language.code}-{key}"
    heading = element("h2", language.say(f"{key}.title"), id=ident)
    return element("section", heading, *content, aria_labelledby=ident)


def versions(own: str) -> list[str]:
    """Return the name and version of logitkit, as given, of Python and of the libraries in use."""
    libraries = (f"{library} {importlib.metadata.version(library)}" for library in _LIBRARIES)
    return [f"logitkit {own}", f"Python {platform.python_version()}", *libraries]
