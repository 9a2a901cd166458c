"""The meta-game of a population of realisation plans, without its tensor."""

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from metaspiel.games.sequence import Plans, SequenceForm
from metaspiel.nfg.implicit import ImplicitGame, Profile


def population_game(
    form: SequenceForm,
    plans: Plans,
    repeats: tuple[Int64[ndarray, "_"], ...] | None = None,
) -> ImplicitGame:
    """The meta-game of some policies, by the tree (Kuhn 1953; von Stengel 1996).

    A player's mixture of policies is one realisation plan, so what another player's
    sequences are worth is one pass over the terminals, and what its policies are worth
    K products: ``Z + K S`` numbers where the tensor has ``K^N``.

    A player's ``scale`` is the range of what its policies are worth where all others
    play each of theirs alike; 1 where that is nothing. The range over all profiles,
    a dense ``Game``'s, only the tensor tells.

    Args:
      form: the game.
      plans: of each player, one realisation plan a policy ``[K_p, S_p]``.
      repeats: how often each policy counts, as in ``Game``.
    """

    def worth(player: int, profile: Profile) -> ndarray:
        mixed = [own @ pool for own, pool in zip(profile, plans, strict=True)]
        return plans[player] @ form.values_against(player, mixed)

    actions = tuple(len(pool) for pool in plans)
    uniform = [np.full(size, 1.0 / size) for size in actions]
    spread = np.array([np.ptp(worth(p, uniform)) for p in range(form.players)])
    return ImplicitGame(
        actions=actions,
        worth=worth,
        scale=np.where(spread > form.noise, spread, 1.0),
        repeats=repeats,
    )
