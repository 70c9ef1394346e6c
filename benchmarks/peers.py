"""The classifiers that are compared, each as its users run it, behind one small interface.

`prepare` is not timed; `fit` and `predict` are. All get the same rows in the same order.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sets import DataSet
from sklearn_peers import SklearnLr, SklearnSvc

__all__ = ["PEERS", "Peer"]

THREADS = 2


class Peer(Protocol):
    """A classifier on one data set."""

    data: DataSet

    def prepare(self) -> None:
        """Do what is not counted."""

    def fit(self) -> None:
        """Learn from the training texts: features, training, calibration."""

    def predict(self) -> NDArray[np.intp]:
        """Return the class index of each test text."""

    def scores(self) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None, NDArray[Any] | None]:
        """Return probabilities `[M, C]`, their logarithms, and raw logits of the test texts, where there are any."""

    def save(self, path: Path) -> None:
        """Write the model as its users would."""


class Logitkit:
    """logitkit with default options."""

    def __init__(self, data: DataSet) -> None:
        self.data = data
        self.labels = [data.class_names[label] for label in data.train_labels]
        self.number = {label: index for index, label in enumerate(data.class_names)}

    def prepare(self) -> None:
        from logitkit.classifier import TextClassifier
        from logitkit.kernels import set_threads

        set_threads(THREADS)
        for word in ("a plain text", "Ｆｕｌｌ Ünit，新闻"):  # both ways through normalisation are compiled
            texts = [f"{word} {row} {'one' if row % 2 else 'two'}" for row in range(60)]
            TextClassifier().fit(texts, ["one", "two"] * 30).predict(texts)

    def fit(self) -> None:
        from logitkit.classifier import TextClassifier

        self.model = TextClassifier().fit(self.data.train_texts, self.labels)
        assert self.model.class_names == self.data.class_names

    def predict(self) -> NDArray[np.intp]:
        return np.array([self.number[label] for label in self.model.predict(self.data.test_texts)], np.intp)

    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        logits = self.model.predict_logits(self.data.test_texts)
        scaled = logits.astype(np.float64) / self.model.temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        log_probs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return self.model.predict_probs(self.data.test_texts).astype(np.float64), log_probs, logits

    def save(self, path: Path) -> None:
        self.model.save(path, force=True)


class FastText:
    """fastText: lr 0.5, 25 epochs, word pairs, 100 dimensions.

    It splits at spaces only and knows no case, so it is given lower-cased text with punctuation set apart and Chinese
    characters one by one. It takes rows in the order of its file, and data sets are sorted by class: they are shuffled
    for it. Its training file is written beforehand.
    """

    def __init__(self, data: DataSet) -> None:
        self.data = data

    def prepare(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "train.txt"
        lines = [
            f"__label__{label} {_spaced(text)}\n"
            for label, text in zip(self.data.train_labels.tolist(), self.data.train_texts, strict=True)
        ]
        order = np.random.default_rng(0).permutation(len(lines))
        self.file.write_text("".join(lines[row] for row in order), encoding="utf-8")
        self.test = [_spaced(text) for text in self.data.test_texts]
        assert len(self.file.read_text(encoding="utf-8").split("\n")) - 1 == len(self.data.train_texts)
        assert len(self.test) == len(self.data.test_labels)

    def fit(self) -> None:
        import fasttext

        self.model = fasttext.train_supervised(
            str(self.file), lr=0.5, epoch=25, wordNgrams=2, dim=100, thread=THREADS, verbose=0
        )

    def predict(self) -> NDArray[np.intp]:
        labels, _ = self.model.predict(self.test, k=1)
        return np.array([_number(of_row[0]) if len(of_row) else 0 for of_row in labels], np.intp)

    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64], None]:
        labels, values = self.model.predict(self.test, k=-1, threshold=-1.0)
        probs = np.full((len(self.test), len(self.data.class_names)), 1e-5)
        for row, (of_row, probs_of_row) in enumerate(zip(labels, values, strict=True)):
            probs[row, [_number(label) for label in of_row]] = probs_of_row
        return probs, np.log(probs), None

    def save(self, path: Path) -> None:
        self.model.save_model(str(path))


PEERS: dict[str, Any] = {"logitkit": Logitkit, "fasttext": FastText, "tfidf_svc": SklearnSvc, "tfidf_lr": SklearnLr}

_PUNCTUATION = re.compile(r"([^\w\s]|_|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff])")


def _spaced(text: str) -> str:
    """Return text as fastText wants it: lower case, one line, spaces around punctuation and ideographs."""
    return " ".join(_PUNCTUATION.sub(r" \1 ", text.lower()).split())


def _number(label: str) -> int:
    return int(label.removeprefix("__label__"))
