"""Small games and settings with which MRA's rooms are tested."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from metaspiel.games.entities import Layout, Sight, family
from metaspiel.games.markov import Discrete, Scene
from metaspiel.games.worlds import load
from mra.settings import Training
from mra.state import packed

TINY = Training(envs=3, every=30, inner=2, minibatch=16, capacity=60, settle=0)
RESOURCE = family(load("resource(discs=2,steps=5)"), [(3,), (4,)])
PACMAN = load("pacman(pacmen=2,ghosts=2)")


def same(one, other):
    """Whether two states are equal in all their bits."""
    (facts, arrays), (others, more) = packed(one), packed(other)
    return (
        facts == others
        and arrays.keys() == more.keys()
        and all(array.tobytes() == more[n].tobytes() for n, array in arrays.items())
    )


def run(step, state, count):
    """So many steps of a loop; the state and the last row."""
    row = {}
    for _ in range(count):
        state, row = step(state)
    return state, row


@dataclass(frozen=True)
class Pick:
    """Agents that see the same each time and are paid 1 for action 2, at once."""

    agents: int = 2

    actions, limit, draws = Discrete(5), 1, 1
    role_names = ("agents",)

    @property
    def name(self):
        return f"pick({self.agents})"

    @property
    def sizes(self):
        return (self.agents,)

    @property
    def layout(self):
        return Layout(roles=(0,) * self.agents, landmarks=1)

    @property
    def inputs(self):
        return self.layout.inputs

    def resized(self, sizes):
        return Pick(*sizes)

    def start(self, uniforms):
        return self._scene(np.zeros((len(uniforms), self.agents)), over=False)

    def step(self, scene, actions):
        return self._scene((actions == 2).astype(float), over=True)

    def restart(self, scene, where, uniforms):
        return replace(scene, terminated=scene.terminated & ~where)

    def _scene(self, rewards, *, over):
        over = np.full(len(rewards), over)
        seen = np.zeros((*rewards.shape, self.inputs), np.float32)
        return Scene(seen, rewards, over, ~over & False)

    def state(self, scene):
        return {"places": torch.zeros(*scene.rewards.shape, 2)}

    def sight(self, state):
        places = state["places"]
        rows, agents, _ = places.shape
        return Sight(
            places=places,
            bodies=places,
            own=torch.cat([places, places], 2),
            landmarks=torch.zeros(rows, 1, 2),
            live=torch.ones(rows, agents, dtype=torch.bool),
        )
