"""The mathematics of logits: every function checks, allocates and names; the kernels loop.

Logits come as NumPy, PyTorch or JAX arrays, memory maps or lists, of any shape whose classes lie along one axis, in
float16, bfloat16, float32 or float64. Results are of the first argument's kind, a loss of PyTorch logits a float64
tensor of no dimension, with the same bits at any number of threads.
"""

from logitkit.ops.backward import log_softmax_backward, logsumexp_backward, softmax_backward
from logitkit.ops.binary_cross_entropy import binary_cross_entropy
from logitkit.ops.cross_entropy import cross_entropy
from logitkit.ops.divergence import distillation_loss, kl_divergence
from logitkit.ops.focal import binary_focal_loss, focal_loss
from logitkit.ops.info_nce import InfoNCEGrads, info_nce
from logitkit.ops.linear_cross_entropy import LinearGrads, linear_cross_entropy
from logitkit.ops.sampling import process_logits, sample
from logitkit.ops.sampling_options import SamplingOptions
from logitkit.ops.select import argmax, rank_of_label, top_k
from logitkit.ops.sigmoid import log_sigmoid, sigmoid, softplus
from logitkit.ops.sigmoid_pairwise import SigmoidPairwiseGrads, sigmoid_pairwise_loss
from logitkit.ops.softmax import log_softmax, logsumexp, softmax
from logitkit.ops.supervised_contrastive import SupervisedContrastiveGrads, supervised_contrastive_loss
from logitkit.ops.triplet import triplet_loss
from logitkit.ops.uncertainty import energy, entropy, margin

__all__ = [
    "InfoNCEGrads",
    "LinearGrads",
    "SamplingOptions",
    "SigmoidPairwiseGrads",
    "SupervisedContrastiveGrads",
    "argmax",
    "binary_cross_entropy",
    "binary_focal_loss",
    "cross_entropy",
    "distillation_loss",
    "energy",
    "entropy",
    "focal_loss",
    "info_nce",
    "kl_divergence",
    "linear_cross_entropy",
    "log_sigmoid",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "logsumexp_backward",
    "margin",
    "process_logits",
    "rank_of_label",
    "sample",
    "sigmoid",
    "sigmoid_pairwise_loss",
    "softmax",
    "softmax_backward",
    "softplus",
    "supervised_contrastive_loss",
    "top_k",
    "triplet_loss",
]
