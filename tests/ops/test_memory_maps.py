"""Memory maps larger than what a process may have: read and written block by block."""

import subprocess
import sys

import pytest

# A limit on the data segment counts private memory and not the pages of mapped files, which the system can drop.
PROGRAM = """
import resource, sys
import numpy as np
from logitkit import ops
from logitkit.kernels import set_threads

set_threads(2)
folder, dtype, axis = sys.argv[1], np.dtype(sys.argv[2]), int(sys.argv[3])
small = np.zeros((70, 40) if axis else (40, 70), dtype)
ops.softmax(small, axis=axis), ops.softmax(small, axis=axis, where=[True])  # kernels are compiled
shape = (1_500_000 // dtype.itemsize, 64) if axis else (64, 1_500_000 // dtype.itemsize)
logits = np.memmap(folder + "/logits", dtype, "w+", shape=shape)  # 96 MB of zeros, which take no room
probs = np.memmap(folder + "/probs", dtype, "w+", shape=shape)
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + ROOM, -1))
try:
    np.ones(2 * ROOM, np.uint8)
except MemoryError:
    pass
else:
    raise SystemExit("the limit does not hold")
for mask in (None, True):
    probs[:1] = 7
    assert ops.softmax(logits, axis=axis, where=mask, probs_out=probs) is probs
    assert float(probs.max()) == float(probs.min()) == 1 / 64
ops.softmax(logits, axis=axis, probs_out=logits)
assert float(logits.max()) == float(logits.min()) == 1 / 64
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is that of Linux")
@pytest.mark.parametrize(("dtype", "axis"), [("float32", 1), ("float32", 0), ("float16", 1)])
def test_a_map_larger_than_memory(dtype, axis, tmp_path):
    program = PROGRAM.replace("ROOM", str(32 * 2**20))
    command = [sys.executable, "-c", program, str(tmp_path), dtype, str(axis)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
