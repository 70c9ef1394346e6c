"""Compiled loops. This file holds their one jit policy and their one thread pool, and nothing else.

Promises that every kernel keeps:

- it never raises on user input and never sees a string option: the public function above it has checked;
- it takes read-only arrays (Arrow buffers, memory maps) and writes only into arrays that it is given;
- it is serial and releases the GIL. Parallel work is `run_blocks`: one call of a serial kernel a block of rows, so that
  the result cannot depend on the number of threads. Numba's own `parallel=True` aborts under concurrent callers.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numba
from platformdirs import user_cache_path

from logitkit.kernels.placement import Placement

__all__ = ["FASTMATH", "jit", "n_threads", "run_blocks", "set_threads", "split"]

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")

# Reassociation and fused multiply-add let loops vectorise and keep NaN, infinities and the sign of zero meaningful.
# `nnan`, `ninf` and `nsz` would break -inf masks and fold away the rounding inside exp: never add them.
FASTMATH = frozenset({"reassoc", "contract"})


def _cache_folder() -> str:
    """Return a writable folder for compiled kernels, named after the kernels' own sources.

    Numba does not notice when a function that a kernel calls has changed in another file, and a package may be
    installed read-only. A folder outside the package, keyed by a digest of every kernel source, mends both. The
    fallback is private to this process: cached code must never be read from a folder that others can write.
    """
    digest = hashlib.blake2b(digest_size=8)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    chosen = os.environ.get("LOGITKIT_CACHE_DIR")
    base = Path(chosen) if chosen else user_cache_path("logitkit", appauthor=False)
    folder = base / f"kernels-{digest.hexdigest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return tempfile.mkdtemp(prefix="logitkit-kernels-")
    return str(folder)


_CACHE_FOLDER = _cache_folder()


def jit(function: F) -> F:
    """Compile a kernel: lazily, cached on disk, without the GIL, with `FASTMATH` and NumPy's division.

    Example:
        >>> from logitkit.kernels import jit
        >>> @jit
        ... def twice(x):
        ...     return 2 * x
        >>> twice(21)
        42
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _CACHE_FOLDER
    try:
        compiled: F = numba.njit(
            cache=function.__module__.startswith("logitkit.") and Path(function.__code__.co_filename).is_file(),
            nogil=True,
            fastmath=set(FASTMATH),
            error_model="numpy",
        )(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


class _Pool:
    """Threads that live as long as the process, made at first use and made anew in a forked child."""

    def __init__(self) -> None:
        self.threads = _default_threads()
        self._executor: ThreadPoolExecutor | None = None
        self._owner: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self.inside = threading.local()
        self.placement = Placement()

    def executor(self) -> ThreadPoolExecutor:
        owner = (os.getpid(), self.threads)
        with self._lock:
            if self._executor is None or self._owner != owner:
                self.placement = Placement()
                self._executor = ThreadPoolExecutor(self.threads, "logitkit", self.placement.join)
                self._owner = owner
            return self._executor

    def forget(self) -> None:
        """In a forked child: the parent's threads do not exist here, and its lock may have been held."""
        self._executor, self._owner, self._lock = None, None, threading.Lock()
        self.inside = threading.local()


def _default_threads() -> int:
    """Return LOGITKIT_NUM_THREADS, or the number of cores that this process may use."""
    asked = os.environ.get("LOGITKIT_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def n_threads() -> int:
    """Return how many threads kernels may use."""
    return _pool.threads


def set_threads(threads: int) -> None:
    """Set how many threads kernels may use in this process. No result depends on it.

    Args:
        threads: at least 1.

    Raises:
        ValueError: if `threads` is below 1.

    Example:
        >>> from logitkit.kernels import n_threads, set_threads
        >>> before = n_threads()
        >>> set_threads(1); n_threads()
        1
        >>> set_threads(before)
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1; got {threads}.")
    _pool.threads = int(threads)


def split(rows: int, block: int) -> list[tuple[int, int]]:
    """Cut `rows` into consecutive ranges of `block` rows; the cut never depends on the number of threads.

    Example:
        >>> from logitkit.kernels import split
        >>> split(5, 2)
        [(0, 2), (2, 4), (4, 5)]
    """
    return [(start, min(start + block, rows)) for start in range(0, rows, max(1, block))]


def run_blocks(work: Callable[[int, int], R], blocks: Sequence[tuple[int, int]]) -> list[R]:
    """Call `work(start, stop)` for every block, on the pool's threads, and return the results in block order.

    One block, one thread, or a call from within a pool thread runs inline: no hand-over, and never a deadlock.

    Example:
        >>> from logitkit.kernels import run_blocks, split
        >>> run_blocks(lambda start, stop: stop - start, split(5, 2))
        [2, 2, 1]
    """
    if len(blocks) <= 1 or _pool.threads == 1 or getattr(_pool.inside, "yes", False):
        return [work(start, stop) for start, stop in blocks]
    results: list[Any] = [None] * len(blocks)
    queue = iter(range(len(blocks)))
    lock = threading.Lock()
    stop_all = threading.Event()

    def drain() -> None:
        """Take blocks until none is left. Every thread, the caller's too, runs this one loop."""
        _pool.inside.yes = True
        try:
            while not stop_all.is_set():
                with lock:
                    index = next(queue, None)
                if index is None:
                    return
                results[index] = work(*blocks[index])
        except BaseException:
            stop_all.set()
            raise
        finally:
            _pool.inside.yes = False

    executor = _pool.executor()
    _pool.placement.make_way()
    helpers = [executor.submit(drain) for _ in range(min(_pool.threads, len(blocks)) - 1)]
    try:
        drain()
    finally:
        # A helper that has not started is not needed any more: its blocks are done or refused.
        failures = [helper.exception() for helper in helpers if not helper.cancel()]
    for failure in failures:
        if failure is not None:
            raise failure
    return results
