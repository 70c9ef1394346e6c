"""The committed table is what its generator makes of Unicode."""

from __future__ import annotations

import runpy
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "src" / "logitkit" / "text" / "unicode_classes.npz"


@pytest.fixture(scope="module")
def generator():
    path = ROOT / "tools" / "unicode_table.py"
    return runpy.run_path(str(path))


@pytest.fixture(scope="module")
def tables(generator):
    """The classes of all code points: committed, and as this Python's Unicode would have them."""
    with np.load(TABLE, allow_pickle=False) as table:
        committed = table["classes"][table["blocks"]].reshape(-1)
        version = str(table["unicode"][0])
    blocks, classes = generator["make_table"]()
    return committed, classes[blocks].reshape(-1), version


def test_the_committed_table_is_what_the_generator_makes(tables):
    committed, generated, version = tables
    if unicodedata.unidata_version != version:
        # Characters that both versions know; a newer Unicode may also complete an old character's case or composition.
        known = (committed & 3 != 0) & (generated & 3 != 0)
        assert known.sum() > 140_000
        np.testing.assert_array_equal(committed[known] & 3, generated[known] & 3)
        assert (committed[known] != generated[known]).sum() < 50
    else:
        np.testing.assert_array_equal(committed, generated)


def test_a_character_without_flags_is_left_alone_by_arrow(tables):
    """What the table passes on as it is, must be what normalising and lowering would leave."""
    committed, _, _ = tables
    plain = [chr(code) for code in np.flatnonzero((committed & 3 != 0) & (committed & 12 == 0))]
    plain = [char for char in plain if not (0xFF01 <= ord(char) <= 0xFF5E or char.isascii())]
    normal = pc.utf8_lower(pc.utf8_normalize(pa.array(plain), form="NFKC")).to_pylist()
    # A capital whose small letter was added to Unicode later, and nothing else.
    late = [char for char, n in zip(plain, normal, strict=True) if n != char]
    assert all(unicodedata.category(char) in ("Ll", "Lu", "Lo", "Cn") for char in late)
    assert len(late) < 30, late


@pytest.mark.parametrize(
    ("char", "kind"),
    [
        *((char, 1) for char in "aéßжกि٣"),
        *((char, 2) for char in "中のー한ㄅ"),
        *((char, 3) for char in ",，。€🙂🏽"),
        *((char, 0) for char in " \u3000\x00\u200d\ufe0f\ufffd\ue000\u0378"),
    ],
)
def test_kinds(tables, char, kind):
    assert tables[0][ord(char)] & 3 == kind
