"""Helper threads wake on another processor than their caller's, and on no processor that they might not use."""

import os
import subprocess
import sys
import threading

import pytest

from logitkit.kernels.placement import Placement

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no such call")
several = pytest.mark.skipif(
    hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < 2, reason="one processor"
)


@pytest.fixture
def helper():
    """A thread that waits; its number, and what it joined."""
    placement, ready, done = Placement(), threading.Event(), threading.Event()
    numbers = []

    def wait():
        placement.join()
        numbers.append(threading.get_native_id())
        ready.set()
        done.wait(60)

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait(60)
    yield placement, numbers[0]
    done.set()
    thread.join()


@several
def test_a_helper_may_run_anywhere_but_here(helper):
    placement, number = helper
    mine, all_of_them = os.sched_getaffinity(0), os.sched_getaffinity(number)
    for here in sorted(mine):
        os.sched_setaffinity(0, {here})
        try:
            placement.make_way()
            assert os.sched_getaffinity(number) == all_of_them - {here}
            placement.make_way()
            assert os.sched_getaffinity(number) == all_of_them - {here}
        finally:
            os.sched_setaffinity(0, mine)
    assert os.sched_getaffinity(0) == mine


def test_a_helper_with_one_processor_keeps_it(helper):
    placement, number = helper
    mine = os.sched_getaffinity(0)
    here = min(mine)
    os.sched_setaffinity(0, {here})
    try:
        placement._allowed[number] = {here}
        placement.make_way()
        assert os.sched_getaffinity(number) == {here}
    finally:
        os.sched_setaffinity(0, mine)


def test_a_thread_that_has_ended_is_forgotten():
    placement = Placement()
    thread = threading.Thread(target=placement.join)
    thread.start()
    thread.join()
    for _ in range(100):  # the system may take a moment to bury a thread
        placement._kept_free = -1
        placement.make_way()
        if not placement._allowed:
            return
        threading.Event().wait(0.05)
    pytest.fail("the thread is still there")


def test_two_threads_on_one_processor_still_work():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "import numpy as np\nfrom logitkit import ops\n"
        "logits = np.random.default_rng(0).normal(size=(100_000, 40)).astype(np.float32)\n"
        "print(abs(ops.softmax(logits).sum(axis=1) - 1).max() < 1e-6)"
    )
    environment = {**os.environ, "LOGITKIT_NUM_THREADS": "2"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "True\n"
