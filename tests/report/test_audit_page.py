"""The page of an audit: self-contained, both languages alike, every name escaped, every number the record's."""

import dataclasses
import re

import audits
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import Reader, assert_readable, assert_self_contained, assert_well_formed, halves

from logitkit.audit.record import Estimate, Sentence
from logitkit.report.audit_page import render_audit_page
from logitkit.report.audit_page_promises import curve_points
from logitkit.report.audit_svg import Interval, Mark, draw_histogram, draw_intervals, draw_risk_coverage, round_steps
from logitkit.report.audit_words import say
from logitkit.report.page_markup import number

MAKERS = (audits.class_audit, audits.tiny_audit, audits.label_audit)


@pytest.fixture(scope="module")
def audit():
    return audits.class_audit()


@pytest.fixture(scope="module")
def page(audit):
    return render_audit_page(audit)


def drawn(page, ident):
    """Return the drawing whose title has this id."""
    return next(one for one in page.split("<svg")[1:] if f'aria-labelledby="{ident}-t"' in one).split("</svg>")[0]


@pytest.mark.parametrize("make", MAKERS)
def test_is_one_well_formed_file_that_asks_for_nothing(make):
    page = render_audit_page(make())
    assert_well_formed(page)
    assert_self_contained(page)
    assert_readable(page)
    assert len(Reader(page).all("h1")) == 2
    assert not re.search(r"\b(nan|NaN|None|inf|Infinity)\b", "".join(Reader(page).texts))
    assert not re.search(r'(x|y|x1|y1|x2|y2|cx|cy|width|height|points)="[^"]*(nan|inf)', page)
    assert all(float(width) >= 0.0 for width in re.findall(r'(?:width|height)="(-?[\d.]+)"', page))


@pytest.mark.parametrize("make", MAKERS)
def test_both_languages_have_the_same_sections_and_figures(make):
    page = render_audit_page(make())
    english, chinese = halves(page)
    for tag in ("h1", "h2", "table", "tr", "th", "td", "svg", "figure", "details", "p", "pre", "bdi", "li", "circle"):
        assert english.count(f"<{tag}") == chinese.count(f"<{tag}"), tag
    assert re.findall(r'<h2 id="en-(\w+)', english) == re.findall(r'<h2 id="zh-(\w+)', chinese)
    shapes = (re.findall(r"<(?:line|rect|circle|polyline)[^>]*>", half) for half in (english, chinese))
    ours, theirs = ([shape for shape in one if "grid" not in shape and "course" not in shape] for one in shapes)
    assert ours == theirs


def test_sections_are_there_in_the_order_of_the_questions(page):
    assert re.findall(r'<h2 id="en-(\w+)', page) == [
        "notes", "belief", "methods", "logits", "abstention", "sets", "unknown", "classes", "suspects", "use", "made",
    ]  # fmt: skip
    labels = render_audit_page(audits.label_audit())
    assert re.findall(r'<h2 id="en-(\w+)', labels) == ["belief", "labels", "use", "made"]


@pytest.mark.parametrize("code", ["en", "zh"])
def test_the_verdict_comes_first_in_words(audit, page, code):
    half = halves(page)[code == "zh"]
    before = half.split("<h2")[0]
    places = [before.index(say(one, code, html=True)) for one in audit.verdict]
    assert places == sorted(places)
    assert ("<h1>Over-confident</h1>" if code == "en" else "<h1>过于自信</h1>") in before
    unheard = dataclasses.replace(audit, verdict=(Sentence("verdict.as_is", {}),))
    assert "<h1>What these logits are worth</h1>" in render_audit_page(unheard)
    assert "<h1>What these logits are worth</h1>" in render_audit_page(dataclasses.replace(audit, verdict=()))


