"""Times arg max, top-k, uncertainty and sampling against PyTorch and NumPy, two threads each, in one run.

    python benchmarks/selection.py [--repeats 15]

Results are compared before anything is timed: the same values, the same tokens kept. The chain of processors
in PyTorch is written as Hugging Face transformers writes it. Writes results/selection.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = 2
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))

import numpy as np  # noqa: E402
import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))

from logitkit import ops  # noqa: E402
from logitkit.kernels import set_threads  # noqa: E402
from machine import describe, medians_ms, write_json  # noqa: E402

Work = Callable[[], Any]
Case = tuple[str, tuple[int, int], dict[str, Work], dict[str, float], float | None]

ARGMAX_SHAPES = [(2_000_000, 3), (1_000_000, 10), (20_000, 1_000), (32, 131_072)]
TOP_K = [(32, 131_072, 5), (32, 131_072, 50), (32, 131_072, 1_000), (20_000, 1_000, 5)]
UNCERTAINTY_SHAPES = [(1_000_000, 10), (32, 131_072)]
CHAIN = ops.SamplingOptions(temperature=0.8, top_k=50, top_p=0.95)
CHAINS = {"temperature + top-k + top-p": CHAIN, "top-p": ops.SamplingOptions(top_p=0.95), "temperature": None}
V = 128_256
BURST = 20  # calls of few logits are timed by so many at a time, in a warm cache, as a model's loop makes them
FEW = 2**23


def logits_of(N: int, C: int) -> Any:
    """Return logits that resemble a model's: most are noise, a few stand out."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (N, C)).astype(np.float32)
    if C >= 1_000:
        rows, places = np.arange(N)[:, None], rng.integers(0, C, (N, 40))
        logits[rows, places] += rng.exponential(4.0, (N, 40)).astype(np.float32) + 4.0
    return logits


def torch_chain(scores: Any, options: ops.SamplingOptions) -> Any:
    """Return the processed logits, written as transformers' warpers are."""
    if options.temperature != 1.0:
        scores = scores / options.temperature
    if options.top_k is not None:
        scores = scores.masked_fill(scores < torch.topk(scores, options.top_k)[0][..., -1, None], -torch.inf)
    if options.top_p is not None:
        ordered, indices = torch.sort(scores, descending=False)
        remove = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - options.top_p
        remove[..., -1:] = 0
        scores = scores.masked_fill(remove.scatter(1, indices, remove), -torch.inf)
    return scores


def selection_cases() -> list[Case]:
    """Return what selects: arg max, top-k, ranks."""
    cases: list[Case] = []
    for N, C in ARGMAX_SHAPES:
        logits = logits_of(N, C)
        tensor = torch.from_numpy(logits)
        works: dict[str, Work] = {
            "logitkit": lambda z=logits: ops.argmax(z),  # type: ignore[misc]
            "torch": lambda t=tensor: torch.argmax(t, -1),  # type: ignore[misc]
            "numpy": lambda z=logits: z.argmax(-1),  # type: ignore[misc]
        }
        cases.append(("argmax", (N, C), works, {"numpy": 1.0}, None))
    for N, C, k in TOP_K:
        logits = logits_of(N, C)
        tensor = torch.from_numpy(logits)
        works = {
            "logitkit": lambda z=logits, k=k: ops.top_k(z, k)[0],  # type: ignore[misc]
            "torch": lambda t=tensor, k=k: torch.topk(t, k)[0],  # type: ignore[misc]
        }
        cases.append((f"top_k, k = {k}", (N, C), works, {"torch": 15.0} if (C, k) == (131_072, 50) else {}, None))
    return cases


def uncertainty_cases() -> list[Case]:
    """Return what says how sure a row is."""
    cases: list[Case] = []
    for N, C in UNCERTAINTY_SHAPES:
        logits = logits_of(N, C)
        tensor = torch.from_numpy(logits)

        def torch_margin(t: Any = tensor) -> Any:
            two = torch.topk(t, 2)[0]
            return two[:, 0] - two[:, 1]

        def torch_entropy(t: Any = tensor) -> Any:
            log_probs = torch.log_softmax(t, -1)
            return -(log_probs * log_probs.exp()).sum(-1)

        pairs: dict[str, tuple[Work, Work]] = {
            "margin": (lambda z=logits: ops.margin(z), torch_margin),  # type: ignore[misc]
            "entropy": (lambda z=logits: ops.entropy(z), torch_entropy),  # type: ignore[misc]
            "energy": (lambda z=logits: ops.energy(z), lambda t=tensor: -torch.logsumexp(t, -1)),  # type: ignore[misc]
        }
        cases += [(name, (N, C), {"logitkit": a, "torch": b}, {}, None) for name, (a, b) in pairs.items()]
    return cases


