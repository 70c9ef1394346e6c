"""The page's parts: numbers, near rows, tokens in their sentence, drawings."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logitkit.report.evaluation import EvaluationBuilder, ReliabilityBin
from logitkit.report.page_en import ENGLISH
from logitkit.report.page_facts import neighbours, place_tokens, rounded_sum, sureness, verdict
from logitkit.report.page_markup import Html, element, escape, join, number, signed
from logitkit.report.page_svg import Bar, draw_bars, draw_line, draw_reliability, shorten
from logitkit.report.page_zh import CHINESE
from logitkit.trust.reliability_diagram import wilson_interval


@given(st.text())
def test_escaped_text_has_no_markup_and_keeps_what_html_can_hold(text):
    import html

    escaped = escape(text)
    escaped.encode("utf-8")
    assert not set("<>\"'\x00") & set(escaped)
    kept = html.unescape(escaped)
    assert len(kept) == len(text)
    assert all(a in (b, "\ufffd") for a, b in zip(kept, text, strict=True))
    assert escape(escaped) == escaped


def test_only_html_passes_unescaped():
    assert join([Html("<b>"), "<b>"]) == "<b>&lt;b&gt;"
    assert element("p", "x" + Html("<b>"), title='"<') == '<p title="&quot;&lt;">x&lt;b&gt;</p>'


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert [number(value) for value in (-1.5, -0.0, 0.0, -0.001, 1e9, -math.inf, math.nan, None)] == [
        "−1.50", "0.00", "0.00", "−1.0×10⁻³", "1.0×10⁹", "−∞", "–", "–",
    ]  # fmt: skip
    assert [signed(value, 3) for value in (0.0, -1e-9, 2.0, -0.5)] == ["0.000", "0.000", "+2.000", "−0.500"]


def test_a_share_is_shown_as_nothing_or_all_only_if_it_is():
    shares = (0.0, 0.0004, 0.004, 0.0051, 0.994, 0.9951, 0.9996, 1.0, None, math.nan)
    assert [CHINESE.percent(share, 0) for share in shares] == [
        "0%", "<1%", "<1%", "1%", "99%", ">99%", ">99%", "100%", "–", "–",
    ]  # fmt: skip
    assert [ENGLISH.percent(share) for share in (0.0004, 0.0005001, 0.9996, 0.9994)] == [
        "<0.1\u00a0%", "0.1\u00a0%", ">99.9\u00a0%", "99.9\u00a0%",
    ]  # fmt: skip


def bins(counts, right):
    return [
        ReliabilityBin(i / 5, (i + 1) / 5, n, (i + 0.5) / 5 if n else None, r / n if n else None)
        for i, (n, r) in enumerate(zip(counts, right, strict=True))
    ]


@pytest.mark.parametrize(
    ("confidence", "counts", "expected"),
    [
        (0.5, [9, 9, 30, 9, 9], (0.4, 0.6, 30)),
        (0.5, [9, 9, 20, 9, 9], (0.4, 0.6, 20)),
        (0.49, [9, 9, 19, 9, 9], (0.2, 0.6, 28)),
        (0.41, [0, 30, 5, 30, 0], (0.2, 0.6, 35)),
        (0.59, [0, 30, 5, 30, 0], (0.4, 0.8, 35)),
        (0.6, [0, 0, 30, 40, 0], (0.4, 0.6, 30)),
        (0.95, [1, 0, 0, 0, 2], (0.0, 1.0, 3)),
        (0.5, [0, 0, 0, 3, 0], (0.6, 0.8, 3)),
        (0.0, [20, 0, 0, 0, 0], (0.0, 0.2, 20)),
        (1.0000001, [0, 0, 0, 0, 20], (0.8, 1.0, 20)),
    ],
)
def test_near_rows_are_at_least_twenty_where_there_are_so_many(confidence, counts, expected):
    found = neighbours(bins(counts, [n // 2 for n in counts]), confidence)
    assert (pytest.approx(found.lower), pytest.approx(found.upper), found.count) == expected
    assert found.right == sum(n // 2 for n in counts if n) or found.count < sum(counts)


def test_no_rows_are_no_neighbours():
    assert neighbours(bins([0] * 5, [0] * 5), 0.5) is None


@given(st.integers(1, 5000), st.data())
def test_the_interval_holds_the_share_and_stays_in_range(count, data):
    right = data.draw(st.integers(0, count))
    low, high = wilson_interval(right, count)
    assert 0.0 <= low <= right / count + 1e-12 and right / count - 1e-12 <= high <= 1.0 and low < high


def test_the_interval_is_wilsons():
    scipy_stats = pytest.importorskip("scipy.stats")
    for right, count in ((18, 36), (0, 4), (4, 4), (999, 1000)):
        theirs = scipy_stats.binomtest(right, count).proportion_ci(method="wilson")
        assert wilson_interval(right, count) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_how_sure_and_how_believable():
    assert [sureness(p) for p in (1.0, 0.95, 0.9, 0.75, 0.54, 0.5, 0.49)] == [
        "certain", "certain", "sure", "sure", "leaning", "leaning", "unsure",
    ]  # fmt: skip
    e = EvaluationBuilder(["a", "b"]).update([[2.2, 0.0]] * 40, [0] * 30 + [1] * 10).finish()
    assert verdict(e) == "over"
    assert verdict(EvaluationBuilder(["a", "b"]).update([[2.2, 0.0]] * 40, [0] * 40).finish()) == "under"
    assert verdict(EvaluationBuilder(["a", "b"]).update([[2.2, 0.0]] * 40, [0] * 36 + [1] * 4).finish()) == "believe"
    assert verdict(EvaluationBuilder(["a", "b"]).finish()) == "nothing"
    assert verdict(dataclasses.replace(e, mean_confidence=e.accuracy)) == "mixed"


def test_the_rounded_sum_is_told_only_where_it_differs():
    assert rounded_sum([7.38905609893065, 2.718281828459045, 1.1051709180756477], 11.212508845465344) == "11.22"
    assert rounded_sum([1.0, 2.0], 3.0) is None
    assert rounded_sum([math.inf, 1.0], math.inf) is None


@pytest.mark.parametrize(
    ("sentence", "tokens", "expected"),
    [
        ("The new.", ["the", "new", "."], [("The", 0), (" ", None), ("new", 1), (".", 2)]),
        ("ab ab", ["ab", "ab"], [("ab", 0), (" ", None), ("ab", 1)]),
        (" 新手机! ", ["新", "手", "机", "!"], [(" ", None), ("新", 0), ("手", 1), ("机", 2), ("!", 3), (" ", None)]),
        ("ＡＢ x", ["ab", "x"], [("ＡＢ", 0), (" ", None), ("x", 1)]),
        ("İx y", ["i̇x", "y"], [("İx", 0), (" ", None), ("y", 1)]),
        ("ﬁ", ["f", "i"], [("f", 0), (" ", None), ("i", 1), (" ", None)]),
        ("abc", ["z"], [("z", 0), (" ", None)]),
        ("", [], []),
        ("...", [], [("...", None)]),
    ],
)
def test_tokens_are_found_in_the_sentence_as_it_was_written(sentence, tokens, expected):
    assert place_tokens(sentence, tokens) == expected


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=3), max_size=5))
def test_every_token_is_placed_once_whatever_the_sentence(sentence, tokens):
    pieces = place_tokens(sentence, tokens)
    assert [index for _, index in pieces if index is not None] == list(range(len(tokens)))
    text = "".join(piece for piece, _ in pieces)
    assert text == sentence or text == "".join(f"{token} " for token in tokens)


@given(st.text(max_size=80), st.integers(3, 40))
def test_shortened_text_is_never_wider(text, width):
    import unicodedata

    short = shorten(text, width)
    assert sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in short) <= width or short == text
    assert short == text or short.endswith("…")


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=12))
@example([2e306, -1e308, 1e308])
@example([5e-324, 0.0, -math.inf])
def test_drawings_stay_inside_whatever_the_numbers(values):
    drawn = draw_bars("b", ("t", "d"), [Bar("n", value, number(value), i == 0) for i, value in enumerate(values)])
    line = draw_line("l", ("t", "d"), list(range(len(values))), [abs(value) for value in values])
    assert not any(word in drawn + line for word in ("nan", "inf"))
    import re

    for x, width in re.findall(r'x="(-?[\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn):
        assert float(x) >= -0.05 and float(x) + float(width) <= 340.05


def test_bars_grow_left_of_zero_for_what_is_negative():
    import re

    bars = [Bar("a", 2.0, "", True), Bar("b", -1.0, "", False)]
    (x0, w0), (x1, w1) = re.findall(r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', draw_bars("b", ("t", "d"), bars))
    assert float(x1) + float(w1) == pytest.approx(float(x0), abs=0.2)
    assert float(w0) == pytest.approx(2 * float(w1), abs=0.2)


def test_the_diagram_draws_and_counts_bins_with_rows_only():
    drawn = draw_reliability("r", ("t", "d"), bins([0, 7, 0, 1234, 0], [0, 3, 0, 1000, 0]), 0.3, ("x", "y", "n"))
    assert drawn.count('class="dot"') == 2 and drawn.count('class="ring"') == 1
    assert ">7</text>" in drawn and ">1,234</text>" in drawn
    assert np.isclose(float(drawn.split('class="ring" cx="')[1].split('"')[0]), 36 + 290 * 0.3, atol=0.1)
