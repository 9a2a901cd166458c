"""What the worlds of particles share: new episodes, steps, and what agents see."""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.entities import Layout, Sight
from metaspiel.games.markov import Discrete, Scene, Uniforms, Where, joint_action
from metaspiel.games.particles import ACTIONS, Bodies, Planes, moved
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError

LIMIT = 20
RADIUS = 0.05  # of an agent
MOST = 256  # agents, landmarks or steps
STRONG = 1000.0  # more than any force or cost that makes sense


@dataclass(frozen=True, eq=False, kw_only=True)
class ParticleScene(Scene):
    """B episodes of a world of particles between two steps.

    Attributes:
      places: where each agent is.
      velocities: where to and how fast it moves, a second.
      landmarks: where they are.
      live: which agents take part. One that dies is paid for the step in which it does.
      time: steps taken.
      begun: the number that began the episode; its later chance follows from it.
    """

    places: Float64[ndarray, "B N 2"]
    velocities: Float64[ndarray, "B N 2"]
    landmarks: Float64[ndarray, "B K 2"]
    live: Bool[ndarray, "B N"] = field()  # not the base's
    time: Int64[ndarray, " B"]
    begun: Float64[ndarray, " B"]


class Outcome(NamedTuple):
    """What a step leads to, besides the places of the agents.

    Attributes:
      rewards: of each agent, if it took part.
      landmarks: where they are now.
      live: who takes part from now on, if it did so far.
    """

    rewards: Float64[ndarray, "N B"]
    landmarks: Float64[ndarray, "2 K B"]
    live: Bool[ndarray, "N B"]


