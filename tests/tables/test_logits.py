"""Saved logits: however they were saved, every row comes back, in any range, from any thread, in little memory."""

import io
import os
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import logit_files as saved
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logit_files import C, N, Y, Z, at

from logitkit.tables import MemoryRows, open_logits
from logitkit.tables.stored import as_log_odds, as_log_probs, open_arrays
from logitkit.tables.stored import bytes as stored_bytes
from logitkit.tables.stored import rows as stored_rows
from logitkit.tables.stored.rows import BFLOAT16, FileRows
from logitkit.tables.stored.views import SomeRows

HALF = Z.astype(np.float16).astype(np.float32)
BRAIN = (Z.view(np.uint32) & 0xFFFF0000).view(np.float32)
WHOLE = np.where(np.isfinite(Z), np.rint(Z * 10), 0)


def npy(array):
    return saved.npy(array), array


ARRAYS = {
    "float32.npy": npy(Z),
    "float64.npy": npy(Z.astype(np.float64) / 3),
    "float16.npy": (saved.npy(Z.astype(np.float16)), HALF),
    "big float32.npy": (saved.npy(Z.astype(">f4")), Z),
    "big float64.npy": (saved.npy(Z.astype(">f8")), Z.astype(np.float64)),
    "big float16.npy": (saved.npy(Z.astype(">f2")), HALF),
    "fortran.npy": (saved.npy(np.asfortranarray(Z)), Z),
    "fortran float16.npy": (saved.npy(np.asfortranarray(Z.astype(np.float16))), HALF),
    "fortran big.npy": (saved.npy(np.asfortranarray(Z.astype(">f8"))), Z.astype(np.float64)),
    "int16.npy": (saved.npy(WHOLE.astype(np.int16)), WHOLE.astype(np.float64)),
    "uint8.npy": (saved.npy((WHOLE + 60).astype(np.uint8)), (WHOLE + 60).astype(np.float64)),
    "stored.npz": (saved.npz(logits=Z, labels=Y), Z),
    "stored fortran.npz": (saved.npz(logits=np.asfortranarray(Z), labels=Y), Z),
    "compressed.npz": (saved.npz_compressed(logits=Z, labels=Y), Z),
    "compressed fortran.npz": (saved.npz_compressed(logits=np.asfortranarray(Z), labels=Y), Z),
    "lzma.npz": (saved.zipped({"logits.npy": saved.npy(Z), "labels.npy": saved.npy(Y)}, 14), Z),
    "f32.safetensors": (saved.tensors(Z, Y), Z),
    "f64.safetensors": (saved.tensors(Z, Y, "F64"), Z.astype(np.float64)),
    "f16.safetensors": (saved.tensors(Z, Y, "F16"), HALF),
    "bf16.safetensors": (saved.tensors(Z, Y, "BF16"), BRAIN),
}
FINITE = np.where(np.isfinite(Z), Z, 9.5)  # JSON has no infinities
TABLES = {
    "columns.parquet": (saved.by_class(Z, Y), Z),
    "lists.parquet": (saved.listed(Z, Y), Z),
    "fixed lists.parquet": (saved.listed(Z, Y, fixed=True), Z),
    "float64.parquet": (saved.by_class(Z.astype(np.float64), Y), Z.astype(np.float64)),
    "float16.parquet": (saved.by_class(Z.astype(np.float16), Y), HALF),
    "columns.arrow": (saved.by_class(Z, Y), Z),
    "lists.arrow": (saved.listed(Z, Y), Z),
    "lists.arrows": (saved.listed(Z, Y, fixed=True), Z),
    "columns.csv": (saved.by_class(Z.astype(np.float64), Y), Z.astype(np.float64)),
    "columns.csv.gz": (saved.by_class(Z.astype(np.float64), Y), Z.astype(np.float64)),
    "columns.tsv": (saved.by_class(Z.astype(np.float64), Y), Z.astype(np.float64)),
    "lists.csv": (saved.listed(FINITE.astype(np.float64), Y), FINITE.astype(np.float64)),
    "columns.jsonl": (saved.by_class(FINITE.astype(np.float64), Y), FINITE.astype(np.float64)),
    "lists.jsonl": (saved.listed(FINITE.astype(np.float64), Y), FINITE.astype(np.float64)),
}


