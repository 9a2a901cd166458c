"""Support for games of optional packages: missing extras and pooled simulators."""

import importlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from metaspiel.games.markov import Scene, Uniforms, Where
from metaspiel.nfg.errors import UserError


def need(where: str, extra: str, *modules: str) -> None:
    """Says which extra of this package to install when a module is missing.

    Args:
      where: what asks, at the beginning of the error.
      extra: name of the extra in ``setup.py``.
      modules: what has to be importable.

    Raises:
      UserError: one is not.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(
                f"{where}: pip install 'metaspiel[{extra}]' must have been run; "
                f"got {error}"
            ) from error


class Team:
    """Stateful simulators that one batch of episodes holds, pooled for later batches.

    Simulators whose state cannot be copied cheaply play one episode after the other.
    When nobody holds the team any more its members are free for the next one. A
    ``reset`` must leave nothing of earlier episodes behind.

    Attributes:
      members: one for each episode of the batch.

    Args:
      make: builds a simulator; teams with an equal ``make`` share their members.
      size: B.
    """

    def __init__(self, make: Callable[[], Any], size: int) -> None:
        free = _free(make)
        self.members = [free.pop() if free else make() for _ in range(size)]
        weakref.finalize(self, free.extend, self.members).atexit = False


@cache
def _free(make: Callable[[], Any]) -> list[Any]:
    """Simulators made by ``make`` that no batch holds."""
    return []


def seed_of(uniform: float) -> int:
    """A simulator's seed from an episode's uniform number; fits a signed 32-bit int."""
    return int(uniform * 2**31)


@dataclass(frozen=True, eq=False, kw_only=True)
class TeamScene(Scene):
    """Episodes that the simulators of a team play.

    Attributes:
      team: the simulators, one for each episode.
      steps: steps played.
    """

    team: Team
    steps: Int64[ndarray, " B"]


class Lent:
    """A game whose episodes are played by the simulators of another package.

    Attributes:
      draws: 1, the number from which an episode's seed is made.
    """

    draws: ClassVar[int] = 1
    agents: Any
    inputs: Any

    def team(self, size: int) -> Team:
        """So many simulators."""
        raise NotImplementedError

    def shown(self, seen: Any) -> ndarray:
        """What agents see, ``[N, D]`` or alike for all, of what ``reset`` returns."""
        raise NotImplementedError

    def start(self, uniforms: Uniforms) -> TeamScene:
        """New episodes; a simulator's seed is the number in units of 2^-31.

        Raises:
          UserError: the package is not installed.
        """
        batch = len(uniforms)
        scene = TeamScene(
            observations=np.zeros((batch, self.agents, self.inputs), np.float32),
            rewards=np.zeros((batch, self.agents)),
            terminated=np.zeros(batch, dtype=bool),
            truncated=np.zeros(batch, dtype=bool),
            team=self.team(batch),
            steps=np.zeros(batch, dtype=np.int64),
        )
        return self.restart(scene, np.ones(batch, dtype=bool), uniforms)

    def restart(self, scene: TeamScene, where: Where, uniforms: Uniforms) -> TeamScene:
        """New episodes where asked, the others as they were."""
        observations = scene.observations.copy()
        for row in np.flatnonzero(where):
            seed = seed_of(uniforms[row, 0])
            observations[row] = self.shown(scene.team.members[row].reset(seed=seed)[0])
        return replace(
            scene,
            observations=observations,
            rewards=np.where(where[:, None], 0.0, scene.rewards),
            terminated=scene.terminated & ~where,
            truncated=scene.truncated & ~where,
            steps=np.where(where, 0, scene.steps),
        )
