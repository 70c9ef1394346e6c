"""The first half of the page: the verdict, the words, the logits and every step to the probabilities."""

from __future__ import annotations

import numpy as np

from logitkit.report.demo import DemoReport
from logitkit.report.page_document import section
from logitkit.report.page_facts import neighbours, place_tokens, rounded_sum, sureness
from logitkit.report.page_markup import Html, Language, element, join, name, number, signed, table
from logitkit.report.page_svg import Bar, draw_bars
from logitkit.report.steps import SoftmaxSteps
from logitkit.trust.reliability_diagram import wilson_interval

__all__ = ["head", "logits", "steps", "words"]

_BARS = 8
_STEP_ROWS = 12
_WORD_COLUMNS = 4
_WORD_ROWS = 24
_FAINT = 0.1  # below this share of the strongest word, a word is left plain


def head(report: DemoReport, language: Language) -> Html:
    """Return the sentence, the verdict, and how much to believe it."""
    say, percent, decision = language.say, language.percent, report.decision
    label, chance = name(decision.raw_label), percent(decision.probability, 0)
    if decision.abstained:
        reason = say(f"reason.{decision.reason}")
        verdict = say("head.none")
        lead = [say("head.nearest", label=label, percent=chance, reason=reason)]
    else:
        verdict = say("head.verdict", label=label, percent=chance)
        lead = [say(f"sure.{sureness(decision.probability)}", classes=f"{len(report.steps.class_names):,}")]
    near = neighbours(report.paragraphs.reliability, decision.probability)
    if near is None:
        lead.append(say("head.untested"))
    else:
        lead.append(
            say(
                "head.near", count=language.count(near.count, "paragraph"), right=f"{near.right:,}",
                lower=percent(near.lower, 0), upper=percent(near.upper, 0), share=percent(near.share, 0),
            )
        )  # fmt: skip
        low, high = wilson_interval(near.right, near.count)
        if high - low > 0.1:
            lead.append(say("head.few", low=percent(low, 0), high=percent(high, 0)))
    space = "" if language.code == "zh" else " "
    return element(
        "div",
        element("p", say("head.kicker"), class_="kicker"),
        element("p", report.sentence, class_="sentence", dir="auto"),
        element("h1", verdict),
        element("p", join(lead, space), class_="lead"),
        class_="head",
    )


def words(report: DemoReport, language: Language) -> Html:
    """Return the sentence with what each word adds, and the same as a table."""
    say, found, label = language.say, report.explanation, report.decision.raw_label
    column = found.class_names.index(label)
    added = found.contributions[:, column]
    strongest = float(np.abs(added).max()) if added.size else 0.0
    pieces: list[str] = []
    for text, index in place_tokens(report.sentence, found.tokens):
        if index is None:
            pieces.append(text)
            continue
        value = float(added[index])
        share = abs(value) / strongest if strongest else 0.0
        side = "" if share < _FAINT else "pro" if value > 0.0 else "con"
        shown = signed(value)
        title = language.plain("words.title_for", word=text, value=shown, label=label)
        word = element("span", name(text), class_="word")
        figure = element("span", shown, class_="figure")
        style = f"--s:{share:.2f}" if side else None
        pieces.append(element("span", word, figure, class_=f"token {side}".strip(), style=style, title=title))
    others = [int(j) for j in np.argsort(-found.logits, kind="stable") if j != column]
    columns = [column, *others[: _WORD_COLUMNS - 1]]
    order = list(range(len(found.tokens)))
    if len(order) > _WORD_ROWS:
        order = sorted(np.argsort(-np.abs(added), kind="stable")[:_WORD_ROWS].tolist())
    rest = np.delete(found.contributions, order, axis=0)
    rows = [[name(found.tokens[i]), *_signed(found.contributions[i, columns])] for i in order]
    if len(rest):
        rows.append([language.count(len(rest), "other"), *_signed(rest[:, columns].sum(axis=0))])
    rows.append([say("words.bias"), *_signed(found.bias[columns])])
    classes = len(found.class_names)
    some = say("words.caption_some", shown=f"{len(columns)}", classes=f"{classes:,}")
    return section(
        language,
        "words",
        element("p", say("words.text", label=name(label))),
        element("p", *pieces, class_="tokens", dir="auto"),
        table(
            say("words.caption") if len(columns) == classes else some,
            [say("words.word"), *(name(found.class_names[j]) for j in columns)],
            rows,
            [[say("words.logit"), *_signed(found.logits[columns])]],
            class_="first",
        ),
        element("p", say("words.exact"), class_="note"),
    )


