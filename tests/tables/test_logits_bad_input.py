"""Wrong and hostile files of logits: one sentence each, which names the file and the place and says what to do."""

import io
import json
import os
import pickle
import random
import re
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from types import SimpleNamespace

import logit_files as saved
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logit_files import C, N, Y, Z, at

from logitkit.errors import InputError, LogitkitError, OptionError
from logitkit.tables import MemoryRows, check_logits, open_logits
from logitkit.tables.stored import as_log_odds, as_log_probs, open_arrays
from logitkit.tables.stored import bytes as stored_bytes

F64 = Z.astype(np.float64)
WORDS = ("News", "Film", "Tech")


def header(text, data=b"", version=1):
    """An npy file with this text as its header."""
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin1") + data


def described(shape, descr="'<f4'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def refused(path, labels=None, **options):
    """The sentence that a file gets."""
    with pytest.raises((InputError, OptionError)) as caught:
        file = open_logits(path, labels, **options)
        file.rows.read(0, file.rows.shape[0])
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence[-1] in ".?" and len(sentence) < 700, sentence
    return sentence


def names_it(sentence, path):
    return str(path) in sentence


NPY = {
    "empty": (b"", "is empty"),
    "text": (b"0.1,0.2\n", "is no npy file, or a damaged one"),
    "another kind": (saved.npz(logits=Z), r"is npz and not npy; give its name the ending .npz"),
    "pickle": (pickle.dumps(Z), "is a pickle, which could run any code and is never opened"),
    "old pickle": (pickle.dumps(Z, 2), "is a pickle"),
    "objects": (saved.npy(np.array([[1, None]], object)), "is of type object .*pickle is never opened"),
    "truncated": (
        saved.npy(Z)[:-1],
        r"its header says \[40, 3\] of float32, 480 bytes, and 479 follow; it is truncated",
    ),
    "header alone": (saved.npy(Z)[:20], "has a damaged npy header"),
    "two arrays": (saved.npy(Z) + saved.npy(Y), "several arrays in one file belong into an npz file"),
    "negative": (header(described("(-4, -3)"), b"\0" * 48), r"the impossible shape \[-4, -3\]"),
    "huge": (header(described(f"({10**30}, 3)")), "the impossible shape"),
    "huge but possible": (header(described(f"({10**15}, 3)")), "12,000,000,000,000,000 bytes, and 0 follow"),
    "huge of nothing": (header(described(f"({10**15}, 0)")), "without a logit"),
    "true for a length": (header(described("(True, 3)"), b"\0" * 12), "the impossible shape"),
    "no tuple": (header(described("'all'")), "damaged npy header"),
    "no dict": (header("[1, 2]"), "damaged npy header"),
    "nested": (header("(" * 5000), "damaged npy header"),
    "code": (header(described("(__import__('os').abort(), 3)")), "damaged npy header"),
    "half a token": (header("{'descr': '<f4', 'shape': (40, 3i, }"), "damaged npy header"),
    "too long a header": (header(described("(1, 3)") + " " * 20_000, b"\0" * 12, 2), "damaged npy header"),
    "a header of 4 GB": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "damaged npy header"),
    "version 9": (header(described("(1, 3)"), b"\0" * 12, 9), "damaged npy header"),
    "no rows": (saved.npy(Z[:0]), r"the shape \[0, 3\], without a logit"),
    "no classes": (saved.npy(Z[:, :0]), r"the shape \[40, 0\], without a logit"),
    "a number": (saved.npy(np.float32(1)), r"has the shape \[\]"),
    "four dimensions": (saved.npy(Z[None, None]), r"has the shape \[1, 1, 40, 3\]; logits are \[N, C\]"),
    "one logit": (
        saved.npy(Z[:, 0]),
        r"one logit a row, of the shape \[40\], and two classes are needed.*--multilabel",
    ),
    "one column": (saved.npy(Z[:, :1]), r"one logit a row, of the shape \[40, 1\]"),
    "fortran tokens": (saved.npy(np.asfortranarray(Z.reshape(5, 8, 3))), "is in Fortran order"),
    **{
        kind: (saved.npy(np.zeros((4, 3), kind)), f"is of type {kind}.*, and logits are numbers")
        for kind in ("bool", "complex64", "<U3", "datetime64")
    },
}


