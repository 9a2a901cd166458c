"""Sums over pairs of rectified differences, of which attention over entities is made.

The hidden layer for entity j as i sees it is ``relu(A_j - P_i)``: places enter relative
to the observer, and the layer is linear before its units.
"""

from jaxtyping import Float
from torch import Tensor


def weighted(
    a: Float[Tensor, "R N H"], p: Float[Tensor, "R I H"], g: Float[Tensor, "R I Z N"]
) -> Float[Tensor, "R I Z H"]:
    """Hidden layers summed with weights: ``sum_j g_izj relu(A_j - P_i)``."""
    return g @ (a[:, None] - p[:, :, None]).relu()


def dots(
    a: Float[Tensor, "R N H"], p: Float[Tensor, "R I H"], v: Float[Tensor, "R I Z H"]
) -> Float[Tensor, "R I Z N"]:
    """Products with hidden layers: ``v_iz . relu(A_j - P_i)``."""
    return v @ (a[:, None] - p[:, :, None]).relu().transpose(2, 3)
