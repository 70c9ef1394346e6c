"""Labels, groups and class names of saved logits: what they may be called, and how they may be saved."""

import json

import logit_files as saved
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logit_files import C, N, Y, Z, at

from logitkit.tables import open_logits

WORDS = ("News", "Film", "Tech")


@pytest.mark.parametrize(
    "labels",
    [
        *(Y.astype(kind) for kind in ("i1", "u1", ">i4", "u8", "f4", ">f8")),
        Y[:, None],
        np.array(WORDS)[Y],
        np.array(WORDS).astype("S")[Y],
        np.array(WORDS).astype(">U5")[Y],
    ],
    ids=lambda labels: f"{labels.dtype} {labels.ndim}",
)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_labels_are_indices_or_names_in_an_array_of_their_own(tmp_path, kind, labels):
    path = at(tmp_path, "z.npy", saved.npy(Z))
    other = at(tmp_path, f"y.{kind}", saved.npy(labels) if kind == "npy" else saved.npz(y=labels))
    np.testing.assert_array_equal(open_logits(path, other, class_names=WORDS).labels, Y)


def test_labels_are_indices_or_names_in_a_table_or_text_of_their_own(tmp_path):
    path = at(tmp_path, "z.npy", saved.npy(Z))
    words = [WORDS[label] for label in Y]
    for name, content in {
        "a.txt": "".join(f"{word}\n" for word in words),
        "b.txt": "\r\n".join(map(str, Y)) + "\n\n",
        "a.csv": "label\n" + "\n".join(words),
        "b.csv": "id,label\n" + "\n".join(f"{row},{label}" for row, label in enumerate(Y)),
        "c.csv": "gold\n" + "\n".join(map(str, Y)),
        "a.jsonl": "".join(json.dumps({"label": int(label)}) + "\n" for label in Y),
        "a.parquet": pa.table({"label": pa.array(words).dictionary_encode()}),
        "b.parquet": pa.table({"label": Y.astype(np.float32)}),
        "a.arrow": pa.table({"labels": pa.array(words, pa.large_string())}),
        "a.safetensors": saved.safetensors({"labels": ("I32", [N], Y.astype("<i4").tobytes())}),
    }.items():
        found = open_logits(path, at(tmp_path, name, content), class_names=WORDS)
        np.testing.assert_array_equal(found.labels, Y, err_msg=name)


def test_two_classes_may_be_true_and_false(tmp_path):
    truth = Y > 0
    path = at(tmp_path, "z.npz", saved.npz(logits=Z[:, :2], labels=truth))
    np.testing.assert_array_equal(open_logits(path).labels, truth.astype(int))
    table = at(tmp_path, "z.parquet", saved.by_class(Z[:, :2], pa.array(truth)))
    np.testing.assert_array_equal(open_logits(table).labels, truth.astype(int))


def test_one_hot_labels_are_indices_when_said_so(tmp_path):
    path = at(tmp_path, "z.npz", saved.npz(logits=Z, labels=np.eye(C)[Y]))
    np.testing.assert_array_equal(open_logits(path, multilabel=False).labels, Y)
    matrix = open_logits(path, multilabel=True)
    np.testing.assert_array_equal(matrix.labels, np.eye(C)[Y])
    assert matrix.labels.dtype == np.int8 and matrix.multilabel


def test_several_labels_a_row_come_as_a_matrix_of_lists_or_columns(tmp_path):
    several = (Z > 0).astype(np.int64)
    columns = {f"label_{word}": several[:, index] for index, word in enumerate(WORDS)}
    table = {f"logit_{word}": Z[:, index] for index, word in enumerate(WORDS)}
    for name, content in {
        "a.npz": saved.npz(logits=Z, labels=several),
        "b.npz": saved.npz(logits=Z, labels=several.astype(bool)),
        "c.npz": saved.npz_compressed(logits=Z, labels=np.asfortranarray(several)),
        "a.parquet": pa.table({**table, "labels": several.tolist()}),
        "b.parquet": pa.table({**table, **columns}),
        "a.csv": pa.table({**{key: value.astype(float) for key, value in table.items()}, **columns}),
    }.items():
        file = open_logits(at(tmp_path, name, content))
        assert file.multilabel and file.labels.dtype == np.int8, name
        np.testing.assert_array_equal(file.labels, several, err_msg=name)


def test_one_logit_a_row_is_enough_for_one_label_of_many(tmp_path):
    path = at(tmp_path, "z.npz", saved.npz(logits=Z[:, 0], labels=(Y > 0).astype(int)))
    file = open_logits(path, multilabel=True)
    assert file.rows.shape == (N, 1) and file.labels.shape == (N, 1)
    np.testing.assert_array_equal(file.rows.read(0, N)[:, 0], Z[:, 0])