@pytest.mark.parametrize("case", NPY)
def test_npy(tmp_path, case):
    content, sentence = NPY[case]
    path = at(tmp_path, "a.npy", content)
    found = refused(path)
    assert names_it(found, path) and re.search(sentence, found), found


def with_flipped_byte(content, place):
    flipped = bytearray(content)
    flipped[place] ^= 0xFF
    return bytes(flipped)


def lying_zip(content, offset, value):
    """An npz whose directory says something else of its first member than is true."""
    changed = bytearray(content)
    struct.pack_into("<I", changed, changed.rfind(b"PK\x01\x02", 0, changed.rfind(b"PK\x01\x02")) + offset, value)
    return bytes(changed)


class _Bomb:
    def __reduce__(self):
        return (os.abort, ())


COMPRESSED = saved.npz_compressed(logits=np.zeros((4000, 3), np.float32), labels=Y)
NPZ = {
    "empty": (b"", "is empty"),
    "no zip": (b"PK\x03\x04" + b"\0" * 40, "is damaged or truncated"),
    "truncated": (saved.npz(logits=Z)[:-30], "is damaged or truncated"),
    "an npy file": (saved.npy(Z), "is npy and not npz"),
    "no arrays": (saved.zipped({"readme.txt": b"x"}), r"holds no arrays; save them by numpy.savez"),
    "an empty zip": (saved.zipped({}), "holds no arrays"),
    "of PyTorch": (saved.zipped({"archive/data.pkl": pickle.dumps(Z)}), "is an archive of PyTorch, whose pickle"),
    "a text member": (saved.zipped({"logits.npy": b"hello"}), "array 'logits' is no npy file"),
    "a pickle member": (saved.npz(logits=np.array([_Bomb()], object)), "of type object .*never opened"),
    "a truncated member": (saved.zipped({"logits.npy": saved.npy(Z)[:-8]}), "it is truncated"),
    "twice the same": (None, "has two arrays named 'logits'"),
    "damaged data": (with_flipped_byte(COMPRESSED, 200), "array 'logits' is damaged or truncated"),
    "a wrong size": (lying_zip(COMPRESSED, 24, 10**9), "does not hold what it says"),
    "a size beyond the file": (lying_zip(saved.npz(logits=Z, labels=Y), 20, 2 * 10**9), "damaged or truncated"),
    "an unknown method": (lying_zip(COMPRESSED, 10, 99), "cannot be read|damaged"),
    "a password": (lying_zip(COMPRESSED, 8, 1), "cannot be read: .*encrypted"),
    "no logits": (saved.npz(a=Z, b=Z), r"does not say which array is meant: it has 'a' \[40, 3\], 'b' \[40, 3\]"),
    "two labels": (saved.npz(logits=Z, a=Y, b=Y), r"which array is meant.*pass --labels-name"),
    "one-based": (
        saved.npz(logits=Z, labels=Y + 1),
        "looks one-based: the labels run from 1 to 3.*subtract 1 from each",
    ),
    "too large": (
        saved.npz(logits=Z, labels=Y + 2),
        r"array 'labels' has \d in row 0 \(counted from 0\), and the 3 classes",
    ),
    "negative": (saved.npz(logits=Z, labels=Y - 1), "has -1 in row"),
    "huge": (saved.npz(logits=Z, labels=np.full(N, 2**64 - 1, np.uint64)), r"has 9223372036854775807 in row 0"),
    "half a label": (saved.npz(logits=Z, labels=Y + 0.5), "a whole number is needed"),
    "NaN for a label": (saved.npz(logits=Z, labels=np.where(Y == 1, np.nan, Y)), "has nan in row"),
    "too few": (saved.npz(logits=Z, labels=Y[:-1]), "has 39 labels, and .* has 40 rows; each row needs one label"),
    "flat": (saved.npz(logits=Z, labels=np.zeros((N, 2), int)), r"has the shape \[40, 2\], and .* the shape \[40, 3\]"),
    "deep": (saved.npz(logits=Z, labels=np.zeros((N, 2, 2), int)), r"has the shape \[40, 2, 2\]"),
    "one-hot": (saved.npz(logits=Z, labels=np.eye(C)[Y]), "has one 1 in each row: pass --multilabel.*--no-multilabel"),
    **{
        f"{odd} for a label": (
            saved.npz(logits=Z, labels=np.where(np.arange(N * C).reshape(N, C) == 3 * 7 + 1, odd, Z > 0)),
            rf"has {odd} in row 7 \(counted from 0\) for class 1; where several classes can be right, labels are",
        )
        for odd in (2, -1, 0.5, np.nan)
    },
    "words": (saved.npz(logits=Z, labels=np.array(WORDS)[Y]), "has text such as '(News|Film|Tech)', and nothing says"),
    "empty words": (
        saved.npz(logits=Z, labels=np.array(["News", " "])[Y % 2]),
        "row .* is empty; give every row a label",
    ),
    "words of a table": (saved.npz(logits=Z, labels=np.array([WORDS] * N)), r"is text of the shape \[40, 3\]"),
    "too many names": (
        saved.npz(logits=Z, labels=Y, class_names=np.array(["a"] * 4)),
        "has 3 classes, and 4 names|1 names",
    ),
    "tokens": (
        saved.npz(logits=Z.reshape(5, 8, 3), labels=Y),
        r"has the shape \[40\], and .* \[5, 8, 3\]; its labels are \[5, 8\]",
    ),
    "a token": (
        saved.npz(logits=Z.reshape(5, 8, 3), labels=np.where(np.arange(40) == 19, 7, -100).reshape(5, 8)),
        r"has 7 in row 2, position 3 \(counted from 0\), and the 3 classes",
    ),
    "no token counts": (saved.npz(logits=Z.reshape(5, 8, 3), labels=np.full((5, 8), -100)), "is -100 everywhere"),
}


