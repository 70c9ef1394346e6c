"""Every public function of ops takes tensors and gives tensors: none can be forgotten."""

import inspect

import numpy as np
import pytest

from logitkit import ops

torch = pytest.importorskip("torch")

LOGITS = torch.tensor([[2.0, 1.0, 0.1], [0.0, 3.0, -1.0]])
LABELS, TARGETS = torch.tensor([0, 2]), torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.25]])
EYE = torch.eye(2, 3)
CALLS = {  # of those that take more than logits
    "binary_cross_entropy": lambda z: ops.binary_cross_entropy(z, TARGETS, positive_weights=torch.ones(3), grad=True),
    "binary_focal_loss": lambda z: ops.binary_focal_loss(z, TARGETS.round(), grad=True),
    "cross_entropy": lambda z: ops.cross_entropy(z, LABELS, class_weights=torch.ones(3), grad=True),
    "distillation_loss": lambda z: ops.distillation_loss(z, LOGITS, LABELS, grad=True),
    "focal_loss": lambda z: ops.focal_loss(z, LABELS, grad=True),
    "info_nce": lambda z: ops.info_nce(z, EYE, grad=True),
    "kl_divergence": lambda z: ops.kl_divergence(z, LOGITS, grad=True),
    "linear_cross_entropy": lambda z: ops.linear_cross_entropy(z, EYE, LABELS % 2, grad=True),
    "log_softmax_backward": lambda z: ops.log_softmax_backward(z, ops.log_softmax(z)),
    "logsumexp_backward": lambda z: ops.logsumexp_backward(z[:, 0], z),
    "process_logits": lambda z: ops.process_logits(z, ops.SamplingOptions(top_k=2)),
    "rank_of_label": lambda z: ops.rank_of_label(z, LABELS),
    "sample": lambda z: ops.sample(
        z,
        ops.SamplingOptions(repetition_penalty=1.5),
        uniforms=torch.tensor([0.1, 0.9]),
        previous=torch.tensor([[0], [1]]),
    ),
    "sigmoid_pairwise_loss": lambda z: ops.sigmoid_pairwise_loss(z, EYE, grad=True),
    "softmax_backward": lambda z: ops.softmax_backward(z, ops.softmax(z)),
    "supervised_contrastive_loss": lambda z: ops.supervised_contrastive_loss(z, LABELS % 1, grad=True),
    "top_k": lambda z: ops.top_k(z, 2),
    "triplet_loss": lambda z: ops.triplet_loss(z, LABELS, grad=True),
}
FUNCTIONS = sorted(name for name in ops.__all__ if inspect.isroutine(getattr(ops, name)))
NO_RESULT_OF_THE_LOGITS_TYPE = {"argmax", "rank_of_label", "sample"}


def leaves(result):
    """Return the arrays and numbers in a result."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in leaves(part)]
    if hasattr(result, "__dataclass_fields__"):
        return [leaf for name in result.__dataclass_fields__ for leaf in leaves(getattr(result, name))]
    return [] if result is None or isinstance(result, str) else [result]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tensors_in_tensors_out(name):
    call, before = CALLS.get(name, getattr(ops, name)), LOGITS.clone()
    mine, expected = leaves(call(LOGITS)), leaves(call(LOGITS.numpy()))
    assert torch.equal(LOGITS, before)
    assert len(mine) == len(expected) > 0
    for tensor, other in zip(mine, expected, strict=True):
        assert type(tensor) is torch.Tensor
        assert isinstance(other, (np.ndarray, np.generic, float, int))
        assert np.array_equal(tensor, other) and tensor.shape == np.shape(other)
    if name not in NO_RESULT_OF_THE_LOGITS_TYPE:
        assert LOGITS.dtype in {tensor.dtype for tensor in mine}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bfloat16_stays(name):
    results = leaves(CALLS.get(name, getattr(ops, name))(LOGITS.bfloat16()))
    assert name in NO_RESULT_OF_THE_LOGITS_TYPE or torch.bfloat16 in {tensor.dtype for tensor in results}