class ParticleWorld(Named):
    """A world of particles; all places are uniform in [-1, 1]^2 at the start.

    An episode is over when no agent of the first role is left, and truncated after
    ``limit`` steps.

    Attributes:
      actions: stay, +x, -x, +y, -y.
      populations: the fields that say how many agents each role has.
    """

    actions: ClassVar[Discrete] = ACTIONS
    populations: ClassVar[tuple[str, ...]] = ("agents",)

    @property
    def limit(self) -> int:
        """Steps of an episode."""
        return LIMIT

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of agents of each role."""
        return tuple(getattr(self, name) for name in self.populations)

    @property
    def role_names(self) -> tuple[str, ...]:
        """What agents of each role are called."""
        return self.populations

    @property
    def agents(self) -> int:
        """N, agents of all roles."""
        return sum(self.sizes)

    @property
    def layout(self) -> Layout:
        """Which numbers of an observation describe whom."""
        raise NotImplementedError

    @property
    def bodies(self) -> Bodies:
        """What the physics knows of the agents."""
        raise NotImplementedError

    @property
    def radii(self) -> Float64[ndarray, " K"]:
        """Radius of each landmark."""
        raise NotImplementedError

    def outcome(self, scene: ParticleScene, places: Planes) -> Outcome:
        """Rewards and changes, now that the agents are at these places."""
        raise NotImplementedError

    @property
    def inputs(self) -> int:
        """Observation size D."""
        return self.layout.inputs

    @property
    def draws(self) -> int:
        """Numbers of a new episode: two for each agent and each landmark."""
        return 2 * (self.agents + self.layout.landmarks)

    def number(self, **least: int) -> None:
        """Stops at numbers of agents, landmarks or steps that are not possible.

        Raises:
          UserError: an agent alone has nobody to attend to, and thousands no memory.
        """
        for name, low in least.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= MOST:
                raise UserError(
                    f"{type(self).__name__}(): {name} must be an integer from {low} "
                    f"to {MOST}; got {value!r}"
                )

    def real(self, **most: float) -> None:
        """Stops at numbers that are not between 0 and the most they may be.

        Raises:
          UserError: one is not.
        """
        for name, high in most.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value <= high:
                raise UserError(
                    f"{type(self).__name__}(): {name} must be a number from 0 to "
                    f"{high:g}; got {value!r}"
                )

    def one_of(self, name: str, *known: str) -> None:
        """Stops at a field whose value is none of those that exist.

        Raises:
          UserError: the value does not exist.
        """
        if getattr(self, name) not in known:
            raise UserError(
                f"{type(self).__name__}(): {name} must be one of "
                f"{', '.join(known)}; got {getattr(self, name)!r}"
            )

    def state(self, scene: ParticleScene) -> dict[str, Tensor]:
        """What a replay keeps of a scene: what ``kept`` keeps."""
        return self.kept(scene.places, scene.velocities, scene.landmarks, scene.live)

    def kept(self, *arrays: ndarray) -> dict[str, Tensor]:
        """Tensors of places, velocities and landmarks.

        Args:
          arrays: those three, and who is alive.
        """
        names = ("places", "velocities", "landmarks")
        return {
            name: torch.from_numpy(array.astype(np.float32, order="C"))
            for name, array in zip(names, arrays, strict=False)
        }

    def sight(self, state: dict[str, Tensor]) -> Sight:
        """What all agents see in stored states."""
        places, velocities = state["places"], state["velocities"]
        return Sight(
            places=places,
            bodies=velocities,
            own=torch.cat([velocities, places], 2),
            landmarks=state["landmarks"],
            live=torch.ones(places.shape[:2], dtype=torch.bool),
        )

    def start(self, uniforms: Uniforms) -> ParticleScene:
        """New episodes: agents at rest, everything anywhere."""
        agents, batch = self.agents, len(uniforms)
        where = (2.0 * uniforms - 1.0).T.reshape(-1, 2, batch).swapaxes(0, 1).copy()
        return self._scene(
            rewards=np.zeros((batch, agents)),
            places=where[:, :agents].T,
            velocities=np.zeros((2, agents, batch)).T,
            landmarks=where[:, agents:].T,
            live=np.ones((agents, batch), dtype=bool).T,
            time=np.zeros(batch, dtype=np.int64),
            begun=uniforms[:, 0].copy(),
        )

    def restart(
        self, scene: ParticleScene, where: Where, uniforms: Uniforms
    ) -> ParticleScene:
        """New episodes where asked, the others as they were."""
        if not where.any():
            return scene
        new = self.start(uniforms)
        if where.all():
            return new
        mixed = {
            name: np.where(where, getattr(new, name).T, getattr(scene, name).T).T
            for name in (one.name for one in fields(scene))
        }
        return replace(scene, **mixed)

    def step(self, scene: ParticleScene, actions: ndarray) -> ParticleScene:
        """The scene after one move of every agent; agents that are dead do nothing.

        Raises:
          UserError: the joint actions have another shape or kind than the game's.
        """
        joint_action(self, len(scene.time), actions)
        going = ~scene.over
        live = scene.live.T & going
        some = None if live.all() else live
        state = (scene.places.T, scene.velocities.T)
        places, velocities = moved(self.bodies, state, actions.T, some)
        rewards, landmarks, alive = self.outcome(scene, places)
        if some is not None:
            rewards = rewards * live
            landmarks = np.where(going, landmarks, scene.landmarks.T)
            alive = np.where(live, alive, scene.live.T)
        return self._scene(
            rewards=rewards.T,
            places=places.T,
            velocities=velocities.T,
            landmarks=landmarks.T,
            live=alive.T,
            time=scene.time + going,
            begun=scene.begun,
        )

    def resized(self, sizes: tuple[int, ...]) -> "ParticleWorld":
        """The same game with so many agents of each role.

        Raises:
          UserError: there is not one number a role, or a number is impossible.
        """
        names = self.populations
        if len(sizes) != len(names):
            raise UserError(
                f"resized(): sizes must be {len(names)} number"
                f"{'s' * (len(names) > 1)}, of {' and '.join(names)}; "
                f"got '{','.join(map(str, sizes))}'"
            )
        game: Any = self
        return replace(game, **dict(zip(names, sizes, strict=True)))

    def _scene(self, **arrays: ndarray) -> ParticleScene:
        live, time = arrays["live"], arrays["time"]
        over = ~np.logical_or.reduce(live.T[: self.sizes[0]])
        kept = [arrays[name] for name in ("places", "velocities", "landmarks", "live")]
        return ParticleScene(
            observations=self.layout.flat(self.sight(self.kept(*kept))).numpy(),
            terminated=over,
            truncated=(time >= self.limit) & ~over,
            **arrays,
        )


@dataclass(frozen=True, kw_only=True)
class AlikeWorld(ParticleWorld):
    """A world whose agents are all alike.

    Attributes:
      agents: N.
      contact: agents push each other.
      clamp: nobody leaves the square; false is an open plane.
      force: of a move.
    """

    agents: int = 6
    contact: bool = True
    clamp: bool = True
    force: float = 5.0

    @cached_property
    def bodies(self) -> Bodies:
        """All agents are alike."""
        return Bodies.alike(
            self.agents,
            radius=RADIUS,
            force=self.force,
            edge=1.0 if self.clamp else np.inf,
            contact=self.contact,
        )
