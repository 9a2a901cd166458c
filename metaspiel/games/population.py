"""The meta-game of a population of realisation plans, without its tensor."""

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from metaspiel.games.sequence import Plans, SequenceForm
from metaspiel.nfg.implicit import ImplicitGame, Profiles, Side

_NUMBERS = 2**20  # of what is worked with in one block of profiles: 8 MiB


def population_game(
    form: SequenceForm,
    plans: Plans,
    scale: Float64[ndarray, " N"],
    repeats: tuple[Int64[ndarray, "_"], ...] | None = None,
) -> ImplicitGame:
    """The meta-game of some policies, by the tree (Kuhn 1953; von Stengel 1996).

    A player's mixture of policies is one realisation plan, so what another player's
    sequences are worth is one pass over the terminals, and what its policies are worth
    K products: ``Z + K S`` numbers where the tensor has ``K^N``.

    Args:
      form: the game.
      plans: of each player, one realisation plan a policy ``[K_p, S_p]``.
      scale: a unit of each player's payoffs.
      repeats: how often each policy counts, as in ``Game``.
    """
    sides = tuple(
        Side(plans=np.ascontiguousarray(own), ends=ends, matrix=matrix)
        for own, (ends, matrix) in zip(plans, form.views, strict=True)
    )
    length = max(1, _NUMBERS // max(side.ends.shape[1] for side in sides))

    def worth(player: int, profiles: Profiles) -> ndarray:
        count = len(profiles[player])
        out = np.empty((count, len(plans[player])))
        for start in range(0, count, length):
            part = slice(start, min(start + length, count))
            mixed = [
                own[part] @ pool for own, pool in zip(profiles, plans, strict=True)
            ]
            out[part] = form.values_against(player, mixed) @ plans[player].T
        return out

    return ImplicitGame(
        actions=tuple(len(pool) for pool in plans),
        worth=worth,
        scale=scale,
        repeats=repeats,
        sides=sides,
    )
