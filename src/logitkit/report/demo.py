"""The record of one demo run: what the page and the terminal show, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logitkit.decision import Decision
from logitkit.explain import Explanation
from logitkit.model.record import TrainingRecord
from logitkit.report.evaluation import Evaluation
from logitkit.report.steps import SoftmaxSteps

__all__ = ["WORKED_CLASSES", "WORKED_LOGITS", "DemoReport"]

WORKED_LOGITS = (2.0, 1.0, 0.1)
WORKED_CLASSES = ("News", "Entertainment", "Technology")


@dataclass(frozen=True)
class DemoReport:
    """What happened in one run of `logitkit demo`.

    Attributes:
        origin: where the corpus comes from and on what terms, one sentence each, in English.
        articles: how many articles there were after identical ones were left out.
        train_articles, train_paragraphs: what was learnt from.
        record: the training record.
        temperature: of the trained model.
        paragraphs: the evaluation on held-out paragraphs.
        whole_articles: the evaluation on held-out whole articles.
        sentence: the article's input.
        decision: what the model says of it.
        explanation: the words that moved its logits.
        steps: its logits, step by step.
        worked: the article's worked example, step by step.
        seconds: how long each part took, by name.
        version: of logitkit.
    """

    origin: tuple[str, ...]
    articles: int
    train_articles: int
    train_paragraphs: int
    record: TrainingRecord
    temperature: float
    paragraphs: Evaluation
    whole_articles: Evaluation
    sentence: str
    decision: Decision
    explanation: Explanation
    steps: SoftmaxSteps
    worked: SoftmaxSteps
    seconds: dict[str, float]
    version: str

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, without NaN."""
        return {
            "version": self.version,
            "origin": list(self.origin),
            "articles": self.articles,
            "train_articles": self.train_articles,
            "train_paragraphs": self.train_paragraphs,
            "temperature": self.temperature,
            "training": self.record.to_json(),
            "paragraphs": self.paragraphs.to_json(),
            "whole_articles": self.whole_articles.to_json(),
            "sentence": self.sentence,
            "decision": {
                "label": self.decision.label,
                "raw_label": self.decision.raw_label,
                "probability": float(self.decision.probability),
                "reason": str(self.decision.reason),
            },
            "explanation": self.explanation.to_json(),
            "steps": self.steps.to_json(),
            "worked": self.worked.to_json(),
            "seconds": self.seconds,
        }
