"""Draw the figures of the guide as SVG, in English and in Chinese: `python docs/guide/figures.py [FOLDER]`.

Every curve is computed here by `logitkit.ops`; the lab's curves come from `examples/gradient_lab.py`. The files are the
same on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from logitkit import ops

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import gradient_lab
from drawing import COLOURS, Panel, line, svg

HERE = Path(__file__).resolve().parent
Words = Callable[[str, str], str]  # picks the English or the Chinese one


def steps(say: Words) -> str:
    """Three logits, their exponentials, their probabilities."""
    logits = np.array([2.0, 1.0, 0.1])
    names = [say("Technology", "科技"), say("Entertainment", "娱乐"), say("News", "新闻")]
    rows = (
        (say("logits z", "logits z"), logits, (0.0, 2.4), "{:.1f}"),
        (say("exponentials eᶻ", "指数 eᶻ"), np.exp(logits), (0.0, 8.8), "{:.2f}"),
        (say("probabilities eᶻ / 11.21", "概率 eᶻ / 11.21"), ops.softmax(logits), (0.0, 0.79), "{:.3f}"),
    )
    panels = []
    for i, (title, values, bounds, form) in enumerate(rows):
        panel = Panel(20 + 265 * i, 45, 245, 150, (-0.5, 2.5), bounds).axes(title, [], [])
        for c, value in enumerate(values):
            panel.bar(c, value, COLOURS[c], form.format(value))
            panel.write(names[c], panel.px(c), 212, "small", "middle")
        panels.append(panel)
    return svg(800, 230, say("From logits to probabilities", "从 logits 到概率"), *panels)


def temperature(say: Words) -> str:
    """The probabilities over the temperature."""
    names = [say("Technology", "科技"), say("Entertainment", "娱乐"), say("News", "新闻")]
    temperatures = np.geomspace(0.1, 20.0, 80)
    probs = np.array([ops.softmax([2.0, 1.0, 0.1], temperature=T) for T in temperatures])
    panel = Panel(50, 40, 560, 220, (0.1, 20.0), (0.0, 1.0), log_x=True)
    label = say("temperature T", "温度 T")
    panel.axes(say("probability", "概率"), [0.1, 0.2, 0.5, 1, 2, 5, 10, 20], [0, 0.25, 0.5, 0.75, 1], label)
    panel.parts.append(line(panel.px(1), panel.top, panel.px(1), panel.top + panel.height, "mark"))
    for c, (at, dy, anchor) in enumerate(((0.6, -6, "start"), (0.6, -6, "end"), (1.5, 18, "start"))):
        panel.curve(temperatures, probs[:, c], COLOURS[c])
        i = int(np.searchsorted(temperatures, at))
        panel.write(names[c], panel.px(at), panel.py(probs[i, c]) + dy, "", anchor, COLOURS[c])
    return svg(640, 310, say("Softmax over the temperature", "softmax 随温度的变化"), panel)


def logarithm(say: Words) -> str:
    """log(softmax) in float32 goes down in steps and falls off; log_softmax is a line."""
    gaps = np.linspace(96.0, 108.0, 481).astype(np.float32)
    rows = np.stack([np.zeros_like(gaps), -gaps], axis=1)
    with np.errstate(divide="ignore"):
        detour = np.log(ops.softmax(rows))[:, 1]
    direct = ops.log_softmax(rows)[:, 1]
    panel = Panel(60, 40, 550, 220, (96.0, 108.0), (-108.0, -96.0))
    label = say("how far the class is behind", "该类别落后多少")
    panel.axes(say("log-probability, float32", "对数概率，float32"), range(96, 109, 2), range(-108, -95, 2), label)
    panel.curve(gaps, direct, COLOURS[0], "6 3")
    panel.curve(gaps, detour, COLOURS[1])
    last = int(np.flatnonzero(np.isfinite(detour))[-1])
    panel.write(
        say("−∞ from here", "此后为 −∞"), panel.px(float(gaps[last])) + 8, panel.py(-103.4), "", colour=COLOURS[1]
    )
    panel.write("log_softmax", panel.px(105.3), panel.py(-106.2), "", "end", COLOURS[0])
    panel.write("log(softmax)", panel.px(99.3), panel.py(-98.5), "", colour=COLOURS[1])
    return svg(640, 310, say("The logarithm of a small probability", "小概率的对数"), panel)


def gradient(say: Words) -> str:
    """Cross-entropy keeps pulling at a wrong answer; squared error lets go."""
    leads = np.linspace(-12.0, 12.0, 193)
    rows = np.stack([leads, np.zeros_like(leads)], axis=1)
    _, grad = ops.cross_entropy(rows, np.zeros(len(rows), int), reduction="sum", grad=True)
    probs = ops.softmax(rows)
    residual = probs - [1.0, 0.0]
    squared = probs * (residual - np.sum(residual * probs, axis=1, keepdims=True))
    panel = Panel(50, 40, 560, 220, (-12.0, 12.0), (0.0, 1.1))
    label = say("how far the right class is ahead", "正确类别领先多少")
    panel.axes(say("pull on its logit", "对它的 logit 的拉力"), range(-12, 13, 4), [0, 0.25, 0.5, 0.75, 1], label)
    panel.parts.append(line(panel.px(0), panel.top, panel.px(0), panel.top + panel.height, "mark"))
    panel.curve(leads, -grad[:, 0], COLOURS[0])
    panel.curve(leads, -squared[:, 0], COLOURS[1])
    panel.write(say("cross-entropy: 1 − p", "交叉熵：1 − p"), panel.px(-11.6), panel.py(1.03), "", colour=COLOURS[0])
    panel.write(say("squared error", "平方误差"), panel.px(-4.2), panel.py(0.18), "", "end", COLOURS[1])
    panel.write(say("wrong", "错"), panel.px(-0.4), panel.top + 10, "small", "end")
    panel.write(say("right", "对"), panel.px(0.4), panel.top + 10, "small")
    return svg(640, 310, say("The gradient of two losses", "两种损失的梯度"), panel)


def lab(say: Words) -> str:
    """Four courses of the gradient lab: loss, scale and level."""
    settings = (gradient_lab.GOOD, gradient_lab.SMALL, gradient_lab.L2, gradient_lab.Z_LOSS)
    courses = [gradient_lab.train(setting, 400) for setting in settings]
    names = (
        say("good init", "初始化得当"), say("init too small", "初始化太小"),
        say("good init + L2", "得当 + L2"), say("good init + z-loss", "得当 + z-loss"),
    )  # fmt: skip
    colours = (COLOURS[0], COLOURS[2], COLOURS[3], COLOURS[4])
    shapes: tuple[tuple[str, str, tuple[float, float], list[float]], ...] = (
        ("loss", say("cross-entropy", "交叉熵"), (1e-4, 10.0), [1e-4, 1e-2, 1]),
        ("logit_scale", say("scale of the logits", "logits 的尺度"), (1e-5, 100.0), [1e-4, 1e-2, 1, 100]),
        ("level", say("level: mean |logsumexp|", "水平：|logsumexp| 均值"), (0.1, 100.0), [0.1, 1, 10, 100]),
    )
    panels = []
    for i, (name, title, bounds, ticks) in enumerate(shapes):
        panel = Panel(50 + 255 * i, 40, 200, 170, (0.0, 400.0), bounds, log_y=True)
        panel.axes(title, [0, 200, 400], ticks, say("step", "步"))
        for course, colour in zip(courses, colours, strict=True):
            every = slice(None, None, 4)
            panel.curve(np.arange(400)[every], getattr(course, name)[every], colour)
        panels.append(panel)
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        x = 60 + 185 * i
        panels[0].parts.append(f'<line x1="{x}" y1="270" x2="{x + 22}" y2="270" stroke="{colour}" stroke-width="3"/>')
        panels[0].write(name, x + 28, 274)
    return svg(780, 290, say("The gradient lab", "梯度实验"), *panels)


def sampling(say: Words) -> str:
    """What temperature, top-k, top-p and min-p leave of one distribution."""
    logits = np.array([4.0, 3.4, 2.9, 2.0, 1.6, 1.0, 0.4, -0.2, -1.0, -2.0])
    probs = ops.softmax(logits)
    ahead = np.concatenate([[0.0], np.cumsum(probs)[:-1]])
    cuts = (
        (say("temperature 0.5", "温度 0.5"), ops.softmax(logits, temperature=0.5)),
        ("top-k 3", ops.softmax(logits, where=np.arange(10) < 3)),
        ("top-p 0.9", ops.softmax(logits, where=ahead < 0.9)),
        ("min-p 0.05", ops.softmax(logits, where=probs >= 0.05 * probs.max())),
    )
    panels = []
    for i, (title, cut) in enumerate(cuts):
        panel = Panel(40 + 185 * i, 45, 165, 140, (-0.7, 9.7), (0.0, 0.75))
        panel.axes(title, [], [0, 0.25, 0.5, 0.75] if i == 0 else [])
        for c in range(10):
            panel.bar(c, probs[c], COLOURS[5], "", 13.0, 0.4)
            panel.bar(c, cut[c], COLOURS[0], "", 7.0)
        panels.append(panel)
    note = say(
        "grey: before; blue: after; ten tokens in the order of their logits",
        "灰：之前；蓝：之后；十个词元按 logit 从大到小排列",
    )
    panels[0].write(note, 40, 212, "small")
    return svg(780, 228, say("Four ways to cut a distribution", "裁剪一个分布的四种办法"), *panels)


FIGURES = (steps, temperature, logarithm, gradient, lab, sampling)


def draw(folder: Path) -> list[Path]:
    """Write all figures: NAME.svg in English, NAME.zh.svg in Chinese."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in FIGURES:
        for suffix, say in (("", lambda english, _: english), (".zh", lambda _, chinese: chinese)):
            path = folder / f"{figure.__name__}{suffix}.svg"
            path.write_text(figure(say), encoding="utf-8")
            written.append(path)
    return written


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "figures")