def test_the_numbers_are_those_of_the_record(audit, page):
    for half, sign in zip(halves(page), ("\u00a0%", "%"), strict=True):
        means = (f"<td>{100.0 * one.mean_confidence:.2f}</td>" for one in (audit.before, audit.after))
        assert "".join(means) in half  # in this order
        assert re.search(r'<tr class="strong"><th scope="row">[^<]* ✓</th>', half)
        for figures in (audit.before, audit.after):
            for found in (figures.log_loss, figures.brier_score, figures.area_under_risk_coverage):
                cell = f"<td>{found.value:.4f}<small>[{found.low:.4f}, {found.high:.4f}]</small></td>"
                assert cell in half
            for found in (figures.accuracy, figures.expected_calibration_error):
                value, low, high = (f"{100.0 * v:.2f}" for v in (found.value, found.low, found.high))
                assert f"<td>{value}<small>[{low}, {high}]</small></td>" in half
            for value in dataclasses.astuple(figures.errors):
                assert f"<td>{100.0 * value:.2f}</td>" in half
            assert f"<td>{figures.log_loss_calibration:.4f}</td><td>{figures.log_loss_refinement:.4f}</td>" in half
            for one in figures.reliability:
                if one.count:
                    row = f"<td>{one.count:,}</td><td>{100 * one.mean_confidence:.1f}{sign}</td>"
                    assert row in half and f">{one.count:,}</text>" in half
        for one in audit.methods:
            if one.refused is None:
                assert f"<td>{one.brier_score.value:.4f}</td>" in half or f"{one.brier_score.value:.4f}" in half
                assert f">{one.log_loss.value:.4f}</text>" in half
        for one in audit.fit.trials:
            assert f"<td>{number(one.log_loss, 4)}</td><td>{number(one.worse_by, 4)}</td>" in half
        for one in audit.abstention:
            if one.threshold is not None:
                low, high = 100 * one.checked_low, 100 * one.checked_high
                assert (
                    f"<td>{one.threshold:.3f}</td><td>{100 * one.checked_coverage:.1f}{sign}</td>"
                    f"<td>{100 * one.checked_error:.1f}{sign}<small>[{low:.1f}, {high:.1f}]</small></td>"
                    f"<td>{one.shipped_threshold:.3f}</td>"
                ) in half
        assert f"<td>90.3{sign}</td><td>1.84</td><td>55.0{sign}</td><td>0.2{sign}</td>" in half
        assert f"<td>−1.250</td><td>4.9{sign}</td><td>0.870</td><td>0.930</td><td>31.0{sign}</td>" in half
        for one in audit.classes:
            assert f"<td>{one.support}</td><td>{one.predicted}</td><td>{100 * one.precision:.1f}{sign}</td>" in half
        for one in audit.label_errors.likeliest[:20]:
            assert f'<th scope="row">{one.row}</th><td><bdi>{one.given}</bdi></td>' in half
        assert f'<th scope="row">{audit.label_errors.likeliest[20].row}</th>' not in half
        assert "<bdi>class 1</bdi></td><td>17</td>" in half


def test_the_curves_are_the_data(audit, page):
    for code in ("en", "zh"):
        drawing = drawn(page, f"{code}-curve")
        found = [
            [tuple(map(float, point.split(","))) for point in line.split()]
            for line in re.findall(r'points="([^"]*)"', drawing)
        ]
        wanted = [curve_points(figures) for figures in (audit.before, audit.after)]
        top = max(y for points in wanted for _, y in points)
        for points, data in zip(found, wanted, strict=True):
            assert len(points) == len(data) > 190
            for (x, y), (coverage, risk) in zip(points, data, strict=True):
                assert x == pytest.approx(36.0 + 290.0 * coverage, abs=0.051)
                assert y == pytest.approx(264.0 - 220.0 * risk / top, abs=0.051)
        curve = audit.after
        rings = re.findall(r'class="ring" cx="([\d.]+)"', drawing)
        thresholds = [one.threshold for one in audit.abstention if one.threshold is not None]
        for ring, threshold in zip(rings, thresholds, strict=True):
            answered = [c for c, t in zip(curve.coverages, curve.curve_thresholds, strict=True) if t >= threshold]
            assert float(ring) == pytest.approx(36.0 + 290.0 * max(answered), abs=0.051)


