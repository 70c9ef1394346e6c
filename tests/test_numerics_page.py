"""The numerics pages say what ops does: tables of behaviour are made again by calls, and errors are in their bounds."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from logitkit import ops

pytest.importorskip("ml_dtypes")
ROOT = Path(__file__).resolve().parents[1]
extended = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no extended precision here")
CONTAINERS = {"InfoNCEGrads", "LinearGrads", "SamplingOptions", "SigmoidPairwiseGrads", "SupervisedContrastiveGrads"}


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        spec = importlib.util.spec_from_file_location("numerics", ROOT / "tools" / "numerics.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in [name for name in sys.modules if name.startswith("numerics_")]:
        del sys.modules[name]


def test_types_and_behaviour_are_those_of_the_functions(tool, capsys):
    assert tool.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_says_otherwise_is_seen(tool, tmp_path, monkeypatch, capsys):
    page = tmp_path / "numerics.md"
    page.write_text(tool.PAGES[0].read_text(encoding="utf-8").replace("| 0.5 0.5 0 |", "| 1 0 0 |"), encoding="utf-8")
    monkeypatch.setattr(tool, "PAGES", (page,))
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert tool.main(["--check"]) == 1
    assert "1 0 0" in page.read_text(encoding="utf-8"), "a check writes nothing"
    assert tool.main(["--behaviour"]) == 0 and tool.main(["--check"]) == 0
    assert page.read_text(encoding="utf-8") == tool.PAGES[0].read_text(encoding="utf-8")


def test_every_function_of_ops_is_in_the_tables(tool):
    named = {column.name for family in tool.numerics_behaviour.FAMILIES for column in family.columns}
    assert named | CONTAINERS == set(ops.__all__)


@pytest.mark.parametrize("page", ["numerics.md", "numerics.zh.md"])
def test_the_errors_on_the_page_are_the_promised_ones(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`([^|]*)((?:\| [\d.]+ )+)\|$", text, re.MULTILINE)
    errors = {name + rest.rstrip(): [float(cell) for cell in cells.split("|")[1:]] for name, rest, cells in rows}
    assert len(errors) > 10
    for name, (_, single, half, brain) in errors.items():
        assert single <= (3 if name.startswith("focal") else 2), name
        assert half <= 0.51 and brain <= 0.51, name
    assert errors["softmax p ≥ 0.001"][0] <= 10 and errors["log_softmax ≥ 1"][0] <= 8


@extended
def test_an_error_is_counted_in_ulp(tool):
    ulps = tool.numerics_errors.ulps
    one, half = np.array([np.longdouble(1)]), np.array([np.longdouble(0.5)])
    assert ulps(one + np.longdouble(2) ** -23, one, one, np.dtype("float32")) == 1
    assert ulps(half + np.longdouble(2) ** -23, half, half, np.dtype("float32")) == 2
    assert ulps(half + np.longdouble(2) ** -23, half, one, np.dtype("float32")) == 1
    tiny = np.array([np.longdouble(2) ** -150])
    assert ulps(0 * tiny, tiny, tiny, np.dtype("float32")) == 0.5


@extended
def test_measuring_again_gives_what_is_promised(tool):
    found = tool.numerics_errors.measure(("softmax", "log_softmax"), (3, 1000))
    assert len(found) == 2 * 4 * 2 * 3
    assert max(ulp for (_, dtype, _, _), ulp in found.items() if dtype == "float32") <= 2
    assert tool.numerics_errors.check_reference() < 0.01
