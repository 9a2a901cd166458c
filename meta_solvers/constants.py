"""Numbers of ``meta_solvers.ordered`` and ``meta_solvers.compiled``."""

import math

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SHIFT = (
    1.5 * 2.0**52
)  # added to a number it leaves the nearest integer in the last bits
TAYLOR = tuple(1.0 / math.factorial(k) for k in range(14))
LEAST_LOG = -708.0  # of less the exponential is no normal number
UNSEEN = -50.0  # a share of e to this is below the rounding of what it would add to
