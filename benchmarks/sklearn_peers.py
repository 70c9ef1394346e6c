"""scikit-learn as its users run it on text: TF-IDF features and a linear model."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sets import DataSet

__all__ = ["SklearnLr", "SklearnSvc"]


class Sklearn:
    """scikit-learn: TF-IDF features and a linear model. Its solvers use one core here."""

    def __init__(self, data: DataSet) -> None:
        self.data = data

    def prepare(self) -> None:
        self._pipeline()

    def fit(self) -> None:
        self.model = self._pipeline().fit(self.data.train_texts, self.data.train_labels)

    def predict(self) -> NDArray[np.intp]:
        return np.asarray(self.model.predict(self.data.test_texts), np.intp)

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            pickle.dump(self.model, file, pickle.HIGHEST_PROTOCOL)

    def _pipeline(self) -> Any:
        raise NotImplementedError

    def _views(self, *, chars: bool) -> list[Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        if self.data.source.chinese:
            return [TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)]
        views = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)]
        if chars and not self.data.source.long:
            views.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))
        return views


class SklearnSvc(Sklearn):
    """TF-IDF of words 1–2 and char_wb 2–5 (Chinese: characters 1–3; long texts: words only), LinearSVC."""

    def scores(self) -> tuple[None, None, NDArray[Any]]:
        return None, None, self.model.decision_function(self.data.test_texts)

    def _pipeline(self) -> Any:
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.svm import LinearSVC

        return make_pipeline(make_union(*self._views(chars=True)), LinearSVC())


class SklearnLr(Sklearn):
    """TF-IDF of words 1–2 (Chinese: characters 1–3), multinomial logistic regression with C = 10."""

    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
        probs = self.model.predict_proba(self.data.test_texts)
        log_probs = self.model.predict_log_proba(self.data.test_texts)
        return probs, log_probs, self.model.decision_function(self.data.test_texts)

    def _pipeline(self) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        return make_pipeline(*self._views(chars=False), LogisticRegression(C=10, max_iter=1000))