def test_positions_of_a_language_model_that_count_for_nothing_are_left_out(tmp_path):
    rng = np.random.default_rng(3)
    z = rng.normal(size=(6, 5, 4)).astype(np.float32)
    y = rng.integers(0, 4, (6, 5))
    y[rng.random((6, 5)) < 0.4] = -100
    kept = y.ravel() != -100
    for path, labels in (
        (at(tmp_path, "a.npz", saved.npz(logits=z, labels=y)), None),
        (at(tmp_path, "a.npy", saved.npy(z)), at(tmp_path, "y.npy", saved.npy(y))),
    ):
        file = open_logits(path, labels)
        np.testing.assert_array_equal(file.rows.read(0, kept.sum()), z.reshape(30, 4)[kept])
        np.testing.assert_array_equal(file.labels, y.ravel()[kept])
        row, position = (int(place) for place in np.argwhere(y != -100)[7])
        assert file.rows.row_name(7) == f"row {row}, position {position} (counted from 0)"
    whole = open_logits(at(tmp_path, "b.npy", saved.npy(z)))
    assert whole.rows.shape == (30, 4) and whole.labels is None


def test_names_of_columns_are_names_of_classes(tmp_path):
    for names, logits_name in (
        ([f"logit_{word}" for word in WORDS], None),
        ([f"logits_{word}" for word in WORDS], None),
        ([f"logit_{word}" for word in WORDS], "logit_News,logit_Film,logit_Tech"),
        (WORDS, None),
        (WORDS, "News,Film,Tech"),
        (WORDS, ("News", "Film", "Tech")),
    ):
        for kind in ("parquet", "csv"):
            table = saved.by_class(Z.astype(np.float64), pa.array([WORDS[label] for label in Y]), names)
            file = open_logits(
                at(tmp_path, f"a.{kind}", table.append_column("text", pa.array(["a b"] * N))), logits_name=logits_name
            )
            assert file.class_names == WORDS
            np.testing.assert_array_equal(file.labels, Y)
            (tmp_path / f"a.{kind}").unlink()


def test_columns_come_in_the_order_of_their_numbers_or_as_asked_for(tmp_path):
    z = np.random.default_rng(0).normal(size=(N, 12))
    order = sorted(range(12), key=str)
    path = at(tmp_path, "a.parquet", saved.by_class(z[:, order], Y, [f"logit_{index}" for index in order]))
    np.testing.assert_array_equal(open_logits(path).rows.read(0, N), z)
    chosen = open_logits(path, logits_name="logit_2, logit_0, logit_1")
    np.testing.assert_array_equal(chosen.rows.read(0, N), z[:, [2, 0, 1]])
    assert chosen.class_names == ("2", "0", "1")
    np.testing.assert_array_equal(chosen.labels, np.argsort([2, 0, 1])[Y])  # a label is the number in a column's name


def test_a_class_that_is_called_by_a_number_has_labels_of_that_name(tmp_path):
    names = [f"logit_{stars}" for stars in range(1, 4)]
    for name, labels in (
        ("a.parquet", pa.array(Y + 1)),
        ("b.csv", pa.array(Y + 1)),
        ("c.parquet", pa.array((Y + 1).astype(str))),
    ):
        file = open_logits(at(tmp_path, name, saved.by_class(Z.astype(float), labels, names)))
        np.testing.assert_array_equal(file.labels, Y, err_msg=name)


def test_arrays_are_found_by_name_or_because_there_is_one(tmp_path):
    other = np.random.default_rng(0).normal(size=(N, 7))
    for arrays, names in (
        ({"logits": Z, "hidden": other, "labels": Y, "ids": np.arange(N)}, {}),
        ({"z": Z, "y": Y}, {}),
        ({"z": Z, "h": other, "y": Y, "ids": np.arange(N)}, {"logits_name": "z", "labels_name": "y"}),
        ({"logits": Z, "target": Y, "sizes": np.arange(5)}, {}),
    ):
        file = open_logits(at(tmp_path, "a.npz", saved.npz(**arrays)), **names)
        np.testing.assert_array_equal(file.rows.read(0, N), Z)
        np.testing.assert_array_equal(file.labels, Y)
    assert open_logits(at(tmp_path, "b.npz", saved.npz(logits=Z, sizes=np.arange(5)))).labels is None
    named = saved.npz(logits=Z, labels=np.array(WORDS)[Y], class_names=np.array(WORDS))
    file = open_logits(at(tmp_path, "c.npz", named))
    np.testing.assert_array_equal(file.labels, Y)
    assert file.class_names == WORDS


