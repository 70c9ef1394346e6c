"""Stand-in until the shared exp and row maximum land; deleted then."""
import numpy as np

from logitkit.kernels import jit


@jit
def exp32(x):
    return np.exp(x)


@jit
def row_max(z):
    top = z[0]
    for j in range(1, z.size):
        if z[j] > top:
            top = z[j]
    return top
