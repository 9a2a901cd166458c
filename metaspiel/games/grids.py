"""Shared parts of ma-gym's grid worlds: moves, clocks, new episodes.

Both worlds are deterministic and small enough for tables, so that a step of B episodes
is a handful of look-ups. The rules are those of ma-gym (Koul, 2019), from which nothing
but the rules is taken: agents move one after the other in the order of their index, on
the grid as the agents before them left it, and a move that is not possible is a wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from metaspiel.games.markov import Discrete, Scene
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


def check(where: str, field: str, value: Any, known: Sequence[Any]) -> None:
    """Raises a ``UserError`` unless the value of a field is a known one.

    Raises:
      UserError: the value does not exist.
    """
    if not any(value == one and type(value) is type(one) for one in known):
        raise UserError(
            f"{where}: {field} must be one of {', '.join(map(str, known))}; "
            f"got {value!r}"
        )


def begin(
    uniforms: Float64[ndarray, "B draws"],
    state: int,
    observation: Float32[ndarray, "N D"],
) -> GridScene:
    """B episodes at their first state.

    Raises:
      UserError: uniform numbers are given, though nothing is drawn.
    """
    if uniforms.shape[1]:
        raise UserError(
            "start(): a grid world draws no numbers, so uniforms must be of shape "
            f"[B, 0]; got {list(uniforms.shape)}"
        )
    batch, agents = len(uniforms), len(observation)
    return GridScene(
        observations=np.repeat(observation[None], batch, 0),
        rewards=np.zeros((batch, agents)),
        terminated=np.zeros(batch, bool),
        truncated=np.zeros(batch, bool),
        state=np.full(batch, state, np.int64),
        count=np.zeros(batch, np.int64),
    )


def begin_again(
    scene: GridScene,
    where: Bool[ndarray, " B"],
    state: int,
    observation: Float32[ndarray, "N D"],
) -> GridScene:
    """The first state where asked; the other episodes stay as they are."""
    if not where.any():
        return scene
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
