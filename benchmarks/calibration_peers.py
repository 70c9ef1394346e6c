"""The calibrators that ours are compared with, all called the same way: fit on logits and labels, give log loss."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

__all__ = ["PEERS", "Probs"]

Probs = Callable[[NDArray[Any]], NDArray[np.float64]]
"""Logits `[N, C]` → calibrated probabilities `[N, C]`."""

Fit = Callable[[NDArray[Any], NDArray[np.intp]], Probs]


def _sklearn(method: str) -> Fit:
    def fit(logits: NDArray[Any], labels: NDArray[np.intp]) -> Probs:
        from sklearn.base import BaseEstimator, ClassifierMixin
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.frozen import FrozenEstimator

        class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
            """A classifier whose decision values are what it is given."""

            def __init__(self) -> None:
                self.classes_ = np.arange(logits.shape[1])

            def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Given:  # noqa: ARG002
                return self

            def predict(self, X: NDArray[Any]) -> NDArray[np.intp]:
                return np.asarray(X.argmax(axis=1), np.intp)

            def decision_function(self, X: NDArray[Any]) -> NDArray[Any]:
                return X[:, 1] - X[:, 0] if X.shape[1] == 2 else X

        calibrated = CalibratedClassifierCV(FrozenEstimator(Given()), method=method)
        calibrated.fit(logits, labels)
        return lambda z: np.asarray(calibrated.predict_proba(z), np.float64)

    return fit


def _probmetrics(name: str) -> Fit:
    def fit(logits: NDArray[Any], labels: NDArray[np.intp]) -> Probs:
        from probmetrics.calibrators import get_calibrator

        calibrator = get_calibrator(name)
        calibrator.fit(softmax(logits.astype(np.float64), axis=1), labels)
        return lambda z: np.asarray(calibrator.predict_proba(softmax(z.astype(np.float64), axis=1)), np.float64)

    return fit


def _netcal(name: str) -> Fit:
    def fit(logits: NDArray[Any], labels: NDArray[np.intp]) -> Probs:
        from netcal import binning, scaling

        kind = getattr(scaling, name, None) or getattr(binning, name)
        calibrator = kind()
        two = logits.shape[1] == 2

        def given(z: NDArray[Any]) -> NDArray[np.float64]:
            p: NDArray[np.float64] = softmax(z.astype(np.float64), axis=1)
            return p[:, 1] if two else p

        calibrator.fit(given(logits), labels)

        def probs(z: NDArray[Any]) -> NDArray[np.float64]:
            p = np.asarray(calibrator.transform(given(z)), np.float64)
            return np.stack([1.0 - p, p], axis=1) if p.ndim == 1 else p

        return probs

    return fit


def _quiet(fit: Fit) -> Fit:
    def quiet(logits: NDArray[Any], labels: NDArray[np.intp]) -> Probs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fit(logits, labels)

    return quiet


PEERS: dict[str, Fit] = {
    name: _quiet(fit)
    for name, fit in {
        "scikit-learn temperature": _sklearn("temperature"),
        "scikit-learn sigmoid": _sklearn("sigmoid"),
        "scikit-learn isotonic": _sklearn("isotonic"),
        "probmetrics ts-mix": _probmetrics("ts-mix"),
        "probmetrics structured vector": _probmetrics("svs"),
        "probmetrics structured matrix": _probmetrics("sms"),
        "netcal temperature": _netcal("TemperatureScaling"),
        "netcal beta": _netcal("BetaCalibration"),
        "netcal logistic": _netcal("LogisticCalibration"),
        "netcal histogram": _netcal("HistogramBinning"),
        "netcal isotonic": _netcal("IsotonicRegression"),
    }.items()
}
