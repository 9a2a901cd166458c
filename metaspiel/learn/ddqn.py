"""Best responses by Double DQN, for S trials at once.

In a round every learner decides once in each of its games; then the other players move,
finished games begin anew, and when it is the learner's turn everywhere again the
decisions have become transitions. So each round stores one transition a game and makes
a fixed number of updates, whatever happens in the games, and a trial's bits do not
depend on the trials that are stacked with it (on a CPU; on CUDA the products of a stack
may round otherwise than those of one network).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from metaspiel.games.simulator import Position
from metaspiel.learn.graphs import Captured
from metaspiel.learn.policies import Bank, drawn
from metaspiel.learn.random import generators
from metaspiel.learn.replay import Replay
from metaspiel.learn.tasks import Learned, Task
from metaspiel.learn.update import StackedDDQN


def train(tasks: Sequence[Task]) -> list[Learned]:
    """Learns all responses; equal networks and settings on equal games are stacked."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, task in enumerate(tasks):
        sim = task.simulator
        game = type(sim), sim.name, sim.inputs, sim.actions
        key = (game, task.network, task.settings)
        groups.setdefault(key, []).append(number)
    answers: dict[int, Learned] = {}
    with torch.no_grad():
        for numbers in groups.values():
            learned = _Training([tasks[n] for n in numbers]).run()
            answers.update(zip(numbers, learned, strict=True))
    return [answers[n] for n in range(len(tasks))]


