"""What an audit says: every key in both languages with the same placeholders, every value written as it should be."""

import ast
import html
import re
import string
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import logitkit.audit
from logitkit.audit.record import Sentence
from logitkit.report import audit_words
from logitkit.report.audit_en import ENGLISH
from logitkit.report.audit_words import clean, fill, say, short_name
from logitkit.report.audit_zh import CHINESE
from logitkit.trust.calibrators.methods import METHODS
from logitkit.trust.outliers import OUTLIER_METHODS

# What the engine may say, with the values it gives.
SAID = {
    "verdict.believe": "error rows",
    "verdict.over": "mean accuracy error rows",
    "verdict.under": "mean accuracy error rows",
    "verdict.mixed": "error rows",
    "verdict.nothing": "",
    "verdict.mended": "method error_before error_after loss_before loss_after",
    "verdict.mended_infinite": "method error_before error_after loss_after infinite_rows",
    "verdict.as_is": "",
    "verdict.answers": "max_error certainty threshold coverage checked_error checked_rows",
    "verdict.answers_all": "max_error certainty checked_error",
    "verdict.no_promise_errors": "max_error certainty reachable",
    "verdict.no_promise_rows": "max_error certainty needed rows",
    "verdict.sets": "method promised size coverage",
    "verdict.labels": "count share row given suggested",
    "verdict.unknown": "method auroc detected false_alarms",
    "verdict.multilabel": "labels loss_before loss_after error_before error_after",
    "verdict.multilabel_control": "alpha threshold missed size",
    "note.few_rows": "rows",
    "note.missing_classes": "count example",
    "note.absent_labels": "count example",
    "note.infinite": "sentence",
    "note.log_probs": "",
    "note.sampled": "rows compared",
    "note.fit_capped": "rows",
    "note.probs": "zeros",
    "note.one_class_predicted": "name",
    "note.refused": "method why",
}


def placeholders(words):
    return sorted((name, spec) for _, name, spec, _ in string.Formatter().parse(words) if name)


def test_both_languages_have_every_key_with_the_same_placeholders():
    assert ENGLISH.words.keys() == CHINESE.words.keys()
    for key, words in ENGLISH.words.items():
        ours, theirs = placeholders(words), placeholders(CHINESE.words[key])
        assert {name for name, _ in ours} == {name for name, _ in theirs}, key
        nouns = {spec.split(".")[0] for spec in ENGLISH.words if spec.endswith(".many")} | {""}
        shares = [sorted({one for one in side if one[1] not in nouns}) for side in (ours, theirs)]
        assert shares[0] == shares[1], key  # only a noun may be written out in one language


@pytest.mark.parametrize("key", SAID)
@pytest.mark.parametrize("code", ["en", "zh"])
def test_every_sentence_of_the_engine_can_be_said_whatever_the_values(key, code):
    assert {name for name, _ in placeholders(ENGLISH.words[key])} <= set(SAID[key].split())
    for value in (None, 0, 1, 7, 0.25, float("nan"), float("inf")):
        values = dict.fromkeys(SAID[key].split(), value)
        names = dict.fromkeys({"method", "example", "given", "suggested", "name", "why", "sentence"} & set(values), "x")
        for as_html in (False, True):
            said = say(Sentence(key, {**values, **names}), code, as_html)
            assert said and not re.search(r"\b(nan|NaN|None|inf)\b|[{}]", said)


