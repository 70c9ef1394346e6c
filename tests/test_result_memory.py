"""Memory of large results is used again, and never while anybody can still see it."""

import gc
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from logitkit import memory, ops

SIZE = 2 * memory.SMALLEST


def address(array):
    return array.__array_interface__["data"][0]


@pytest.fixture(autouse=True)
def start_empty():
    gc.collect()
    memory.release()
    yield
    memory.release()


def test_a_result_that_was_let_go_lends_its_memory_to_the_next():
    first = memory.empty((SIZE,), np.uint8)
    place = address(first)
    first = None
    assert address(memory.empty((SIZE // 4,), np.float32)) == place


@pytest.mark.parametrize(
    "view", [lambda a: a[5:6], lambda a: a.reshape(2, -1).T, memoryview, lambda a: a.view(np.int8)]
)
def test_a_view_holds_the_memory(view):
    array = memory.empty((SIZE,), np.uint8)
    array[:] = 7
    part = view(array)
    array = None
    other = memory.empty((SIZE,), np.uint8)
    other[:] = 9
    assert np.all(np.asarray(part) == 7)


def test_a_tensor_holds_the_memory():
    torch = pytest.importorskip("torch")
    array = memory.empty((SIZE // 4,), np.float32)
    array[:] = 7
    tensor = torch.from_numpy(array)
    array = None
    other = memory.empty((SIZE // 4,), np.float32)
    other[:] = 9
    assert bool((tensor == 7).all())


def test_results_held_together_have_memory_of_their_own():
    arrays = [memory.empty((SIZE // 8,), np.float64) for _ in range(5)]
    for i, array in enumerate(arrays):
        array[:] = i
    assert [float(a[0]) for a in arrays] == [0, 1, 2, 3, 4]
    assert len({address(a) for a in arrays}) == 5


def test_small_results_and_results_above_the_limit_are_plain(monkeypatch):
    assert memory.empty((3,), np.float32).flags.owndata
    monkeypatch.setattr(memory, "_LIMIT", SIZE)
    assert memory.empty((SIZE + 1,), np.uint8).flags.owndata


def test_the_oldest_go_when_the_limit_is_reached(monkeypatch):
    monkeypatch.setattr(memory, "_LIMIT", 2 * (SIZE + memory.LINE))
    arrays = [memory.empty((SIZE,), np.uint8) for _ in range(3)]
    places = [address(a) for a in arrays]
    while arrays:
        arrays.pop(0)
    kept = [address(block) for block in memory._kept.values()]
    assert [place - block < memory.LINE for block, place in zip(kept, places[1:], strict=True)] == [True, True]


def test_results_begin_with_a_line_of_the_cache():
    arrays = [memory.empty((SIZE + i,), np.float32) for i in range(4)]
    assert [address(array) % memory.LINE for array in arrays] == [0, 0, 0, 0]


def test_much_larger_memory_is_not_lent_for_a_smaller_result():
    memory.empty((4 * SIZE,), np.uint8)
    place = address(next(iter(memory._kept.values())))
    assert address(memory.empty((SIZE,), np.uint8)) != place


def test_pickled_and_copied_results_stand_alone():
    probs = ops.softmax(np.zeros((1000, 1000), np.float32))
    again, copy = pickle.loads(pickle.dumps(probs)), probs.copy()
    probs[:] = 9
    assert np.all(again == np.float32(0.001)) and np.all(copy == np.float32(0.001))


def test_results_of_many_threads_do_not_mix():
    wrong = []

    def work(seed):
        logits = np.random.default_rng(seed).normal(0, 3, (600, 500)).astype(np.float32)
        expected = ops.softmax(logits).copy()
        wrong.extend(seed for _ in range(20) if not np.array_equal(ops.softmax(logits), expected))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_result_held_to_the_end_of_the_process_is_no_trouble():
    code = "import numpy as np; from logitkit import ops; kept = ops.softmax(np.zeros((1000, 1000), np.float32))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_limit_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("LOGITKIT_KEEP_MB", "7")
    assert memory._limit() == 7 * 2**20
    monkeypatch.setenv("LOGITKIT_KEEP_MB", "lots")
    assert memory._limit() == 256 * 2**20