def test_labels_of_another_file_are_taken_before_those_beside_the_logits(tmp_path):
    other = at(tmp_path, "y.npy", saved.npy(Y))
    for name, content in {
        "a.npz": saved.npz(logits=Z, labels=Y[::-1]),
        "a.parquet": saved.by_class(Z, Y[::-1].copy()),
        "a.csv": saved.by_class(Z.astype(float), Y[::-1].copy()),
    }.items():
        np.testing.assert_array_equal(open_logits(at(tmp_path, name, content), other).labels, Y)


def test_labels_beside_the_logits_are_not_looked_at_where_another_file_has_them(tmp_path):
    gold = at(tmp_path, "gold.csv", "id,gold\n" + "".join(f"7,{label}\n" for label in Y))
    for name, content in {
        "a.npz": saved.npz(logits=Z, labels=Y[:3], gold_=np.array([None])),
        "a.parquet": saved.by_class(Z, pa.array([None] * N, pa.string())),
    }.items():
        np.testing.assert_array_equal(open_logits(at(tmp_path, name, content), gold, labels_name="gold").labels, Y)


def test_a_class_may_be_called_as_others_call_what_is_missing(tmp_path):
    names = ("NA", "null", "nan")
    path = at(tmp_path, "z.npy", saved.npy(Z))
    words = "\n".join(names[label] for label in Y)
    for name, content in (("a.txt", words), ("a.csv", "label\n" + words)):
        np.testing.assert_array_equal(open_logits(path, at(tmp_path, name, content), class_names=names).labels, Y)


def test_columns_of_labels_are_no_logits(tmp_path):
    other = at(tmp_path, "y.npy", saved.npy(Y))
    table = saved.by_class(Z, Y.astype(np.float32), ["a", "b", "c"])
    for index in range(2):
        table = table.append_column(f"label_{index}", pa.array(Y.astype(np.float32)))
    file = open_logits(at(tmp_path, "a.parquet", table.append_column("labels", table["label"])), other)
    assert file.class_names == ("a", "b", "c")
    chosen = open_logits(tmp_path / "a.parquet", labels_name="labels")
    assert chosen.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(chosen.labels, Y)


def test_a_name_may_hold_a_comma(tmp_path):
    table = saved.by_class(Z, Y, ["yes, sure", "no", "maybe"])
    file = open_logits(at(tmp_path, "a.parquet", table), logits_name=["yes, sure", "maybe", "no"])
    assert file.class_names == ("yes, sure", "maybe", "no")
    lists = saved.listed(Z, Y).rename_columns(["the, logits", "label"])
    file = open_logits(at(tmp_path, "b.parquet", lists), logits_name="the, logits")
    np.testing.assert_array_equal(file.rows.read(0, N), Z)


def test_groups_are_indices_of_their_names_in_order(tmp_path):
    regions = np.array(["us", "eu", "asia"])[np.arange(N) % 3]
    table = saved.by_class(Z, Y).append_column("region", pa.array(regions)).append_column("year", pa.array(2000 - Y))
    for path, labels in (
        (at(tmp_path, "a.parquet", table), None),
        (at(tmp_path, "a.npz", saved.npz(logits=Z, labels=Y, region=regions, year=2000 - Y)), None),
        (at(tmp_path, "b.npy", saved.npy(Z)), at(tmp_path, "b.csv", table.select(["label", "region", "year"]))),
    ):
        file = open_logits(path, labels, group_name="region")
        assert file.group_names == ("asia", "eu", "us")
        np.testing.assert_array_equal(np.array(file.group_names)[file.groups], regions)
        years = open_logits(path, labels, group_name="year")
        assert years.group_names == ("1998", "1999", "2000")
        np.testing.assert_array_equal(years.groups, 2 - Y)


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["int", "text", "name"]))
def test_text_and_numbers_name_the_same_classes(tmp_path_factory, seed, kind):
    rng = np.random.default_rng(seed)
    c = int(rng.integers(2, 30))
    names = [f"word {index}" for index in rng.permutation(c)]
    labels = rng.integers(0, c, 50)
    column = {"int": labels, "text": labels.astype(str), "name": np.array(names)[labels]}[kind]
    path = tmp_path_factory.mktemp("labels") / "a.parquet"
    saved.write_table(path, saved.by_class(rng.normal(size=(50, c)), pa.array(column), names))
    np.testing.assert_array_equal(open_logits(path).labels, labels)
