"""Bare pointers to the data of arrays, for helpers that are called millions of times from within a kernel.

Every array that one compiled function hands to another has its reference count raised and lowered by an atomic
instruction each, which cost the n-gram pass nine tenths of its time. A pointer has no count, and its indices are not
tested for being negative, so that loops vectorise. It lives no longer than the kernel that took it from an array that
the caller holds.

`load8` and `prefetch` are what a pointer can do besides: read eight bytes at once, and ask for memory ahead of its use.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["load8", "pointer", "prefetch", "trailing_zeros"]

if numba.config.DISABLE_JIT:

    def pointer(array: Any) -> Any:
        """Without the JIT, an array stands for its own pointer."""
        return array

    def load8(p: Any, at: Any) -> Any:
        """Return the eight bytes from `at` on as one number, the first the lowest."""
        return np.uint64(int.from_bytes(bytes(p[at : at + 8]), "little"))

    def prefetch(p: Any, at: Any) -> None:
        """Without the JIT, nothing is fetched ahead."""

    def trailing_zeros(x: Any) -> Any:
        """Return how many low bits of `x` are zero; 64 for zero."""
        return 64 if x == 0 else (int(x) & -int(x)).bit_length() - 1

else:

    @intrinsic  # type: ignore[untyped-decorator]
    def pointer(typingctx: Any, array: Any) -> Any:  # noqa: ARG001
        """Return a pointer to the data of a C-contiguous array; `p[i]` reads and writes its element i."""
        signature = types.CPointer(array.dtype)(array)  # type: ignore[attr-defined]

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return context.make_array(signature.args[0])(context, builder, value=args[0]).data

        return signature, codegen

    @intrinsic  # type: ignore[untyped-decorator]
    def load8(typingctx: Any, p: Any, at: Any) -> Any:  # noqa: ARG001
        """Return the eight bytes from `at` on as one number, the first the lowest."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
            place = builder.bitcast(builder.gep(args[0], [args[1]]), ir.IntType(64).as_pointer())
            return builder.load(place, align=1)

        return types.uint64(p, types.int64), codegen

    @intrinsic  # type: ignore[untyped-decorator]
    def prefetch(typingctx: Any, p: Any, at: Any) -> Any:  # noqa: ARG001
        """Ask for the memory of element `at`, which will be used soon."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
            byte, int32 = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, int32, int32, int32])
            fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            place = builder.bitcast(builder.gep(args[0], [args[1]]), byte)
            builder.call(fetch, [place, int32(0), int32(3), int32(1)])
            return context.get_dummy_value()

        return types.void(p, types.int64), codegen

    @intrinsic  # type: ignore[untyped-decorator]
    def trailing_zeros(typingctx: Any, x: Any) -> Any:  # noqa: ARG001
        """Return how many low bits of `x` are zero; 64 for zero."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
            return builder.cttz(args[0], ir.IntType(1)(0))

        return types.uint64(types.uint64), codegen
