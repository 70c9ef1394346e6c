"""Contrastive losses in PyTorch's graph, with the arguments that they have in `logitkit.ops`.

Tensors that are given as embeddings, temperature or bias take gradients; N × N matrices are never held.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, is_grad_enabled

from logitkit import ops
from logitkit.checks import option_error
from logitkit.torch.autograd import check_tensor
from logitkit.torch.several import loss_of_several

__all__ = ["info_nce", "sigmoid_pairwise_loss", "supervised_contrastive_loss", "triplet_loss"]


def info_nce(
    anchors: Tensor,
    positives: Tensor,
    *,
    negatives: Tensor | None = None,
    temperature: Tensor | float = 0.07,
    symmetric: bool = False,
    normalize: bool = False,
    sample_weights: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.info_nce`, of the anchors' type.

    CLIP's loss is ``info_nce(images, texts, temperature=1 / log_scale.exp(), symmetric=True, normalize=True)`` with a
    parameter `log_scale`.

    Example:
        >>> import torch
        >>> from logitkit.torch import info_nce
        >>> temperature = torch.tensor(1.0, requires_grad=True)
        >>> info_nce(torch.eye(3), torch.eye(3), temperature=temperature).backward()
        >>> temperature.grad > 0  # sharper would be better: these pairs do belong together
        tensor(True)
    """
    given: dict[str, Any] = {"anchors": check_tensor(anchors, "anchors", "info_nce")}
    given.update(positives=positives, negatives=negatives, temperature=temperature)
    options: dict[str, Any] = {"symmetric": symmetric, "normalize": normalize, "sample_weights": sample_weights}
    return loss_of_several(ops.info_nce, "info_nce", given, reduction=reduction, **options)


def sigmoid_pairwise_loss(
    anchors: Tensor,
    positives: Tensor,
    *,
    temperature: Tensor | float = 0.1,
    bias: Tensor | float = -10.0,
    normalize: bool = False,
    sample_weights: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.sigmoid_pairwise_loss`, SigLIP's, of the anchors' type.

    Example:
        >>> import torch
        >>> from logitkit.torch import sigmoid_pairwise_loss
        >>> bias = torch.tensor(-1.0, requires_grad=True)
        >>> sigmoid_pairwise_loss(torch.eye(3), torch.eye(3), bias=bias).backward()
        >>> bias.grad > 0
        tensor(True)
    """
    name = "sigmoid_pairwise_loss"
    given: dict[str, Any] = {"anchors": check_tensor(anchors, "anchors", name), "positives": positives}
    given.update(temperature=temperature, bias=bias)
    options: dict[str, Any] = {
        "normalize": normalize,
        "sample_weights": sample_weights,
    }
    return loss_of_several(ops.sigmoid_pairwise_loss, name, given, reduction=reduction, **options)


def supervised_contrastive_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    temperature: Tensor | float = 0.07,
    normalize: bool = False,
    sample_weights: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.supervised_contrastive_loss`, of the embeddings' type.

    Example:
        >>> import torch
        >>> from logitkit.torch import supervised_contrastive_loss
        >>> embeddings = torch.eye(4, requires_grad=True)
        >>> supervised_contrastive_loss(embeddings, torch.tensor([0, 0, 1, 1])).backward()
        >>> embeddings.grad.shape
        torch.Size([4, 4])
    """
    name = "supervised_contrastive_loss"
    given = {"embeddings": check_tensor(embeddings, "embeddings", name), "temperature": temperature}
    options: dict[str, Any] = {"labels": labels, "normalize": normalize, "sample_weights": sample_weights}
    return loss_of_several(ops.supervised_contrastive_loss, name, given, reduction=reduction, **options)


def triplet_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    margin: float = 0.2,
    mining: str = "semi_hard",
    distance: str = "euclidean",
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.triplet_loss`, of the embeddings' type; "none" has no gradient.

    Example:
        >>> import torch
        >>> from logitkit.torch import triplet_loss
        >>> embeddings = torch.eye(4, requires_grad=True)
        >>> triplet_loss(embeddings, torch.tensor([0, 0, 1, 1])).backward()
        >>> embeddings.grad.shape
        torch.Size([4, 4])
    """
    given = {"embeddings": check_tensor(embeddings, "embeddings", "triplet_loss")}
    if reduction == "none" and is_grad_enabled() and embeddings.requires_grad:
        raise option_error("reduction", "triplet_loss", "'mean' or 'sum' where a gradient is needed", reduction)
    options: dict[str, Any] = {"labels": labels, "margin": margin, "mining": mining, "distance": distance}
    return loss_of_several(ops.triplet_loss, "triplet_loss", given, reduction=reduction, **options)
