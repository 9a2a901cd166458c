"""Pac-Man-like World: some agents eat dots, others catch them; the caught are out.

A world of MRA (Zhang et al., arXiv 2108.12988). It is not public; what its text
leaves open follows EPC's grassland (Long et al., 2020), in which sheep eat grass and
wolves eat sheep.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.entities import Layout, Sight
from metaspiel.games.particle_world import STRONG, Outcome, ParticleScene, ParticleWorld
from metaspiel.games.particles import Bodies, Planes, between, renewed

RADII = (0.05, 0.075)  # of a Pac-Man and of a ghost
SMALL = 0.03  # radius of a dot
DOT, CAUGHT, CATCH, NEAR = 2.0, 5.0, 5.0, 0.1


@dataclass(frozen=True, kw_only=True)
class Pacman(ParticleWorld):
    """Pac-Man-like World, a game of two roles that is not zero-sum.

    A Pac-Man is paid 2 for each dot that it touches, which is then at a new place; it
    loses 5 when a ghost touches it, once, and is out from then on: it stays where it
    is, touches nobody and is paid 0. A ghost is paid 5 for each catch it has part in.
    Distance costs 0.1 a unit: a Pac-Man that from the nearest dot, a ghost that from
    the nearest Pac-Man. An episode ends when all Pac-Men are out.

    Attributes:
      pacmen: agents of role 0, who come first.
      ghosts: agents of role 1.
      dots: K.
      shaping: distance costs.
      contact: agents push each other.
      clamp: nobody leaves the square; false is an open plane.
      force: of a Pac-Man's move.
      speed: the most that a Pac-Man reaches; MPE's tag has forces 4 and 3, and speeds
        1.3 and 1.
      ghost_force: of a ghost's move.
      ghost_speed: the most that a ghost reaches.

    Raises:
      UserError: a number is impossible.
    """

    pacmen: int = 4
    ghosts: int = 2
    dots: int = 20
    shaping: bool = True
    contact: bool = True
    clamp: bool = True
    force: float = 4.0
    speed: float = 3.0
    ghost_force: float = 2.0
    ghost_speed: float = 2.0

    kind = "pacman"
    populations = ("pacmen", "ghosts")
    role_names = ("Pac-Men", "ghosts")

    def __post_init__(self) -> None:
        self.number(pacmen=1, ghosts=1, dots=1)
        self.real(force=STRONG, speed=np.inf, ghost_force=STRONG, ghost_speed=np.inf)

    @cached_property
    def layout(self) -> Layout:
        """An agent sees whether it is alive, and of others their role too."""
        roles = (0,) * self.pacmen + (1,) * self.ghosts
        return Layout(roles=roles, landmarks=self.dots, own=5, body=4)

    @cached_property
    def bodies(self) -> Bodies:
        """Small quick Pac-Men and large slow ghosts."""

        def each(pacman: float, ghost: float) -> ndarray:
            return np.repeat([[pacman], [ghost]], self.sizes, 0)

        return Bodies(
            radius=each(*RADII),
            force=each(self.force, self.ghost_force),
            speed=each(self.speed, self.ghost_speed),
            edge=1.0 if self.clamp else np.inf,
            contact=self.contact,
        )

    @cached_property
    def radii(self) -> Float64[ndarray, " K"]:
        """Radius of each dot."""
        return np.full(self.dots, SMALL)

    def kept(self, *arrays: ndarray) -> dict[str, Tensor]:
        """Places, velocities, landmarks, and who is alive."""
        live = torch.from_numpy(arrays[-1].copy(order="C"))
        return super().kept(*arrays) | {"live": live}

    def sight(self, state: dict[str, Tensor]) -> Sight:
        """What all agents see in stored states."""
        seen = super().sight(state)
        live = state["live"]
        alive = live[..., None].float()
        role = torch.tensor(self.layout.roles, dtype=torch.float32)
        role = role.expand(live.shape)[..., None]
        more = {
            "own": torch.cat([seen.own, alive], 2),
            "bodies": torch.cat([seen.bodies, role, alive], 2),
            "live": live,
        }
        return Sight(**vars(seen) | more)

    def outcome(self, scene: ParticleScene, places: Planes) -> Outcome:
        """Dots eaten, Pac-Men caught, the costs of distance.

        Who lives before a step counts as alive in all of it.
        """
        n = self.pacmen
        live = scene.live.T[:n]
        dots = between(places[:, :n], scene.landmarks.T)
        eaten = (dots < (RADII[0] + SMALL) ** 2) & live[:, None]
        apart = between(places[:, n:], places[:, :n])
        caught = (apart < sum(RADII) ** 2) & live
        out: ndarray = caught.any(0)
        rewards = np.concatenate(
            [DOT * eaten.sum(1) - CAUGHT * out, CATCH * caught.sum(1)]
        )
        if self.shaping:
            rewards[:n] -= NEAR * np.sqrt(dots.min(1))
            nearest = np.where(live, apart, np.inf).min(1)
            rewards[n:] -= NEAR * np.sqrt(np.where(live.any(0), nearest, 0.0))
        alive = np.concatenate([~out, np.ones((self.ghosts, out.shape[1]), bool)])
        landmarks = renewed(scene.landmarks.T, eaten.any(0), scene.time, scene.begun)
        return Outcome(rewards, landmarks, alive)
