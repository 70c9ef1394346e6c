"""Whose arrays go out: of the caller's kind, in the results' own memory, with no gradient lost in silence."""

import dataclasses
import inspect
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pytest

from logitkit import ops
from logitkit.errors import InputError
from logitkit.kinds import returns_callers_kind

LOGITS = np.array([[2.0, 1.0, 0.1], [0.0, 3.0, -1.0]])


class Pair(NamedTuple):
    values: object
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    values: object
    count: int
    name: str | None
    nested: tuple


made = []


@returns_callers_kind
def everything(logits, *, out=None, values_out=None, grad=False):
    """Return something of every form, and remember whose memory it is."""
    array = np.full(3, 0.5, np.float32) if values_out is None else values_out
    made.append(array)
    return Record(array, 3, None, ([array, np.float32(2.0), 0.25], Pair(array, "pair"), {"a": np.arange(2)}))


def test_signature_and_words_stay():
    assert list(inspect.signature(ops.softmax).parameters)[:2] == ["logits", "axis"]
    assert ops.softmax.__name__ == "softmax" and "Bridle" in ops.softmax.__doc__


def test_numpy_gets_what_the_function_made():
    for caller in (LOGITS, LOGITS.tolist(), tuple(LOGITS), memoryview(LOGITS), np.float32(1.0)):
        record = everything(caller)
        assert record.values is made[-1] and record.nested[0][0] is made[-1]
        assert type(record.nested[0][2]) is float and type(record.count) is int
    assert type(ops.logsumexp(logits=[1.0])) is np.float64
    assert type(ops.cross_entropy(LOGITS, [0, 1])) is float


def test_tensors_share_the_memory_of_results():
    torch = pytest.importorskip("torch")
    record = everything(torch.zeros(3))
    assert record.values.data_ptr() == made[-1].ctypes.data == record.nested[0][0].data_ptr()
    assert record.nested[1].values.data_ptr() == made[-1].ctypes.data
    kinds = [record.nested[0][1], record.nested[0][2], record.nested[2]["a"], record.count]
    assert [kind.dtype for kind in kinds] == [torch.float32, torch.float64, torch.int64, torch.int64]
    assert kinds[0].shape == kinds[1].shape == ()
    assert record.name is None and record.nested[1].name == "pair" and type(record.nested[1]) is Pair


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_tensors_keep_their_type(dtype):
    torch = pytest.importorskip("torch")
    logits = torch.from_numpy(LOGITS).to(getattr(torch, dtype))
    loss, grad = ops.cross_entropy(logits, torch.tensor([0, 1]), grad=True)
    values, indices = ops.top_k(logits, 2)
    for tensor in (ops.softmax(logits), ops.log_softmax(logits), ops.logsumexp(logits), grad, values):
        assert type(tensor) is torch.Tensor and tensor.dtype == logits.dtype
    assert loss.dtype == torch.float64 and loss.shape == ()
    assert indices.dtype == ops.argmax(logits).dtype == torch.int64
    assert ops.logsumexp(logits[0]).shape == ops.argmax(logits[0]).shape == ()
    expected = torch.softmax(logits.double(), -1)
    torch.testing.assert_close(
        ops.softmax(logits), expected, check_dtype=False, rtol=torch.finfo(logits.dtype).eps, atol=0
    )


def test_a_tensor_may_be_the_buffer():
    torch = pytest.importorskip("torch")
    logits, out = torch.from_numpy(LOGITS).bfloat16(), torch.empty(3, 2, dtype=torch.bfloat16).t()
    version = out._version
    assert ops.softmax(logits, probs_out=out) is out
    assert torch.equal(out, ops.softmax(logits))
    assert out._version > version  # or a graph that had saved it would use other numbers
    loss, grad = ops.cross_entropy(logits, [0, 1], grad_out=out)
    assert grad is out and torch.is_tensor(loss)
    double = torch.empty(2, 3, dtype=torch.float64)
    assert ops.softmax(LOGITS, probs_out=double) is double
    assert np.array_equal(double, ops.softmax(LOGITS))
    array = np.empty((2, 3))
    assert ops.softmax(torch.from_numpy(LOGITS), probs_out=array) is array
    inplace = torch.from_numpy(LOGITS.copy())
    assert ops.softmax(inplace, probs_out=inplace) is inplace
    assert torch.equal(inplace, double)


def test_buffers_that_cannot_be_written_are_refused():
    torch = pytest.importorskip("torch")
    leaf = torch.zeros(2, 3, requires_grad=True)
    with pytest.raises(InputError, match=r"must be an array to write into; got a tensor that requires a gradient"):
        ops.softmax(leaf.detach(), probs_out=leaf)
    with pytest.raises(InputError, match="elements have no memory of their own"):
        ops.softmax(leaf.detach(), probs_out=torch.zeros(3).expand(2, 3))
    with pytest.raises(InputError, match=r"must be a writable float32 array \[2, 3\]; got a float64 array"):
        ops.softmax(leaf.detach(), probs_out=torch.zeros(2, 3, dtype=torch.float64))
    with pytest.raises(InputError, match=r"must be a writable float64 array \[2, 3\]; got list"):
        ops.softmax(LOGITS, probs_out=[])