@pytest.mark.parametrize("name", [*ARRAYS, *TABLES])
def test_every_way_of_saving_gives_the_same_rows_and_labels(tmp_path, name):
    content, logits = (ARRAYS | TABLES)[name]
    path = at(tmp_path, name, content)
    alone = name.endswith(".npy")
    with open_logits(path, at(tmp_path, "y.npy", saved.npy(Y)) if alone else None) as file:
        rows = file.rows
        assert rows.shape == (N, C) and rows.dtype == logits.dtype
        whole = rows.read(0, N)
        assert whole.flags.c_contiguous and whole.dtype == logits.dtype
        np.testing.assert_array_equal(whole, logits)
        np.testing.assert_array_equal(rows.take(np.array([0, 1, 3, 39])), logits[[0, 1, 3, 39]])
        np.testing.assert_array_equal(file.labels, Y)
        assert file.labels.dtype == np.intp
        assert file.class_names == (("0", "1", "2") if name.startswith(("columns", "float64.p", "float16.p")) else None)
        assert rows.row_name(2) == ("row 3" if name in TABLES else "row 2 (counted from 0)")
        assert (file.multilabel, file.probs, file.groups) == (False, False, None)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy_is_read(tmp_path, version):
    file = io.BytesIO()
    np.lib.format.write_array(file, Z, version=version)
    np.testing.assert_array_equal(open_logits(at(tmp_path, "a.npy", file.getvalue())).rows.read(0, N), Z)


def test_bfloat16_is_what_ml_dtypes_makes_of_every_one(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    bits = np.arange(2**16, dtype="<u2").reshape(-1, 4)
    content = saved.safetensors({"logits": ("BF16", bits.shape, bits.tobytes())})
    found = open_logits(at(tmp_path, "a.safetensors", content)).rows.read(0, len(bits))
    np.testing.assert_array_equal(found, bits.view(ml_dtypes.bfloat16).astype(np.float32))


@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", "<f8", ">f4", "<f2", "<i4", "bfloat16"])
def test_any_range_and_any_choice_of_rows_are_those_of_the_array(kind, order, data, seed):
    n, c = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 7))
    array = np.random.default_rng(seed).normal(size=(n, c)) * 50
    array = array.astype("<i2").view(BFLOAT16) if kind == "bfloat16" else array.astype(kind)
    want = (array.view("<u2").astype("<u4") << 16).view("<f4") if kind == "bfloat16" else array
    spool = stored_bytes.Spool("bytes")
    spool.write(b"before" + array.tobytes(order))
    rows = FileRows(spool.stored(), 6, (n, c), array.dtype, by_column=order == "F")
    gap, block = stored_rows._GAP_BYTES, stored_rows._BLOCK_BYTES
    start = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(start, n))
    chosen = np.sort(data.draw(st.lists(st.integers(0, n - 1), unique=True).map(lambda some: np.array(some, np.intp))))
    some = SomeRows(rows, chosen)
    half = np.arange(0, len(chosen), 2)
    try:
        stored_rows._GAP_BYTES, stored_rows._BLOCK_BYTES = data.draw(st.sampled_from([(0, 1), (30, 200), (10**6,) * 2]))
        np.testing.assert_array_equal(rows.read(start, stop), want[start:stop])
        np.testing.assert_array_equal(rows.take(chosen), want[chosen])
        np.testing.assert_array_equal(some.read(0, len(chosen)), want[chosen])
        np.testing.assert_array_equal(some.take(half), want[chosen[half]])
    finally:
        stored_rows._GAP_BYTES, stored_rows._BLOCK_BYTES = gap, block


def test_a_whole_array_comes_in_the_order_of_bytes_of_this_machine(tmp_path):
    for array in (Y.astype(">i4"), np.asfortranarray(Z.astype(">f8")), np.array(["a", "b"]).astype(">U2")):
        found = open_arrays(at(tmp_path, "a.npy", saved.npy(array)), "npy")[""].values()
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, array)


