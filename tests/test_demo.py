"""The demo: its corpus, its split, and one whole run on the real news."""

import importlib.util
import json

import pytest

from logitkit.demo import SENTENCE, run_demo
from logitkit.demo.corpus import CLASS_OF_FOLDER, find_corpus, held_out, paragraphs, read_articles
from logitkit.demo.output import FILES, check_folder
from logitkit.errors import InputError, OutputError

LONG = "This line is shared by two versions of one article, and it is long enough to tell them by."


@pytest.fixture
def folder(tmp_path):
    """A corpus of a few articles, with a copy, two versions of one article, and a chain of three."""
    texts = {
        "business": ["Profits rise\n\nA bank has said that its profits rose in the last quarter of the year.\n"],
        "politics": [f"One\n{LONG}\n", f"Another\n{LONG}\nMore was said about it in the evening of that same day.\n"],
        "sports": [f"Goal {n}\nA team of eleven has won match number {n} after a long evening.\n" for n in range(20)],
        "entertainment": [
            f"A\n{'a' * 60}\n", f"B\n{'a' * 60}\n{'b' * 60}\n", f"C\n{'b' * 60}\n", f"D\n{'c' * 59}\n",
            f"E\n{'c' * 59}\n",
        ],
        "tech": ["Chip\r\n\r\nA  new chip\tis faster than the old one was by a very great deal.\r\n"] * 2 + ["\n \n"],
    }  # fmt: skip
    for name, articles in texts.items():
        (tmp_path / name).mkdir()
        for number, text in enumerate(articles):
            (tmp_path / name / f"{number:03}.txt").write_bytes(text.encode("latin-1"))
    (tmp_path / "tech" / "notes.md").write_text("no article")
    (tmp_path / "tech" / "900.txt").write_bytes(
        b"Pound\n\nIt costs \xa31, which is no valid UTF-8, and is read all the same.\n"
    )
    return tmp_path


def test_articles_are_read_once_and_versions_are_grouped(folder):
    articles = read_articles(folder)
    by_label = {label: [a for a in articles if a.label == label] for label in set(CLASS_OF_FOLDER.values())}
    assert {label: len(found) for label, found in by_label.items()} == {"News": 23, "Entertainment": 5, "Technology": 3}
    chip = next(a for a in by_label["Technology"] if a.lines and a.lines[0] == "Chip")
    assert chip.lines[1].startswith("A new chip is faster") and chip.text == "\n".join(chip.lines)
    pound = next(a for a in by_label["Technology"] if a.lines and a.lines[0] == "Pound")
    assert "\ufffd1" in pound.text
    versions = [a for a in articles if LONG in a.lines]
    assert len(versions) == 2 and versions[0].group == versions[1].group
    group = {a.lines[0]: a.group for a in by_label["Entertainment"]}
    assert group["A"] == group["B"] == group["C"] and len({group["A"], group["D"], group["E"]}) == 3
    assert len({a.group for a in articles}) == len(articles) - 3


def test_no_version_of_an_article_is_on_both_sides(folder):
    articles = read_articles(folder)
    splits = [held_out(articles, seed) for seed in range(30)]
    for held in splits:
        sides = {}
        for article, out in zip(articles, held, strict=True):
            assert sides.setdefault(article.group, out) == out
        assert sum({a.group: out for a, out in zip(articles, held, strict=True)}.values()) == int(0.2 * len(sides))
    assert held_out(articles, 3) == splits[3] and splits[3] != splits[4]
    assert all(any(held[at] for held in splits) for at in range(len(articles)))


def test_a_headline_belongs_to_the_paragraph_after_it(folder):
    article = read_articles(folder)[0]
    ten = "one two three four five six seven eight nine ten"
    cases = [
        (("Head", ten), [f"Head {ten}"]),
        ((ten, ten), [ten, ten]),
        (("A", "B", ten, "tail"), [f"A B {ten}", "tail"]),
        ((ten[:-4],), [ten[:-4]]),
        ((), []),
    ]
    for lines, expected in cases:
        assert paragraphs(type(article)("News", lines, 0)) == expected
    for found in read_articles(folder):
        assert " ".join(paragraphs(found)).split() == found.text.split()


