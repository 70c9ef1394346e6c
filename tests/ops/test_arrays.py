"""Whose arrays come in: no copy where the memory allows it, and nobody's memory is written into."""

import doctest
import importlib
import warnings

import numpy as np
import pytest

from logitkit import ops
from logitkit.arrays import to_numpy
from logitkit.errors import InputError

MODULES = ["arrays", "kinds", "checks", "kernels", "ops.softmax", "ops.cross_entropy", "ops.select"]


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
        probs = ops.softmax(other)
        assert type(probs) is np.ndarray
        assert np.array_equal(probs, ops.softmax(array))


def test_pytorch_memory_is_shared():
    torch = pytest.importorskip("torch")
    tensor = torch.randn(3, 4)
    views = (tensor.t(), tensor[:, 1], tensor[:1].expand(5, 4), tensor.bfloat16()[:, ::2], torch.nn.Parameter(tensor))
    for other in (tensor, tensor.clone().requires_grad_(), tensor.bfloat16(), tensor.half(), *views):
        array = to_numpy(other, "logits", "softmax")
        assert array.__array_interface__["data"][0] == other.data_ptr()
        assert np.array_equal(array.astype(np.float32), other.detach().float().numpy())
    negative = torch.complex(tensor, tensor).conj().imag
    assert negative.is_neg()
    assert np.array_equal(to_numpy(negative, "logits", "softmax"), -tensor.numpy())


def refused(values, *words, function=ops.softmax):
    with pytest.raises(InputError) as caught:
        function(values)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert message.startswith("The 'logits' of ") and message.endswith(".") and "\n" not in message


def test_tensors_that_cannot_be_read_are_refused_in_one_sentence():
    torch = pytest.importorskip("torch")
    tensor = torch.randn(2, 3)
    refused(tensor.to("meta"), "got a tensor on meta.")
    refused(tensor.to_sparse(), "got a sparse_coo tensor: call .to_dense() first.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are leaving PyTorch
        quantised = torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)
    refused(quantised, "got a quantised tensor: call .dequantize() first.")
    refused(torch.complex(tensor, tensor), "got complex64.")
    refused(tensor > 0, "got bool.")
    refused(tensor.to(torch.float8_e4m3fn), "got Tensor (")


def test_a_mask_is_not_forgotten():
    array = np.ma.masked_invalid([[1.0, np.nan, 2.0]])
    refused(array, "got a masked array, whose mask would be forgotten")
    with pytest.raises(InputError, match=r"The .class_weights. of cross_entropy .* masked array"):
        ops.cross_entropy([[0.0, 0.0, 0.0]], [1], class_weights=array[0])
    with pytest.raises(InputError, match="got a masked array"):
        ops.softmax([[0.0, 0.0, 0.0]], probs_out=array)


def test_a_memory_map_is_read_as_it_lies(tmp_path, rng):
    array = rng.normal(size=(500, 7)).astype(np.float32)
    np.save(tmp_path / "logits.npy", array)
    mapped = np.load(tmp_path / "logits.npy", mmap_mode="r")
    assert np.array_equal(ops.softmax(mapped), ops.softmax(array))
    assert type(ops.softmax(mapped)) is type(ops.top_k(mapped, 2)[0]) is np.ndarray
    with (tmp_path / "odd.bin").open("wb") as file:
        file.write(b"x" + array.tobytes())
    odd = np.memmap(tmp_path / "odd.bin", np.float32, "r", offset=1, shape=array.shape)
    assert not odd.flags.aligned
    assert np.array_equal(ops.softmax(odd), ops.softmax(array))
    labels = np.zeros(500, int)
    assert ops.cross_entropy(odd, labels) == ops.cross_entropy(array, labels)
    assert np.array_equal(ops.argmax(odd), array.argmax(1))
    out = np.memmap(tmp_path / "probs.bin", np.float32, "w+", shape=array.shape)
    assert ops.softmax(mapped, probs_out=out) is out
    assert np.array_equal(out, ops.softmax(array))


def test_tables_come_in():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"News": [2.0, 0.0], "Technology": [0.1, 3.0]})
    loss, grad = ops.cross_entropy(frame, pandas.Series([0, 1]), grad=True)
    again, same = ops.cross_entropy(frame.to_numpy(), [0, 1], grad=True)
    assert type(grad) is np.ndarray and loss == again and np.array_equal(grad, same)
    assert ops.argmax(frame["News"]) == 0
    refused(pandas.DataFrame({"a": ["x"]}), "must be float16")


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