def test_metadata_in_a_safetensors_file_is_no_array(tmp_path):
    text = saved.tensors(Z, Y)[8:].replace(b"{", b'{"__metadata__": {"format": "pt"}, ', 1)
    content = struct.pack("<Q", text.index(b"}}") + 2) + text
    with open_logits(at(tmp_path, "a.safetensors", content)) as file:
        np.testing.assert_array_equal(file.rows.read(0, N), Z)
        np.testing.assert_array_equal(file.labels, Y)


def test_an_array_in_memory_is_rows_too_without_a_copy():
    rows = MemoryRows(Z)
    assert np.shares_memory(rows.read(2, 5), Z) and not rows.read(2, 5).flags.writeable
    np.testing.assert_array_equal(rows.take(np.array([1, 7])), Z[[1, 7]])
    assert MemoryRows(Z.astype(np.float16)).read(0, N).dtype == np.float32
    assert MemoryRows(np.asfortranarray(Z)).read(0, N).flags.c_contiguous


@pytest.mark.parametrize("name", ["float32.npy", "fortran float16.npy", "bf16.safetensors", "compressed.npz"])
def test_many_threads_read_what_one_reads(tmp_path, name):
    content, logits = ARRAYS[name]
    with open_logits(at(tmp_path, name, content)) as file, ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda row: file.rows.read(row, min(N, row + 3)), list(range(N)) * 20))
        for index, part in enumerate(parts):
            np.testing.assert_array_equal(part, logits[index % N : index % N + 3])


def test_without_preadv_many_threads_still_read_what_one_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_bytes, "_HAS_PREADV", False)
    test_many_threads_read_what_one_reads(tmp_path, "float32.npy")


def test_a_read_that_the_system_cuts_short_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_bytes, "_MOST_AT_ONCE", 17)
    np.testing.assert_array_equal(open_logits(at(tmp_path, "a.npy", saved.npy(Z))).rows.read(0, N), Z)


@pytest.mark.parametrize("name", ["compressed.npz", "columns.csv", "lists.parquet", "lists.jsonl"])
def test_what_is_too_long_for_memory_is_kept_in_a_file_without_a_name(tmp_path, monkeypatch, name):
    content, logits = (ARRAYS | TABLES)[name]
    path = at(tmp_path, name, content)
    spools = tmp_path / "spools"
    spools.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spools))
    monkeypatch.setattr(stored_bytes, "KEPT_IN_MEMORY", 100)
    with open_logits(path) as file:
        stored = file.rows._stored
        assert stored.file is not None and os.fstat(stored.file.fileno()).st_size >= logits.nbytes
        np.testing.assert_array_equal(file.rows.read(0, N), logits)
        assert list(spools.iterdir()) == []
    assert stored.file.closed


def test_a_spool_keeps_what_came_before_and_after_it_went_to_the_disk(monkeypatch):
    monkeypatch.setattr(stored_bytes, "KEPT_IN_MEMORY", 100)
    for sizes in ([60, 30], [60, 60], [200], [60, 60, 60]):
        parts = [np.arange(size, dtype=np.uint8) + size for size in sizes]
        spool = stored_bytes.Spool("bytes")
        for part in parts:
            spool.write(part)
        stored = spool.stored()
        assert stored.size == sum(sizes) and (stored.file is None) == (sum(sizes) <= 100)
        out = np.empty(stored.size, np.uint8)
        stored.read_into(out, 0)
        np.testing.assert_array_equal(out, np.concatenate(parts))


def test_a_file_closes_when_nobody_holds_it(tmp_path):
    file = open_logits(at(tmp_path, "a.npz", saved.npz(logits=Z, labels=Y)))
    handle = file.rows._stored.file
    del file
    assert handle.closed


@pytest.mark.parametrize("name", ["compressed.npz", "columns.csv", "lists.parquet", "lists.jsonl"])
def test_progress_goes_up_to_the_total(tmp_path, name):
    seen = []
    with open_logits(at(tmp_path, name, (ARRAYS | TABLES)[name][0]), progress=lambda *state: seen.append(state)):
        assert seen and all(0 < done <= total for done, total in seen)
        assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_comes_through_a_pipe(tmp_path, monkeypatch, kind):
    path = at(tmp_path, f"a.{kind}", saved.by_class(FINITE.astype(np.float64), Y))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    with open_logits("-", format=kind) as file:
        assert file.name == "standard input"
        np.testing.assert_array_equal(file.rows.read(0, N), FINITE)
        np.testing.assert_array_equal(file.labels, Y)


