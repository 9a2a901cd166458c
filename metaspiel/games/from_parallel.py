"""PettingZoo's parallel environments as Markov games; needs the extra ``envs``."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from metaspiel.games.extras import Lent, Team, TeamScene
from metaspiel.games.markov import Continuous, Discrete, joint_action
from metaspiel.nfg.errors import UserError

try:
    from gymnasium import spaces
except ImportError as error:
    raise UserError(
        "metaspiel.games.from_parallel: pip install 'metaspiel[envs]' must have been "
        f"run; got {error}"
    ) from error


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """Agents and spaces that all instances of an environment have in common."""

    agents: tuple[str, ...]
    inputs: int
    actions: Discrete | Continuous
    first: int  # number of the first discrete action
    middle: ndarray
    reach: ndarray
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FromParallel(Lent):
    """An environment of PettingZoo's parallel API as a Markov game.

    All agents must see boxes of one shape (they are shown flattened) and act alike:
    discretely, or in a box with bounds, which becomes -1 to 1. An agent that leaves
    sees and is paid 0 from then on. An episode is over when all agents have left; it
    is truncated if none of the last ones terminated. Environments are stepped one by
    one and used again after a ``reset`` with a seed, which must fix all their chance.

    Attributes:
      make: builds one environment; a function of a module, so that the game pickles.
      limit: steps after which an episode is truncated at the latest.
      name: for messages; ``metaspiel.games.worlds.load`` does not know it.

    Raises:
      UserError: the agents' spaces differ or are of another kind, or there is no step.
    """

    make: Callable[[], Any]
    limit: int = 1000
    name: str = "parallel"

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise UserError(f"{self.name}: limit must be at least 1; got {self.limit}")
        self._facts()

    @property
    def agents(self) -> int:
        """N, the number of agents."""
        return len(self._facts().agents)

    @property
    def inputs(self) -> int:
        """Observation size D, flattened."""
        return self._facts().inputs

    @property
    def actions(self) -> Discrete | Continuous:
        """The action space of one agent."""
        return self._facts().actions

    def team(self, size: int) -> Team:
        """So many simulators, from those that are free."""
        return Team(self.make, size)

    def step(self, scene: TeamScene, actions: ndarray) -> TeamScene:
        """Steps the environments whose episode is not over.

        Raises:
          UserError: the joint actions do not fit.
        """
        facts, batch = self._facts(), len(scene.steps)
        chosen = joint_action(self, batch, actions)
        if isinstance(facts.actions, Continuous):
            inside = np.clip(chosen, -1.0, 1.0)
            chosen = (facts.middle + facts.reach * inside).astype(np.float32)
            chosen = chosen.reshape(batch, self.agents, *facts.shape)
        else:
            chosen = chosen + facts.first
        going = ~scene.over
        seen, rewards = scene.observations.copy(), np.zeros((batch, self.agents))
        terminated, truncated = scene.terminated.copy(), scene.truncated.copy()
        for row in np.flatnonzero(going):
            env, live = scene.team.members[row], scene.team.members[row].agents
            does = {agent: chosen[row, facts.agents.index(agent)] for agent in live}
            shown, paid, ended, cut, _ = env.step(does)
            seen[row] = self.shown(shown)
            rewards[row] = [paid.get(agent, 0.0) for agent in facts.agents]
            gone = not env.agents or all(ended[a] or cut[a] for a in env.agents)
            terminated[row] = gone and any(ended.values())
            truncated[row] = gone and not terminated[row]
        steps = scene.steps + going
        return replace(
            scene,
            observations=seen,
            rewards=rewards,
            terminated=terminated,
            truncated=truncated | ((steps >= self.limit) & ~terminated),
            steps=steps,
        )

    def shown(self, seen: dict[str, Any]) -> Float32[ndarray, "N D"]:
        """Observations of the agents that are there, 0 for the others."""
        facts = self._facts()
        rows = np.zeros((len(facts.agents), facts.inputs), dtype=np.float32)
        for row, agent in enumerate(facts.agents):
            if agent in seen:
                rows[row] = np.ravel(seen[agent])
        return rows

    def _facts(self) -> _Facts:
        return _facts(self.make, self.name)


@cache
def _facts(make: Callable[[], Any], name: str) -> _Facts:
    """Reads the spaces of one environment."""
    env = Team(make, 1).members[0]
    agents = tuple(env.possible_agents)
    seen = [env.observation_space(agent) for agent in agents]
    acts = [env.action_space(agent) for agent in agents]
    box, act = seen[0], acts[0]
    boxes = all(isinstance(one, spaces.Box) and one.shape == box.shape for one in seen)
    bounded = isinstance(act, spaces.Box) and act.is_bounded()
    if not boxes or any(one != act for one in acts):
        raise UserError(
            f"{name}: all agents must see boxes of one shape and act alike; "
            f"got {seen} and {acts}"
        )
    if not (bounded or isinstance(act, spaces.Discrete)):
        raise UserError(
            f"{name}: actions must be discrete or a box with bounds; got {act}"
        )
    nothing = np.zeros(0)
    inputs = int(np.prod(box.shape))
    if not bounded:
        kind: Discrete | Continuous = Discrete(int(act.n))
        return _Facts(
            agents=agents,
            inputs=inputs,
            actions=kind,
            first=int(act.start),
            middle=nothing,
            reach=nothing,
            shape=(),
        )
    low, high = np.ravel(act.low).astype(float), np.ravel(act.high).astype(float)
    kind = Continuous(len(low))
    middle, reach = (high + low) / 2, (high - low) / 2
    return _Facts(
        agents=agents,
        inputs=inputs,
        actions=kind,
        first=0,
        middle=middle,
        reach=reach,
        shape=act.shape,
    )
