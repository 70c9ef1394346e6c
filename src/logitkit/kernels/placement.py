"""Where helper threads wake up: on another processor than their caller's.

Linux takes a halted processor of a virtual machine for a busy one, and wakes a helper beside its caller, where the two
take turns while the other processor idles: a call of 5 ms takes 10, and so do all that follow. So a caller says, before
it wakes its helpers, that they are to run anywhere but here. Where the system has no such call, nothing happens.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable

__all__ = ["Placement"]


def _find_getcpu() -> Callable[[], int] | None:
    """Return the system's function that names the processor of the calling thread, if there is one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        found: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return None
    return found


class Placement:
    """The helper threads of a pool, each with the processors that it might use when it started."""

    def __init__(self) -> None:
        self._allowed: dict[int, set[int]] = {}
        self._kept_free = -1
        self._getcpu = _find_getcpu()

    def join(self) -> None:
        """Name the calling thread a helper."""
        if self._getcpu is not None:
            self._allowed[threading.get_native_id()] = os.sched_getaffinity(0)
            self._kept_free = -1

    def make_way(self) -> None:
        """Let no helper wake on the caller's processor, unless it is the only one."""
        if self._getcpu is None or not self._allowed:
            return
        here = self._getcpu()
        if here == self._kept_free:
            return
        for thread, allowed in list(self._allowed.items()):
            try:
                os.sched_setaffinity(thread, allowed - {here} or allowed)
            except OSError:  # the thread has ended, or the system forbids it
                self._allowed.pop(thread, None)
        self._kept_free = here