class _Training:
    """The state of S trainings in lockstep."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        first = tasks[0]
        self.tasks, self.settings = tasks, first.settings
        self.network = first.network
        self.stacked, self.games = len(tasks), first.settings.games
        self.simulator = first.simulator.together([t.simulator for t in tasks[1:]])
        self.device = torch.device(first.settings.device)
        sim, settings = self.simulator, self.settings
        made = [generators(t.seed, 3) for t in tasks]
        self.play, self.pick = [g[1] for g in made], [g[2] for g in made]
        self.learner = StackedDDQN(
            self.network,
            self.stacked,
            settings.batch,
            rate=settings.rate,
            engine=settings.engine,
            device=self.device,
        )
        self.update = self.learner.learn
        cuda = self.device.type == "cuda"
        if cuda and settings.graph and settings.engine == "written":
            self.update = Captured(self.learner).learn
        self.learner.online.load([self.network.initial(g[0]) for g in made])
        self.learner.copy_target()
        self.replay = Replay(
            self.stacked, settings.capacity, sim.inputs, sim.actions, self.device
        )
        self.banks = [Bank(self.network, t.pools, t.habit, self.device) for t in tasks]
        self.chances = [
            torch.as_tensor(np.cumsum(t.co_play.reshape(-1)), device=self.device)
            for t in tasks
        ]
        self.seat = torch.tensor([[t.player] for t in tasks], device=self.device)
        columns = torch.tensor([[t.penalty, 1 / t.scale] for t in tasks])
        self.penalty, self.unit = columns.to(self.device).split(1, dim=1)
        lead = (self.stacked, self.games)
        self.others = torch.zeros(
            *lead, sim.players, dtype=torch.int64, device=self.device
        )
        self.weight = torch.ones(lead, device=self.device)
        self.total = torch.zeros(self.stacked, device=self.device, dtype=torch.float64)
        self.episodes = torch.zeros_like(self.total)
        self.updates = 0

    def run(self) -> list[Learned]:
        """Trains to the end."""
        settings, sim = self.settings, self.simulator
        uniforms = self._uniforms(range(self.stacked), sim.draws + 5)
        position = sim.start(uniforms[..., : sim.draws])
        everywhere = torch.ones_like(position.done)
        self._seat(everywhere, uniforms[..., sim.draws :])
        position = self._settle(position, everywhere)[0]
        tenths = [self._snapshot(None)]
        losses: list[Tensor] = []
        for number in range(settings.rounds):
            action = self._decide(position, settings.epsilon(number * self.games))
            inputs = position.inputs
            position = sim.step(position, action, everywhere)
            position, reward, alive = self._settle(position, ~everywhere)
            later = (position.inputs, position.legal)
            self.replay.add(inputs, action, reward, alive, *later)
            losses += self._learn(number)
            if (number + 1) * 10 // settings.rounds > number * 10 // settings.rounds:
                tenths.append(self._snapshot(losses))
                losses = []
        return self._answers(tenths)

    def _decide(self, position: Position, epsilon: float) -> Tensor:
        """Epsilon-greedy actions of the learners."""
        u = self._uniforms(range(self.stacked), 2)
        scores = self.learner.online.values(position.inputs)
        greedy = scores.masked_fill_(~position.legal, -torch.inf).argmax(2)
        random = drawn(position.legal, u[..., 1])
        return torch.where(u[..., 0] < epsilon, random, greedy)

    def _settle(
        self, position: Position, closed: Tensor
    ) -> tuple[Position, Tensor, Tensor]:
        """Plays until all learners are to move: positions, rewards and discounts.

        Only the first end after a decision pays for it: a game can end again before
        the learner has its next turn. ``closed`` says where there was no decision.
        """
        sim, seat = self.simulator, self.seat
        reward = torch.zeros(closed.shape, device=self.device)
        alive = torch.full_like(reward, self.settings.discount)
        while True:
            over = position.done
            ended = over & ~closed
            own = position.returns.gather(2, seat[:, :, None].expand(*over.shape, 1))
            own = own[:, :, 0]
            worth = self.weight * own - self.penalty * position.penalty
            reward = torch.where(ended, worth * self.unit, reward)
            alive = alive.masked_fill(ended, 0.0)
            self.total += torch.where(over, own, 0.0).double().sum(1)
            self.episodes += over.sum(1)
            closed = closed | over
            asked = (over | (position.mover != seat)).any(1).tolist()
            trials = [s for s, needed in enumerate(asked) if needed]
            if not trials:
                return position, reward, alive
            uniforms = self._uniforms(trials, sim.draws + 5)
            position = sim.restart(position, over, uniforms[..., : sim.draws])
            self._seat(over, uniforms[..., sim.draws :])
            waiting = position.mover != seat
            action = self._respond(position, waiting, uniforms[..., sim.draws + 3 :])
            position = sim.step(position, action, waiting)

    def _seat(self, where: Tensor, uniforms: Tensor) -> None:
        """Draws the co-players of new episodes, a whole profile at a time."""
        for s, task in enumerate(self.tasks):
            if not bool(where[s].any()):
                continue
            bank, players = self.banks[s], self.simulator.players
            drawn_at = uniforms[s, :, 0] * self.chances[s][-1]
            index = torch.searchsorted(self.chances[s], drawn_at, right=True)
            index = index.clamp_(max=len(self.chances[s]) - 1)
            chosen = self.others[s].clone()
            rest = [q for q in range(players) if q != task.player]
            for q, size in reversed(list(zip(rest, task.co_play.shape, strict=True))):
                chosen[:, q] = bank.first[q] + index % size
                index = index // size
            covered = uniforms[s, :, 1] < task.coverage
            pick = (uniforms[s, :, 2] * len(rest)).long()
            for number, q in enumerate(rest):
                here = covered & (pick == number)
                chosen[:, q] = torch.where(here, bank.uniform, chosen[:, q])
            self.others[s] = torch.where(where[s, :, None], chosen, self.others[s])
            weight = torch.where(covered, 0.0, 1.0)
            self.weight[s] = torch.where(where[s], weight, self.weight[s])

    def _respond(self, position: Position, waiting: Tensor, uniforms: Tensor) -> Tensor:
        """Actions of the co-players who are to move."""
        which = self.others.gather(2, position.mover[:, :, None])[:, :, 0]
        action = torch.zeros_like(which)
        for s, bank in enumerate(self.banks):
            rows = waiting[s].nonzero()[:, 0]
            if len(rows):
                action[s, rows] = bank.act(
                    which[s, rows],
                    position.inputs[s, rows],
                    position.legal[s, rows],
                    uniforms[s, rows],
                )
        return action

    def _learn(self, number: int) -> list[Tensor]:
        """The gradient steps of a round."""
        settings = self.settings
        if self.replay.size < settings.minimum:
            return []
        made = [int((number + i) * self.games * settings.updates) for i in (0, 1)]
        count = made[1] - made[0]
        if not count:
            return []
        shape = (count, settings.batch)
        rows = [torch.rand(shape, generator=g, dtype=torch.float64) for g in self.pick]
        batches = self.replay.sample(torch.stack(rows, 1).to(self.device))
        losses = self.update(batches)
        before = self.updates // settings.target_every
        self.updates += count
        if self.updates // settings.target_every > before:
            self.learner.copy_target()
        return [losses.double().mean(0)]

    def _uniforms(self, trials: Sequence[int], columns: int) -> Tensor:
        """Numbers ``[S, B, columns]`` from the trials' own generators; 0 elsewhere."""
        shape = (self.games, columns)
        numbers = torch.zeros(self.stacked, *shape, dtype=torch.float64)
        for s in trials:
            torch.rand(shape, generator=self.play[s], out=numbers[s])
        return numbers.to(self.device)

    def _snapshot(self, losses: list[Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        empty = torch.full_like(self.total, torch.nan)
        loss = torch.stack(losses).mean(0) if losses else empty
        return self.total.clone(), self.episodes.clone(), loss

    def _answers(self, tenths: list[tuple[Tensor, Tensor, Tensor]]) -> list[Learned]:
        total = torch.stack([t[0] for t in tenths], 1).diff(dim=1)
        count = torch.stack([t[1] for t in tenths], 1).diff(dim=1)
        returns = (total / count).cpu().numpy()  # 0 / 0 is NaN: no episode ended
        losses = torch.stack([t[2] for t in tenths[1:]], 1).cpu().numpy()
        weights = self.learner.online.vectors().cpu().numpy()
        episodes = self.episodes.long().tolist()
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
