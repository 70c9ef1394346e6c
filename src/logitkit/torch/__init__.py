"""Losses and softmax for PyTorch on the CPU, with gradients: a training script swaps its loss by one line.

``from logitkit.torch import cross_entropy`` instead of ``from torch.nn.functional import cross_entropy``. Names and
order of arguments are PyTorch's, and so are values, gradients and their types, to rounding. A loss and its gradients
are computed in one pass, forward; backward scales them. Gradients of gradients are refused, as is what lies on a GPU.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("logitkit.torch needs PyTorch, which is not installed: pip install torch") from error

from logitkit.torch.binary_cross_entropy import binary_cross_entropy_with_logits
from logitkit.torch.contrastive import (
    info_nce,
    sigmoid_pairwise_loss,
    supervised_contrastive_loss,
    triplet_loss,
)
from logitkit.torch.cross_entropy import cross_entropy
from logitkit.torch.linear_cross_entropy import linear_cross_entropy
from logitkit.torch.losses import binary_focal_loss, distillation_loss, focal_loss, kl_divergence
from logitkit.torch.softmax import log_softmax, logsumexp, softmax

__all__ = [
    "binary_cross_entropy_with_logits",
    "binary_focal_loss",
    "cross_entropy",
    "distillation_loss",
    "focal_loss",
    "info_nce",
    "kl_divergence",
    "linear_cross_entropy",
    "log_softmax",
    "logsumexp",
    "sigmoid_pairwise_loss",
    "softmax",
    "supervised_contrastive_loss",
    "triplet_loss",
]
