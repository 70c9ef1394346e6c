"""An audit from the first row to the last sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.audit.judging import (
    calibration_errors,
    class_figures,
    judge_file,
    judge_sample,
    judged_figures,
    logit_histogram,
)
from logitkit.audit.labels import label_error_figures
from logitkit.audit.methods import compare_methods
from logitkit.audit.multilabel import audit_labels
from logitkit.audit.notes import data_notes, split_notes
from logitkit.audit.options import AuditOptions
from logitkit.audit.promises import promise
from logitkit.audit.record import Audit, FitFigures, Sentence, TrialFigures
from logitkit.audit.rows import Deal, deal_rows
from logitkit.audit.verdict import (
    abstention_sentence,
    belief,
    labels_sentence,
    mending,
    sets_sentence,
    unknown_sentence,
)
from logitkit.checks import as_binary_targets, as_labels
from logitkit.errors import InputError
from logitkit.policy import DecisionPolicy
from logitkit.tables import LogitsFile, MemoryRows, check_logits
from logitkit.trust.calibrators.affine import AffineCalibrator
from logitkit.trust.calibrators.base import Calibrator
from logitkit.trust.calibrators.fit import select_calibrator
from logitkit.trust.calibrators.multilabel import MultilabelCalibrator
from logitkit.trust.calibrators.selection import CalibratorSelection
from logitkit.trust.outlier_rule import OutlierRule
from logitkit.trust.refinement import split_loss

__all__ = ["AuditResult", "audit_file", "audit_logits"]

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class AuditResult:
    """What an audit found, and what to do with new logits.

    Attributes:
        audit: the figures.
        policy: calibrator and rules, to be saved or used as they are.
    """

    audit: Audit
    policy: DecisionPolicy


def audit_logits(
    logits: Any,
    labels: Any,
    *,
    class_names: tuple[str, ...] | None = None,
    unknown: Any = None,
    options: AuditOptions | None = None,
) -> AuditResult:
    """Audit logits that are in memory: can their confidence be believed, what mends it, and what can be promised?

    A share of the rows fits the calibrator; all figures come from the others.

    Args:
        logits: `[N, C]` of data that the model was not trained on.
        labels: `[N]` integers in [0, C), or, of a multi-label model, `[N, C]` zeros and ones.
        class_names: C names; numbers if None.
        unknown: `[M, C]` logits of inputs that belong to no class, to see how well they are told.
        options: how to audit.

    Raises:
        InputError: if shapes disagree, a label is out of range, a logit is NaN, or the data can tell nothing: one
            class, constant logits, probabilities instead of logits, fewer rows than classes.

    Example:
        >>> import numpy as np
        >>> from logitkit import audit_logits
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(0, 3, 2000)
        >>> logits = 9.0 * (np.eye(3)[labels] + 0.7 * rng.normal(size=(2000, 3)))  # far too sure
        >>> result = audit_logits(logits, labels)
        >>> result.audit.before.expected_calibration_error.value > 0.1
        True
        >>> result.policy.calibrator.probs([[9.0, 0.0, 0.0]]).argmax()
        np.int64(0)
    """
    rows = MemoryRows(logits)
    y = to_numpy(labels, "labels", "audit_logits")
    several = y.ndim == 2
    if several:
        y = as_binary_targets(y, rows.shape, "audit_logits", "labels")
    else:
        y = as_labels(y, rows.shape[:1], rows.shape[1], "audit_logits")
    file = LogitsFile("The logits", rows, y, class_names, None, None, several, False)
    others = None if unknown is None else MemoryRows(unknown).read(0, len(unknown))
    return audit_file(file, unknown=others, options=options)


@dataclass
class _Clock:
    """Seconds by part, and the progress of each."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[float], None]]:
        self.progress(name, 0.0)
        started = time.perf_counter()
        yield lambda fraction: self.progress(name, fraction)
        self.seconds[name] = round(time.perf_counter() - started, 3)
        self.progress(name, 1.0)


def audit_file(
    file: LogitsFile,
    *,
    fit: LogitsFile | None = None,
    unknown: NDArray[Any] | None = None,
    options: AuditOptions | None = None,
    progress: Progress = lambda _part, _fraction: None,
) -> AuditResult:
    """Audit logits that `tables.open_logits` has opened; they may be larger than memory.

    Args:
        file: what is audited, with labels.
        fit: where calibrators are fitted, with labels; by default on a share of the rows of `file`.
        unknown: `[M, C]` logits of inputs that belong to no class.
        options: how to audit.
        progress: called with the part that is being done, and the fraction of it that is done.

    Raises:
        InputError: as `audit_logits`.
    """
    options, clock = options or AuditOptions(), _Clock(progress)
    names = _class_names(file)
    with clock.part("reading"):
        notes = list(_checked(file))
        if fit is not None:
            _check_same_model(file, fit)
            notes += _checked(fit)
        deal = deal_rows(file, fit, options.split, options.seed)
        notes += split_notes(deal, file, names)
    with clock.part("fitting") as report:
        selection = select_calibrator(
            deal.fit.logits, deal.fit.labels, method=options.method, seed=options.seed, progress=report
        )
    calibrator = selection.calibrator
    common: dict[str, Any] = {
        "name": file.name,
        "rows": file.rows.shape[0],
        "class_names": names,
        "given": "probs" if file.probs else "logits",
        "seed": options.seed,
        "level": 0.95,
        "fit": _fit_figures(deal, options, selection),
        "compared_rows": len(deal.compared),
        "unknown_rows": 0 if unknown is None else len(unknown),
    }
    if isinstance(calibrator, MultilabelCalibrator):
        with clock.part("judging"):
            found = audit_labels(deal.compared, calibrator, names, options)
        audit = Audit(
            **common, multilabel=True, judged_rows=len(deal.compared), verdict=(belief(found.before), *found.verdict),
            notes=tuple(notes), before=found.before, after=found.after, methods=(), histogram=None, classes=(),
            abstention=(), conformal=(), outliers=(), label_errors=None, labels=found.labels, seconds=clock.seconds,
        )  # fmt: skip
        return AuditResult(audit, DecisionPolicy(calibrator, names))
    return _audit_classes(file, deal, calibrator, names, notes, unknown, options, clock, common)