def sampling_cases() -> list[Case]:
    """Return what draws tokens, and first compare what is kept."""
    cases: list[Case] = []
    for N in (1, 32):
        logits = logits_of(N, V)
        tensor = torch.from_numpy(logits)
        for name, given in CHAINS.items():
            options = given or ops.SamplingOptions(temperature=0.8)
            ours, theirs = ops.process_logits(logits, options), torch_chain(tensor, options).numpy()
            differ = (ours > -np.inf) != (theirs > -np.inf)
            if differ.sum() > 2 * N:  # float32 sums may put a border one token off
                raise AssertionError(f"{name}: {differ.sum()} tokens kept by one library only")
            generator = np.random.default_rng(0)

            def torch_sample(t: Any = tensor, options: ops.SamplingOptions = options) -> Any:
                return torch.multinomial(torch_chain(t, options).softmax(-1), 1)

            def our_sample(z: Any = logits, options: ops.SamplingOptions = options, rng: Any = generator) -> Any:
                return ops.sample(z, options, rng=rng)

            bar = N == 1 and options is CHAIN
            works: dict[str, Work] = {"logitkit": our_sample, "torch": torch_sample}
            cases.append((f"sample, {name}", (N, V), works, {"torch": 5.0} if bar else {}, 0.060 if bar else None))
    return cases


def burst(work: Work, calls: int) -> Work:
    """Return work that makes so many calls."""

    def calls_in_turn() -> None:
        for _ in range(calls):
            work()

    return calls_in_turn


def check_equal(works: dict[str, Work]) -> None:
    """Raise unless every library gives what logitkit gives, to the rounding of the least precise."""
    ours = np.asarray(works["logitkit"](), dtype=np.float64)
    for name, work in works.items():
        np.testing.assert_allclose(ours, np.asarray(work(), dtype=np.float64), rtol=1e-3, atol=1e-4, err_msg=name)


def main() -> None:
    """Compare, time, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    set_threads(THREADS)
    torch.set_num_threads(THREADS)
    rows, below = [], 0
    print(f"{'task':<38}{'shape':>16}{'logitkit ms':>13}{'torch ×':>10}{'numpy ×':>10}")
    for task, shape, works, bars, most_ms in [*selection_cases(), *uncertainty_cases(), *sampling_cases()]:
        if not task.startswith("sample"):
            check_equal(works)
        calls = BURST if shape[0] * shape[1] < FEW else 1
        times = medians_ms({name: burst(work, calls) for name, work in works.items()}, repeats=repeats)
        times = {name: ms / calls for name, ms in times.items()}
        ratios = {name: times[name] / times["logitkit"] for name in times if name != "logitkit"}
        missed = [name for name, bar in bars.items() if ratios[name] < bar]
        missed += ["ms"] if most_ms is not None and times["logitkit"] > most_ms else []
        below += len(missed)
        rows.append(
            {
                "task": task,
                "shape": list(shape),
                "dtype": "float32",
                "ms": {name: round(ms, 4) for name, ms in times.items()},
                "times_faster_than": {name: round(ratio, 2) for name, ratio in ratios.items()},
                "bars": bars | ({} if most_ms is None else {"ms": most_ms}),
            }
        )
        cells = "".join(
            f"{ratios[name]:>10.2f}" if name in ratios else " " * 10 for name in ("torch", "numpy")
        )  # fmt: skip
        flag = f"   below the bar: {', '.join(missed)}" if missed else ""
        print(f"{task:<38}{'x'.join(map(str, shape)):>16}{times['logitkit']:>13.3f}{cells}{flag}", flush=True)
    machine = describe("logitkit", "numpy", "numba", "torch")
    path = write_json("selection", {"machine": machine, "threads": THREADS, "repeats": repeats, "results": rows})
    print(f"wrote {path}; {below} below the bar")


if __name__ == "__main__":
    main()
