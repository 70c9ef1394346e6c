"""What all tests share: one printed seed, Hypothesis without deadlines, arrays that kernels must not write into."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import hypothesis.core
import numpy as np
import pytest

from logitkit.kernels import n_threads, set_threads

SEED = int(os.environ.get("LOGITKIT_TEST_SEED", secrets.randbelow(2**32)))

hypothesis.settings.register_profile("logitkit", deadline=None, print_blob=True, max_examples=50)
hypothesis.settings.load_profile("logitkit")


def pytest_configure(config: pytest.Config) -> None:
    if hypothesis.core.global_force_seed is None:
        hypothesis.core.global_force_seed = SEED


def pytest_report_header() -> str:
    return f"seed: {SEED} (again with LOGITKIT_TEST_SEED={SEED})"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


@pytest.fixture
def frozen() -> Callable[[Any], Any]:
    """Make a read-only copy: whoever writes into it fails."""

    def freeze(values: Any) -> Any:
        array = np.array(values)
        array.flags.writeable = False
        return array

    return freeze


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Set the number of kernel threads for one test."""
    before = n_threads()
    yield set_threads
    set_threads(before)
