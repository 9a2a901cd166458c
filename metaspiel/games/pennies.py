"""Matching pennies played several times: a game of conflict with exact solutions.

A Markov game of our own. With one state and one step it is the matching pennies of the
textbooks (two agents), or the cyclic game of Jordan, "Three Problems in Learning
Mixed-Strategy Nash Equilibria" (1993), with three.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from metaspiel.games.markov import Discrete, Scene, Uniforms, Where, joint_action
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError

_HEADS, _TAILS = 0, 1


@dataclass(frozen=True, eq=False, kw_only=True)
class PenniesScene(Scene):
    """A batch of episodes of ``Pennies``.

    Attributes:
      states: the state of each episode.
      steps: steps played.
    """

    states: Int64[ndarray, " B"]
    steps: Int64[ndarray, " B"]


@dataclass(frozen=True)
class Pennies(Named):
    """Matching pennies with states: what is won, and where play goes, depend on both.

    Every agent shows heads (0) or tails (1). Agent i wants to show what agent i + 1
    shows; the last one wants to differ from the first. In state s, agreeing on heads
    is worth 1 + s, agreeing on tails 1, and disagreeing -1 to the one who wants to
    agree; to the last agent, minus that. Two agents play for zero sum, more do not.
    The next state is (s + number of tails) mod ``states``. An episode starts in a
    state drawn uniformly and ends, by the rules, after ``limit`` steps.

    All agents see the same: one number for each of the K = limit * states situations,
    1 where they are (situation t * states + s is state s with t steps played) and 0
    elsewhere; nothing when it is over. Policies of shape [N, K, 2] are therefore all
    there is, and the methods below judge them exactly, without discount.

    Attributes:
      states: S.
      limit: steps of an episode.
      agents: N.

    Raises:
      UserError: there is no state or no step, or the agents are not 2 to 8.
    """

    states: int = 3
    limit: int = 8
    agents: int = 2

    kind = "pennies"
    draws = 1
    actions = Discrete(2)

    def __post_init__(self) -> None:
        if self.states < 1 or self.limit < 1 or not 2 <= self.agents <= 8:
            raise UserError(
                "Pennies(): states and limit must be at least 1 and agents 2 to 8; "
                f"got {self.states}, {self.limit} and {self.agents}"
            )

    @property
    def inputs(self) -> int:
        """The number of situations, K."""
        return self.limit * self.states

    @property
    def situations(self) -> Float32[ndarray, "K K"]:
        """The observation of each situation."""
        return np.eye(self.inputs, dtype=np.float32)

    def start(self, uniforms: Uniforms) -> PenniesScene:
        """New episodes, each in the state its number falls on."""
        batch = len(uniforms)
        states = np.minimum((uniforms[:, 0] * self.states).astype(int), self.states - 1)
        return self._scene(
            states, np.zeros(batch, dtype=int), np.zeros((batch, self.agents))
        )

    def restart(
        self, scene: PenniesScene, where: Where, uniforms: Uniforms
    ) -> PenniesScene:
        """New episodes where asked, the others as they were."""
        new = self.start(uniforms)
        return self._scene(
            np.where(where, new.states, scene.states),
            np.where(where, 0, scene.steps),
            np.where(where[:, None], 0.0, scene.rewards),
        )

    def step(self, scene: PenniesScene, actions: ndarray) -> PenniesScene:
        """The scene after all pennies are shown; finished episodes pay nothing.

        Raises:
          UserError: the joint actions do not fit.
        """
        shown = joint_action(self, len(scene.states), actions)
        over = scene.over
        rewards = self._rewards(scene.states, shown)
        return self._scene(
            np.where(over, scene.states, self._next(scene.states, shown)),
            np.where(over, scene.steps, scene.steps + 1),
            np.where(over[:, None], 0.0, rewards),
        )

    def values(self, policies: Float64[ndarray, "N K A"]) -> Float64[ndarray, " N"]:
        """Expected sum of rewards of every agent, exactly, by backward induction.

        Args:
          policies: for each agent and situation, probabilities of heads and tails.

        Raises:
          UserError: they have another shape or are no probabilities.
        """
        self._check(policies)
        joint = self._joint()
        chances = np.ones((self.inputs, len(joint)))
        for agent in range(self.agents):
            chances *= policies[agent][:, joint[:, agent]]

        def worth(step: int, paid: ndarray) -> ndarray:
            chance = chances[step * self.states : (step + 1) * self.states]
            return np.einsum("sj,sjn->sn", chance, paid)

        return self._induct(worth).mean(0)

    def gains(self, policies: Float64[ndarray, "N K A"]) -> Float64[ndarray, " N"]:
        """What each agent could win by its best response to the others, exactly.

        The best response may do anything in any situation; at least 0 up to rounding,
        and 0 for all agents exactly at a Nash equilibrium.

        Args:
          policies: for each agent and situation, probabilities of heads and tails.

        Raises:
          UserError: they have another shape or are no probabilities.
        """
        now = self.values(policies)
        joint = self._joint()
        best = np.zeros(self.agents)
        for agent in range(self.agents):
            chances = np.ones((self.inputs, len(joint)))
            for other in range(self.agents):
                if other != agent:
                    chances *= policies[other][:, joint[:, other]]
            own = joint[:, agent]

            def worth(
                step: int,
                paid: ndarray,
                chances: ndarray = chances,
                own: ndarray = own,
            ) -> ndarray:
                chance = chances[step * self.states : (step + 1) * self.states]
                each = chance[:, :, None] * paid
                heads = each[:, own == _HEADS].sum(1)
                tails = each[:, own == _TAILS].sum(1)
                return np.maximum(heads, tails)  # read for this agent only

            best[agent] = self._induct(worth).mean(0)[agent]
        return best - now

    def exploitability(self, policies: Float64[ndarray, "N K A"]) -> float:
        """NashConv: the sum of the ``gains``.

        Raises:
          UserError: the policies have another shape or are no probabilities.
        """
        return float(self.gains(policies).sum())

    def equilibrium(self) -> Float64[ndarray, "2 K A"]:
        """A Nash equilibrium in every situation (Shapley 1953), for two agents.

        Its ``values`` are the value of the game: two agents play for zero sum.

        Raises:
          UserError: there are more than two agents.
        """
        if self.agents != 2:
            raise UserError(
                f"Pennies.equilibrium(): agents must be 2; got {self.agents}"
            )
        policies = np.zeros((2, self.inputs, 2))

        def worth(step: int, paid: ndarray) -> ndarray:
            value = np.zeros((self.states, 2))
            for state in range(self.states):
                stage = paid[state, :, 0].reshape(2, 2)
                row, column = _solve(stage)
                policies[:, step * self.states + state] = row, column
                value[state] = np.array([1.0, -1.0]) * (row @ stage @ column)
            return value

        self._induct(worth)
        return policies

    def _induct(self, worth: Callable[[int, ndarray], ndarray]) -> ndarray:
        """Values [S, N] at step 0; ``worth`` reduces [S, 2^N, N] to [S, N] at each."""
        joint = self._joint()
        states = np.repeat(np.arange(self.states), len(joint))
        shown = np.tile(joint, (self.states, 1))
        shape = (self.states, len(joint))
        now = self._rewards(states, shown).reshape(*shape, self.agents)
        after = self._next(states, shown).reshape(shape)
        value = np.zeros((self.states, self.agents))
        for step in reversed(range(self.limit)):
            value = worth(step, now + value[after])
        return value

    def _joint(self) -> ndarray:
        """All joint actions [2^N, N]; the last agent's action varies fastest."""
        return np.indices((2,) * self.agents).reshape(self.agents, -1).T

    def _rewards(self, states: ndarray, shown: ndarray) -> ndarray:
        other = np.roll(shown, -1, axis=1)
        agreed = np.where(shown == _HEADS, 1.0 + states[:, None], 1.0)
        rewards = np.where(shown == other, agreed, -1.0)
        rewards[:, -1] *= -1.0
        return rewards

    def _next(self, states: ndarray, shown: ndarray) -> ndarray:
        return (states + (shown == _TAILS).sum(1)) % self.states

    def _scene(self, states: ndarray, steps: ndarray, rewards: ndarray) -> PenniesScene:
        batch, over = len(states), steps >= self.limit
        seen = np.zeros((batch, self.agents, self.inputs), dtype=np.float32)
        going = np.flatnonzero(~over)
        seen[going, :, steps[going] * self.states + states[going]] = 1.0
        return PenniesScene(
            observations=seen,
            rewards=rewards,
            terminated=over,
            truncated=np.zeros(batch, dtype=bool),
            states=states,
            steps=steps,
        )

    def _check(self, policies: ndarray) -> None:
        shape = (self.agents, self.inputs, 2)
        if policies.shape != shape:
            raise UserError(
                f"{self.name}: policies must have shape {list(shape)}; "
                f"got {list(policies.shape)}"
            )
        sums = policies.sum(-1)
        if not ((policies >= 0).all() and (np.abs(sums - 1) <= 1e-6).all()):
            raise UserError(
                f"{self.name}: policies must be probabilities that sum to 1; got a "
                f"least entry of {policies.min():g} and sums from {sums.min():g} to "
                f"{sums.max():g}"
            )


def _solve(stage: ndarray) -> tuple[ndarray, ndarray]:
    """Maximin mixtures of 2x2 zero-sum games [rows, columns], payoffs to the rows."""
    floors, ceilings = stage.min(1), stage.max(0)
    if floors.max() >= ceilings.min():  # a saddle point
        pure = np.eye(2)
        return pure[floors.argmax()], pure[ceilings.argmin()]
    (a, b), (c, d) = stage
    scale = a - b - c + d
    heads, called = (d - c) / scale, (d - b) / scale
    return np.array([heads, 1 - heads]), np.array([called, 1 - called])
