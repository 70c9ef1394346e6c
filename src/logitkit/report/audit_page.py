"""The page of an audit: one file, two languages, no script, nothing fetched."""

from __future__ import annotations

from logitkit._version import __version__
from logitkit.audit.record import Audit
from logitkit.report.audit_page_calibration import belief, logits, methods
from logitkit.report.audit_page_parts import paragraph
from logitkit.report.audit_page_promises import abstention, classes, labels, sets, suspects, unknown
from logitkit.report.audit_words import LANGUAGES, facts, fill, gap, say, short_name
from logitkit.report.page_document import render_document, section, versions
from logitkit.report.page_markup import Html, Language, element, join

__all__ = ["render_audit_page"]

_MADE_FILE = "net.logitkit"


def render_audit_page(audit: Audit) -> str:
    """Return the audit as one self-contained HTML page in English and Chinese.

    The verdict comes first, in words; then what it rests on. Names are escaped; long ones, and long lists, are cut.
    The versions it names are those of the libraries in use.

    Example:
        >>> from logitkit.report.audit_page import render_audit_page
        >>> Path("audit.html").write_text(render_audit_page(audit), encoding="utf-8")  # doctest: +SKIP
    """
    parts = (
        _head, _notes, belief, methods, labels, logits, abstention, sets, unknown, classes, suspects, _use, _made,
    )  # fmt: skip
    articles = [
        (language, Html("".join(shown + "\n" for part in parts if (shown := part(audit, language)))))
        for language in LANGUAGES.values()
    ]
    return render_document(f"{short_name(audit.name)} – logitkit", articles, ["page.css", "audit.css"])


def _head(audit: Audit, language: Language) -> Html:
    """Return what the audit comes to."""
    code, verdict = language.code, audit.verdict
    short = f"head.{verdict[0].key.removeprefix('verdict.')}" if verdict else ""
    heading = language.say(short) if short in language.words else fill(language, "head.other", html=True)
    return element(
        "div",
        paragraph(language, "head.kicker", class_="kicker", name=audit.name),
        element("h1", heading),
        *(element("p", say(one, code, html=True), class_="lead" if not i else None) for i, one in enumerate(verdict)),
        element("p", facts(audit, language, html=True), class_="note"),
        class_="head",
    )


def _notes(audit: Audit, language: Language) -> Html:
    if not audit.notes:
        return Html()
    items = (element("li", say(one, language.code, html=True)) for one in audit.notes)
    return section(language, "notes", element("ul", *items))


def _use(audit: Audit, language: Language) -> Html:
    """Return the commands and the lines of Python that use what was found."""
    probs = " --probs" if audit.given == "probs" else ""
    commands = f"logitkit audit LOGITS{probs} -o {_MADE_FILE}\nlogitkit calibrate apply {_MADE_FILE} NEW{probs} -o OUT"
    last = "probs = policy.calibrator.probs(new_logits)" if audit.multilabel else "policy.decide(new_logits)"
    comment = fill(language, "use.comment_labels" if audit.multilabel else "use.comment")
    python = f'from logitkit import DecisionPolicy\npolicy = DecisionPolicy.load("{_MADE_FILE}")\n{last}  # {comment}'
    boxes = (element("pre", element("code", text), tabindex="0") for text in (commands, python))
    return section(language, "use", paragraph(language, "use.text"), *boxes)


def _made(audit: Audit, language: Language) -> Html:
    """Return how the figures came about."""
    comma = "、" if language.code == "zh" else ", "
    words = [
        facts(audit, language, html=True),
        fill(language, "made.text", html=True, level=audit.level, seed=audit.seed),
    ]
    if audit.compared_rows != audit.judged_rows:
        words.append(fill(language, "made.compared", html=True, rows=audit.compared_rows))
    if audit.unknown_rows:
        words.append(fill(language, "made.unknown", html=True, rows=audit.unknown_rows))
    content = [element("p", join((Html(one) for one in words), gap(language)))]
    libraries = comma.join(versions(__version__))
    content.append(element("p", language.say("made.versions", versions=libraries), class_="note"))
    if audit.seconds:
        times = join(
            (
                Html(fill(language, "made.part", html=True, part=part, seconds=value))
                for part, value in audit.seconds.items()
            ),
            comma,
        )
        content.append(element("p", language.say("made.seconds", parts=times), class_="note"))
    return section(language, "made", *content)