def test_the_diagrams_are_the_data(audit, page):
    for when, figures in (("before", audit.before), ("after", audit.after)):
        drawing = drawn(page, f"en-reliability-{when}")
        places = re.findall(r'class="dot" cx="([\d.]+)" cy="([\d.]+)"', drawing)
        held = [one for one in figures.reliability if one.count]
        for (x, y), one in zip(places, held, strict=True):
            assert float(x) == pytest.approx(36.0 + 290.0 * one.mean_confidence, abs=0.051)
            assert float(y) == pytest.approx(312.0 - 290.0 * one.accuracy, abs=0.051)
        assert drawing.count('class="whisker"') == len(held)
        bars = re.findall(r'class="bar ?" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawing)
        for (x, width), one in zip(bars, held, strict=True):
            assert float(x) == pytest.approx(37.0 + 290.0 * one.lower, abs=0.051)
            assert float(width) == pytest.approx(290.0 * (one.upper - one.lower) - 2.0, abs=0.051)


def test_the_histogram_is_the_data(audit, page):
    drawing, found = drawn(page, "en-histogram"), audit.histogram
    for side, counts in (("right", found.right), ("wrong", found.wrong)):
        tall = [float(h) for h in re.findall(rf'class="bar {side}"[^>]*height="([\d.]+)"', drawing)]
        held = [count for count in counts if count]
        assert len(tall) == len(held)
        peak = max(max(found.right) / sum(found.right), max(found.wrong) / sum(found.wrong))
        for height, count in zip(tall, held, strict=True):
            assert height == pytest.approx(130.0 * count / sum(counts) / peak, abs=0.051)
        assert f"{side}: {sum(counts):,} rows" in drawing


def test_the_intervals_are_the_data_and_what_is_far_off_is_an_arrow(audit, page):
    drawing = drawn(page, "en-log-loss")
    tried = [one for one in audit.methods if one.refused is None]
    low = min(one.log_loss.low for one in tried)
    high = max(one.log_loss.high for one in tried)
    dots = re.findall(r'class="(?:dot|point)" cx="([\d.]+)"', drawing)
    for x, one in zip(dots, tried, strict=True):
        assert float(x) == pytest.approx(8.0 + 264.0 * (one.log_loss.value - low) / (high - low), abs=0.051)
    assert "→" not in drawing
    worst = dataclasses.replace(tried[-1], log_loss=Estimate(90.0, 80.0, 100.0))
    far = drawn(render_audit_page(dataclasses.replace(audit, methods=(*tried[:-1], worst))), "en-log-loss")
    assert far.count("→") == 1 and ">90.0000</text>" in far
    assert far.count('class="point"') == len(tried) - 2


def test_names_are_escaped_wherever_they_are_written():
    audit = audits.class_audit(names=audits.HOSTILE, rows=300)
    audit = dataclasses.replace(audit, name="<img src=x onerror=y>\u202e.npz", notes=(
        Sentence("note.one_class_predicted", {"name": audits.HOSTILE[1]}),
        Sentence("note.refused", {"method": "<b>", "why": "<script>x</script>"}),
    ))  # fmt: skip
    page = render_audit_page(audit)
    page.encode("utf-8")
    assert_well_formed(page)
    assert_self_contained(page)
    plain = render_audit_page(audits.class_audit(rows=300))
    assert {tag for tag, _ in Reader(page).tags} <= {tag for tag, _ in Reader(plain).tags} | {"span"}
    assert not re.search("[\x00-\x08\x1b\u202e]", page)
    text = "".join(Reader(page).texts)
    assert "<script>alert(1)</script>" in text and "a\"b'c&amp;</td>" in text and "<img src=x onerror=y>" in text
    assert "W" * 61 not in text


def test_a_thousand_classes_and_labels_stay_a_page():
    names = tuple(f"class {i}" for i in range(1000))
    page = render_audit_page(audits.class_audit(names=names, rows=400))
    assert len(page) < 200_000
    assert "The 20 classes that need a look most, of 1,000" in page and "（共 1,000 个）" in page
    labels = render_audit_page(audits.label_audit(names))
    assert "The 40 labels with the largest calibration error before, of 1,000" in labels
    assert len(labels) < 200_000


def test_what_can_be_done_next_is_said(audit, page):
    assert "logitkit audit LOGITS -o net.logitkit\nlogitkit calibrate apply net.logitkit NEW -o OUT" in page
    assert "policy = DecisionPolicy.load(&quot;net.logitkit&quot;)\npolicy.decide(new_logits)" in page
    given = render_audit_page(audits.tiny_audit())
    assert "logitkit audit LOGITS --probs -o" in given and "apply net.logitkit NEW --probs -o OUT" in given
    assert "policy.calibrator.probs(new_logits)" in render_audit_page(audits.label_audit())


def test_how_it_was_made_is_said(audit, page):
    for half, parts in zip(halves(page), (("seed 7", "fitting 0.31\u00a0s"), ("种子 7", "拟合 0.31 秒")), strict=True):
        assert all(part in half for part in parts)
        assert "<bdi>unheard of &lt;i&gt;</bdi> 2.00" in half
    assert "on 123 rows of them" in render_audit_page(dataclasses.replace(audit, compared_rows=123))


def test_what_is_not_there_leaves_no_empty_section(audit):
    bare = dataclasses.replace(
        audit, methods=(), histogram=None, classes=(), abstention=(), conformal=(), outliers=(), label_errors=None,
        notes=(), seconds={},
    )  # fmt: skip
    page = render_audit_page(bare)
    assert_well_formed(page)
    assert re.findall(r'<h2 id="en-(\w+)', page) == ["belief", "use", "made"]
    none = render_audit_page(audits.tiny_audit())
    assert "No threshold promises any of the shares below." in none and "Among 5 rows no label looks wrong." in none
    assert 'class="ring"' not in none
    nothing = dataclasses.replace(audit.after, coverages=(), risks=(), curve_thresholds=(), reliability=())
    assert_well_formed(render_audit_page(dataclasses.replace(audit, before=nothing, after=nothing)))


@pytest.mark.parametrize("make", MAKERS)
def test_every_class_has_a_style(make):
    page = render_audit_page(make())
    style = page.split("<style>")[1].split("</style>")[0]
    used = {name for key, value in Reader(page).attributes if key == "class" for name in value.split()}
    assert {name for name in used if not re.search(rf"\.{name}\b", style)} == set()


def test_the_same_record_gives_the_same_page(audit, page):
    assert render_audit_page(audit) == page


NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=8), NUMBERS)
def test_intervals_stay_inside_whatever_the_numbers(rows, end):
    drawing = draw_intervals("i", ("t", "d"), [Interval("n", *one, "x", i == 0) for i, one in enumerate(rows)], end)
    places = [float(x) for x in re.findall(r'(?:x1|x2|cx)="(-?[\d.]+)"', drawing)]
    assert all(-0.1 <= x <= 340.1 for x in places)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=6),
)
def test_curves_and_marks_stay_inside_and_words_do_not_collide(points, marks):
    drawing = draw_risk_coverage(
        "c", ("t", "d"), [("", "after", points)], [Mark(x, y, "at most 5 %") for x, y in marks], ("x", "y")
    )
    for path in re.findall(r'points="([^"]+)"', drawing):
        for place in path.split():
            x, y = map(float, place.split(","))
            assert 35.9 <= x <= 326.1 and 43.9 <= y <= 264.1
    words = re.findall(r'<text x="([\d.]+)" y="(-?[\d.]+)" class="mark( end)?">at most', drawing)
    boxes = [(float(x) - (70.4 if end else 0.0), float(y)) for x, y, end in words]
    for i, (x, y) in enumerate(boxes):
        assert 40.0 < y < 264.1
        assert all(abs(y - other) > 12.8 or abs(x - start) > 70.2 for start, other in boxes[:i])


def test_a_histogram_of_one_bin_or_one_side_is_drawn():
    for up, down in (([3], [0]), ([0], [0]), ([0], [2])):
        drawing = draw_histogram("h", ("t", "d"), [0.0, 1.0], up, down, ("up", "down", "axis"))
        assert drawing.count("<rect") == (up != [0]) + (down != [0])


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(2, 8))
def test_steps_of_an_axis_are_few_and_between(low, span, most):
    steps = round_steps(low, low + span, most)
    assert len(steps) <= most
    slack = 1e-6 * (abs(low) + span)
    assert all(low - slack <= step <= low + span + slack for step in steps)
