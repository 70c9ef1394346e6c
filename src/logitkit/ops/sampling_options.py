"""How tokens are drawn: the options of `sample`, in the order in which they take effect."""

from __future__ import annotations

from dataclasses import dataclass

from logitkit.checks import check_at_least_zero, check_count, check_finite, check_fraction, check_temperature

__all__ = ["SamplingOptions", "Steps", "steps_of"]

UNLIMITED = 2**62
Steps = tuple[int, float, float, float]


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    r"""How `sample` draws: the steps that narrow or bend the distribution, in the order in which they are taken.

    1. Penalties, on tokens that went before: a logit z becomes z · r where z < 0 and z / r elsewhere, then falls by
       presence + frequency · count.
    2. Temperature T divides the logits. 0 is greedy: the largest logit, ties to the lower index, has probability 1.
    3. Top-k keeps the k largest.
    4. Top-p (nucleus) keeps the fewest of the largest whose probabilities reach p, among what step 3 left.
    5. Min-p keeps what is at least p times as probable as the likeliest.
    6. Typical keeps the fewest tokens whose probabilities reach p, of those whose -log p is nearest to the entropy of
       what is left. The likeliest token may go.

    Each step keeps one token at least; of equal tokens, the lower index.

    Args:
        temperature: at least 0; 1 changes nothing.
        top_k: at least 1; V or more, or None, keeps all.
        top_p, typical_p: in [0, 1]; None or 1 keeps all, 0 a single token.
        min_p: in [0, 1]; None or 0 keeps all, 1 only those as probable as the likeliest.
        repetition_penalty: r > 0; above 1 it discourages, 1 changes nothing.
        presence_penalty, frequency_penalty: finite; above 0 they discourage, 0 changes nothing.

    Raises:
        OptionError: if one is out of its range.

    This is the order of Hugging Face transformers. vLLM takes min-p before top-k and top-p. llama.cpp takes typical
    before top-p and the temperature last, and its top-p at T ≠ 1 therefore differs. transformers and vLLM keep all
    that tie with the k-th token; here, as in llama.cpp, k is k. Penalties look at all of `previous`, as llama.cpp's do,
    while vLLM takes presence and frequency from the answer alone: pass what should count.

    Example:
        >>> from logitkit import ops
        >>> ops.SamplingOptions(temperature=0.7, top_k=50, top_p=0.95).top_k
        50

    References:
        Top-k: Fan et al. 2018. Top-p: Holtzman et al. 2020. Typical: Meister et al. 2023. Min-p: Nguyen et al. 2025.
        Repetition penalty: Keskar et al. 2019.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0

    def __post_init__(self) -> None:
        """Check every option once, so that drawing need not."""
        name = "SamplingOptions"
        if check_at_least_zero(self.temperature, "temperature", name) > 0.0:
            check_temperature(self.temperature, name)
        if self.top_k is not None:
            check_count(self.top_k, 1, UNLIMITED, "top_k", name)
        for option in ("top_p", "min_p", "typical_p"):
            if getattr(self, option) is not None:
                check_fraction(getattr(self, option), option, name)
        check_temperature(self.repetition_penalty, name, "repetition_penalty")
        check_finite(self.presence_penalty, "presence_penalty", name)
        check_finite(self.frequency_penalty, "frequency_penalty", name)


def steps_of(options: SamplingOptions, V: int) -> Steps:
    """Return top-k, top-p, min-p and typical-p as kernels take them: what is None keeps all."""
    return (
        V if options.top_k is None else min(int(options.top_k), V),
        1.0 if options.top_p is None else float(options.top_p),
        0.0 if options.min_p is None else float(options.min_p),
        1.0 if options.typical_p is None else float(options.typical_p),
    )
