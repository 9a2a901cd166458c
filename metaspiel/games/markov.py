"""Markov games as arrays: all agents act at once, B episodes are played side by side.

What a learner needs and no more. Observations, actions and rewards are numpy arrays
that begin with ``[B, N]``. All randomness comes from outside, as uniform numbers that
start an episode: the same numbers and actions give the same episode, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64
from numpy import ndarray

from metaspiel.nfg.errors import UserError

Uniforms = Float64[ndarray, "B draws"]
"""Numbers in [0, 1) from which B episodes start; ``draws`` of them each."""

Where = Bool[ndarray, " B"]
"""Which of B episodes are asked for."""


@dataclass(frozen=True)
class Discrete:
    """Actions ``0 .. size - 1``; a joint action is ``int64 [B, N]``.

    Attributes:
      size: A, the same for all agents.
    """

    size: int


@dataclass(frozen=True)
class Continuous:
    """Actions of real numbers; a joint action is ``float32 [B, N, K]``.

    Each number means what it says between -1 and 1; the game scales it to its own units
    and treats what lies outside as the nearer bound.

    Attributes:
      size: K, numbers in one agent's action.
    """

    size: int


@dataclass(frozen=True, eq=False)
class Scene:
    """B episodes between two steps. Games add fields of their own.

    Attributes:
      observations: what each agent sees.
      rewards: each agent's own, of the step that led here; 0 at the start.
      terminated: the episode is over by the rules.
      truncated: it is over because the game's ``limit`` of steps is reached.
    """

    observations: Float32[ndarray, "B N D"]
    rewards: Float64[ndarray, "B N"]
    terminated: Bool[ndarray, " B"]
    truncated: Bool[ndarray, " B"]

    @property
    def over(self) -> Bool[ndarray, " B"]:
        """Whether each episode is terminated or truncated."""
        return self.terminated | self.truncated

    @cached_property
    def live(self) -> Bool[ndarray, "B N"]:
        """Which agents take part; in a game where agents can leave, a field."""
        return np.ones(self.rewards.shape, dtype=bool)


@runtime_checkable
class MarkovGame(Protocol):
    """A game for N agents. Implementations are values: they compare and pickle.

    Only the newest scene of a batch may be stepped: a game may reuse what an older one
    holds. Arrays already handed out as observations, rewards or flags never change.

    Attributes:
      name: parameters included; ``metaspiel.games.worlds.load`` reads it back.
      agents: N.
      inputs: D, numbers in one agent's observation.
      actions: what an agent may do, the same for all agents.
      draws: uniform numbers that one new episode needs.
      limit: steps after which an episode is truncated.
    """

    @property
    def name(self) -> str: ...
    @property
    def agents(self) -> int: ...
    @property
    def inputs(self) -> int: ...
    @property
    def actions(self) -> Discrete | Continuous: ...
    @property
    def draws(self) -> int: ...
    @property
    def limit(self) -> int: ...

    def start(self, uniforms: Uniforms) -> Any:
        """New episodes, as a ``Scene``."""

    def restart(self, scene: Any, where: Where, uniforms: Uniforms) -> Any:
        """New episodes where asked, the others as they were, rewards included."""

    def step(self, scene: Any, actions: ndarray) -> Any:
        """The scene after one action of every agent.

        Episodes that are over stay as they are and pay 0.

        Raises:
          UserError: the joint actions have another shape or kind than the game's.
        """


@runtime_checkable
class Judged(MarkovGame, Protocol):
    """A game of few actions that tells how far policies are from an equilibrium."""

    @property
    def situations(self) -> Float32[ndarray, "K D"]:
        """All possible observations; all agents see the same."""

    def exploitability(self, policies: Float64[ndarray, "N K A"]) -> float:
        """Sum over agents of what a best response gains (NashConv)."""


def joint_action(game: MarkovGame, batch: int, actions: ndarray) -> ndarray:
    """Checks the joint actions that a game's ``step`` is given and returns them.

    Raises:
      UserError: their shape or type is wrong, or an action does not exist.
    """
    space = game.actions
    if isinstance(space, Discrete):
        shape: Sequence[int] = (batch, game.agents)
        fits = actions.dtype.kind in "iu"
        wanted = f"integers below {space.size}"
    else:
        shape = (batch, game.agents, space.size)
        fits = actions.dtype.kind == "f"
        wanted = "real numbers"
    inside = fits and actions.shape == shape
    if inside and isinstance(space, Discrete):
        inside = bool(((actions >= 0) & (actions < space.size)).all())
    elif inside:
        inside = bool(np.isfinite(actions).all())
    if not inside:
        raise UserError(
            f"{game.name}: joint actions must be {wanted} of shape {list(shape)}; "
            f"got {actions.dtype} of shape {list(actions.shape)}"
        )
    return actions