def _signed(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> list[str]:
    return [signed(float(value), 3) for value in values]


def logits(report: DemoReport, language: Language) -> Html:
    """Return the logits as bars, and beside them the probabilities in the same order."""
    say, found = language.say, report.steps
    order = np.argsort(-found.logits, kind="stable")[:_BARS].tolist()
    drawn: list[str] = []
    for key, values in (("logits", found.logits), ("probs", found.probs)):
        bars = []
        for j in order:
            value = float(values[j])
            text = number(value) if key == "logits" else language.percent(value)
            bars.append(Bar(found.class_names[j], value, text, j == found.arg_max))
        ident, title = f"{language.code}-bars-{key}", language.plain(f"logits.{key}")
        description = "; ".join(f"{bar.name}: {bar.text}" for bar in bars)
        picture = draw_bars(ident, (title, description), bars, None if key == "logits" else 1.0)
        drawn.append(element("figure", element("figcaption", title), picture))
    notes = []
    if (found.logits < 0.0).all():
        notes.append(element("p", say("logits.negative")))
    if len(order) < found.logits.size:
        shown = say("logits.shown", shown=f"{len(order)}", classes=f"{found.logits.size:,}")
        notes.append(element("p", shown, class_="note"))
    return section(language, "logits", element("p", say("logits.text")), element("div", *drawn, class_="pair"), *notes)


def steps(report: DemoReport, language: Language) -> Html:
    """Return the steps from logits to probabilities, and the worked example beside them."""
    say, ours, worked = language.say, report.steps, report.worked
    order = np.argsort(-ours.logits, kind="stable")[:_STEP_ROWS].tolist()
    titles = [say("steps.class"), say("steps.logit"), f"÷\u00a0{number(ours.temperature)}", say("steps.shift")]
    rows = [
        [
            name(ours.class_names[j]),
            *(number(float(v[j])) for v in (ours.logits, ours.scaled, ours.shifted, ours.shifted_exponentials)),
            number(float(ours.probs[j])),
        ]
        for j in order
    ]
    foot = [say("steps.sum"), "", "", "", number(ours.shifted_exponentials_sum), number(float(ours.probs.sum()))]
    mine: list[str] = [
        table(
            say("steps.caption"), [*titles, say("steps.exp"), say("steps.share")], rows, [foot],
            strong=order.index(ours.arg_max) if ours.arg_max in order else None,
        )
    ]  # fmt: skip
    if len(order) < ours.logits.size:
        shown = say("steps.shown", shown=f"{len(order)}", classes=f"{ours.logits.size:,}")
        mine.append(element("p", shown, class_="note"))
    text = element("p", say("steps.text", temperature=number(ours.temperature)))
    beside = element("div", element("div", *mine), element("div", *_worked(worked, language)), class_="pair uneven")
    return section(language, "steps", text, beside)


def _worked(worked: SoftmaxSteps, language: Language) -> list[Html]:
    say = language.say
    rows = [
        [name(label), *(number(float(v[j])) for v in (worked.logits, worked.exponentials, worked.probs))]
        for j, label in enumerate(worked.class_names)
    ]
    foot = [say("steps.sum"), "", number(worked.exponentials_sum), number(float(worked.probs.sum()))]
    head_ = [say("steps.class"), say("steps.logit"), say("steps.exp"), say("steps.share")]
    notes = [say("steps.example")]
    rounded = rounded_sum(worked.exponentials.tolist(), worked.exponentials_sum)
    if rounded is not None:
        notes.append(say("steps.rounded", rounded=rounded, exact=number(worked.exponentials_sum)))
    comma = "、" if language.code == "zh" else ", "
    terms = comma.join(number(float(value)) for value in worked.shifted_exponentials)
    notes.append(say("steps.same", terms=terms, total=number(worked.shifted_exponentials_sum)))
    space = "" if language.code == "zh" else " "
    return [
        table(say("steps.worked"), head_, rows, [foot], strong=worked.arg_max),
        element("p", join(notes, space), class_="note"),
    ]
