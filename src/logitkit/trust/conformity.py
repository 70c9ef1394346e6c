"""How badly a label fits its row: the conformity scores of LAC, APS and RAPS, and the sets of labels that fit well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import read_only
from logitkit.checks import as_labels, check_at_least_zero, check_choice, check_count, check_integer, option_error
from logitkit.kernels import run_blocks
from logitkit.trust.prob_rows import ProbRows

__all__ = ["METHODS", "Conformity", "RapsPenalty", "conformity_scores"]

METHODS = ("lac", "aps", "raps")


@dataclass(frozen=True, slots=True)
class RapsPenalty:
    """What RAPS adds to the score of the class of rank r: weight * max(0, r - k_reg). Rank 1 is the likeliest class.

    Attributes:
        k_reg: how many classes a set may have at no cost, at least 0.
        weight: what each further one costs, at least 0.

    Example:
        >>> from logitkit.trust.conformity import RapsPenalty
        >>> RapsPenalty(k_reg=2, weight=0.1).of_ranks(4).round(1).tolist()  # of ranks 0 to 4
        [0.0, 0.0, 0.0, 0.1, 0.2]
    """

    k_reg: int = 1
    weight: float = 0.01

    def __post_init__(self) -> None:
        check_count(self.k_reg, 0, 2**31, "k_reg", "RapsPenalty")
        check_at_least_zero(self.weight, "weight", "RapsPenalty")

    def of_ranks(self, C: int) -> NDArray[np.float64]:
        """Return the penalties of ranks 0 to C, `[C + 1]`."""
        return self.weight * np.maximum(np.arange(C + 1) - self.k_reg, 0.0)


@dataclass(frozen=True, slots=True)
class Conformity:
    """Which score is meant: what a predictor must do alike when it is fitted and when it predicts."""

    method: str
    randomized: bool
    seed: int
    raps: RapsPenalty | None

    @classmethod
    def checked(cls, method: Any, randomized: Any, seed: Any, raps: Any, function: str) -> Conformity:
        """Return the measure with options that fit together."""
        method = check_choice(method, METHODS, "method", function)
        if not isinstance(randomized, bool):
            raise option_error("randomized", function, "True or False", randomized)
        if raps is not None and (method != "raps" or not isinstance(raps, RapsPenalty)):
            raise option_error("raps", function, "a RapsPenalty, and given with the method 'raps' only", raps)
        seed = check_integer(seed, "seed", function)
        return cls(
            method, randomized and method != "lac", seed, RapsPenalty() if method == "raps" and not raps else raps
        )

    def label_scores(self, rows: ProbRows, labels: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the score of each row's label, `[N]`."""
        from logitkit.kernels.conformity import label_scores_block

        N, C = rows.values.shape
        scores, penalties = np.empty(N), self._penalties(C)

        def work(start: int, stop: int) -> None:
            given, probs = rows.block(start, stop)
            y = labels[start:stop]
            if self.method == "lac":
                scores[start:stop] = 1.0 - probs[np.arange(stop - start), y]
            else:
                label_scores_block(probs, y, self._keep(given), penalties, scores[start:stop])

        run_blocks(work, rows.blocks())
        return scores

    def sets(
        self, rows: ProbRows, quantiles: NDArray[np.float64], cells: NDArray[np.intp], *, allow_empty: bool
    ) -> NDArray[np.bool_]:
        """Return which classes have a score of at most quantiles[cell of the row, class], `[N, C]`."""
        from logitkit.kernels.conformity import ordered_sets_block, set_scratch

        N, C = rows.values.shape
        sets, penalties, q = memory.empty((N, C), np.bool_), self._penalties(C), read_only(quantiles)

        def work(start: int, stop: int) -> None:
            given, probs = rows.block(start, stop)
            out, cells_block = sets[start:stop], cells[start:stop]
            if self.method == "lac":
                np.less_equal(1.0 - probs, q[cells_block] if len(q) > 1 else q[0], out=out)
            else:
                arrays = (penalties, q, read_only(cells_block), set_scratch(C), out.view(np.uint8))
                ordered_sets_block(probs, self._keep(given), *arrays)
            if not allow_empty:
                empty = np.flatnonzero(~out.any(axis=1))
                out[empty, probs[empty].argmax(axis=1)] = True

        run_blocks(work, rows.blocks())
        return sets

    def _penalties(self, C: int) -> NDArray[np.float64]:
        return read_only(np.zeros(C + 1) if self.raps is None else self.raps.of_ranks(C))

    def _keep(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1 - u for each row: how much of a label's own probability counts."""
        from logitkit.kernels.conformity import row_uniforms_block

        uniforms = np.zeros(len(given))
        if self.randomized:
            row_uniforms_block(given, np.uint64(self.seed % 2**64), uniforms)
        return read_only(1.0 - uniforms)


def conformity_scores(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    method: str = "lac",
    raps: RapsPenalty | None = None,
    randomized: bool = True,
    seed: int = 0,
) -> NDArray[np.float64]:
    r"""Return how badly each label fits its row, `[N]`: the larger, the worse.

    With classes in the order of falling probability (equals in the order of their indices), r the label's rank, and u
    a number in [0, 1) for the row:

    - "lac": :math:`1 - p_y` (Sadinle, Lei, Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error
      Levels", JASA 2019);
    - "aps": the probability of all classes before the label, and :math:`(1 - u) p_y` (Romano, Sesia, Candès,
      "Classification with Valid and Adaptive Coverage", NeurIPS 2020);
    - "raps": the same, and :math:`\text{weight} \cdot \max(0, r - k_{reg})` (Angelopoulos, Bates, Malik, Jordan,
      "Uncertainty Sets for Image Classifiers using Conformal Prediction", ICLR 2021).

    u is drawn from the row itself: a hash of its numbers and the seed. A row has the same u, and the same set, beside
    whatever other rows, in whatever order, in one call or many. Without `randomized`, u = 0.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        method: "lac", "aps" or "raps".
        raps: the penalty of "raps"; `RapsPenalty()` where it is not given.
        randomized: whether "aps" and "raps" draw u; "lac" never does.
        seed: any integer.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or an option is out of range.

    Example:
        >>> from logitkit.trust.conformity import conformity_scores
        >>> probs = [[0.5, 0.3, 0.2]] * 3
        >>> conformity_scores([0, 1, 2], probs=probs).round(3).tolist()
        [0.5, 0.7, 0.8]
        >>> conformity_scores([0, 1, 2], probs=probs, method="aps", randomized=False).round(3).tolist()
        [0.5, 0.8, 1.0]
    """
    rows = ProbRows.of(logits, probs, "conformity_scores")
    N, C = rows.values.shape
    y = as_labels(labels, (N,), C, "conformity_scores")
    return Conformity.checked(method, randomized, seed, raps, "conformity_scores").label_scores(rows, y)
