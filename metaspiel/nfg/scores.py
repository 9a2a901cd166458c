"""Games made of a table of scores, agents by tasks."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game

MOST = 20_000_000  # numbers in a game's payoffs, 160 MB


def agents_agents_tasks(scores: Float64[ndarray, "A T"]) -> Game:
    """Two players choose agents and a third the task on which they are compared.

    An agent gets its score minus the other's, and whoever chooses tasks the size of
    that: tasks are good that tell good agents apart. Marris et al. 2025 rate language
    models so.

    Raises:
      UserError: the game has more than ``MOST`` payoffs.
    """
    agents, tasks = scores.shape
    numbers = 3 * agents * agents * tasks
    if numbers > MOST:
        raise UserError(
            f"agents_agents_tasks(): the game must have at most {MOST} payoffs; got "
            f"{numbers} of {agents} agents and {tasks} tasks"
        )
    apart = scores[:, None] - scores[None]
    return Game(np.stack([apart, -apart, np.abs(apart)]))