def test_without_the_corpus_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "logitkit\[demo\]"'):
        find_corpus()


def test_the_folder_is_checked_before_any_work(tmp_path):
    assert check_folder(str(tmp_path / "a" / "b"), force=False).is_dir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="it is a file; choose another --out"):
        check_folder(str(tmp_path / "file"), force=False)
    with pytest.raises(OutputError):
        check_folder(str(tmp_path / "file" / "below"), force=False)
    for name in FILES:
        taken = tmp_path / name.replace(".", "-")
        taken.mkdir()
        (taken / name).write_text("mine")
        with pytest.raises(OutputError, match="exists already"):
            check_folder(str(taken), force=False)
        assert check_folder(str(taken), force=True) == taken and (taken / name).read_text() == "mine"


@pytest.fixture(scope="module")
def run():
    stages = []
    return *run_demo(progress=lambda stage, _: stages.append(stage)), stages


def test_the_demo_on_real_news(run):
    model, report, stages = run
    assert report.paragraphs.accuracy >= 0.94 and report.whole_articles.accuracy >= 0.97
    assert report.sentence == SENTENCE == "The new smartphone has amazing features."
    assert report.decision.label == "Technology" and report.decision == model.decide([SENTENCE])[0]
    assert model.class_names == ("Entertainment", "News", "Technology")
    assert report.paragraphs.expected_calibration_error < 0.03
    assert report.whole_articles.rows == report.articles - report.train_articles
    assert (
        "smartphone" in report.explanation.tokens and report.explanation.logits.tolist() == report.steps.logits.tolist()
    )
    assert [round(p, 2) for p in report.worked.probs] == [0.66, 0.24, 0.10]
    assert list(dict.fromkeys(stages)) == ["counting", "training", "calibrating"]
    articles = read_articles(find_corpus())
    assert len(articles) == report.articles and {a.label for a in articles} == set(model.class_names)
    lines = [set(), set()]
    for article, out in zip(articles, held_out(articles, 0), strict=True):
        lines[out] |= {line for line in article.lines if len(line) >= 60}
    assert not lines[0] & lines[1]


def test_its_report_is_json(run):
    record = json.loads(json.dumps(run[1].to_json(), allow_nan=False))
    assert (
        record["paragraphs"]["accuracy"] == run[1].paragraphs.accuracy and record["decision"]["label"] == "Technology"
    )


def test_the_command_writes_three_files_and_refuses_to_replace_them(tmp_path, monkeypatch, capsys, run):
    from logitkit.cli import demo as command
    from logitkit.cli import main

    monkeypatch.setattr("logitkit.demo.run_demo", lambda **_: run[:2])
    monkeypatch.setattr("sys.argv", ["logitkit", "demo", "--out", str(tmp_path / "d")])
    with pytest.raises(SystemExit) as end:
        main()
    shown = capsys.readouterr()
    assert end.value.code == 0 and "Technology" in shown.out and "BBC" in shown.out and "Done in" in shown.err
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == sorted(FILES)
    assert json.loads((tmp_path / "d" / "report.json").read_text()) == json.loads(json.dumps(run[1].to_json()))
    assert SENTENCE in (tmp_path / "d" / "demo.html").read_text()
    before = {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()}

    def never(**_):
        raise AssertionError("it has begun to train")

    monkeypatch.setattr("logitkit.demo.run_demo", never)
    monkeypatch.setattr("sys.argv", ["logitkit", "demo", "--out", str(tmp_path / "d")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1 and "exists already" in capsys.readouterr().err and command is not None
    assert {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()} == before
    monkeypatch.setattr("logitkit.demo.run_demo", lambda **_: run[:2])
    monkeypatch.setattr("sys.argv", ["logitkit", "demo", "--out", str(tmp_path / "d"), "--force", "--json"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0 and json.loads(capsys.readouterr().out)["decision"]["label"] == "Technology"
