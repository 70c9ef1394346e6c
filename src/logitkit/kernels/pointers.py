"""Bare pointers to the data of arrays, for helpers that are called millions of times from within a kernel.

Every array that one compiled function hands to another has its reference count raised and lowered by an atomic
instruction each, which cost the n-gram pass nine tenths of its time. A pointer has no count. It lives no longer than the
kernel that took it from an array that the caller holds.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic

__all__ = ["pointer"]

if numba.config.DISABLE_JIT:

    def pointer(array: Any) -> Any:
        """Without the JIT, an array stands for its own pointer."""
        return array

else:

    @intrinsic
    def pointer(typingctx: Any, array: Any) -> Any:  # noqa: ARG001
        """Return a pointer to the data of a C-contiguous array; `p[i]` reads and writes its element i."""
        signature = types.CPointer(array.dtype)(array)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return context.make_array(signature.args[0])(context, builder, value=args[0]).data

        return signature, codegen
