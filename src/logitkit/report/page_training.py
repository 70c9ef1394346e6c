"""The end of the page: how the model learnt, where the news comes from, and how to run it."""

from __future__ import annotations

from logitkit.report.demo import WORKED_CLASSES, WORKED_LOGITS, DemoReport
from logitkit.report.page_document import section, versions
from logitkit.report.page_markup import Html, Language, element, escape, join, name, number
from logitkit.report.page_svg import draw_line
from logitkit.report.page_zh import TRANSLATED

__all__ = ["corpus", "run", "training"]

_CLASSES = 8


def training(report: DemoReport, language: Language) -> Html:
    """Return what was learnt from how much, and the course of loss, gradient norm and logit scale."""
    say, record = language.say, report.record
    comma = "、" if language.code == "zh" else ", "
    counts = sorted(
        zip(record.class_counts, report.paragraphs.classes, strict=False), key=lambda pair: (-pair[0], pair[1])
    )
    classes = join([join([name(label), f" {n:,}"]) for n, label in counts[:_CLASSES]], comma)
    text = [
        say(
            "training.text", paragraphs=f"{report.train_paragraphs:,}", articles=f"{report.train_articles:,}",
            classes=Html(classes + (f"{comma}…" if len(counts) > _CLASSES else "")),
            passes=language.count(record.epochs, "pass"), features=f"{record.features:,}",
        )
    ]  # fmt: skip
    if "training" in report.seconds:
        text.append(say("training.seconds", seconds=number(report.seconds["training"], 1)))
    if len(record.trials) > 1:
        text.append(say("training.chosen", n=f"{len(record.trials)}"))
    content = [element("p", join(text, "" if language.code == "zh" else " "))]
    if record.steps:
        content.append(element("p", say("training.course")))
        content.append(element("div", *(_course(report, key, language) for key in _COURSES), class_="triple"))
        content.append(element("p", say("training.axis"), class_="note"))
    else:
        content.append(element("p", say("training.no_course")))
    if record.warnings:
        content.append(element("h3", say("training.warnings")))
        content.append(element("ul", *(element("li", *_translated(one, language)) for one in record.warnings)))
    return section(language, "training", *content)


_COURSES = ("loss", "gradient_norm", "logit_scale")


def _course(report: DemoReport, key: str, language: Language) -> Html:
    steps = report.record.steps
    ys = [float(getattr(step, key)) for step in steps]
    title = language.plain(f"training.{key}")
    passes = language.count(report.record.epochs, "pass")
    told = language.plain("training.from_to", first=number(ys[0]), last=number(ys[-1]), passes=passes)
    picture = draw_line(f"{language.code}-{key}", (title, told), [step.epoch for step in steps], ys)
    return element("figure", element("figcaption", title), picture)


def _translated(sentence: str, language: Language) -> list[Html]:
    """Return a sentence that is English in the report; marked as such where the page's language has no words for it."""
    if language.code == "en":
        return [escape(sentence)]
    known = TRANSLATED.get(sentence)
    return [element("span", sentence, lang="en") if known is None else escape(known)]


def corpus(report: DemoReport, language: Language) -> Html:
    """Return the corpus's origin and terms."""
    say = language.say
    origin = [element("p", *_translated(sentence, language)) for sentence in report.origin]
    if set(report.paragraphs.classes) == set(WORKED_CLASSES):
        origin.append(element("p", say("corpus.classes")))
    split = say("corpus.split", articles=f"{report.articles:,}", train=f"{report.train_articles:,}")
    return section(language, "corpus", *origin, element("p", split))


def run(report: DemoReport, language: Language) -> Html:
    """Return the commands, the versions and the time it took."""
    say = language.say
    numbers, classes = " ".join(map(str, WORKED_LOGITS)), ",".join(WORKED_CLASSES)
    commands = (
        'pip install "logitkit[demo]"\n'
        "logitkit demo --out demo\n"
        f'logitkit explain demo/news.logitkit "{language.plain("run.own")}"\n'
        f"logitkit softmax {numbers} --classes {classes}"
    )
    comma = "、" if language.code == "zh" else ", "
    parts = [
        say(
            "run.part", seconds=number(value, 1), part=say(f"part.{part}") if f"part.{part}" in language.words else part
        )
        for part, value in report.seconds.items()
    ]
    return section(
        language, "run", element("p", say("run.text")),
        element("pre", element("code", commands), tabindex="0"),
        element("p", say("run.versions", versions=comma.join(versions(report.version))), class_="note"),
        element("p", say("run.seconds", parts=join(parts, comma)), class_="note") if parts else Html(),
    )  # fmt: skip
