"""Best responses by Double DQN, for S trials at once.

In a round (see ``Turns``) every game stores one transition, and a fixed number of
updates follows, so that a trial's bits do not depend on the trials that are stacked
with it (on a CPU; on CUDA the products of a stack may round otherwise than those of one
network).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.simulator import Position
from metaspiel.learn.graphs import Captured
from metaspiel.learn.policies import drawn
from metaspiel.learn.random import generators
from metaspiel.learn.replay import Replay
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Learned, Task
from metaspiel.learn.turns import Turns
from metaspiel.learn.update import StackedDDQN


def learn(tasks: Sequence[Task]) -> list[Learned]:
    """Learns all responses; the tasks have one game, one settings, one learner."""
    return _Training(tasks).run()


class _Training:
    """The state of S trainings in lockstep."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        first = tasks[0]
        assert isinstance(first.settings, DDQN)  # ``responses.train`` sees to it
        self.settings = first.settings
        self.network = first.trained
        self.stacked, self.games = len(tasks), self.settings.games
        self.device = torch.device(self.settings.device)
        settings = self.settings
        made = [generators(t.seed, 3) for t in tasks]
        self.pick = [g[2] for g in made]
        self.turns = Turns(
            tasks,
            [g[1] for g in made],
            games=self.games,
            discount=settings.discount,
            device=self.device,
        )
        sim = self.turns.simulator
        self.learner = StackedDDQN(
            self.network,
            self.stacked,
            settings.batch,
            rate=settings.rate,
            engine=settings.engine,
            device=self.device,
            products=settings.products,
        )
        self.update = self.learner.learn
        self.cuda = self.device.type == "cuda"
        if self.cuda and settings.graph and settings.engine == "written":
            self.update = Captured(self.learner).learn
        weights = [
            self.network.initial(g[0])
            if task.initial is None
            else torch.from_numpy(task.initial)
            for task, g in zip(tasks, made, strict=True)
        ]
        self.learner.online.load(torch.stack(weights))
        self.learner.copy_target()
        self.replay = Replay(
            self.stacked, settings.capacity, sim.inputs, sim.actions, self.device
        )
        self.updates = 0
        self.rows: Tensor | None = None

    def run(self) -> list[Learned]:
        """Trains to the end."""
        settings, turns = self.settings, self.turns
        position = turns.begin()
        means, losses = [], list[Tensor]()
        for number in range(settings.rounds):
            action = self._decide(position, settings.epsilon(number * self.games))
            inputs = position.inputs
            position, reward, alive = turns.step(position, action)
            later = (position.inputs, position.legal)
            self.replay.add(inputs, action, reward, alive, *later)
            losses += self._learn(number)
            if (number + 1) * 10 // settings.rounds > number * 10 // settings.rounds:
                turns.mark()
                empty = torch.full_like(turns.total, torch.nan)
                means.append(torch.stack(losses).mean(0) if losses else empty)
                losses = []
        return self._answers(torch.stack(means, 1).cpu().numpy())

    def _decide(self, position: Position, epsilon: float) -> Tensor:
        """Epsilon-greedy actions of the learners."""
        u = self.turns.uniforms(range(self.stacked), 2)
        scores = self.learner.online.values(position.inputs)
        greedy = scores.masked_fill_(~position.legal, -torch.inf).argmax(2)
        random = drawn(position.legal, u[..., 1])
        return torch.where(u[..., 0] < epsilon, random, greedy)

    def _learn(self, number: int) -> list[Tensor]:
        """The gradient steps of a round."""
        settings = self.settings
        if self.replay.size < settings.minimum:
            return []
        rows = self._rows(number) if self.rows is None else self.rows
        losses = list[Tensor]()
        if len(rows):
            batches = self.replay.sample(rows.to(self.device, non_blocking=True))
            losses = [self.update(batches).double().mean(0)]
            before = self.updates // settings.target_every
            self.updates += len(rows)
            if self.updates // settings.target_every > before:
                self.learner.copy_target()
        self.rows = self._rows(number + 1)  # while a GPU updates
        return losses

    def _rows(self, number: int) -> Float64[Tensor, "U S b"]:
        """Numbers in [0, 1) that choose the minibatches of a round."""
        settings = self.settings
        made = [int((number + i) * self.games * settings.updates) for i in (0, 1)]
        shape = (made[1] - made[0], settings.batch)
        each = [torch.rand(shape, generator=g, dtype=torch.float64) for g in self.pick]
        rows = torch.stack(each, 1)
        return rows.pin_memory() if self.cuda else rows

    def _answers(self, losses: Float64[ndarray, "S tenths"]) -> list[Learned]:
        weights = self.learner.online.vectors().cpu().numpy()
        episodes, returns = self.turns.episodes.long().tolist(), self.turns.returns
        return [
            Learned(
                policy=weights[s].copy(),
                returns=returns[s],
                losses=losses[s],
                episodes=episodes[s],
                updates=self.updates,
            )
            for s in range(self.stacked)
        ]