def test_the_sources_of_the_engine_say_nothing_that_has_no_words():
    said = set()
    for path in Path(logitkit.audit.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and re.fullmatch(r"(verdict|note)\.\w+", str(node.value)):
                said.add(node.value)
    assert said and said <= set(SAID)


def test_the_methods_have_names_in_both_languages():
    for language in (ENGLISH, CHINESE):
        assert all(f"method.{method}" in language.words for method in ("auto", *METHODS))
        assert all(f"outlier.{method}" in language.words for method in OUTLIER_METHODS)
        assert all(f"conformal.{method}" in language.words for method in ("lac", "aps", "raps"))


def test_sentences_are_exact():
    answers = {
        "max_error": 0.05, "certainty": 0.95, "threshold": 0.99987, "coverage": 0.75, "checked_error": 0.04,
        "checked_rows": 2000,
    }  # fmt: skip
    assert say(Sentence("verdict.answers", answers)).replace("\u00a0", " ") == (
        "Answer where the calibrated confidence is at least 0.99987: then at most 5 % of the answers are wrong, with "
        "95 % certainty. Checked on 2,000 other rows: 75.0 % of them are answered, and 4.0 % of the answers are wrong."
    )
    assert say(Sentence("verdict.answers", answers), "zh") == (
        "校准后的置信度不低于 0.99987 时才回答：这样，答错的比例不超过 5%，把握为 95%。用另外 2,000 行检验："
        "回答了其中的 75.0%，答错的占 4.0%。"
    )
    labels = {"count": 1, "share": 0.001, "row": 12345, "given": "a", "suggested": "b"}
    assert say(Sentence("verdict.labels", labels)).startswith("1 label is probably wrong (0.1\u00a0%).")
    assert "row 12345" in say(Sentence("verdict.labels", labels))
    assert "第 12345 行" in say(Sentence("verdict.labels", labels), "zh")
    for zeros, expected in ((0, "No row gives"), (1, "1 row gives"), (2000, "2,000 rows give")):
        assert f"{expected} the true class" in say(Sentence("note.probs", {"zeros": zeros}))


@pytest.mark.parametrize(
    ("value", "spec", "expected"),
    [
        (0.05, "p", "5\u00a0%"), (0.999, "p", "99.9\u00a0%"), (0.07, "p", "7\u00a0%"), (0.0004, "p1", "<0.1\u00a0%"),
        (0.9, "t", "0.900"), (0.99999, "t", "0.999990"), (1.0, "t", "1.000"), (0.0, "t", "0.000"),
        (0.05, "x1", "5.0"), (0.0004, "x1", "<0.1"), (1.5, "n2", "1.50"), (-0.5, "n1", "−0.5"), (1e9, "n3", "1.0×10⁹"),
        (1234, "", "1,234"), (1234, "d", "1234"), (1234, "row", "1,234 rows"), (1, "row", "1 row"), (None, "row", "–"),
        (None, "p1", "–"), ("lac", "conformal", "LAC"), ("none", "method", "as they are"),
        ("unheard", "method", "unheard"),
    ],
)  # fmt: skip
def test_values_are_written_as_their_placeholders_want(value, spec, expected, monkeypatch):
    monkeypatch.setitem(ENGLISH.words, "probe", f"{{value:{spec}}}")
    assert fill(ENGLISH, "probe", value=value) == expected
    assert html.unescape(re.sub("</?bdi>", "", fill(ENGLISH, "probe", html=True, value=value))) == expected


def test_a_threshold_is_never_written_as_1_unless_it_is(monkeypatch):
    monkeypatch.setitem(ENGLISH.words, "probe", "{value:t}")
    for k in range(1, 16):
        assert 0.999 * (1.0 - 10.0**-k) < float(fill(ENGLISH, "probe", value=1.0 - 10.0**-k)) < 1.0


@given(st.text())
def test_names_are_escaped_in_html_and_move_nothing_in_text(name):
    sentence = Sentence("note.one_class_predicted", {"name": name})
    as_html, text = say(sentence, html=True), say(sentence)
    inner = as_html.split("<bdi>")[1].split("</bdi>")[0]
    assert not set(inner) & set("<>\"'")
    assert html.unescape(inner) == short_name(name)
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cs") or char in "\u202e\u2066\u200f"]


def test_a_long_name_is_cut_and_a_foreign_sentence_is_marked():
    assert short_name("W" * 300, 10) == "W" * 9 + "…"
    assert clean("\x1b[31m") == "\ufffd[31m"
    refused = Sentence(
        "note.refused", {"method": "beta", "why": "it is <odd>, and that takes more than sixty letters to say"}
    )
    assert '<span lang="en">it is &lt;odd&gt;, and' in say(refused, "zh", html=True)
    assert "sixty letters to say." in say(refused)
    assert "<span" not in say(refused, "en", html=True)


def test_what_the_terminal_says_has_no_markup():
    for language in (ENGLISH, CHINESE):
        for key, words in language.words.items():
            if key.split(".")[0] in (
                "verdict",
                "note",
                "why",
                "table",
                "column",
                "measure",
                "parts",
                "method",
                "facts",
            ):
                assert not re.search(r"[<&]", words), key


def test_the_chinese_has_chinese_punctuation_and_spaced_latin():
    for key, words in CHINESE.words.items():
        bare = re.sub(r"</?(b|code)[^>]*>|\{[^}]*\}", "", words)
        assert not re.search(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!(][\u4e00-\u9fff]", bare), key
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", bare), key
        assert unicodedata.is_normalized("NFC", words)
        numbered = [(before, spec) for before, name, spec, _ in string.Formatter().parse(words) if name]
        for before, spec in numbered:  # a number stands free of the characters before it
            if spec[:1] in tuple("pntxd") and spec not in ("part",):
                assert not re.search(r"[\u4e00-\u9fff]$", before), key


def test_every_word_is_used():
    """A key that nothing asks for is one that nobody looks after."""
    specs = {spec for words in ENGLISH.words.values() for _, spec in placeholders(words)}
    asked = [rf"{re.escape(spec)}\..*" for spec in specs if spec] + [re.escape(key) for key in SAID]
    asked += [r"why\.too .*", r"section\.title"]
    for path in Path(audit_words.__file__).parent.glob("audit*.py"):
        tree = ast.parse("" if path.stem.endswith(("_en", "_zh")) else path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                asked += [re.escape(node.value), re.escape(f"{node.value}.title")]
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                asked.append("".join(re.escape(v.value) if isinstance(v, ast.Constant) else ".+" for v in node.values))
    pattern = re.compile("|".join(asked))
    assert [key for key in ENGLISH.words if not pattern.fullmatch(key)] == []