@pytest.mark.parametrize("case", NPZ)
def test_npz(tmp_path, case):
    content, sentence = NPZ[case]
    if content is None:
        with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("logits.npy", saved.npy(Z))
            archive.writestr("logits.npy", saved.npy(Z))
        path = tmp_path / "a.npz"
    else:
        path = at(tmp_path, "a.npz", content)
    found = refused(path)
    assert names_it(found, path) and re.search(sentence, found), found


def tensor(dtype="F32", shape=(4, 3), data=b"\0" * 48, offsets=None):
    content = saved.safetensors({"logits": (dtype, shape, data)})
    if offsets is not None:
        content = content.replace(b"[0, 48]", offsets)
        content = struct.pack("<Q", content.index(b"}}") + 2 - 8) + content[8:]
    return content


SAFETENSORS = {
    "empty": (b"", "is empty"),
    "text": (b"hello, hello, hello", "is no safetensors file, or a damaged one"),
    "truncated": (tensor()[:-1], "damaged one: "),
    "too long": (tensor() + b"x", "damaged one: "),
    "a header of 8 EB": (b"\xff" * 8 + b"{}", "damaged one: "),
    "a lying shape": (tensor(shape=(4, 4)), "damaged one: "),
    "a negative shape": (tensor(shape=(-4, -3)), "damaged one: "),
    "a huge shape": (tensor(shape=(2**62, 2**62)), "damaged one: "),
    "beyond the end": (tensor(offsets=b"[0, 4800]"), "damaged one: "),
    "overlap": (
        saved.safetensors({"logits": ("F32", (4, 3), b"\0" * 48), "z": ("F32", (4, 3), b"\0" * 48)}).replace(
            b"[48, 96]", b"[24, 72]"
        ),
        "damaged one: ",
    ),
    "float8": (tensor("F8_E4M3", (4, 12)), "tensor 'logits' is of type F8_E4M3, and logits are numbers"),
    "no tensors": (saved.safetensors({}), "holds no tensors"),
    "a zip": (saved.npz(logits=Z), "is npz and not safetensors"),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors(tmp_path, case):
    content, sentence = SAFETENSORS[case]
    path = at(tmp_path, "a.safetensors", content)
    found = refused(path)
    assert names_it(found, path) and re.search(sentence, found), found


TABLES = {
    "a.csv": (
        ("", "is empty"),
        ("logit_a,logit_b,label\n", "has no rows"),
        ("logit_a,logit_b\n1,2\n3,x\n", "row 2, column 'logit_b' must be a number; got 'x'"),
        ("logit_a,logit_b\n1,2\n3,\n", "row 2, column 'logit_b' is empty"),
        ("logit_a,logit_b\n1,2\n3\n", "row 2: 1 field instead of 2; correct it, since every row counts here"),
        ("a,b\n" + "1.5,2.5\n" * 70_000 + "0.5,1.5e\n", "row 70,001, column 'b' must be a number; got '1.5e'"),
        ("logit_a,logit_b\n1,1_000\n", "must be a number; got '1_000'"),
        ("logit_a,logit_a\n1,2\n", "has 2 columns named 'logit_a'"),
        ("0.1,0.2,0.7\n1.5,2.5,3.5\n", "begins with numbers, and its first row must hold the names"),
        (
            "id,a,b,label\n1,0.5,1.5,0\n2,0.1,0.3,1\n",
            "holds integers in 'id', which may be logits or not; pass --logits",
        ),
        ("a,b,label\n1,0,0\n2,0,1\n", "holds integers in 'a', 'b'"),
        ("text,label\nx,0\n", "has no column that holds logits beside 'text'; pass --logits-name"),
        ("logit_a,logit_b,label\n1,2,a\n3,4,c\n", r"has 'c' in row 2, which is none of the classes: 'a', 'b'"),
        ("logit_News,logit_Tech,label\n1,2,News\n3,4,Teck\n", "has 'Teck' in row 2, .*; did you mean 'Tech'"),
        ("logit_a,logit_b,label\n1,2,a\n3,4,\n", "row 2 is empty; give every row a label"),
        ("logit_a,logit_b,label\n1,2,1\n3,4,2\n", "looks one-based"),
        ("logit_a,logit_b,label\n1,2,1\n3,4,1.5\n", "has '1.5' in row 2, which is none of the classes"),
        ('logits,label\n"[1,2]",0\n"[1,2,3]",0\n', "row 2, column 'logits' has 3 values, and the rows before have 2"),
        ('logits,label\n"[1,2]",0\n"[1,null]",0\n', "row 2, column 'logits', value 2 must be a number; got 'null'"),
        ('logits,label\n"[1,2]",0\n"",0\n', "row 2, column 'logits' has 1 values|is empty"),
        (
            'logits,label\n"[1.0 2.0]",0\n"[1 2]",0\n',
            r"row 1, column 'logits', value 1 must be a number; got '1.0 2.0'",
        ),
        ('logits,probs\n"[1.5,2.5]","[0.5,0.5]"\n', None),
        ('x,y\n"[1.5,2.5]","[0.5,0.5]"\n', "holds lists in the columns 'x', 'y'; pass --logits-name"),
        ("logit_a,label\n1,0\n", "one logit a row|holds integers|no column"),
        ("logit_1,logit_2,label\n1,2,0\n1,2,1\n", "has '0' in row 1, which is none of the classes: '1', '2'"),
    ),
    "a.jsonl": (
        ("[1]\n", "is a JSON array"),
        ('{"logits": [1, 2]}\n{"logits": [1]}\n', "row 2, column 'logits' has 1 values, and the rows before have 2"),
        ('{"logits": [1, 2]}\n{"label": 1}\n', "row 2, column 'logits' holds no list or an empty one"),
        ('{"logits": []}\n{"logits": []}\n', "row 1, column 'logits' holds no list|no column that holds logits"),
        ('{"logits": [1, 2]}\n{"logits": [1, null]}\n', "row 2, column 'logits', value 2 is empty"),
        ('{"logits": [1, 2]}\n{"logits": \n', "row 2: it is not valid JSON"),
        (
            '{"logits": [1, 2], "label": 0}\n{"logits": [1, 2]}\n',
            "row 2, column 'label' is empty; give every row a label",
        ),
        ('{"logits": [1, 2], "label": {"a": 1}}\n', "column 'label' is of type struct.*class names or class indices"),
    ),
}


@pytest.mark.parametrize(
    ("name", "content", "sentence"), [(name, *case) for name, cases in TABLES.items() for case in cases]
)
def test_tables(tmp_path, name, content, sentence):
    path = at(tmp_path, name, content)
    if sentence is None:
        open_logits(path)
        return
    found = refused(path)
    assert names_it(found, path) and re.search(sentence, found), found


def test_typed_tables(tmp_path):
    nulls = pa.array([[1.0, 2.0], None], pa.list_(pa.float32()))
    fixed = pa.array([[1.0, 2.0]] * 10 + [None], pa.list_(pa.float32(), 2))
    for table, sentence in (
        (pa.table({"logits": nulls}), "row 2, column 'logits' holds no list"),
        (pa.table({"logits": [[1.0, 2.0]] * 10 + [None]}), "row 11, column 'logits' holds no list"),
        (pa.table({"logits": fixed}), "row 11, column 'logits' holds no list"),
        (pa.table({"logits": [[1.0, 2.0], [1.0, None]]}), "row 2, column 'logits', value 2 is empty"),
        (pa.table({"logit_a": [1.0, None], "logit_b": [1.0, 2.0]}), "row 2, column 'logit_a' is empty"),
        (pa.table({"a": [1, 2], "text": ["x", "y"]}), "has no column that holds logits beside 'a', 'text'"),
        (pa.table({"a": pa.array([], pa.float32()), "b": pa.array([], pa.float32())}), "has no rows"),
        (pa.table({"logit_a": [1.0], "logit_b": [1.0], "label": [None]}), "of type null"),
        (
            pa.table(
                {"logit_a": [1.0], "logit_b": [1.0], "label": pa.array(["a", None, "b"]).dictionary_encode()[1:2]}
            ),
            "row 1 is empty",
        ),
    ):
        path = tmp_path / "a.parquet"
        saved.write_table(path, table)
        assert re.search(sentence, refused(path)), refused(path)


def test_rows_are_counted_through_all_batches(tmp_path):
    lists = pa.table({"logits": [[1.0, 2.0]] * 25 + [None] + [[1.0, 2.0]]})
    columns = pa.table({"logit_a": [1.0] * 25 + [None], "logit_b": [1.0] * 26})
    for table, column in ((lists, "logits"), (columns, "logit_a")):
        path = at(tmp_path, f"{column}.arrow", table)  # batches of 11 rows
        assert f"row 26, column {column!r}" in refused(path)


def test_names_that_are_not_there(tmp_path):
    arrays = at(tmp_path, "a.npz", saved.npz(logits=Z, labels=Y))
    table = at(tmp_path, "a.parquet", saved.by_class(Z, Y))
    lists = at(tmp_path, "b.parquet", saved.listed(Z, Y).append_column("other", saved.listed(Z, Y)["logits"]))
    alone = at(tmp_path, "a.npy", saved.npy(Z))
    labels = at(tmp_path, "y.npy", saved.npy(Y))
    one_hot = np.eye(C)[Y]
    one_hot[5] = [0, 0.5, 0.5]
    several = at(tmp_path, "b.npz", saved.npz(logits=Z, labels=one_hot))
    for path, options, sentence in (
        (
            arrays,
            {"logits_name": "logit"},
            r"has no 'logit', which --logits-name .* asks for: it has .*did you mean 'logits'",
        ),
        (arrays, {"labels_name": "y"}, "has no 'y', which --labels-name"),
        (arrays, {"group_name": "g"}, "has no 'g', which --group-name"),
        (
            arrays,
            {"logits_name": ("logits", "labels")},
            "names 'logits', 'labels', and .* holds whole arrays; name one",
        ),
        (arrays, {"class_names": ["a", "b"]}, "has 3 classes, and 2 names of classes are given"),
        (arrays, {"class_names": ["a", "b", "a"]}, "Two classes of .* have the name 'a'"),
        (
            arrays,
            {"multilabel": True},
            r"the shape \[40\], and .* the shape \[40, 3\]; where several classes can be right",
        ),
        (several, {"multilabel": False}, r"is not one 1 and else 0 in row 5 \(counted from 0\); pass --multilabel"),
        (table, {"logits_name": "logit_0,logit_9"}, "has no 'logit_9', which --logits-name"),
        (table, {"logits_name": "logit_0,logit_0"}, "names 'logit_0' twice"),
        (
            lists,
            {"logits_name": "logits,other"},
            "holds lists in column 'logits'; name one such column, or one column a",
        ),
        (table, {"labels_name": "lable"}, "did you mean 'label'"),
        (table, {"group_name": "g"}, "has no 'g', which --group-name"),
        (alone, {"labels_name": "y"}, "holds the logits alone, and no labels"),
        (alone, {"logits_name": "z"}, "holds one array without a name; leave out --logits-name"),
        (alone, {"labels": labels, "group_name": "g"}, "has no 'g'"),
    ):
        found = refused(path, **options)
        assert re.search(sentence, found), found


def test_labels_of_another_file(tmp_path):
    path = at(tmp_path, "z.npy", saved.npy(Z))
    for name, content, sentence in (
        ("a.npy", saved.npy(Y[:5]), r"a.npy has 5 labels, and .*z.npy has 40 rows"),
        ("b.npy", saved.npy(np.array([None] * N)), "is of type object; save it as integers, or as text"),
        ("a.txt", "", "is empty"),
        ("b.txt", "0\n" * 39 + "5\n", r"has 5 in row 40, and the 3 classes are 0 to 2"),
        ("c.txt", "0\n\n1\n", "row 2 is empty"),
        ("a.csv", "0\n" * 41, "begins with '0', and its first row must hold the name of the column"),
        ("b.csv", "id,gold\n1,0\n", "has the columns 'id', 'gold'; pass --labels-name"),
        ("c.csv", "label\n", "has no rows; give one label a row"),
        ("a.npz", saved.npz(a=Y, b=Y), "does not say which array is meant"),
        ("a.pkl", pickle.dumps(Y), "is a pickle"),
        ("a.parquet", b"PAR1", "a.parquet cannot be read"),
    ):
        found = refused(path, at(tmp_path, name, content))
        assert re.search(sentence, found) and str(tmp_path / name) in found, found
    assert "does not exist" in refused(path, tmp_path / "none.txt")
    (tmp_path / "a.xlsx").touch()
    assert re.search(r"known here; use one of \.npy, .*, \.txt", refused(path, tmp_path / "a.xlsx"))
    assert "cannot both come from the standard input" in refused("-", "-")


def test_files_that_are_no_files(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        open_arrays(tmp_path / "folder.npy", "npy")
    assert "is a folder" in refused(tmp_path / "folder.npy")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.npy")
        assert "is a pipe or a device" in refused(tmp_path / "pipe.npy")
    (tmp_path / "a.h5").touch()
    assert "does not end in a format that is known here" in refused(tmp_path / "a.h5")
    at(tmp_path, "a.npy.gz", saved.npy(Z))
    assert "does not end in a format that is known here" in refused(tmp_path / "a.npy.gz")
    assert "'hdf5' is unknown" in refused(tmp_path / "a.h5", format="hdf5")
    assert "The standard input cannot be read as npy" in refused("-", format="npy")
    assert "is a pickle" in refused(at(tmp_path, "a.pt", saved.zipped({"a/data.pkl": b""})))


def test_a_pipe_of_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    assert refused("-").startswith("standard input is empty")


def test_a_full_disk_is_seen_before_a_byte_is_written(tmp_path, monkeypatch):
    path = at(tmp_path, "a.npz", saved.npz_compressed(logits=Z, labels=Y))
    monkeypatch.setattr(stored_bytes, "KEPT_IN_MEMORY", 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    assert re.search("needs 0.0 GB in .*, and 0.0 GB are free there; set TMPDIR", refused(path))


def test_a_long_array_must_fit_on_the_disk_as_a_whole(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2 * stored_bytes.KEPT_IN_MEMORY))
    with pytest.raises(InputError, match=r"needs 0\.8 GB in .*, and 0\.5 GB are free there"):
        stored_bytes.Spool("a.npz", 3 * stored_bytes.KEPT_IN_MEMORY)


def test_a_disk_that_fills_up_is_one_sentence(tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    path = at(tmp_path, "a.csv", saved.by_class(F64, Y))
    monkeypatch.setattr(stored_bytes, "KEPT_IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    assert "cannot be kept in" in refused(path) and "no space left on device" in refused(path)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = at(tmp_path, "a.npy", saved.npy(Z))
    file = open_logits(path)
    os.truncate(path, 200)
    with pytest.raises(InputError, match=r"a\.npy became shorter while it was read"):
        file.rows.read(0, N)
    file.close()
    with pytest.raises(InputError, match=r"a\.npy cannot be read: I/O operation on closed file"):
        file.rows.read(0, 1)


def test_a_zip_bomb_is_refused_before_it_is_inflated(tmp_path, monkeypatch):
    zeros = zlib.compressobj(9, wbits=-15)
    data = zeros.compress(saved.npy(Z) + bytes(50_000_000)) + zeros.flush()
    path = at(tmp_path, "a.npz", saved.zipped({"logits.npy": saved.npy(Z) + bytes(50_000_000)}, zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 60_000 and len(data) < 60_000
    monkeypatch.setattr(stored_bytes.Spool, "write", None)
    assert "does not hold what it says" in refused(path)


@pytest.mark.parametrize("method", ["read", "take"])
def test_probabilities_that_are_none_are_named(method):
    def probs(bad):
        p = np.full((30, 3), 1 / 3)
        p[17] = bad
        return MemoryRows(p)

    def read(rows):
        return rows.read(10, 30) if method == "read" else rows.take(np.arange(1, 30, 2))

    for bad, sentence in (
        ([2.0, 0.5, -1.5], r"p.npy has values from -1.5 to 2 in row 17 \(counted from 0\), which are no probabilities"),
        ([0.5, 0.4, 0.0], "p.npy has probabilities that sum to 0.9 and not to 1 in row 17"),
        ([0.5, 0.5, np.inf], "values from 0.5 to inf in row 17"),
    ):
        with pytest.raises(InputError, match=sentence):
            read(as_log_probs(probs(bad), "p.npy"))
    for bad, sentence in (
        ([-0.5, 1.0, 1.0], r"from -0\.5 to 1 in row 17"),
        ([0.5, 0.5, 1.5], r"from 0\.5 to 1\.5 in row 17"),
    ):
        with pytest.raises(InputError, match=sentence):
            read(as_log_odds(probs(bad), "p.npy"))
    assert np.isnan(read(as_log_probs(probs(np.nan), "p.npy"))).sum() == 3  # NaN is for the caller to name
    assert np.isfinite(read(as_log_odds(probs([0.5, 0.4, 0.2]), "p.npy"))).all()


def test_rows_that_are_not_there():
    rows = MemoryRows(Z)
    for start, stop in ((-1, 2), (3, 2), (0, N + 1)):
        with pytest.raises(InputError, match="within the 40 rows"):
            rows.read(start, stop)
    for chosen in ([3, 2], [1, 1], [-1, 2], [0, N]):
        with pytest.raises(InputError, match="increasing and within the 40 rows"):
            rows.take(np.array(chosen))


SEEDS = {
    "npy": saved.npy(Z),
    "npz": saved.npz(logits=Z, labels=Y),
    "c.npz": saved.npz_compressed(logits=Z, labels=Y),
    "safetensors": saved.tensors(Z, Y),
    "jsonl": "".join(
        json.dumps({"logits": row.tolist(), "label": int(y)}) + "\n"
        for row, y in zip(Z, Y, strict=True)
        if np.isfinite(row).all()
    ).encode(),
}


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(sorted(SEEDS)))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path_factory, seed, kind):
    rng = random.Random(seed)
    content = bytearray(SEEDS[kind])
    end = len(content) if rng.random() < 0.4 else 300
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(min(len(content), end) or 1)
        if kind.endswith("npz") and end == 300:  # the directory of a zip is at its end
            place = max(0, len(content) - 1 - place)
        change = rng.randrange(4)
        if change == 0:
            content[place : place + 1] = bytes([rng.randrange(256)])
        elif change == 1:
            del content[place : place + rng.randint(1, 20)]
        elif change == 2:
            content[place:place] = rng.choice([b"{", b"'", b"-", b"\n", b"[" * 50, b"\xff\xff", b"9" * 30])
        else:
            del content[place:]
    path = at(tmp_path_factory.mktemp("damaged"), f"a.{kind}", bytes(content))
    try:
        with open_logits(path) as file:
            file.rows.read(0, file.rows.shape[0])
            check_logits(file.rows, file.labels)
    except LogitkitError as error:
        assert "\n" not in str(error) and str(path) in str(error)
