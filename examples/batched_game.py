"""A game of your own as a batched simulator: Nim, with learned responses in PSRO.

A heap of 5 to 12 sticks; players take 1, 2 or 3 in turn, and who takes the last wins.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import one_hot

from meta_solvers import get
from metaspiel.games.simulator import Position, RealGame, merge
from metaspiel.learn.settings import DDQN
from psro import InProcess, Setup, learned_arena, run, start

LARGEST = 12


@dataclass(frozen=True)
class Nim(RealGame):
    """Nim as arrays: every tensor begins with `[S, B]`, trials and episodes."""

    name: ClassVar[str] = "nim"
    players: ClassVar[int] = 2
    actions: ClassVar[int] = 3  # action a takes a + 1 sticks
    inputs: ClassVar[int] = LARGEST + 1  # the heap, one-hot
    draws: ClassVar[int] = 2  # uniform numbers an episode: size of the heap, who begins
    longest: ClassVar[int] = LARGEST
    symmetric: ClassVar[bool] = True

    def start(self, uniforms):
        heap = 5 + (uniforms[..., 0] * 8).long()
        mover = (uniforms[..., 1] >= 0.5).long()
        return self._position(heap, mover, torch.zeros(*heap.shape, 2))

    def restart(self, position, where, uniforms):
        return merge(where, self.start(uniforms), position)

    def step(self, position, action, where):
        old = position.inputs.argmax(-1)
        heap = (old - action - 1).clamp(min=0)
        sign = 1.0 - 2.0 * position.mover  # +1 where player 0 moved
        payoff = (heap == 0).float() * sign
        after = self._position(
            heap, 1 - position.mover, torch.stack([payoff, -payoff], dim=-1)
        )
        return merge(where & ~position.done, after, position)

    def _position(self, heap, mover, returns):
        return Position(
            mover=mover,
            done=heap == 0,
            inputs=one_hot(heap, LARGEST + 1).float(),
            legal=torch.arange(3) < heap[..., None],
            returns=returns,
            penalty=torch.zeros(heap.shape),
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    arena = learned_arena(Nim(), DDQN.budget(3000), episodes=200, width=32)
    oracle, evaluator = arena.parts(0, InProcess())
    setup = Setup(oracle=oracle, evaluator=evaluator, solver=get("nash"), concept="ne")
    for state in run(setup, start(setup), iterations=3):
        newest = state.table.values[0, 0, -1].round(2).tolist()
        print(f"iteration {state.iteration}: the newest policy against each: {newest}")
