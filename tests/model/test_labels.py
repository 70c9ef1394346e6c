"""Labels as people hold them, and those that are refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logitkit.errors import InputError
from logitkit.model.labels import as_label_column, encode_labels

NAMES = ["b", "a", "音乐", "b"]


@pytest.mark.parametrize(
    "labels",
    [
        NAMES,
        tuple(NAMES),
        np.array(NAMES),
        np.array(NAMES, object),
        pa.array(NAMES),
        pa.array(NAMES, pa.large_string()),
        pa.array(NAMES, pa.string_view()),
        pa.array(["x", *NAMES])[1:],
        pa.array(NAMES).dictionary_encode(),
        pa.chunked_array([NAMES[:1], NAMES[1:]]),
        pa.chunked_array([pa.array(NAMES[:1]).dictionary_encode(), pa.array(NAMES[1:]).dictionary_encode()]),
        pd.Series(NAMES),
        pd.Series(NAMES, dtype="category"),
        pd.Series(NAMES, index=[9, 8, 7, 6]),
        (name for name in NAMES),
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_every_container_of_text(labels):
    column = as_label_column(labels, 4)
    assert column.to_pylist() == NAMES
    names, indices = encode_labels(column)
    assert names == ("a", "b", "音乐") and indices.tolist() == [1, 0, 2, 1] and indices.dtype == np.intp


@pytest.mark.parametrize(
    "labels",
    [
        [3, -1, 3],
        [np.int64(3), np.int8(-1), 3],
        np.array([3, -1, 3], np.int16),
        pa.array([3, -1, 3]),
        pd.Series([3, -1, 3]),
        pa.array([3, -1, 3]).dictionary_encode(),
    ],
)
def test_integers_become_their_decimal_text(labels):
    assert as_label_column(labels, 3).to_pylist() == ["3", "-1", "3"]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ("abc", "The labels must be a sequence, one a text; got one bare string."),
        (None, "The labels must be a sequence, one a text; got None."),
        (5, "The labels must be a sequence, one a text; got 5."),
        (["a", "b"], "The labels must be as many as the texts; got 2 labels and 3 texts."),
        (["a", None, "b"], "The labels are null in row 1 (counted from 0): drop that text or fill it in."),
        (pa.array(["a", "b", None]), "The labels are null in row 2 (counted from 0)"),
        ([None, None, None], "The labels are null in row 0"),
        (["a", 0.5, "b"], "The labels must be text or integers; got 0.5 in row 1 (counted from 0)."),
        (["a", True, "b"], "must be text or integers; got True in row 1"),
        (["a", b"b", "b"], "must be text or integers; got b'b' in row 1"),
        (np.array([1.0, 2.0, 3.0]), "must be text or integers; got 1.0 in row 0"),
        (np.array([["a"], ["b"], ["c"]]), "must be text or integers; got ['a'] in row 0"),
        (
            np.array(["2026-01-01"] * 3, "datetime64[D]"),
            "must be text or integers; got datetime.date(2026, 1, 1) in row 0",
        ),
        (pa.array([1.0, 2.0, 3.0]), "must be text or integers; got a column of type double: convert it first."),
        (pa.array([True, False, True]), "got a column of type bool"),
        (pa.array([["a"]] * 3), "got a column of type list"),
        (pa.array([0, 1, 2], pa.date32()), "got a column of type date32[day]"),
        (["a", "\ud800", "b"], "The labels must be valid Unicode; got '\\ud800' in row 1"),
    ],
)
def test_what_is_refused(labels, sentence):
    with pytest.raises(InputError) as caught:
        as_label_column(labels, 3)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_another_name_is_named():
    with pytest.raises(InputError, match="The groups are null in row 0"):
        as_label_column([None], 1, "groups")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=5)))
def test_names_and_indices_give_the_labels_back(labels):
    names, indices = encode_labels(as_label_column(labels, len(labels)))
    assert [names[index] for index in indices] == labels
    assert list(names) == sorted(set(labels))
