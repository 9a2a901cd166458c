"""Shared parts of ma-gym's grid worlds: moves, clocks, new episodes.

Both worlds are deterministic and small enough for tables, so that a step of B episodes
is a handful of look-ups. The rules are those of ma-gym (Koul, 2019), from which nothing
but the rules is taken: agents move one after the other in the order of their index, on
the grid as the agents before them left it, and a move that is not possible is a wait.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray

from metaspiel.games.markov import Discrete, Scene, Uniforms, Where
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError

MOVES = ((1, 0), (0, -1), (-1, 0), (0, 1), (0, 0))
"""Rows and columns that an action adds: down, left, up, right, wait."""

ACTIONS = Discrete(len(MOVES))


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Team returns of one episode to compare learners with; not discounted.

    Attributes:
      optimum: the most that any joint plan can have, by exact search.
      plan: one joint action per step, a digit per agent, that has it.
      attained: the most that agents are known to reach who know nothing but what
        they now see: a lower bound of their best; None where none is known.
      waiting: return of agents that never move.
      uniform: expected with uniformly random actions.
    """

    optimum: float
    plan: str
    attained: float | None
    waiting: float
    uniform: float


@dataclass(frozen=True, eq=False, kw_only=True)
class GridScene(Scene):
    """B episodes of a grid world between two steps.

    Attributes:
      state: everything on the grid as one number, in the game's own code.
      count: steps taken.
    """

    state: Int64[ndarray, " B"]
    count: Int64[ndarray, " B"]


class GridWorld(Named):
    """A world in which nothing is drawn, so that all episodes begin alike.

    Attributes:
      actions: down, left, up, right, wait.
      draws: 0, no random numbers are needed.
      limit: steps after which an episode ends, as in ma-gym.
    """

    actions: ClassVar[Discrete] = ACTIONS
    draws: ClassVar[int] = 0
    limit: ClassVar[int]

    def check(self, field: str, *known: object) -> None:
        """Stops at a field whose value is none of those that exist.

        Raises:
          UserError: the value does not exist.
        """
        value = getattr(self, field)
        if not any(value == one and type(value) is type(one) for one in known):
            raise UserError(
                f"{type(self).__name__}(): {field} must be one of "
                f"{', '.join(map(str, known))}; got {value!r}"
            )

    def first(self) -> tuple[int, Float32[ndarray, "N D"]]:
        """The state in which an episode begins, and what each agent sees of it."""
        raise NotImplementedError

    def start(self, uniforms: Uniforms) -> GridScene:
        """New episodes; ``uniforms`` is of shape [B, 0].

        Raises:
          UserError: uniform numbers are given.
        """
        if uniforms.shape[1]:
            raise UserError(
                "start(): a grid world draws no numbers, so uniforms must be of shape "
                f"[B, 0]; got {list(uniforms.shape)}"
            )
        state, observation = self.first()
        batch, agents = len(uniforms), len(observation)
        return GridScene(
            observations=np.repeat(observation[None], batch, 0),
            rewards=np.zeros((batch, agents)),
            terminated=np.zeros(batch, bool),
            truncated=np.zeros(batch, bool),
            state=np.full(batch, state, np.int64),
            count=np.zeros(batch, np.int64),
        )

    def restart(self, scene: GridScene, where: Where, uniforms: Uniforms) -> GridScene:
        """New episodes where asked, the others as they were."""
        if not where.any():
            return scene
        state, observation = self.first()
        kept = ~where
        return replace(
            scene,
            observations=np.where(kept[:, None, None], scene.observations, observation),
            rewards=scene.rewards * kept[:, None],
            terminated=scene.terminated & kept,
            truncated=scene.truncated & kept,
            state=np.where(kept, scene.state, state),
            count=scene.count * kept,
        )
