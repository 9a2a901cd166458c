"""Random situations of agents and landmarks, for tests of networks over them."""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from metaspiel.games.entities import Layout, Sight


def layout(agents: int, *, roles: int = 1, landmarks: int = 4) -> Layout:
    """Agents shared out to roles, and landmarks with a size."""
    return Layout(
        roles=tuple(sorted(i % roles for i in range(agents))),
        landmarks=landmarks,
        landmark=3,
    )


def sight(layout: Layout, rows: int, seed: int = 0, *, dead: float = 0) -> Sight:
    """Situations in which each agent is dead with some probability."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random) * 2 - 1

    n = layout.agents
    places, bodies = draw(rows, n, 2), draw(rows, n, layout.body)
    return Sight(
        places=places,
        bodies=bodies,
        own=torch.cat([bodies[..., :2], places, draw(rows, n, layout.own - 4)], 2),
        landmarks=draw(rows, layout.landmarks, layout.landmark),
        live=torch.rand(rows, n, generator=random) >= dead,
    )


def mapped(sight: Sight, change: Callable[[str, Tensor], Tensor]) -> Sight:
    """A sight with every tensor changed, by its name."""
    names = [field.name for field in fields(Sight)]
    return Sight(**{name: change(name, getattr(sight, name)) for name in names})
