"""The model file gives back what was written, and refuses everything else in one sentence."""

import hashlib
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logitkit.errors import InputError, LogitkitError, ModelFileError, OutputError
from logitkit.model_file import FORMAT_VERSION, read_model_file, write_model_file

DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
TENSORS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
    ),
    max_size=5,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "news.logitkit"
    tensors = {
        "weights": np.arange(12, dtype=np.float32).reshape(3, 4),
        "bias": np.array([0.5, -0.5, 0.0]),
        "n": np.array(7, np.uint8),
    }
    write_model_file(path, tensors, {"class_names": ["News", "娱乐"], "temperature": 1.25})
    return path


@given(tensors=TENSORS, manifest=st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, max_size=4))
@settings(deadline=None)
def test_what_is_written_is_read(tmp_path_factory, tensors, manifest):
    path = tmp_path_factory.mktemp("m") / "a.logitkit"
    write_model_file(path, tensors, manifest)
    found, found_manifest = read_model_file(path)
    assert found_manifest == manifest
    assert found.keys() == tensors.keys()
    reference = safetensors.numpy.load_file(path)  # the oracle: any reader of safetensors opens the file
    for name, array in tensors.items():
        for other in (found[name], reference[name]):
            assert (other.dtype, other.shape, other.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert found[name].flags.aligned
        assert found[name].flags.c_contiguous


def test_the_same_model_gives_the_same_bytes(tmp_path):
    a, b = np.arange(3.0), np.arange(5, dtype=np.int16)
    write_model_file(tmp_path / "1", {"a": a, "b": b}, {"x": 1, "y": [2]})
    write_model_file(tmp_path / "2", {"b": b, "a": a.astype(">f8")}, {"y": [2], "x": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_view_that_is_not_contiguous_is_written_as_it_looks(tmp_path):
    array = np.arange(12.0).reshape(3, 4).T[::-1]
    write_model_file(tmp_path / "m", {"a": array}, {})
    assert np.array_equal(read_model_file(tmp_path / "m")[0]["a"], array)


def test_any_altered_byte_is_found(model):
    data = model.read_bytes()
    for place in range(len(data)):
        for change in (0x01, 0x20, 0x80, 0xFF):
            altered = bytearray(data)
            altered[place] ^= change
            model.write_bytes(altered)
            with pytest.raises(ModelFileError, match=r"news\.logitkit") as refused:
                read_model_file(model)
            assert "\n" not in str(refused.value)


def test_any_truncation_or_addition_is_found(model):
    data = model.read_bytes()
    for length in range(len(data)):
        model.write_bytes(data[:length])
        with pytest.raises(ModelFileError, match=r"empty|truncated"):
            read_model_file(model)
    model.write_bytes(data + b"\0")
    with pytest.raises(ModelFileError, match="longer than it says"):
        read_model_file(model)


@given(
    st.binary(max_size=400) | st.binary(max_size=200).map(lambda data: len(data).to_bytes(8, "little") + b"{" + data)
)
@settings(deadline=None, max_examples=300)
def test_arbitrary_bytes_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("m") / "a.logitkit"
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        read_model_file(path)


def sealed(path, header, data=b""):
    """A file with a right checksum around a header of our choice, as an attacker would make it."""
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    start = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(start + text + data).hexdigest()
    path.write_bytes(start + text.replace(b"0" * 64, digest.encode()) + data)


def metadata(**changes):
    return {"format": "logitkit", "format_version": "1", "manifest": "{}", "checksum": "0" * 64, **changes}


def test_the_forger_of_these_tests_makes_files_that_are_read(tmp_path):
    sealed(
        tmp_path / "m",
        {"__metadata__": metadata(), "a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}},
        b"\1\2",
    )
    assert read_model_file(tmp_path / "m")[0]["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("entry", "data", "reason"),
    [
        ({"dtype": "F4", "shape": [2], "data_offsets": [0, 2]}, b"12", "unknown dtype"),
        ({"dtype": ["U8"], "shape": [2], "data_offsets": [0, 2]}, b"12", "unknown dtype"),
        ({"dtype": "U8", "shape": [3], "data_offsets": [0, 2]}, b"12", "does not fill its place"),
        ({"dtype": "U8", "shape": [-2], "data_offsets": [0, -2]}, b"12", "not a list of counts"),
        ({"dtype": "U8", "shape": [2.0], "data_offsets": [0, 2]}, b"12", "not a list of counts"),
        ({"dtype": "U8", "shape": [True, 2], "data_offsets": [0, 2]}, b"12", "not a list of counts"),
        ({"dtype": "U8", "shape": [1] * 40, "data_offsets": [0, 1]}, b"1", "not a list of counts"),
        ({"dtype": "U8", "shape": [0, 1 << 61, 9], "data_offsets": [0, 0]}, b"", "impossible shape"),
        ({"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 1 << 43]}, b"12", "truncated"),
        ({"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}, b"12", "does not fill its place"),
        ({"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, b"12", "longer than it says"),
        ({"dtype": "U8", "shape": [2]}, b"12", "is not described"),
        ([1], b"12", "is not described"),
    ],
)
def test_a_tensor_that_lies_is_refused(tmp_path, entry, data, reason):
    sealed(tmp_path / "m", {"__metadata__": metadata(), "a": entry}, data)
    with pytest.raises(ModelFileError, match=reason):
        read_model_file(tmp_path / "m")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (
            {"__metadata__": metadata(format_version="2")},
            f"format version 2, and this logitkit reads up to {FORMAT_VERSION}; upgrade",
        ),
        ({"__metadata__": metadata(format_version="x")}, "version is not a number"),
        ({"__metadata__": metadata(format_version=1)}, "version is not a number"),
        ({"__metadata__": metadata(format="other")}, "not one of logitkit"),
        ({"__metadata__": metadata(manifest=None)}, "checksum or manifest is missing"),
        ({"__metadata__": metadata(checksum="")}, "checksum or manifest is missing"),
        ({"__metadata__": metadata(manifest="[" * 100_000)}, "manifest is not valid JSON"),
        ({"__metadata__": metadata(manifest='{"a":' + "[" * 40 + "]" * 40 + "}")}, "manifest is nested too deeply"),
        ({"__metadata__": metadata(manifest="[]")}, "manifest is not a JSON object"),
        ({"__metadata__": metadata(manifest='{"a":NaN}')}, "manifest is not valid JSON"),
        ({"__metadata__": metadata(manifest='{"a":1,"a":2}')}, "manifest is not valid JSON"),
        ({"__metadata__": metadata(manifest='{"a":' + "9" * 5000 + "}")}, "manifest is not valid JSON"),
        ({}, "not one of logitkit"),
        (b'{"a":1,"a":2}', "header is not valid JSON"),
        (b"{\xff}", "header is not valid JSON"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, header, reason):
    sealed(tmp_path / "m", header)
    with pytest.raises(ModelFileError, match=reason):
        read_model_file(tmp_path / "m")


def foreign_files():
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", "x")
    array = io.BytesIO()
    np.save(array, np.arange(3))
    return {
        "a ZIP archive": zipped.getvalue(),
        "a Python pickle": pickle.dumps({"weights": [1.0]}),
        "a NumPy array": array.getvalue(),
        "a safetensors file, but not one of logitkit": safetensors.numpy.save({"a": np.arange(3)}),
        "not a logitkit model": b"text,label\nThe new smartphone has amazing features.,Technology\n",
        "is empty": b"",
    }


@pytest.mark.parametrize(("reason", "data"), foreign_files().items(), ids=foreign_files())
def test_a_foreign_file_is_named(tmp_path, reason, data):
    (tmp_path / "m.logitkit").write_bytes(data)
    with pytest.raises(ModelFileError, match=reason):
        read_model_file(tmp_path / "m.logitkit")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_model_file(tmp_path / "none.logitkit")
    with pytest.raises(InputError, match="is a folder"):
        read_model_file(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "manifest"),
    [
        ({"a": np.array(["x"])}, {}),
        ({"a": np.array([1j])}, {}),
        ({"a": np.array([None])}, {}),
        ({"": np.zeros(1)}, {}),
        ({"__metadata__": np.zeros(1)}, {}),
        ({}, {"a": float("nan")}),
        ({}, {"a": (1, 2)}),
        ({}, {1: 2}),
        ({}, {"a": object()}),
        ({}, {"a": "\ud800"}),
        ({}, {"a": json.loads("[" * 40 + "]" * 40)}),
    ],
)
def test_what_the_file_cannot_hold_is_refused_before_writing(tmp_path, tensors, manifest):
    with pytest.raises(LogitkitError):
        write_model_file(tmp_path / "m", tensors, manifest)
    assert not list(tmp_path.iterdir())


def test_an_existing_model_is_kept_without_force(model):
    data = model.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_model_file(model, {}, {})
    assert model.read_bytes() == data
    write_model_file(model, {}, {}, force=True)
    assert read_model_file(model) == ({}, {})
