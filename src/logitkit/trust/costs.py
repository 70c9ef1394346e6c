"""From what answers and silence cost to the confidence from which on an answer is worth it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import to_numpy
from logitkit.checks import input_error

__all__ = ["cost_threshold"]


def cost_threshold(wrong: Any, abstain: Any, right: Any = 0.0) -> float | NDArray[np.float64]:
    r"""Return the confidence from which on answering costs no more than abstaining, if confidence can be believed.

    .. math:: p \cdot \text{right} + (1 - p) \cdot \text{wrong} \le \text{abstain} \iff
       p \ge \frac{\text{wrong} - \text{abstain}}{\text{wrong} - \text{right}}

    It promises nothing: it is as good as the calibration of the probabilities.

    Source: Chow, "On Optimum Recognition Error and Reject Tradeoff", IEEE Transactions on Information Theory 1970.

    Args:
        wrong: what a wrong answer costs; a number, or `[C]`, one for each predicted class.
        abstain: what "I don't know" costs; a number or `[C]`, from `right` to `wrong`.
        right: what a right answer costs; a number or `[C]`, below `wrong`.

    Returns:
        A threshold in [0, 1], or `[C]` of them where a cost has a value for each class.

    Raises:
        InputError: if a cost is not finite, or the costs are not in the order right <= abstain <= wrong, right < wrong.

    Example:
        >>> from logitkit.trust.costs import cost_threshold
        >>> cost_threshold(wrong=10.0, abstain=1.0)
        0.9
        >>> cost_threshold(wrong=[10.0, 2.0], abstain=1.0).tolist()
        [0.9, 0.5]
    """
    costs = []
    for name, value in (("wrong", wrong), ("abstain", abstain), ("right", right)):
        array = to_numpy(value, name, "cost_threshold")
        if array.ndim > 1 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            constraint = "a finite number, or one for each class"
            raise input_error(name, "cost_threshold", constraint, " ".join(repr(value).split()))
        costs.append(array.astype(np.float64))
    try:
        w, a, r = np.broadcast_arrays(*costs)
    except ValueError:
        shapes = " and ".join(str(list(cost.shape)) for cost in costs)
        raise input_error("wrong", "cost_threshold", "of the other costs' shape", shapes) from None
    bad = np.flatnonzero(~((r <= a) & (a <= w) & (r < w)))
    if bad.size:
        at = bad[0]
        found = f"right {r.flat[at]:g}, abstain {a.flat[at]:g} and wrong {w.flat[at]:g}"
        found += f" for class {at}" if w.ndim else ""
        raise input_error("abstain", "cost_threshold", "from right to wrong, and right below wrong", found)
    thresholds = (w - a) / (w - r)
    return thresholds if w.ndim else float(thresholds)
