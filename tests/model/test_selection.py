"""Held-out rows: stratified, never with a group on both sides, and never seen by the layer that judges them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logitkit.model import selection as module
from logitkit.model.labels import as_label_column, encode_labels
from logitkit.model.selection import Examples, Trial, select
from logitkit.model.trainer import Solver, train_linear
from logitkit.text import NgramSpec, as_column, count_ngrams
from logitkit.trust.folds import FOLDS, deal_folds
from logitkit.trust.metrics import log_loss
from logitkit.trust.temperature import fit_temperature
from synthetic import corpus

WORDS = NgramSpec(words=(1, 1), chars=(1, 0), ideographs=(1, 0))
labels_lists = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(
    lambda values: np.unique(values, return_inverse=True)[1]
)


@given(labels=labels_lists, seed=st.integers(0, 2**32 - 1))
def test_folds_are_stratified(labels, seed):
    folds = deal_folds(labels, None, seed)
    for label in range(labels.max() + 1):
        mine = folds[labels == label]
        if len(mine) == 1:
            assert mine.tolist() == [-1]
        else:
            counts = np.bincount(mine, minlength=FOLDS)
            assert counts.max() - counts.min() <= 1 and len(counts) == FOLDS


@given(labels=labels_lists, seed=st.integers(0, 2**32 - 1), data=st.data())
def test_groups_never_straddle_folds(labels, seed, data):
    groups = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels))))
    folds = deal_folds(labels, groups, seed)
    for group in np.unique(groups):
        assert len(set(folds[groups == group].tolist())) == 1


def train_nothing(trial, go_on):
    """Stands for the training on all rows where only the choice is looked at."""


def test_the_deal_is_by_chance_and_by_seed():
    labels = np.zeros(1_000, np.intp)
    one = deal_folds(labels, None, 1)
    assert (one == deal_folds(labels, None, 1)).all()
    assert 0.1 < (one == deal_folds(labels, None, 2)).mean() < 0.3
    assert np.bincount(one).tolist() == [200] * 5


def examples(rows, seed=0, groups=None, own=0.25):
    texts, labels = corpus(rows, seed=seed, own=own)
    counts = count_ngrams(as_column(texts), WORDS)
    return Examples(counts, encode_labels(as_label_column(labels, rows))[1], np.ones(rows, np.float32), 3, groups)


@pytest.mark.parametrize("rows", [60, 1_500, 6_000])
def test_held_rows_are_whole_folds_and_as_many_as_needed(rows):
    found = select(examples(rows), Solver(0.0, epochs=2), train_nothing, l2=1e-3, rare=True, patience=2)
    folds = deal_folds(examples(rows).labels, None, 0)
    used = {60: 5, 1_500: 4, 6_000: 1}[rows]  # folds of 12, 300 and 1,200 rows, until there are 1,000
    assert sorted(found.rows.tolist()) == np.flatnonzero(folds < used).tolist()
    assert len(set(found.rows.tolist())) == len(found.rows) == len(found.logits)


@pytest.mark.parametrize("rare", [True, False])
def test_logits_are_those_of_layers_and_vocabularies_that_had_not_seen_the_rows(rare):
    data, solver = examples(100), Solver(0.0, epochs=4, seed=3)
    found = select(data, solver, train_nothing, l2=1e-3, rare=rare, patience=1000)
    folds = deal_folds(data.labels, None, 3)
    for fold in range(FOLDS):
        inside = folds != fold
        _, features = data.counts.weigh(rare=rare, fit_rows=inside)
        by_epoch = []
        train_linear(
            features, data.labels, data.row_weights, np.flatnonzero(inside), 3, Solver(1e-3, epochs=4, seed=3),
            lambda _, layer: by_epoch.append(layer.logits(features, np.flatnonzero(~inside))) or True,  # noqa: B023
        )  # fmt: skip
        here = np.isin(found.rows, np.flatnonzero(~inside))
        assert any((found.logits[here] == logits).all() for logits in by_epoch)


def test_what_the_held_rows_say_changes_no_logit_of_theirs():
    """Other texts and labels in the held-out fold leave the layer that judges it as it was."""
    texts, labels = corpus(6_000, seed=1)
    folds = deal_folds(encode_labels(as_label_column(labels, 6_000))[1], None, 0)
    row = int(np.flatnonzero(folds == 0)[5])
    seen = {}
    for changed in (False, True):
        held = [int(r) for r in np.flatnonzero(folds == 0) if r != row]
        mine = [f"unheard of {r}" if changed and r in set(held) else text for r, text in enumerate(texts)]
        counts = count_ngrams(as_column(mine), WORDS)
        data = Examples(counts, encode_labels(as_label_column(labels, 6_000))[1], np.ones(6_000, np.float32), 3)
        found = select(data, Solver(0.0, epochs=1), train_nothing, l2=1e-3, rare=True, patience=2)
        seen[changed] = found.logits[found.rows == row]
    # The features come in another order, and so do the terms of a sum.
    np.testing.assert_allclose(seen[True], seen[False], atol=1e-5)


def test_what_ships_is_the_chosen_trial_trained_on_all_rows():
    calls = []

    def train(trial, go_on):
        assert go_on()
        calls.append(trial)
        return trial

    found = select(examples(300), Solver(0.0, epochs=6), train, l2=None, rare=None, patience=2)
    assert found.trained == found.chosen == calls[-1]
    assert len(calls) == max(1, round(np.log(found.chosen.l2 * 300 / 0.1) / np.log(3)) + 1)


def test_trials_are_judged_by_the_log_loss_at_the_best_temperature():
    data = examples(300)
    found = select(data, Solver(0.0, epochs=6), train_nothing, l2=None, rare=None, patience=2)
    assert [trial.rare for trial in found.trials[:2]] == [False, True]
    first = min(found.trials[:2], key=lambda trial: trial.log_loss)
    assert first.l2 == pytest.approx(0.1 / 300)
    climbed = [first, *found.trials[2:]]  # each three times as strong as the one before, while that is better
    assert [trial.l2 for trial in climbed] == pytest.approx([0.1 / 300 * 3**i for i in range(len(climbed))])
    losses = [trial.log_loss for trial in climbed]
    best = losses.index(min(losses))
    assert losses[: best + 1] == sorted(losses[: best + 1], reverse=True)
    assert len(climbed) == min(best + 2, 3)
    assert found.chosen == min(found.trials, key=lambda trial: trial.log_loss)
    labels = data.labels[found.rows]
    temperature = fit_temperature(found.logits, labels)
    assert found.chosen.log_loss == pytest.approx(log_loss(labels, logits=found.logits, temperature=temperature))


def test_given_options_are_not_tried():
    found = select(examples(100), Solver(0.0, epochs=3), train_nothing, l2=0.01, rare=True, patience=2)
    assert [(trial.rare, trial.l2) for trial in found.trials] == [(True, 0.01)]
    found = select(examples(100), Solver(0.0, epochs=3), train_nothing, l2=None, rare=False, patience=2)
    assert {trial.rare for trial in found.trials} == {False} and len(found.trials) in (2, 3)


def test_the_number_of_threads_leaves_no_trace(threads):
    threads(1)
    one = select(examples(300), Solver(0.0, epochs=4), train_nothing, l2=None, rare=None, patience=2)
    threads(3)
    two = select(examples(300), Solver(0.0, epochs=4), train_nothing, l2=None, rare=None, patience=2)
    assert one.trials == two.trials and (one.logits == two.logits).all() and (one.rows == two.rows).all()


def test_classes_of_one_example_leave_nothing_to_hold_out():
    counts = count_ngrams(as_column(["a", "b"]), WORDS)
    data = Examples(counts, np.array([0, 1]), np.ones(2, np.float32), 2)
    found = select(data, Solver(0.0, epochs=7), train_nothing, l2=None, rare=None, patience=2)
    assert found.chosen == Trial(True, 0.05, 7, None)
    assert len(found.rows) == 0 and found.logits.shape == (0, 2)


def noisy(rows):
    """Every other label is drawn by chance: the held-out loss rises as soon as training learns these by heart."""
    data = examples(rows, own=0.2)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(rows) < 0.5, rng.integers(0, 3, rows), data.labels)
    return Examples(data.counts, labels, data.row_weights, 3)


def test_early_stopping_stops_and_patience_is_how_late():
    epochs = {}
    for patience in (1, 3, 1000):
        passes = []
        real = module.train_linear

        def counting(*arguments, real=real, passes=passes):
            judge = arguments[-1]
            return real(*arguments[:-1], lambda epoch, layer: passes.append(epoch) or judge(epoch, layer))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "train_linear", counting)
            found = select(noisy(600), Solver(0.0, epochs=30), train_nothing, l2=1e-6, rare=True, patience=patience)
        epochs[patience] = len(passes), found.chosen.epochs
    assert epochs[1][0] < epochs[3][0] < epochs[1000][0] == 5 * 30
    assert epochs[1][1] < 10 and epochs[3][1] < 10
    assert (
        select(examples(300), Solver(0.0, epochs=6), train_nothing, l2=1e-3, rare=True, patience=2).chosen.epochs == 6
    )


def test_an_error_in_one_thread_ends_the_trials_of_the_others(threads):
    """As Ctrl-C does: it comes to the main thread alone."""
    threads(2)
    passes = []
    real = module.train_linear

    def failing(*arguments):
        judge = arguments[-1]

        def judged(epoch, layer):
            passes.append(epoch)
            if len(passes) == 4:
                raise KeyboardInterrupt
            return judge(epoch, layer)

        return real(*arguments[:-1], judged)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "train_linear", failing)
        select(noisy(2_000), Solver(0.0, epochs=1000), train_nothing, l2=1e-6, rare=True, patience=1000)
    assert len(passes) < 20
