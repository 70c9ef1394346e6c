"""Every way to save logits and labels that people use, for the tests of reading them."""

import io
import json
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from logitkit.tables import open_writer

N, C = 40, 3
Z = np.random.default_rng(7).normal(size=(N, C)).astype(np.float32)
Z[3] = [np.inf, 0.0, -np.inf]
Y = np.random.default_rng(8).integers(0, C, N)


def at(folder, name, content):
    """Write bytes, text or a table to a file, and return its path."""
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_bytes(content.encode())
    else:
        write_table(path, content)
    return path


def safetensors(tensors):
    """The bytes of a safetensors file, from `{name: (dtype, shape, bytes)}`, with no library."""
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensors(logits, labels, dtype="F32"):
    if dtype == "BF16":  # the upper half of a float32, rounded toward zero
        content = (np.ascontiguousarray(logits, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
    else:
        content = logits.astype(f"<f{int(dtype[1:]) // 8}").tobytes()
    return safetensors(
        {"logits": (dtype, logits.shape, content), "labels": ("I64", labels.shape, labels.astype("<i8").tobytes())}
    )


def npy(logits):
    file = io.BytesIO()
    np.save(file, logits, allow_pickle=True)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npz_compressed(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def zipped(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def by_class(logits, labels, names=None):
    names = names or [f"logit_{index}" for index in range(logits.shape[1])]
    return pa.table({**{name: logits[:, index] for index, name in enumerate(names)}, "label": labels})


def listed(logits, labels, fixed=False):
    values = pa.array(logits.ravel())
    if fixed:
        lists = pa.FixedSizeListArray.from_arrays(values, logits.shape[1])
    else:
        lists = pa.ListArray.from_arrays(np.arange(len(logits) + 1, dtype=np.int32) * logits.shape[1], values)
    return pa.table({"logits": lists, "label": labels})


def write_table(path, table):
    """By our own writer, or by Arrow where ours has another way."""
    if path.name.endswith(".parquet"):
        pq.write_table(table, path, row_group_size=7)
    elif path.name.endswith(".tsv"):
        pacsv.write_csv(table, path, pacsv.WriteOptions(delimiter="\t"))
    else:
        with open_writer(path, table.schema) as writer:
            for batch in table.to_batches(max_chunksize=11):
                writer.write(batch)
