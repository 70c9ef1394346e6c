"""The guide's code runs and prints what the pages show, in both languages; its figures are those of the script."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "guide"


def load(path):
    spec = importlib.util.spec_from_file_location(f"guide_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


guide = load(ROOT / "tools" / "guide.py")
TEXTS = [page.read_text(encoding="utf-8") for page in guide.PAGES]
PAIRS = [[page.read_text(encoding="utf-8") for page in pair] for pair in guide.PAIRS]


@pytest.mark.parametrize("page", guide.PAGES, ids=lambda page: page.name)
def test_every_block_prints_what_the_page_shows(page):
    found = guide.blocks(page.read_text(encoding="utf-8"))
    assert len(found) > 8
    for block, printed in zip(found, guide.run(page, found), strict=True):
        assert printed == block.shown, f"{page.name}, line {block.line}: run tools/guide.py --write"


@pytest.mark.parametrize("pair", PAIRS, ids=[pair[0].stem for pair in guide.PAIRS])
def test_the_languages_have_the_same_code_figures_and_sections(pair):
    english, chinese = ([(block.code, block.shown) for block in guide.blocks(text)] for text in pair)
    assert english == chinese
    english, chinese = (re.findall(r"!\[[^]]*\]\(figures/(\w+)(?:\.zh)?\.svg\)", text) for text in pair)
    assert english == chinese
    english, chinese = (re.findall(r"^(#+) (\d*)", text, re.MULTILINE) for text in pair)
    assert english == chinese


@pytest.mark.parametrize("text", TEXTS, ids=[page.name for page in guide.PAGES])
def test_every_fence_is_a_block_and_every_link_leads_somewhere(text):
    blocks = guide.blocks(text)
    fences = len(re.findall(r"^```", text, re.MULTILINE))
    assert fences == 2 * (len(blocks) + sum(bool(block.shown) for block in blocks)), "a fence that no test sees"
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert link.startswith("https://") or (FOLDER / link).exists(), link


def test_a_wrong_output_is_seen(tmp_path):
    text = "# A page\n\n```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```python\nx = 1\n```\n"
    found = guide.blocks(text)
    assert [(block.line, block.shown) for block in found] == [(4, "3\n"), (12, "")]
    printed = guide.run(tmp_path / "page.md", found)
    assert printed == ["2\n", ""]
    mended = guide.fill(text, [("print(1 + 1)\n", "2\n"), ("x = 1\n", "")])
    assert mended == text.replace("3", "2")
    with pytest.raises(ValueError, match="2 blocks"):
        guide.fill(text, [("x = 1\n", "")])


NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def compare(committed, drawn):
    """Say whether two drawings are one: the same words, and every number within half a pixel."""
    if NUMBER.sub("#", committed) != NUMBER.sub("#", drawn):
        return False
    pairs = zip(NUMBER.findall(committed), NUMBER.findall(drawn), strict=True)
    return all(abs(float(a) - float(b)) <= 0.5 for a, b in pairs)


def test_the_figures_are_drawn_by_the_script_and_up_to_date(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))  # the script adds its own folder
    drawn = load(FOLDER / "figures.py").draw(tmp_path)
    assert sorted(path.name for path in drawn) == sorted(path.name for path in (FOLDER / "figures").iterdir())
    for path in drawn:
        committed = (FOLDER / "figures" / path.name).read_text(encoding="utf-8")
        assert compare(committed, path.read_text(encoding="utf-8")), f"{path.name}: run docs/guide/figures.py"
    shown = re.findall(r"\(figures/(\w+(?:\.zh)?\.svg)\)", "".join(TEXTS))
    assert sorted(shown) == sorted(path.name for path in drawn), "each figure stands in a page once"


def test_a_moved_curve_and_a_changed_word_are_seen():
    drawing = '<text x="1.0">log</text><polyline points="1.0,2.0 3.0,-4.0"/>'
    assert compare(drawing, drawing.replace("2.0", "2.4"))
    assert not compare(drawing, drawing.replace("2.0", "2.6"))
    assert not compare(drawing, drawing.replace("log", "exp"))
    assert not compare(drawing, drawing.replace(" 3.0,-4.0", ""))
