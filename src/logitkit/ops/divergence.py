"""How far a student's logits are from a teacher's: Kullback-Leibler divergence, and distillation with labels beside."""

from __future__ import annotations

from typing import Any

from logitkit.arrays import read_only
from logitkit.checks import as_labels, as_logits, check_fraction, check_temperature, input_error
from logitkit.kernels.divergence import divergence_scratch, kl_divergence_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._losses import as_row_weights, row_losses, same_type
from logitkit.ops._rows import Array
from logitkit.ops.cross_entropy import cross_entropy

__all__ = ["distillation_loss", "kl_divergence"]


@returns_callers_kind
def kl_divergence(
    logits: Any,
    teacher_logits: Any,
    *,
    temperature: float = 1.0,
    sample_weights: Any = None,
    reduction: str = "mean",
    grad: bool = False,
    grad_out: Array | None = None,
) -> Any:
    r"""Return KL(teacher ‖ student), both softened by a temperature, and its gradient by the student's logits.

    .. math:: \ell = \sum_c p_c (\log p_c - \log q_c), \quad p = \mathrm{softmax}(t / T), \;
              q = \mathrm{softmax}(z / T), \qquad \frac{\partial \ell}{\partial z_c} = \frac{q_c - p_c}{T}

    The gradient shrinks with T²: 1/T is written above, and q - p is about (z - t) / (C T). Multiply by T² to keep its
    size while you change T, as `distillation_loss` does.

    Args:
        logits: the student's, `[N, C]`, or `[C]`, `[N, T, V]`: the classes are the last axis. Types as for `softmax`.
        teacher_logits: of the same shape; they get no gradient. Log-probabilities will do.
        temperature: T, divides both; greater than 0.
        sample_weights: one weight a row, finite, at least 0. A row of weight 0 counts for nothing.
        reduction: "mean" divides the sum by the number of rows (PyTorch's "batchmean"), or by the sum of sample
            weights; "sum" adds up, "none" keeps a divergence for each row.
        grad: return the gradient too; `grad_out` implies it.
        grad_out: a buffer for the gradient, of the logits' shape and type; may be `logits` itself.

    Returns:
        The divergence, at least 0: a float, or with "none" a float64 array, one for each row. With `grad=True`, a pair
        of it and the gradient of the mean or of the sum ("none" too), of the logits' shape and type. For float32 logits
        the error is 1e-8, absolute or relative. A class that the teacher gives -inf costs nothing; where it has mass
        and the student's logit is -inf, the divergence is +inf. Infinite maxima are shared as in `softmax`; NaN in a
        row of either gives NaN. The mean of no rows, or of rows that all weigh 0, is 0.0.

    Raises:
        InputError: if shapes disagree, or a weight is negative or not finite.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> loss, grad = ops.kl_divergence([[2.0, 1.0, 0.1]], [[1.0, 2.0, 1.0]], grad=True)
        >>> round(loss, 3), grad.round(2).tolist()
        (0.421, [[0.45, -0.33, -0.11]])

    References:
        Kullback and Leibler, "On information and sufficiency", 1951.
    """
    name = "kl_divergence"
    array, teacher = _as_pair(logits, teacher_logits, name)
    scale = 1.0 / check_temperature(temperature, name)

    def work(start: int, stop: int, block: Array, scales: Array, losses_out: Array, block_grad: Array) -> None:
        _divergence(block, teacher[start:stop], scale, scales, losses_out, block_grad)

    factors = as_row_weights(sample_weights, array.shape[:-1], name)
    return row_losses(array, name, work, factors=factors, reduction=reduction, grad=grad, grad_out=grad_out)


@returns_callers_kind
def distillation_loss(
    logits: Any,
    teacher_logits: Any,
    labels: Any,
    *,
    temperature: float = 2.0,
    alpha: float = 0.5,
    sample_weights: Any = None,
    reduction: str = "mean",
    grad: bool = False,
    grad_out: Array | None = None,
) -> Any:
    r"""Return what a student pays for being unlike its teacher and for being wrong, and the gradient on request.

    .. math:: \ell = \alpha \, T^2 \, \mathrm{KL}(\mathrm{softmax}(t / T) \,\|\, \mathrm{softmax}(z / T))
              - (1 - \alpha) \log \mathrm{softmax}(z)_y

    T² keeps the two parts in proportion when T changes, since the gradient of the divergence shrinks with T².

    Args:
        logits: the student's, as for `kl_divergence`.
        teacher_logits: of the same shape; they get no gradient.
        labels: class indices in [0, C), of the logits' shape without the classes.
        temperature: T of the divergence; the cross-entropy has none. Greater than 0.
        alpha: α in [0, 1]; a part with the weight 0 is not looked at.
        sample_weights: as for `kl_divergence`, on both parts.
        reduction: as for `kl_divergence`.
        grad: return the gradient by the student's logits too; `grad_out` implies it.
        grad_out: as for `kl_divergence`.

    Returns:
        The loss, and with `grad=True` its gradient, as for `kl_divergence` and `cross_entropy`.

    Raises:
        InputError: as `kl_divergence`, or if a label is out of range.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> loss, grad = ops.distillation_loss([[2.0, 1.0, 0.1]], [[1.0, 2.0, 0.1]], [1], grad=True)
        >>> round(loss, 3), grad.round(2).tolist()
        (0.906, [[0.53, -0.58, 0.05]])

    References:
        Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
    """
    name = "distillation_loss"
    array, teacher = _as_pair(logits, teacher_logits, name)
    C, shape = array.shape[-1], array.shape[:-1]
    T, share = check_temperature(temperature, name), check_fraction(alpha, "alpha", name)
    y = as_labels(labels, shape, C, name).reshape(-1)
    soft, hard = share * T * T, 1.0 - share

    def work(start: int, stop: int, block: Array, scales: Array, losses_out: Array, block_grad: Array) -> None:
        wants_grad = block_grad.shape[0] > 0
        if soft > 0.0:
            _divergence(block, teacher[start:stop], 1.0 / T, read_only(soft * scales), losses_out, block_grad)
            losses_out *= soft
        else:
            losses_out[:] = 0.0
            block_grad[:] = 0.0
        if hard > 0.0:
            result = cross_entropy(block, y[start:stop], reduction="none", grad=wants_grad)
            losses_out += hard * (result[0] if wants_grad else result)
            if wants_grad:
                result[1][...] *= (hard * scales)[:, None]
                block_grad += result[1]

    factors = as_row_weights(sample_weights, shape, name)
    return row_losses(array, name, work, factors=factors, reduction=reduction, grad=grad, grad_out=grad_out)


def _as_pair(logits: Any, teacher_logits: Any, function: str) -> tuple[Array, Array]:
    """Return the student's logits, and the teacher's as rows."""
    array = as_logits(logits, function)
    teacher = as_logits(teacher_logits, function, name="teacher_logits")
    if teacher.shape != array.shape:
        found = f"the shape {list(teacher.shape)}"
        raise input_error("teacher_logits", function, f"of the logits' shape {list(array.shape)}", found)
    return array, teacher.reshape(-1, array.shape[-1])


def _divergence(
    block: Array, teacher: Array, scale: float, scales: Array, losses_out: Array, block_grad: Array
) -> None:
    """Run the kernel on a block and the rows of the teacher beside it, brought to the block's type."""
    scratch = divergence_scratch(block.shape[1], block.dtype)
    kl_divergence_block(block, same_type(teacher, block.dtype), scale, scales, scratch, losses_out, block_grad)
