"""The command line, in this process (quick) and as a process of its own, and one trained model for all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from run_cli import call, labelled, write_csv


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "news.csv", labelled(150))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    path = tmp_path_factory.mktemp("model") / "news.logitkit"
    result = call("train", data, "-o", path, "--epochs", "4")
    assert result.code == 0, result.err
    return path


@pytest.fixture
def rows_of():
    """Read CSV from the standard output."""
    return lambda out: list(csv.DictReader(io.StringIO(out.decode())))
