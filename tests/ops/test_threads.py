"""One thread, many threads, many callers, a forked child: the same bits."""

import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from logitkit import ops

SHAPES = [(60_000, 3), (3_000, 100), (3, 131_072)]


def everything(logits, labels):
    """All results of a call of every function, as bytes."""
    loss, grad = ops.cross_entropy(logits, labels, label_smoothing=0.1, grad=True)
    arrays = [ops.softmax(logits), ops.log_softmax(logits), ops.logsumexp(logits), grad, np.float64(loss)]
    arrays += [ops.argmax(logits), *ops.top_k(logits, 2), ops.softmax(logits, axis=0)]
    for loss, grad in (
        ops.binary_cross_entropy(logits, logits > 0, grad=True),
        ops.focal_loss(logits, labels, grad=True),
        ops.distillation_loss(logits, logits[::-1], labels, grad=True),
    ):
        arrays += [np.float64(loss), grad]
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_number_of_threads_changes_no_bit(shape, dtype, rng, threads):
    logits, labels = rng.normal(0, 3, shape).astype(dtype), rng.integers(0, shape[1], shape[0])
    threads(1)
    expected = everything(logits, labels)
    for n in (2, 5):
        threads(n)
        assert everything(logits, labels) == expected


def test_sixteen_callers_at_once(rng, threads):
    threads(4)
    cases = [(rng.normal(0, 3, shape), rng.integers(0, shape[1], shape[0])) for shape in SHAPES]
    expected = [everything(*case) for case in cases]
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda i: everything(*cases[i % 3]) == expected[i % 3], range(48)))
    assert all(results)


def _child(logits, labels, connection):
    connection.send(everything(logits, labels))
    connection.close()


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="no safe fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child(rng, threads):
    threads(3)
    logits, labels = rng.normal(0, 3, SHAPES[0]), rng.integers(0, 3, SHAPES[0][0])
    expected = everything(logits, labels)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(logits, labels, theirs))
    child.start()
    assert ours.poll(60), "the child hangs"
    assert ours.recv() == expected
    child.join(60)
    assert child.exitcode == 0
