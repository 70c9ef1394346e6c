"""Audits made by hand from drawn logits, for what shows them: figures are right, intervals are roughly so."""

import dataclasses

import numpy as np

from logitkit.audit.record import (
    AbstentionFigures,
    Audit,
    CalibrationErrors,
    ClassFigures,
    ConformalFigures,
    Estimate,
    FitFigures,
    JudgedFigures,
    LabelErrorFigures,
    LabelFigures,
    LogitHistogram,
    MethodFigures,
    OutlierFigures,
    ReliabilityPoint,
    Sentence,
    SuspectLabel,
    TrialFigures,
)
from logitkit.trust.calibrators.methods import METHODS

NOTHING = Estimate(None, None, None)
HOSTILE = ("<script>alert(1)</script>", "a\"b'c&amp;</td>", "עברית \u202e[red]x", "\x1b[31m😀\n" * 3, "W" * 300)


def draw(rows, n_classes, scale, noise, seed=0):
    """Logits that are `scale` times as far apart as they should be, and their labels."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, n_classes)) * noise
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    labels = (p.cumsum(1) > rng.random((rows, 1))).argmax(1)
    return z * scale, labels


def estimate(values):
    value = float(np.mean(values))
    if not np.isfinite(value):
        return NOTHING
    half = 1.96 * float(np.std(values)) / len(values) ** 0.5
    top = 1.0 if values.dtype == bool else np.inf
    return Estimate(value, max(0.0, value - half), min(top, value + half))


def judge(logits, labels, bins=15):
    """Every figure of one set of logits, in plain NumPy."""
    N = len(labels)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    confidence, right = p.max(1), p.argmax(1) == labels
    at = np.minimum((np.ceil(confidence * bins) - 1).astype(int), bins - 1)
    points, gaps = [], []
    for b in range(bins):
        there = at == b
        n = int(there.sum())
        mean, share = (float(confidence[there].mean()), float(right[there].mean())) if n else (None, None)
        points.append(ReliabilityPoint(b / bins, (b + 1) / bins, n, mean, share))
        gaps.append(n / N * abs(mean - share) if n else 0.0)
    order = np.argsort(-confidence, kind="stable")
    risks = (~right[order]).cumsum() / np.arange(1, N + 1)
    kept = np.unique(np.linspace(0, N - 1, min(N, 200)).astype(int))
    error = float(sum(gaps))
    with np.errstate(divide="ignore"):
        loss = estimate(-np.log(p[np.arange(N), labels]))
    return JudgedFigures(
        rows=N,
        accuracy=estimate(right),
        log_loss=loss,
        brier_score=estimate(((p - np.eye(p.shape[1])[labels]) ** 2).sum(1)),
        expected_calibration_error=Estimate(error, 0.8 * error, 1.3 * error),
        area_under_risk_coverage=Estimate(float(risks.mean()), 0.9 * float(risks.mean()), 1.1 * float(risks.mean())),
        mean_confidence=float(confidence.mean()),
        rows_with_infinite_loss=int((p[np.arange(N), labels] == 0.0).sum()),
        log_loss_calibration=None if loss.value is None else 0.1 * loss.value,
        log_loss_refinement=None if loss.value is None else 0.9 * loss.value,
        brier_calibration=0.0123,
        brier_refinement=0.2345,
        errors=CalibrationErrors(1.1 * error, 0.9 * error, 0.7 * error, 0.02 * error, 1.4 * error, 3.0 * error),
        reliability=tuple(points),
        coverages=tuple(float(k + 1) / N for k in kept),
        risks=tuple(risks[kept].tolist()),
        curve_thresholds=tuple(confidence[order][kept].tolist()),
    )


def method_figures(judged):
    found = []
    for i, method in enumerate(METHODS):
        if method == "beta":
            found.append(MethodFigures(method, None, None, None, None, None, "two classes only"))
            continue
        worse = 1.0 if method == "none" else 0.8 + 0.01 * i
        scaled = (
            dataclasses.replace(one, value=worse * one.value, low=worse * one.low, high=worse * one.high)
            for one in (judged.log_loss, judged.brier_score, judged.expected_calibration_error)
        )
        loss, brier, error = scaled
        found.append(MethodFigures(method, judged.accuracy, loss, brier, error, 0.1 * i, None))
    return tuple(found)


def abstention(max_error, threshold, reason="promised", certainty=0.95, rows=2000):
    there = threshold is not None
    return AbstentionFigures(
        max_error=max_error, certainty=certainty, reason=reason, threshold=threshold,
        fit_rows=rows,
        fit_coverage=0.71 if there else None, rows_needed=round(3.0 / max_error), reachable_error=0.013,
        checked_rows=rows, checked_coverage=0.7 + max_error if there else None,
        checked_error=0.8 * max_error if there else None, checked_low=0.6 * max_error if there else None,
        checked_high=1.1 * max_error if there else None, shipped_threshold=0.99 * threshold if there else None,
    )  # fmt: skip


def outlier(method, unknown, refused=None):
    if refused:
        return OutlierFigures(method, 0.05, None, None, None, None, None, None, refused)
    more = (0.93, 0.31, 0.68) if unknown else (None, None, None)
    return OutlierFigures(method, 0.05, -1.25, 0.0485, 0.87, *more, None)


def class_audit(names=tuple(f"class {i}" for i in range(10)), rows=4000, unknown_rows=500):
    """An audit of one label a row, with all its parts."""
    C = len(names)
    logits, labels = draw(rows, C, 2.5, 4.0)
    before, after = judge(logits, labels), judge(logits / 2.5, labels)
    ranked = np.sort(logits, axis=1)
    margin, right = ranked[:, -1] - ranked[:, -2], logits.argmax(1) == labels
    edges = np.linspace(0.0, float(np.quantile(margin, 0.995)), 41)
    histograms = [np.histogram(np.minimum(margin[some], edges[-1]), edges)[0].tolist() for some in (right, ~right)]
    thresholds = {e: after.curve_thresholds[k] for e, k in ((0.05, 90), (0.1, 140))}
    promised = (
        abstention(0.001, None, "too few rows"), abstention(0.02, None, "too many errors"),
        *(abstention(e, t) for e, t in thresholds.items()),
    )  # fmt: skip
    suspects = tuple(
        SuspectLabel(37 * i, names[i % C], names[(i + 1) % C], 0.01 * i, 0.9 - 0.01 * i) for i in range(30)
    )
    error = before.expected_calibration_error.value
    values = {"max_error": 0.05, "certainty": 0.95}
    return Audit(
        name="net.npz", rows=2 * rows, class_names=names, given="logits", multilabel=False, seed=7, level=0.95,
        fit=FitFigures(
            "net.npz", rows, "auto", "temperature", 2.497,
            (TrialFigures("none", 1.4, 0.5, 0.02), TrialFigures("temperature", 0.9, 0.0004, 0.0006),
             TrialFigures("structured matrix", 0.8996, 0.0, 0.0)),
        ),
        judged_rows=rows, compared_rows=rows,
        verdict=(
            Sentence("verdict.over", {
                "mean": before.mean_confidence, "accuracy": before.accuracy.value, "error": error, "rows": rows}),
            Sentence("verdict.mended", {
                "method": "temperature", "error_before": error,
                "error_after": after.expected_calibration_error.value,
                "loss_before": before.log_loss.value, "loss_after": after.log_loss.value}),
            Sentence("verdict.answers", {
                **values, "threshold": thresholds[0.05], "coverage": 0.75, "checked_error": 0.04,
                "checked_rows": 2000}),
            Sentence("verdict.sets", {"method": "lac", "promised": 0.9, "size": 1.84, "coverage": 0.9035}),
            Sentence("verdict.unknown", {
                "method": "energy", "auroc": 0.93, "detected": 0.68, "false_alarms": 0.0485}),
            Sentence("verdict.labels", {
                "count": 42, "share": 0.0105, "row": 1234, "given": names[0], "suggested": names[1]}),
        ),
        notes=(Sentence("note.missing_classes", {"count": 1, "example": names[-1]}),),
        before=before, after=after, methods=method_figures(before),
        histogram=LogitHistogram("margin", tuple(edges.tolist()), *map(tuple, histograms), 0),
        classes=tuple(
            ClassFigures(name, 400 + i, 390, 0.5 + 0.01 * (i % 40), 0.4 + 0.01 * (i % 40), 0.101, 0.1)
            for i, name in enumerate(names)
        ),
        abstention=promised,
        conformal=tuple(
            ConformalFigures(method, by_class, 0.1, 0.9035, 1.84, 0.55, 0.002, names[3 % C], 0.861)
            for method, by_class in (("lac", False), ("lac", True), ("aps", False), ("raps", False))
        ),
        outliers=tuple(outlier(m, unknown_rows > 0) for m in ("energy", "probability", "logit", "entropy", "margin")),
        unknown_rows=unknown_rows,
        label_errors=LabelErrorFigures(rows, 42, suspects, ((names[0], names[1], 17), (names[1], names[0], 9))),
        labels=(), seconds={"reading": 0.02, "fitting": 0.31, "unheard of <i>": 2.0},
    )  # fmt: skip


def tiny_audit():
    """Two classes and ten rows: nothing can be promised, and log loss is infinite before."""
    logits = np.array([[np.inf, 0.0], [2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 2.0]])
    with np.errstate(invalid="ignore"):
        p = np.where(np.isposinf(logits), 1.0, np.exp(logits - logits.max(1, keepdims=True)))
    with np.errstate(divide="ignore"):
        before = judge(np.log(np.where(np.isposinf(logits[:, :1]), [[1.0, 0.0]], p)), np.array([1, 0, 1, 0, 1]))
    after = judge(np.zeros((5, 2)), np.array([1, 0, 1, 0, 1]))
    few = {"max_error": 0.05, "certainty": 0.95}
    return dataclasses.replace(
        class_audit(("no", "yes"), rows=200, unknown_rows=0),
        name="tiny.csv", rows=10, judged_rows=5, compared_rows=5, given="probs",
        fit=FitFigures("other.csv", 5, "temperature", "temperature", 1e9, ()),
        verdict=(
            Sentence("verdict.mixed", {"error": before.expected_calibration_error.value, "rows": 5}),
            Sentence("verdict.mended_infinite", {
                "method": "temperature", "error_before": 0.2, "error_after": 0.1, "loss_after": 0.6931,
                "infinite_rows": 1}),
            Sentence("verdict.no_promise_rows", {**few, "needed": 59, "rows": 2}),
        ),
        notes=(Sentence("note.few_rows", {"rows": 5}), Sentence("note.probs", {"zeros": 1})),
        before=before, after=after, methods=(
            MethodFigures("none", before.accuracy, NOTHING, before.brier_score, NOTHING, None, None),
            MethodFigures("temperature", after.accuracy, after.log_loss, after.brier_score, NOTHING, None, None),
        ),
        histogram=None,
        classes=(ClassFigures("no", 2, 5, 0.4, 1.0, 0.5, 0.4), ClassFigures("yes", 3, 0, None, 0.0, 0.5, 0.6)),
        abstention=tuple(abstention(e, None, "too few rows", rows=2) for e in (0.01, 0.05)), conformal=(
            ConformalFigures("lac", False, 0.1, None, None, None, None, None, None),),
        outliers=(outlier("energy", False, "log-probabilities"), outlier("margin", False)),
        label_errors=LabelErrorFigures(5, 0, (), ()), seconds={},
    )  # fmt: skip


def label_audit(names=tuple(f"label {i}" for i in range(14))):
    """An audit of a model that gives several labels a row."""
    base = class_audit(("no", "yes"), rows=3000, unknown_rows=0)
    labels = tuple(
        LabelFigures(
            name, 0.01 + 0.01 * (i % 20), "beta" if i % 3 else "none", 0.4, 0.3 + 0.001 * (i % 90), 0.05, 0.004
        )
        for i, name in enumerate(names)
    )
    verdict = (
        base.verdict[0],
        Sentence("verdict.multilabel", {
            "labels": len(names), "loss_before": 0.4, "loss_after": 0.3069, "error_before": 0.05,
            "error_after": 0.004}),
        Sentence("verdict.multilabel_control", {"alpha": 0.1, "threshold": 0.043, "missed": 0.0931, "size": 3.21}),
    )  # fmt: skip
    return dataclasses.replace(
        base, name="chest.npz", class_names=names, multilabel=True, verdict=verdict, notes=(), methods=(),
        fit=FitFigures("chest.npz", 3000, "auto", "auto", None, ()), histogram=None, classes=(), abstention=(),
        conformal=(), outliers=(), label_errors=None, labels=labels, unknown_rows=0,
    )  # fmt: skip
