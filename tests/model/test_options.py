"""Options: what is out of range is refused by name, and the default n-grams follow the length of the texts."""

import pytest

from logitkit import NgramSpec, TrainOptions
from logitkit.errors import OptionError
from logitkit.model.options import default_ngrams
from logitkit.text import as_column

NAN = float("nan")


@pytest.mark.parametrize(
    "option",
    [
        *({"l2": value} for value in (0, 1, -0.1, 2, NAN, "x", [0.1])),
        *({"label_smoothing": value} for value in (-0.1, 1.0, 1.5, NAN, "x", None)),
        *({"epochs": value} for value in (0, 1001, 2.5, "3", True)),
        *({"patience": value} for value in (0, -1, 1.5, None)),
        *({"seed": value} for value in (-1, 2**63, 0.5, None)),
        *({"class_weights": value} for value in ("equal", {"a": 0}, {"a": -1}, {"a": NAN}, {"a": "x"}, {"a": None})),
        {"class_weights": {"a": float("inf")}},
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused_by_name(option):
    (name,) = option
    with pytest.raises(OptionError, match=f"The .{name}.* option.* of TrainOptions must be") as caught:
        TrainOptions(**option)
    assert "\n" not in str(caught.value)


def test_what_is_in_range_is_kept():
    options = TrainOptions(
        l2=1e-9, label_smoothing=0.999, epochs=1000, patience=1, seed=2**63 - 1, class_weights={"a": 1e-3}
    )
    assert (options.l2, options.epochs, options.class_weights) == (1e-9, 1000, {"a": 1e-3})
    with pytest.raises(AttributeError):
        options.seed = 1


def test_characters_are_features_where_texts_are_short():
    assert default_ngrams(as_column(["short"] * 3)) == NgramSpec()
    assert default_ngrams(as_column(["x" * 1_000, "x" * 1_000])) == NgramSpec()
    assert default_ngrams(as_column(["x" * 1_001, "x" * 1_000])) == NgramSpec(chars=(1, 0))
    assert default_ngrams(as_column([])) == NgramSpec()
