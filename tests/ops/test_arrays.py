"""Whose arrays come in: no copy where the memory allows it, and nobody's memory is written into."""

import doctest
import importlib

import numpy as np
import pytest

from logitkit import ops
from logitkit.arrays import to_numpy
from logitkit.errors import InputError

MODULES = ["arrays", "checks", "kernels", "ops.softmax", "ops.cross_entropy", "ops.select"]


class Wrapped:
    """An array that only says how it is read."""

    def __init__(self, array):
        self.array = array


class WithArray(Wrapped):
    def __array__(self, dtype=None, copy=None):
        return self.array


class WithDlpack(Wrapped):
    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_memory_is_shared(rng):
    array = rng.normal(size=(3, 4)).astype(np.float32)
    for other in (array, WithArray(array), WithDlpack(array), memoryview(array)):
        assert np.shares_memory(to_numpy(other, "logits", "softmax"), array)
        assert np.array_equal(ops.softmax(other), ops.softmax(array))


def test_pytorch_memory_is_shared(rng):
    torch = pytest.importorskip("torch")
    tensor = torch.randn(3, 4)
    for other in (tensor, tensor.clone().requires_grad_(), tensor.bfloat16(), tensor.half(), tensor.t()):
        address = to_numpy(other, "logits", "softmax").__array_interface__["data"][0]
        assert address == other.data_ptr()
    with pytest.raises(InputError, match="must be an array of numbers in the memory of the CPU; got Tensor"):
        ops.softmax(torch.randn(3, device="meta"))


def test_a_memory_map_is_read_as_it_lies(tmp_path, rng):
    array = rng.normal(size=(500, 7)).astype(np.float32)
    np.save(tmp_path / "logits.npy", array)
    mapped = np.load(tmp_path / "logits.npy", mmap_mode="r")
    assert np.array_equal(ops.softmax(mapped), ops.softmax(array))
    with (tmp_path / "odd.bin").open("wb") as file:
        file.write(b"x" + array.tobytes())
    odd = np.memmap(tmp_path / "odd.bin", np.float32, "r", offset=1, shape=array.shape)
    assert not odd.flags.aligned
    assert np.array_equal(ops.softmax(odd), ops.softmax(array))
    labels = np.zeros(500, int)
    assert ops.cross_entropy(odd, labels) == ops.cross_entropy(array, labels)
    assert np.array_equal(ops.argmax(odd), array.argmax(1))


def test_types_of_results():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64):
        logits = np.array([[1.0, 2.0]], dtype)
        assert ops.softmax(logits).dtype == dtype
        assert ops.logsumexp(logits).dtype == dtype
        assert ops.top_k(logits, 1)[0].dtype == dtype
        assert ops.cross_entropy(logits, [1], grad=True)[1].dtype == dtype
    assert ops.softmax([[1, 2]]).dtype == np.float64
    assert ops.softmax(np.array([[1, 2]], np.int8)).dtype == np.float64
    assert ops.softmax(np.array([[1.0, 2.0]], ">f4")).dtype == np.dtype("=f4")


def test_nobodys_flags_change(rng):
    array = rng.normal(size=(3, 4))
    ops.softmax(array), ops.argmax(array), ops.cross_entropy(array, [0, 1, 2], grad=True)
    assert array.flags.writeable


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(f"logitkit.{name}")
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0
