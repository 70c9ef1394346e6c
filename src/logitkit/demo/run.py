"""The demo from corpus to report: train on paragraphs, judge on held-out paragraphs and articles, ask the sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from logitkit._version import __version__
from logitkit.classifier import TextClassifier
from logitkit.demo.corpus import ORIGIN, find_corpus, held_out, paragraphs, read_articles
from logitkit.model.options import TrainOptions
from logitkit.report.demo import WORKED_CLASSES, WORKED_LOGITS, DemoReport
from logitkit.report.evaluation import Evaluation, EvaluationBuilder
from logitkit.report.steps import softmax_steps

__all__ = ["SENTENCE", "run_demo"]

SENTENCE = "The new smartphone has amazing features."


def run_demo(
    *, seed: int = 0, progress: Callable[[str, float], None] | None = None
) -> tuple[TextClassifier, DemoReport]:
    """Run the demo and return the trained model with the report.

    Nothing is tuned to the sentence: the options are the defaults, and what the model says of it is shown as it is.

    Args:
        seed: of the split of the articles and of the training.
        progress: as in `TextClassifier.fit`.

    Raises:
        InputError: if the corpus is not installed.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[name] = round(time.perf_counter() - started, 3)

    with timed("reading"):
        articles = read_articles(find_corpus())
        held = held_out(articles, seed)
        train = [article for article, out in zip(articles, held, strict=True) if not out]
        test = [article for article, out in zip(articles, held, strict=True) if out]
        texts, labels, groups = [], [], []
        for article in train:
            for paragraph in paragraphs(article):
                texts.append(paragraph)
                labels.append(article.label)
                groups.append(article.group)
    with timed("training"):
        model = TextClassifier(TrainOptions(seed=seed)).fit(texts, labels, groups=groups, progress=progress)
    with timed("evaluating"):
        pieces = [(paragraph, article.label) for article in test for paragraph in paragraphs(article)]
        on_paragraphs = _evaluate(model, [text for text, _ in pieces], [label for _, label in pieces])
        on_articles = _evaluate(model, [article.text for article in test], [article.label for article in test])
    with timed("explaining"):
        explanation = model.explain(SENTENCE)
        decision = model.decide([SENTENCE])[0]
        steps = softmax_steps(explanation.logits, class_names=model.class_names, temperature=model.temperature)
        worked = softmax_steps(WORKED_LOGITS, class_names=WORKED_CLASSES)
    report = DemoReport(
        origin=ORIGIN,
        articles=len(articles),
        train_articles=len(train),
        train_paragraphs=len(texts),
        record=model.record,
        temperature=model.temperature,
        paragraphs=on_paragraphs,
        whole_articles=on_articles,
        sentence=SENTENCE,
        decision=decision,
        explanation=explanation,
        steps=steps,
        worked=worked,
        seconds=seconds,
        version=__version__,
    )
    return model, report


def _evaluate(model: TextClassifier, texts: list[str], labels: list[str]) -> Evaluation:
    builder = EvaluationBuilder(model.class_names, temperature=model.temperature)
    return builder.update_names(model.predict_logits(texts), labels).finish()