def _audit_classes(
    file: LogitsFile, deal: Deal, calibrator: Calibrator, names: tuple[str, ...], notes: list[Sentence],
    unknown: NDArray[Any] | None, options: AuditOptions, clock: _Clock, common: dict[str, Any],
) -> AuditResult:  # fmt: skip
    plain = AffineCalibrator.plain("none", len(names))
    compared = deal.compared
    with clock.part("judging") as report:
        whole = len(compared) < deal.judged_rows
        pair = [plain, calibrator]
        judged = (
            judge_file(file, deal, pair, options.seed, report) if whole else judge_sample(compared, pair, options.seed)
        )
        log_probs = [one.log_probs(compared.logits) for one in pair]
        richest = calibrator.method if calibrator.method != "none" else "temperature"
        before, after = (
            judged_figures(
                one, calibration_errors(compared.labels, z),
                split_loss(compared.labels, logits=z, method=richest, folds=2, seed=options.seed),
            )
            for one, z in zip(judged, log_probs, strict=True)
        )  # fmt: skip
    with clock.part("comparing") as report:
        methods = compare_methods(
            deal.fit, compared, calibrator, options.seed, all_methods=options.compare, progress=report
        )
    with clock.part("promising"):
        promises = promise(compared, calibrator, names, options, unknown)
        label_errors = label_error_figures(compared, log_probs[1], names)
    wanted = next(one for one in promises.abstention if one.max_error == options.max_error)
    sentences = [
        belief(before), mending(calibrator.method, before, after), abstention_sentence(wanted),
        sets_sentence(promises.conformal), unknown_sentence(promises.outliers), labels_sentence(label_errors),
    ]  # fmt: skip
    notes += data_notes(file, compared, promises.outliers)
    audit = Audit(
        **common,
        multilabel=False,
        judged_rows=deal.judged_rows,
        verdict=tuple(sentence for sentence in sentences if sentence is not None),
        notes=tuple(notes),
        before=before,
        after=after,
        methods=methods,
        histogram=logit_histogram(compared),
        classes=class_figures(compared.labels, log_probs[1], names),
        abstention=promises.abstention,
        conformal=promises.conformal,
        outliers=promises.outliers,
        label_errors=label_errors,
        labels=(),
        seconds=clock.seconds,
    )
    outliers: OutlierRule | None = promises.outlier_rule
    return AuditResult(audit, DecisionPolicy(calibrator, names, promises.abstention_rule, outliers, promises.sets))


def _class_names(file: LogitsFile) -> tuple[str, ...]:
    return file.class_names or tuple(map(str, range(file.rows.shape[1])))


def _checked(file: LogitsFile) -> Iterator[Sentence]:
    """Refuse what can tell nothing; return what is odd."""
    if file.labels is None:
        raise InputError(f"{file.name} has no labels; name the file that has them, or the array (--labels-name).")
    if file.rows.shape[1] == 1 and not file.multilabel:
        raise InputError(
            f"{file.name} has one column of logits, and a choice takes two: of a binary model save [0, logit], [N, 2]."
        )
    for finding in check_logits(file.rows, file.labels, probs=file.probs, name=file.name):
        if finding.fatal:
            raise InputError(finding.sentence)
        if finding.code == "infinite":
            yield Sentence("note.infinite", {"sentence": finding.sentence})


def _check_same_model(file: LogitsFile, fit: LogitsFile) -> None:
    pair = (file, fit)
    if file.rows.shape[1] != fit.rows.shape[1]:
        shapes = " and ".join(f"{one.name} has {one.rows.shape[1]}" for one in pair)
        raise InputError(f"Calibrators are fitted on logits of the same model, with as many classes; {shapes}.")
    if file.class_names and fit.class_names and file.class_names != fit.class_names:
        raise InputError(f"{file.name} and {fit.name} name their classes differently; give both the same order.")
    if file.multilabel != fit.multilabel:
        raise InputError(f"{file.name} and {fit.name} must both have one label a row, or both a column a label.")


def _fit_figures(deal: Deal, options: AuditOptions, selection: CalibratorSelection) -> FitFigures:
    calibrator = selection.calibrator
    trials = tuple(
        TrialFigures(trial.method, trial.log_loss, trial.worse_by, trial.standard_error) for trial in selection.trials
    )
    temperature = calibrator.temperature if isinstance(calibrator, AffineCalibrator) else None
    return FitFigures(deal.fit_source, len(deal.fit), options.method, calibrator.method, temperature, trials)