MEMORY = """
import sys
import numpy as np
from logitkit.tables import check_logits, open_logits
from logitkit.tables.stored import bytes as stored_bytes

stored_bytes.KEPT_IN_MEMORY = 1 << 20

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))

def run(path):
    with open_logits(path) as file:
        N = file.rows.shape[0]
        for start in range(0, N, 20_000):
            file.rows.read(start, min(N, start + 20_000))
        file.rows.take(np.arange(0, N, 101))
        check_logits(file.rows, None)

run(sys.argv[1])
before = peak()
run(sys.argv[2])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of one process is read from /proc")
@pytest.mark.parametrize("kind", ["npy", "npz", "c.npz"])
def test_memory_does_not_grow_with_the_rows(tmp_path, kind):
    save = {"npy": saved.npy, "npz": saved.npz, "c.npz": saved.npz_compressed}[kind]
    small, large = tmp_path / f"small.{kind}", tmp_path / f"large.{kind}"
    block = (np.arange(10**6) % 7).astype(np.float32).reshape(20_000, 50)
    small.write_bytes(save(logits=np.tile(block, (5, 1))))
    large.write_bytes(save(logits=np.tile(block, (30, 1))))  # 120 MB
    command = [sys.executable, "-c", MEMORY, small, large]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | {"LOGITKIT_KEEP_MB": "16"}
    )
    assert int(done.stdout) < 40


@given(seed=st.integers(0, 2**32 - 1))
def test_probabilities_come_as_logits_that_give_them_back(seed):
    p = np.random.default_rng(seed).dirichlet([0.1] * 4, size=30).astype(np.float32)
    p[0] = [1.0, 0.0, 0.0, 0.0]
    log_p = as_log_probs(MemoryRows(p)).read(0, 30)
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-5, atol=1e-30)
    assert log_p[0].tolist() == [0.0, -np.inf, -np.inf, -np.inf]
    odds = as_log_odds(MemoryRows(p)).take(np.arange(0, 30, 3))
    np.testing.assert_allclose(1 / (1 + np.exp(-odds.astype(np.float64))), p[::3], rtol=1e-5, atol=1e-30)
    assert odds[0].tolist() == [np.inf, -np.inf, -np.inf, -np.inf]


def test_probabilities_are_taken_as_such_only_when_said_so(tmp_path):
    p = np.random.default_rng(1).dirichlet([1.0] * C, size=N)
    path = at(tmp_path, "p.npz", saved.npz(probs=p, labels=Y))
    with open_logits(path) as plain, open_logits(path, probs=True) as logs:
        np.testing.assert_array_equal(plain.rows.read(0, N), p)
        np.testing.assert_array_equal(logs.rows.read(0, N), np.log(p))
        assert logs.probs and not plain.probs
    lists = pa.table({"logits": (p + 9).tolist(), "probs": p.tolist(), "label": Y})
    for name, content in (("a.parquet", lists), ("a.npz", saved.npz(logits=p + 9, probs=p, labels=Y))):
        with open_logits(at(tmp_path, name, content), probs=True) as logs:
            np.testing.assert_array_equal(logs.rows.read(0, N), np.log(p))
        with open_logits(tmp_path / name) as plain:
            np.testing.assert_array_equal(plain.rows.read(0, N), p + 9)
    both = {"logit": p + 9, "prob": p}
    columns = pa.table({f"{kind}_{index}": both[kind][:, index] for kind in both for index in range(C)})
    with open_logits(at(tmp_path, "c.parquet", columns), probs=True) as logs:
        np.testing.assert_array_equal(logs.rows.read(0, N), np.log(p))
    several = at(tmp_path, "m.npz", saved.npz(probs=p, labels=(p > 0.2).astype(int)))
    with open_logits(several, probs=True) as odds:
        np.testing.assert_allclose(odds.rows.read(0, N), np.log(p / (1 - p)), rtol=1e-12)
