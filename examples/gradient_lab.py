"""Gradient lab: what the size of logits does to training, and what initialisation, L2 and z-loss do about it.

    python examples/gradient_lab.py --out lab.png

Six small networks learn the same three spirals; only their first weights and their penalties differ. Step by step the
lab notes the loss, the scale of the logits, the length of the gradient and the level of the logits (their logsumexp).
All mathematics of logits is `logitkit.ops`; the layers are a few lines of NumPy. It takes a few seconds.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from logitkit import ops

C, N, WIDTH, DEPTH = 3, 300, 32, 4


@dataclass(frozen=True)
class Setting:
    """What one network does differently: `gain` multiplies the initial weights, right at 1 (He et al., 2015)."""

    name: str
    gain: float = 1.0
    l2: float = 0.0
    z_loss: float = 0.0


GOOD, LARGE, SMALL, L2, Z_LOSS, BOTH = SETTINGS = (
    Setting("good init"),
    Setting("init too large", gain=4.0),
    Setting("init too small", gain=0.1),
    Setting("good init + L2", l2=0.003),
    Setting("good init + z-loss", z_loss=0.1),
    Setting("good init + both", l2=0.003, z_loss=0.1),
)


@dataclass(frozen=True)
class Course:
    """What the lab noted, one number a step."""

    setting: Setting
    loss: Any  # mean cross-entropy, without the penalties
    logit_scale: Any  # root mean square of the logits about the mean of their row: shifts do not count
    grad_norm: Any  # length of the loss's gradient by all weights, penalties included
    saturated: Any  # share of rows whose largest probability is above 0.999
    level: Any  # mean |logsumexp|: what the z-loss holds near 0
    accuracy: float


def spirals(rng: np.random.Generator) -> tuple[Any, Any]:
    """Return points [N, 2] on C arms, with a little noise, and the arm that each belongs to."""
    labels = np.arange(N) % C
    radius = rng.uniform(0.15, 1.0, N)
    angle = 4.0 * radius + labels * (2.0 * math.pi / C) + rng.normal(0.0, 0.15, N)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) * 1.5, labels


def first_weights(rng: np.random.Generator, gain: float) -> list[Any]:
    """Return a matrix a layer; with gain 1 the size of what passes through them stays the same from layer to layer."""
    widths = [2, *[WIDTH] * (DEPTH - 1), C]
    gains = [gain * math.sqrt(2.0)] * (DEPTH - 1) + [gain]
    return [rng.normal(0.0, g / math.sqrt(n), (n, m)) for g, n, m in zip(gains, widths[:-1], widths[1:], strict=True)]


def train(setting: Setting, steps: int = 600, rate: float = 0.05, seed: int = 0) -> Course:
    """Train one network on all points at once by gradient descent with momentum, and note what happens."""
    rng = np.random.default_rng(seed)
    points, labels = spirals(rng)
    weights = first_weights(rng, setting.gain)
    biases = [np.zeros(w.shape[1]) for w in weights]
    parameters = weights + biases
    speeds = [np.zeros_like(p) for p in parameters]
    notes: list[tuple[float, ...]] = []
    for _ in range(steps):
        inputs = [points]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(np.maximum(inputs[-1] @ w + b, 0.0))
        logits = inputs[-1] @ weights[-1] + biases[-1]

        loss = ops.cross_entropy(logits, labels)
        _, grad_logits = ops.cross_entropy(logits, labels, z_loss=setting.z_loss, grad=True)

        grads = [np.zeros_like(p) for p in parameters]
        flowing = grad_logits
        for layer in reversed(range(DEPTH)):
            grads[layer] = inputs[layer].T @ flowing + setting.l2 * weights[layer]
            grads[DEPTH + layer] = flowing.sum(axis=0)
            flowing = (flowing @ weights[layer].T) * (inputs[layer] > 0.0)

        centred = logits - logits.mean(axis=1, keepdims=True)
        notes.append(
            (
                loss,
                math.sqrt(np.mean(centred**2)),
                math.sqrt(sum(float(np.sum(g * g)) for g in grads)),
                float(np.mean(ops.softmax(logits).max(axis=1) > 0.999)),
                float(np.mean(np.abs(ops.logsumexp(logits)))),
            )
        )
        for i, g in enumerate(grads):
            speeds[i] = 0.9 * speeds[i] - rate * g
            parameters[i] += speeds[i]  # in place: `weights` and `biases` are these arrays
    accuracy = float(np.mean(ops.argmax(logits) == labels))
    return Course(setting, *np.array(notes).T, accuracy)


def table(courses: Sequence[Course]) -> str:
    """Return the first and the last step of each course, side by side."""
    lines = [
        f"{'':20}|{'first step':^33}|{'last step':^51}",
        f"{'':20}|{'loss':>8}{'scale':>8}{'gradient':>9}{'satur.':>7} "
        f"|{'loss':>9}{'scale':>8}{'gradient':>9}{'satur.':>7}{'level':>8}{'right':>8}",
    ]
    lines += [
        f"{c.setting.name:20}|{c.loss[0]:8.2f}{c.logit_scale[0]:8.2g}{c.grad_norm[0]:9.2g}{c.saturated[0]:7.0%} "
        f"|{c.loss[-1]:9.4f}{c.logit_scale[-1]:8.1f}{c.grad_norm[-1]:9.2g}{c.saturated[-1]:7.0%}"
        f"{c.level[-1]:8.2f}{c.accuracy:8.1%}"
        for c in courses
    ]
    return "\n".join(lines)


def words(courses: Sequence[Course]) -> list[str]:
    """Say what is seen, with the numbers that show it."""
    good, large, small, l2, z_loss, both = courses
    until = [next((i for i, loss in enumerate(c.loss) if loss < 0.5 * math.log(C)), len(c.loss)) for c in courses]
    return [
        f"A network that knows nothing should say so: its first loss is log {C} = {math.log(C):.2f}. "
        f"The good start has {good.loss[0]:.2f}.",
        f"Weights {LARGE.gain:g} times too large: {DEPTH} layers make the logits {LARGE.gain:g}^{DEPTH} = "
        f"{LARGE.gain**DEPTH:.0f} times as large. The first loss is {large.loss[0]:.0f}, and softmax is certain (above "
        f"0.999) in {large.saturated[0]:.0%} of the rows though nothing has been learnt. How this ends is luck: here "
        f"with {large.accuracy:.0%} of the rows right, where the good start has {good.accuracy:.0%}.",
        f"Weights {1 / SMALL.gain:g} times too small: the first gradient has length {small.grad_norm[0]:.1g}, not "
        f"{good.grad_norm[0]:.1g}, and halving the loss takes {until[2]} steps, not {until[0]}.",
        f"Without a penalty the logits grow as long as one trains: their scale is {good.logit_scale[-1]:.1f} at the "
        f"end, and {good.saturated[-1]:.0%} of the rows are saturated. L2 holds the scale at {l2.logit_scale[-1]:.1f}.",
        f"The z-loss holds the level: mean |logsumexp| is {z_loss.level[-1]:.2f} with it, {good.level[-1]:.1f} "
        f"without. The scale it leaves nearly free ({z_loss.logit_scale[-1]:.1f}); both penalties together hold both "
        f"({both.level[-1]:.2f} and {both.logit_scale[-1]:.1f}).",
    ]


def draw(courses: Sequence[Course], path: Path) -> None:
    """Draw loss, logit scale, gradient norm and level over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = (
        ("loss", "Cross-entropy", f"log {C}", math.log(C)),
        ("logit_scale", "Scale of the logits", "", None),
        ("grad_norm", "Length of the gradient", "", None),
        ("level", "Level of the logits: mean |logsumexp|", "", None),
    )
    colours = ("#1b6ca8", "#c0392b", "#e08e0b", "#2e8b57", "#7d5ba6", "#444444")
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), sharex=True, layout="constrained")
    for axis, (field, title, label, line) in zip(axes.flat, panels, strict=True):
        for course, colour in zip(courses, colours, strict=True):
            axis.plot(getattr(course, field), color=colour, linewidth=1.6, label=course.setting.name)
        if line is not None:
            axis.axhline(line, color="#999999", linewidth=1, linestyle=":")
            axis.annotate(
                label, (0.99, line), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="#777777"
            )
        axis.set_yscale("log")
        axis.set_title(title, loc="left", fontsize=11)
        axis.grid(color="#e6e6e6", linewidth=0.8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[1]:
        axis.set_xlabel("step")
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(courses), frameon=False
    )
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all settings, print the table and the words, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gradient-lab.png"), help="where the picture goes")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    courses = [train(setting, options.steps, seed=options.seed) for setting in SETTINGS]
    print(table(courses), *words(courses), sep="\n\n")
    draw(courses, options.out)
    print(f"\nDrawn: {options.out}")


if __name__ == "__main__":
    main()
