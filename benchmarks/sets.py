"""The labelled texts that classifiers are compared on, read the same way for everyone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Source:
    """What is known of a data set without reading it.

    Attributes:
        title: what tables call it.
        accuracy_bar: the accuracy that logitkit's defaults are held to, if any.
        chinese: the peers that need it get characters in place of words.
        long: texts of a page; a TF-IDF of characters would take very long, so it is left out.
    """

    title: str
    accuracy_bar: float | None
    chinese: bool = False
    long: bool = False


SOURCES = {
    "trec": Source("TREC", 0.880),
    "sst2": Source("SST-2", 0.822),
    "subj": Source("SUBJ", 0.920),
    "banking77": Source("BANKING77", 0.908),
    "clinc150": Source("CLINC150", 0.928),
    "agnews_small": Source("AG News (small)", 0.858),
    "dbpedia_small": Source("DBpedia (small)", 0.970),
    "sms_spam": Source("SMS Spam", None),
    "thucnews": Source("THUCNews", 0.860, chinese=True),
    "arxiv10": Source("arXiv", 0.833, long=True),
}


@dataclass(frozen=True)
class DataSet:
    """Texts to learn from and texts to be judged on, in the order of the files.

    Attributes:
        name: the folder's.
        class_names: `[C]` sorted; the training labels', of which the test labels are some.
        train_texts: `[N]`.
        train_labels: `[N]` class indices.
        test_texts: `[M]`.
        test_labels: `[M]` class indices.
    """

    name: str
    class_names: tuple[str, ...]
    train_texts: list[str]
    train_labels: NDArray[np.intp]
    test_texts: list[str]
    test_labels: NDArray[np.intp]

    @property
    def source(self) -> Source:
        """What is known of it."""
        return SOURCES[self.name]

    def digest(self) -> str:
        """Return a digest of all rows, labels and their order: equal digests, equal data."""
        digest = hashlib.blake2b(digest_size=16)
        for texts, labels in ((self.train_texts, self.train_labels), (self.test_texts, self.test_labels)):
            for text, label in zip(texts, labels.tolist(), strict=True):
                digest.update(f"{len(text)}\t{text}\t{self.class_names[label]}\n".encode())
        return digest.hexdigest()

    def facts(self) -> dict[str, Any]:
        """Return its sizes, for the record."""
        return {
            "set": self.name,
            "title": self.source.title,
            "classes": len(self.class_names),
            "train_rows": len(self.train_texts),
            "test_rows": len(self.test_texts),
            "train_bytes": sum(len(text.encode()) for text in self.train_texts),
        }


def load_set(folder: Path, name: str) -> DataSet:
    """Read `train` and `test` of one data set.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if a test label is none of the training labels.
    """
    train_texts, train_names = read_part(folder / name, "train")
    test_texts, test_names = read_part(folder / name, "test")
    class_names = tuple(sorted(set(train_names)))
    unseen = set(test_names) - set(class_names)
    if unseen:
        raise ValueError(f"{name}: the test set has labels that the training set has not: {sorted(unseen)}")
    number = {label: index for index, label in enumerate(class_names)}
    train_labels = np.array([number[label] for label in train_names], np.intp)
    test_labels = np.array([number[label] for label in test_names], np.intp)
    return DataSet(name, class_names, train_texts, train_labels, test_texts, test_labels)


def read_part(folder: Path, part: str) -> tuple[list[str], list[str]]:
    if (folder / f"{part}.parquet").exists():
        table = pa_parquet.read_table(folder / f"{part}.parquet", columns=["text", "label"])
    else:
        table = pa_csv.read_csv(
            folder / f"{part}.csv",
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                include_columns=["text", "label"],
                column_types={"text": "string", "label": "string"},
                strings_can_be_null=False,
            ),
        )
    return table["text"].to_pylist(), [str(label) for label in table["label"].to_pylist()]
