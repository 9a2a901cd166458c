"""Our games as environments of PettingZoo and Gymnasium; inverse: ``from_parallel``.

Needs the extra ``envs``.
"""

from typing import Any

import numpy as np
from numpy import ndarray

from metaspiel.games.markov import Continuous, MarkovGame
from metaspiel.nfg.errors import UserError

try:
    from gymnasium import spaces
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
    from pettingzoo import ParallelEnv
except ImportError as error:
    raise UserError(
        "metaspiel.games.parallel: pip install 'metaspiel[envs]' must have been run; "
        f"got {error}"
    ) from error


class ParallelWorld(ParallelEnv):
    """One episode of a game as an environment of PettingZoo's parallel API.

    Agents are called ``agent_0`` to ``agent_{N-1}``. Each is there until it dies or the
    episode is over; the step in which it dies is its last answer. Real-valued actions
    lie between -1 and 1.

    Args:
      game: any Markov game.
      seed: seed of the episodes until ``reset`` is given another one.
    """

    def __init__(self, game: MarkovGame, seed: int = 0) -> None:
        self.game = game
        self.possible_agents = [f"agent_{i}" for i in range(game.agents)]
        self.agents: list[str] = []
        self.render_mode = None
        self.metadata = {"name": game.name, "render_modes": []}
        seen, acts = _seen(game, ()), _acts(game, ())
        self.observation_spaces = dict.fromkeys(self.possible_agents, seen)
        self.action_spaces = dict.fromkeys(self.possible_agents, acts)
        self._rng = np.random.default_rng(seed)
        self._scene: Any = None

    def observation_space(self, agent: str) -> Any:
        """The observation space of one agent: a box of D numbers."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """The action space of one agent."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, ndarray], dict[str, dict[str, Any]]]:
        """A new episode; observations and infos by agent. There are no options."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._scene = self.game.start(self._rng.random((1, self.game.draws)))
        self.agents = list(self.possible_agents)
        seen = self._each(self._scene.observations[0])
        return seen, {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Observations, rewards, terminations, truncations and infos by agent.

        Raises:
          UserError: ``reset`` has not been called, the action of an agent that is
            there is missing, or the actions do not fit.
        """
        missing = [agent for agent in self.agents if agent not in actions]
        if not self.agents or missing:
            raise UserError(
                f"{self.game.name}: step() must follow reset() with an action of "
                f"every agent; got none of {missing or 'them, and no episode'}"
            )
        scene = self._scene = self.game.step(self._scene, self._joint(actions)[None])
        gone, cut = scene.terminated[0] | ~scene.live[0], scene.truncated[0]
        answers: tuple[dict[str, Any], ...] = (
            self._each(scene.observations[0]),
            self._each(scene.rewards[0].tolist()),
            self._each(gone.tolist()),
            self._each((cut & ~gone).tolist()),
            {agent: {} for agent in self.agents},
        )
        left = self._each(~gone & ~cut)
        self.agents = [agent for agent in self.agents if left[agent]]
        return answers

    def _joint(self, actions: dict[str, Any]) -> ndarray:
        """Actions of all agents; those of the dead are zeros, which do nothing."""
        given = np.stack([np.asarray(actions[agent]) for agent in self.agents])
        if isinstance(self.game.actions, Continuous) and given.dtype == np.float64:
            given = given.astype(np.float32)
        joint = np.zeros((self.game.agents, *given.shape[1:]), given.dtype)
        joint[[self.possible_agents.index(agent) for agent in self.agents]] = given
        return joint

    def _each(self, values: Any) -> dict[str, Any]:
        """What belongs to each agent that is there."""
        everyone = dict(zip(self.possible_agents, values, strict=True))
        return {agent: everyone[agent] for agent in self.agents}


class VectorWorld(VectorEnv):
    """B episodes of a game as Gymnasium's vector environment, with joint actions.

    For a learner that controls all agents: it sees [N, D] numbers, acts for every
    agent at once and is paid the sum of their rewards; each agent's own is in
    ``infos["agent_rewards"]`` [B, N]. An episode that is over starts anew in the next
    step, whose actions it ignores (Gymnasium's ``AutoresetMode.NEXT_STEP``).

    Args:
      game: any Markov game.
      num_envs: B.
      seed: seed of the episodes until ``reset`` is given another one.
    """

    def __init__(self, game: MarkovGame, num_envs: int, seed: int = 0) -> None:
        self.game = game
        self.num_envs = num_envs
        self.metadata = {
            "name": game.name,
            "render_modes": [],
            "autoreset_mode": AutoresetMode.NEXT_STEP,
        }
        self.single_observation_space = _seen(game, (game.agents,))
        self.single_action_space = _acts(game, (game.agents,))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._rng = np.random.default_rng(seed)
        self._scene: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ndarray, dict[str, Any]]:
        """New episodes everywhere; one seed for all. There are no options."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._scene = self.game.start(self._numbers())
        return self._scene.observations, {}

    def step(
        self, actions: ndarray
    ) -> tuple[ndarray, ndarray, ndarray, ndarray, dict[str, Any]]:
        """Observations, rewards [B], terminations, truncations and infos.

        Raises:
          UserError: ``reset`` has not been called, or the actions do not fit.
        """
        if self._scene is None:
            raise UserError(
                f"{self.game.name}: step() must follow reset(); got no episode"
            )
        over = self._scene.over
        scene = self.game.step(self._scene, actions)
        if over.any():
            scene = self.game.restart(scene, over, self._numbers())
        self._scene = scene
        paid = {
            "agent_rewards": scene.rewards,
            "_agent_rewards": np.ones(self.num_envs, dtype=bool),
        }
        return (
            scene.observations,
            scene.rewards.sum(1),
            scene.terminated,
            scene.truncated,
            paid,
        )

    def _numbers(self) -> ndarray:
        return self._rng.random((self.num_envs, self.game.draws))


def _seen(game: MarkovGame, before: tuple[int, ...]) -> Any:
    shape = (*before, game.inputs)
    return spaces.Box(-np.inf, np.inf, shape, np.float32)


def _acts(game: MarkovGame, before: tuple[int, ...]) -> Any:
    """Gymnasium's space of one agent's actions, or of joint actions for [N]."""
    kind = game.actions
    if isinstance(kind, Continuous):
        return spaces.Box(-1.0, 1.0, (*before, kind.size), np.float32)
    if before:
        return spaces.MultiDiscrete([kind.size] * before[0])
    return spaces.Discrete(kind.size)