def test_no_gradient_is_lost_in_silence():
    torch = pytest.importorskip("torch")
    leaf = torch.from_numpy(LOGITS).requires_grad_()
    for call in (ops.softmax, ops.logsumexp, lambda z: ops.top_k(z, 2), lambda z: ops.cross_entropy(z, [0, 1])):
        with pytest.raises(InputError, match=r"would lose the gradient .* use logitkit.torch, torch.no_grad\(\) or"):
            call(leaf)
        with torch.no_grad():
            assert call(leaf) is not None
    with pytest.raises(InputError, match="would lose the gradient"):
        ops.cross_entropy(leaf.detach(), [0, 1], class_weights=torch.ones(3, requires_grad=True))
    assert ops.argmax(leaf).tolist() == [0, 1]  # indices never had a gradient
    assert not ops.cross_entropy(leaf, [0, 1], grad=True)[1].requires_grad  # the caller takes it by hand


def test_results_that_torch_cannot_hold_are_copied():
    torch = pytest.importorskip("torch")
    held = np.arange(3.0)
    held.flags.writeable = False
    for array in (held, np.arange(3.0)[::-1], np.arange(3.0).astype(">f8")):
        tensor = returns_callers_kind(lambda logits, array=array: array)(torch.zeros(1))
        assert tensor.tolist() == array.tolist()


def test_other_namespaces():
    class Space:
        @staticmethod
        def from_dlpack(array):
            return Space(np.from_dlpack(array))

        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return self.array

        def __array_namespace__(self):
            return Space

    probs = ops.softmax(Space(LOGITS))
    assert type(probs) is Space and np.array_equal(probs.array, ops.softmax(LOGITS))
    assert type(everything(Space(LOGITS)).values) is Space
    assert np.shares_memory(everything(Space(LOGITS)).values.array, made[-1])
    ml_dtypes = pytest.importorskip("ml_dtypes")  # which DLPack does not carry from NumPy
    assert type(ops.softmax(Space(LOGITS.astype(ml_dtypes.bfloat16)))) is np.ndarray


JAX = """
import jax, jax.numpy as jnp, numpy as np
from logitkit import ops
from logitkit.errors import InputError

logits = jnp.array([[2.0, 1.0, 0.1], [0.0, 3.0, -1.0]])
probs = ops.softmax(logits)
assert isinstance(probs, jax.Array) and probs.dtype == jnp.float32 and probs.device == logits.device
assert np.allclose(probs, jax.nn.softmax(logits), rtol=1e-6)
for dtype in (jnp.float16, jnp.bfloat16):
    assert ops.softmax(logits.astype(dtype)).dtype == dtype
loss, grad = ops.cross_entropy(logits, jnp.array([0, 1]), grad=True)
assert isinstance(loss, jax.Array) and loss.shape == () and grad.dtype == jnp.float32
assert np.allclose(grad, jax.grad(lambda z: -jax.nn.log_softmax(z)[jnp.arange(2), jnp.array([0, 1])].mean())(logits))
assert ops.argmax(logits).tolist() == [0, 1] and isinstance(ops.argmax(logits), jax.Array)
buffer = np.empty((2, 3), np.float32)
assert ops.softmax(logits, probs_out=buffer) is buffer

def refused(call, words):
    try:
        call()
    except InputError as error:
        assert words in str(error) and "\\n" not in str(error), error
    else:
        raise AssertionError(words)

refused(lambda: ops.softmax(logits, probs_out=jnp.zeros((2, 3))), "got a JAX array, which never changes.")
tracer = "The 'logits' of softmax must be a plain array of numbers in the memory of the CPU; got a JAX tracer"
refused(lambda: jax.jit(ops.softmax)(logits), tracer)
refused(lambda: jax.grad(lambda z: ops.softmax(z).sum())(logits), tracer)
shape = jax.ShapeDtypeStruct(logits.shape, logits.dtype)
inside = jax.jit(lambda z: jax.pure_callback(ops.softmax, shape, z))(logits)
assert np.array_equal(inside, probs)
with jax.enable_x64(True):
    assert ops.softmax(jnp.array([1.0, 2.0])).dtype == jnp.float64
aligned = np.empty(4160, np.uint8)
aligned = aligned[-aligned.ctypes.data % 64 :][:4096].view(np.float32)
from logitkit.kinds import returns_callers_kind
shared = returns_callers_kind(lambda logits: aligned)(logits)
assert shared.unsafe_buffer_pointer() == aligned.ctypes.data
print("done")
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="needs JAX")
def test_jax():
    # In a process of its own: JAX starts threads that a fork in another test would have to fear.
    command = [sys.executable, "-W", "error", "-c", JAX]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "done", done.stderr


def batch(torch, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3000, 100, generator=generator)
    return logits, torch.randint(0, 100, (3000,), generator=generator)


def results(logits, labels):
    loss, grad = ops.cross_entropy(logits, labels, grad=True)
    return [tensor.numpy().tobytes() for tensor in (loss, grad, ops.softmax(logits), *ops.top_k(logits, 3))]


def test_sixteen_callers_with_tensors(threads):
    torch = pytest.importorskip("torch")
    threads(2)
    cases = [batch(torch, seed) for seed in range(4)]
    expected = [results(*case) for case in cases]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda i: results(*cases[i % 4]) == expected[i % 4], range(32)))


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="no safe fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_with_tensors(threads):
    torch = pytest.importorskip("torch")
    threads(2)
    case = batch(torch, 1)
    expected = results(*case)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=lambda: theirs.send(results(*case) == expected))
    child.start()
    assert ours.poll(60), "the child hangs"
    assert ours.recv()
    child.join(60)
    assert child.exitcode == 0
