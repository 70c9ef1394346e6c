"""The whole path in one object: text → features → logits → probabilities → decision."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_weights, check_fraction, check_temperature
from logitkit.decision import Decision, DecisionColumns, decide_columns
from logitkit.errors import InputError, ModelFileError, NotFittedError, OptionError
from logitkit.explain import Explanation, explain
from logitkit.kernels import run_blocks
from logitkit.kernels.hashing import HASH_VERSION
from logitkit.model.held_out import HeldOutRows
from logitkit.model.labels import as_label_column, encode_labels
from logitkit.model.linear import LinearModel
from logitkit.model.options import TrainOptions, default_ngrams
from logitkit.model.record import TrainingRecord, judge_calibration
from logitkit.model.selection import Examples, Trial, select
from logitkit.model.trainer import Solver, TrainingStep, default_epochs, train_linear
from logitkit.model.warnings import data_warnings, refusal_warning
from logitkit.model_file import read_model_file, write_model_file
from logitkit.ops import argmax, energy, softmax
from logitkit.text import Column, NgramSpec, Texts, Vocabulary, as_column, count_ngrams
from logitkit.text.columns import as_arrow
from logitkit.trust.abstention_rule import AbstentionRule
from logitkit.trust.outlier_rule import OutlierRule
from logitkit.trust.temperature import fit_temperature

__all__ = ["Progress", "TextClassifier", "load"]

Progress = Callable[[str, float], None]
"""Called with what is being done ("counting", "training", "calibrating") and the fraction done."""

_KIND = "text-classifier"
_AGAIN = "fetch the file again or train the model again"
_BLOCK_BYTES = 1 << 18


class TextClassifier:
    """Learns from labelled text, and says of new text which class, how sure, and why.

    Args:
        options: how to train.

    Attributes (after `fit` or `load`):
        class_names: the C classes, sorted.
        vocabulary: the n-grams it knows.
        layer: weights `[F, C]` and bias `[C]`.
        temperature: divides the logits in `predict_probs` and `decide`; fitted on texts that the weights did not see.
        threshold: the probability below which `decide` abstains; 0 never does, inf always does.
        outliers: which texts are unlike those of training; None takes none for such.
        held_out: what the model said of texts that its weights had not seen: what `abstention` rests on.
        record: how it was trained.

    Example:
        >>> from logitkit import TextClassifier
        >>> texts = ["a fast new chip", "the phone's screen", "a late goal", "the match was lost"] * 5
        >>> model = TextClassifier().fit(texts, ["tech", "tech", "sport", "sport"] * 5)
        >>> model.predict(["a chip in a phone", "a goal in the match"])
        ['tech', 'sport']
        >>> model.predict_logits(["a chip in a phone"]).shape
        (1, 2)
    """

    class_names: tuple[str, ...]
    vocabulary: Vocabulary
    layer: LinearModel
    temperature: float
    threshold: float
    outliers: OutlierRule | None
    held_out: HeldOutRows
    record: TrainingRecord

    def __init__(self, options: TrainOptions | None = None) -> None:
        self.options = options or TrainOptions()

    # --- learning ---

    def fit(
        self,
        texts: Texts,
        labels: Any,
        *,
        sample_weights: Any = None,
        groups: Any = None,
        progress: Progress | None = None,
    ) -> TextClassifier:
        """Learn from texts and their labels; the same seed gives the same model at any number of threads.

        Args:
            texts: `[N]` strings: a list, a NumPy array, an Arrow array, a pandas or Polars series.
            labels: `[N]` strings or integers, at least two different ones.
            sample_weights: `[N]`, finite and at least 0; 0 leaves a text out.
            groups: `[N]` strings or integers; texts of one group (paragraphs of an article, messages of a person) are
                never on both sides of a held-out split, so that held-out figures and calibration are not flattered.
            progress: called as training goes on.

        Returns:
            itself, fitted.

        Raises:
            InputError: if a text or label is null or of the wrong type, their numbers differ, or there is one class.
            OptionError: if `class_weights` names a class that no text has.
        """
        progress = progress or (lambda _stage, _fraction: None)
        array = as_arrow(texts)
        label_array = as_label_column(labels, len(array))
        group_array = None if groups is None else as_label_column(groups, len(array), "groups")
        weights = np.ones(len(array))
        if sample_weights is not None:
            weights = as_weights(sample_weights, weights.shape, "sample_weights", "fit")
            counted = weights > 0.0
            array, label_array, weights = array.filter(counted), label_array.filter(counted), weights[counted]
            group_array = None if group_array is None else group_array.filter(counted)
        column = as_column(array)
        names, indices = encode_labels(label_array)
        if len(names) < 2:
            found = f"only {names[0]!r}" if names else "no labelled text"
            raise InputError(f"A classifier needs at least two classes; the labels hold {found}.")
        class_counts = np.bincount(indices)
        weights = weights * self._class_weights(names, class_counts)[indices]
        options = self.options
        ngrams = options.ngrams or default_ngrams(column)
        progress("counting", 0.0)
        counts = count_ngrams(column, ngrams)
        weights = weights / weights.max()  # so that no sum overflows
        row_weights = (weights / weights.mean()).astype(np.float32)
        group_indices = None if group_array is None else encode_labels(group_array)[1]
        examples = Examples(counts, indices, row_weights, len(names), group_indices)
        solver = Solver(
            l2=0.0,
            label_smoothing=options.label_smoothing,
            epochs=options.epochs or default_epochs(column.rows),
            seed=options.seed,
        )

        def train(trial: Trial, go_on: Callable[[], bool]) -> tuple[Vocabulary, LinearModel, tuple[TrainingStep, ...]]:
            """Train on all texts as a trial did on a part of them."""
            vocabulary, features = counts.weigh(rare=trial.rare)
            layer, steps = train_linear(
                features, indices, row_weights, np.arange(column.rows), len(names),
                replace(solver, l2=trial.l2, stop_after=trial.epochs), lambda _epoch, _layer: go_on(),
            )  # fmt: skip
            return vocabulary, layer, steps

        progress("training", 0.0)
        selection = select(
            examples, solver, train, l2=options.l2, rare=options.rare, patience=options.patience,
            progress=lambda fraction: progress("training", fraction),
        )  # fmt: skip
        chosen, (vocabulary, layer, steps) = selection.chosen, selection.trained
        progress("training", 1.0)
        progress("calibrating", 0.0)
        held_labels = indices[selection.rows]
        self.class_names, self.vocabulary, self.layer = names, vocabulary, layer
        self.temperature = fit_temperature(
            selection.logits, held_labels, sample_weights=examples.row_weights[selection.rows]
        )
        self.held_out = HeldOutRows.of(selection.logits, held_labels)
        self.threshold = 0.0
        warnings = data_warnings(names, class_counts, len(held_labels))
        if options.max_error is not None:
            rule = self.held_out.abstention(options.max_error, options.certainty)
            self.threshold = float(rule.threshold)
            warnings += () if rule.promise else (refusal_warning(rule),)
        rate = options.false_alarm_rate
        self.outliers = self.held_out.outlier_rule(rate) if rate else None
        self.record = TrainingRecord(
            rows=column.rows,
            class_counts=tuple(class_counts.tolist()),
            features=vocabulary.n_features,
            rare=chosen.rare,
            l2=chosen.l2,
            label_smoothing=options.label_smoothing,
            epochs=chosen.epochs,
            seed=options.seed,
            trials=selection.trials,
            held_out=judge_calibration(selection.logits, held_labels),
            steps=steps,
            warnings=warnings,
        )
        progress("calibrating", 1.0)
        return self

    def _class_weights(self, names: tuple[str, ...], counts: NDArray[np.intp]) -> NDArray[np.float64]:
        wanted = self.options.class_weights
        if wanted is None:
            return np.ones(len(names))
        if isinstance(wanted, str):
            return np.asarray(counts.sum() / (len(names) * counts), np.float64)
        unknown = sorted(set(wanted) - set(names))
        if unknown:
            raise OptionError(
                f"The 'class_weights' option of TrainOptions must name classes that occur; no text has {unknown[0]!r}."
            )
        return np.array([float(wanted.get(name, 1.0)) for name in names])

    # --- using ---

    def predict_logits(self, texts: Texts) -> NDArray[np.float32]:
        """Return the raw logits `[N, C]` float32: any real numbers, not divided by the temperature.

        The same bits at any number of threads and in batches of any size.

        Raises:
            InputError: if a text is null or not a string.
            NotFittedError: before `fit` or `load`.
        """
        return self._logits(texts)[0]

    def predict_probs(self, texts: Texts) -> NDArray[np.float32]:
        """Return softmax(logits / temperature), `[N, C]` float32; each in [0, 1], rows that sum to 1.

        The arg max of a row is the label that `predict` gives, in every row.
        """
        logits = self.predict_logits(texts)
        probs: NDArray[np.float32] = softmax(logits, temperature=self.temperature)
        return agree(probs, logits)

    def predict(self, texts: Texts) -> list[str]:
        """Return the arg max of the logits as class names `[N]`. No softmax is computed: the order is the same."""
        names = self.class_names if self._fitted() else ()
        return [names[label] for label in argmax(self.predict_logits(texts)).tolist()]

    def decide(
        self, texts: Texts, *, threshold: float | NDArray[np.float64] | None = None, outliers: OutlierRule | None = None
    ) -> list[Decision]:
        """Return one decision a text: label or none, probability, and the reason.

        Args:
            texts: `[N]` strings.
            threshold: abstain below this probability, in [0, 1], or below one for each class, `[C]`; the model's own if
                None. `abstention(max_error).threshold` is one with a promise.
            outliers: which texts not to answer because they are unlike those of training; the model's own if None.
        """
        return self.decide_columns(texts, threshold=threshold, outliers=outliers)[0].named(self.class_names)

    def decide_columns(
        self, texts: Texts, *, threshold: float | NDArray[np.float64] | None = None, outliers: OutlierRule | None = None
    ) -> tuple[DecisionColumns, NDArray[np.float32]]:
        """Return the decisions as columns of class indices, for tables, and the logits `[N, C]` they come from."""
        logits, known = self._logits(texts)
        rule = self.outliers if outliers is None else outliers
        columns = decide_columns(
            logits, temperature=self.temperature, threshold=self.threshold if threshold is None else threshold,
            known=known, outliers=None if rule is None else energy(logits) > rule.threshold,
        )  # fmt: skip
        return columns, logits

    def abstention(self, max_error: float, *, certainty: float = 0.95, by_class: bool = False) -> AbstentionRule:
        """Return the rule by which at most `max_error` of the answers are wrong, with this certainty.

        It is exact for the layers that held texts out, judged on those: the texts are drawn as new ones will be, and
        neither weights nor temperature had seen them. The layer that answers learnt from all texts, so it should do no
        worse. Calls after training are free: the model keeps what was held out.

        Args:
            max_error: the share of answers that may be wrong, in (0, 1).
            certainty: in (0, 1).
            by_class: a threshold for each class, so that the promise holds for the answers of each.

        Example:
            >>> from logitkit import TextClassifier
            >>> texts = ["a fast new chip", "the phone's screen", "a late goal", "the match was lost"] * 50
            >>> model = TextClassifier().fit(texts, ["tech", "tech", "sport", "sport"] * 50)
            >>> rule = model.abstention(0.05)
            >>> rule.promise, rule.coverage
            (True, 1.0)
        """
        self._fitted()
        return self.held_out.abstention(max_error, certainty, n_classes=len(self.class_names) if by_class else None)

    def outlier_rule(self, false_alarm_rate: float) -> OutlierRule:
        """Return the rule that takes at most this share of texts like those of training for unknown."""
        self._fitted()
        return self.held_out.outlier_rule(false_alarm_rate)

    def explain(self, text: str) -> Explanation:
        """Return what each token of one text adds to each class's logit; the sums are the logits."""
        self._fitted()
        return explain(text, self.vocabulary, self.layer, self.class_names, self.temperature)

    def _logits(self, texts: Texts) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the logits, and which texts have at least one known n-gram."""
        self._fitted()
        column = as_column(texts)
        logits = np.empty((column.rows, len(self.class_names)), np.float32)
        known = np.empty(column.rows, np.bool_)

        def work(start: int, stop: int) -> None:
            features = self.vocabulary.transform(Column(column.data, column.offsets[start : stop + 1]))
            self.layer.logits(features, logits_out=logits[start:stop])
            known[start:stop] = np.diff(features.indptr) > 0

        run_blocks(work, column.blocks(_BLOCK_BYTES))
        return logits, known

    def _fitted(self) -> bool:
        if not hasattr(self, "layer"):
            raise NotFittedError(
                "This TextClassifier has not learnt anything yet; call fit(texts, labels) or load(path)."
            )
        return True

    # --- keeping ---

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model to one file; the same model gives the same bytes.

        Args:
            path: `NAME.logitkit`; it appears whole or not at all.
            force: replace a file that exists.

        Raises:
            OutputError: if the path is refused or the disk is full.
            NotFittedError: before `fit` or `load`.
        """
        self._fitted()
        tensors: dict[str, NDArray[Any]] = {
            "weights": self.layer.weights,
            "bias": self.layer.bias,
            "word_hashes": self.vocabulary.word_hashes,
            "char_hashes": self.vocabulary.char_hashes,
            "idf": self.vocabulary.idf,
            **self.held_out.tensors(),
        }
        spec = self.vocabulary.spec
        manifest: dict[str, Any] = {
            "kind": _KIND,
            "class_names": list(self.class_names),
            "hash_version": HASH_VERSION,
            "ngrams": {"words": list(spec.words), "chars": list(spec.chars), "ideographs": list(spec.ideographs)},
            "temperature": self.temperature,
            "threshold": self.threshold if self.threshold <= 1.0 else None,
            "outliers": None if self.outliers is None else self.outliers.parts(),
            "training": self.record.to_json(),
        }
        write_model_file(path, tensors, manifest, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TextClassifier:
        """Read a model that `save` wrote. Nothing in the file is executed, and nothing is believed unchecked.

        Raises:
            ModelFileError: if it is truncated, altered, foreign, of a newer version, or inconsistent.
            InputError: if there is no such file.
        """
        tensors, manifest = read_model_file(path)
        if manifest.get("kind") != _KIND:
            raise ModelFileError(
                f"{path} holds {str(manifest.get('kind'))!r:.60}, not a {_KIND}: load it with the tool that made it."
            )
        if manifest.get("hash_version") != HASH_VERSION:
            raise ModelFileError(
                f"{path} uses version {str(manifest.get('hash_version'))!r:.20} of the n-gram hash and this logitkit "
                f"version {HASH_VERSION}: install the logitkit that wrote it, or train anew."
            )
        model = cls()
        try:
            model._restore(tensors, manifest)
        except KeyError as error:
            raise ModelFileError(f"{path} is not a consistent model: it lacks {error}; {_AGAIN}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            said = str(error)[:200].rstrip(".")
            raise ModelFileError(f"{path} is not a consistent model: {said}; {_AGAIN}.") from error
        return model

    def _restore(self, tensors: dict[str, NDArray[Any]], manifest: dict[str, Any]) -> None:
        names = manifest["class_names"]
        if not (
            isinstance(names, list)
            and all(isinstance(name, str) for name in names)
            and 2 <= len(set(names)) == len(names)
        ):
            raise ValueError("class_names must be at least two different names")
        self.held_out = HeldOutRows.restore(tensors, len(names))
        others = self.held_out.tensors()
        shapes = {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items() if name not in others}
        F, C = tensors["idf"].size, len(names)
        n_words, n_chars = tensors["word_hashes"].size, tensors["char_hashes"].size
        expected: dict[str, tuple[Any, tuple[int, ...]]] = {
            "weights": (np.dtype(np.float32), (F, C)),
            "bias": (np.dtype(np.float32), (C,)),
            "word_hashes": (np.dtype(np.uint64), (n_words,)),
            "char_hashes": (np.dtype(np.uint64), (n_chars,)),
            "idf": (np.dtype(np.float32), (n_words + n_chars,)),
        }
        if shapes != expected:
            raise ValueError("its tensors do not fit together")
        if not all(np.isfinite(tensors[name]).all() for name in ("weights", "bias", "idf")):
            raise ValueError("a weight is not finite")
        ngrams = manifest["ngrams"]
        orders = [ngrams[kind] for kind in ("words", "chars", "ideographs")]
        if not all(isinstance(pair, list) and [type(order) for order in pair] == [int, int] for pair in orders):
            raise ValueError("ngrams must be pairs of integers")
        spec = NgramSpec(*map(tuple, orders))
        self.class_names = tuple(names)
        self.vocabulary = Vocabulary(spec, tensors["word_hashes"], tensors["char_hashes"], tensors["idf"])
        self.layer = LinearModel(tensors["weights"], tensors["bias"])
        self.temperature = check_temperature(manifest["temperature"], "load")
        threshold, outliers = manifest["threshold"], manifest["outliers"]
        self.threshold = math.inf if threshold is None else check_fraction(threshold, "threshold", "load")
        self.outliers = None if outliers is None else OutlierRule.restore(outliers)
        self.record = TrainingRecord.from_json(manifest["training"])
        if len(self.record.class_counts) != C:
            raise ValueError(f"it has {C} classes and counts of {len(self.record.class_counts)}")


def load(path: str | os.PathLike[str]) -> TextClassifier:
    """Read a model file: `TextClassifier.load`.

    Example:
        >>> import logitkit
        >>> logitkit.load("missing.logitkit")
        Traceback (most recent call last):
        logitkit.errors.InputError: missing.logitkit does not exist; check the path of the model file.
    """
    return TextClassifier.load(path)


def agree(probs: NDArray[Any], logits: NDArray[Any]) -> NDArray[Any]:
    """Let the arg max of probabilities be that of their logits, in place, where rounding made two of them equal.

    Two logits that differ in their last bit can have the same probability; the first of equals would then be taken,
    which need not be the larger logit. The others are moved down by one unit in the last place.
    """
    labels = logits.argmax(axis=1)
    for row in np.flatnonzero(probs.argmax(axis=1) != labels).tolist():
        top = probs[row, labels[row]]
        equal = probs[row] >= top
        equal[labels[row]] = False
        probs[row, equal] = np.nextafter(top, probs.dtype.type(0))
    return probs
