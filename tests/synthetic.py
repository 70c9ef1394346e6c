"""Labelled texts made by chance: words of each class among words of all classes, in several scripts."""

from __future__ import annotations

import numpy as np

SCRIPTS = ("abcdefghijklmnopqrstuvwxyz", "абвгдежзиклмнопрст", "αβγδεζηθικλμνξοπρ", "手机新闻电影科技音乐体育")


def words(rng: np.random.Generator, count: int, script: str) -> list[str]:
    return ["".join(rng.choice(list(script), rng.integers(3, 8))) for _ in range(count)]


def corpus(
    rows: int, classes: int = 3, seed: int = 0, own: float = 0.25, scripts: tuple[str, ...] = SCRIPTS
) -> tuple[list[str], list[str]]:
    """Return texts of 6 to 13 words, a share `own` of them of the text's class, and their labels, in turn."""
    rng = np.random.default_rng(seed)
    common = [word for script in scripts for word in words(rng, 40, script)]
    special = [[word for script in scripts for word in words(rng, 8, script)] for _ in range(classes)]
    texts, labels = [], []
    for row in range(rows):
        of_class = special[row % classes]
        length = int(rng.integers(6, 14))
        picked = [str(rng.choice(of_class)) if rng.random() < own else str(rng.choice(common)) for _ in range(length)]
        texts.append(" ".join(picked))
        labels.append(f"class {row % classes}")
    return texts, labels
