"""Robots of Gymnasium's MuJoCo tasks, moved by several agents together.

The cooperative tasks of Multi-Agent MuJoCo (Peng et al. 2021) in the variant of the
MATRL paper (Wen et al.): the torques are dealt out to the agents, and every agent sees
the robot's full state. Gymnasium's v5 tasks are used, whose numbers differ from those
of the v2 tasks of both papers. Needs the extra ``mujoco``.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from metaspiel.games.extras import Lent, Team, TeamScene, need
from metaspiel.games.markov import Continuous, joint_action
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True)
class _Task:
    """Factory of simulators of one of Gymnasium's tasks.

    Attributes:
      env: Gymnasium's name of the task.
      inputs: D, numbers in the state shown.
      order: the torques in the order in which they are dealt out.
    """

    env: str
    inputs: int
    order: tuple[int, ...]

    def require(self) -> None:
        """Raises a ``UserError`` where the extra ``mujoco`` is not installed."""
        need(self.env, "mujoco", "gymnasium", "mujoco", "imageio")

    def __call__(self) -> Any:
        self.require()
        import gymnasium

        # Limits and orders of calls are watched here; no wrapper need do it again.
        return gymnasium.make(self.env, disable_env_checker=True).unwrapped


@dataclass(frozen=True)
class _Robot(Lent, Named):
    """What the robots have in common; the task is the subclass's.

    Each agent's reward is the robot's reward divided by the number of agents, so that
    the sum over agents is the return Gymnasium reports. The episode's number seeds the
    small disturbance of the starting pose. ``start`` takes simulators that are free
    and builds the others (2 to 7 ms each); ``step`` moves them one by one.

    Attributes:
      agents: N, among whom the torques are divided.
      limit: steps of an episode.

    Raises:
      UserError: the agents do not divide the torques, or there is no step.
    """

    task: ClassVar[_Task]
    agents: int = 2
    limit: int = 1000

    def __post_init__(self) -> None:
        torques = len(self.task.order)
        fits = 1 <= self.agents <= torques and torques % self.agents == 0
        if not fits or self.limit < 1:
            raise UserError(
                f"{self.kind}: agents must divide {torques} and limit must be at "
                f"least 1; got {self.agents} and {self.limit}"
            )

    @property
    def inputs(self) -> int:
        """Observation size D: the robot's state."""
        return self.task.inputs

    @property
    def actions(self) -> Continuous:
        """The action space of one agent: torques in units of the largest allowed."""
        return Continuous(len(self.task.order) // self.agents)

    def team(self, size: int) -> Team:
        """So many simulators, from those that are free."""
        return Team(self.task, size)

    def shown(self, seen: Any) -> ndarray:
        """All agents see all."""
        return np.asarray(seen)

    def step(self, scene: TeamScene, actions: ndarray) -> TeamScene:
        """Applies all torques; episodes that are over stay as they are.

        Raises:
          UserError: the joint actions do not fit.
        """
        batch = len(scene.steps)
        chosen = joint_action(self, batch, actions).reshape(batch, -1)
        box = scene.team.members[0].action_space
        torques = np.empty(chosen.shape)
        torques[:, self.task.order] = np.clip(chosen, -1.0, 1.0)
        torques = (box.high + box.low) / 2 + (box.high - box.low) / 2 * torques
        going = ~scene.over
        observations = scene.observations.copy()
        rewards = np.zeros((batch, self.agents))
        terminated = scene.terminated.copy()
        for row in np.flatnonzero(going):
            robot = scene.team.members[row]
            seen, paid, fell, _, _ = robot.step(torques[row])
            observations[row] = seen
            rewards[row] = paid / self.agents
            terminated[row] = fell
        steps = scene.steps + going
        return TeamScene(
            observations=observations,
            rewards=rewards,
            terminated=terminated,
            truncated=(steps >= self.limit) & ~terminated,
            team=scene.team,
            steps=steps,
        )


@dataclass(frozen=True)
class Hopper(_Robot):
    """A leg that hops: thigh, leg and foot, one torque for each of three agents.

    State of 11 numbers (height, angles and their speeds). Ends when it falls.

    Attributes:
      agents: N; 1 moves all torques.
    """

    agents: int = 3

    kind = "hopper"
    task = _Task("Hopper-v5", 11, (0, 1, 2))


@dataclass(frozen=True)
class Ant(_Robot):
    """Four legs: agent 0 moves the two in front, agent 1 the two behind.

    State of 105 numbers, contact forces included. Ends when the body is too low or too
    high.

    Attributes:
      agents: N; 1 moves all torques, 4 a leg each, 8 a joint each.
    """

    kind = "ant"
    task = _Task("Ant-v5", 105, (2, 3, 4, 5, 6, 7, 0, 1))  # legs 1, 2, 3 and 4


@dataclass(frozen=True)
class Swimmer(_Robot):
    """Three links in a viscous fluid, two joints, one for each of two agents.

    State of 8 numbers. Only the limit ends an episode.

    Attributes:
      agents: N; 1 moves both torques.
    """

    kind = "swimmer"
    task = _Task("Swimmer-v5", 8, (0, 1))


@dataclass(frozen=True)
class HalfCheetah(_Robot):
    """A runner in the plane: agent 0 moves the hind leg, agent 1 the front leg.

    State of 17 numbers. Only the limit ends an episode. As a game of few actions for
    learned oracles it is ``metaspiel.games.cheetah``.

    Attributes:
      agents: N; 1 moves all torques, 6 a joint each.
    """

    kind = "halfcheetah"
    task = _Task(
        "HalfCheetah-v5", 17, (0, 1, 2, 3, 4, 5)
    )  # thigh, shin, foot; each leg
