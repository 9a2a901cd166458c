"""Games of S learners, a decision at a time, against co-players drawn from pools.

In a round every learner decides once in each of its games; then the other players move,
finished games begin anew, and when it is the learner's turn everywhere again the
decisions have become transitions. So each round gives one transition a game, whatever
happens in the games, and a trial's games do not depend on the trials beside it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Generator, Tensor

from metaspiel.games.simulator import Position
from metaspiel.learn.policies import Bank
from metaspiel.learn.tasks import Task


class Turns:
    """The games of S trainings in lockstep.

    Attributes:
      simulator: the game of all trials.
      device: where it is played.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        play: Sequence[Generator],
        *,
        games: int,
        discount: float,
        device: torch.device,
    ) -> None:
        self.tasks, self.play, self.games = tasks, play, games
        self.discount, self.device = discount, device
        first, *rest = [task.simulator for task in tasks]
        self.simulator = first.together(rest)
        self.banks = [Bank(t.network, t.pools, t.habit, device) for t in tasks]
        self.chances = [
            torch.as_tensor(np.cumsum(t.co_play.reshape(-1)), device=device)
            for t in tasks
        ]
        self.seat = torch.tensor([[t.player] for t in tasks], device=device)
        columns = torch.tensor([[t.penalty, 1 / t.scale] for t in tasks])
        self.penalty, self.unit = columns.to(device).split(1, dim=1)
        lead = (len(tasks), games)
        self.others = torch.zeros(
            *lead, self.simulator.players, dtype=torch.int64, device=device
        )
        self.weight = torch.ones(lead, device=device)
        self.total = torch.zeros(len(tasks), device=device, dtype=torch.float64)
        self.episodes = torch.zeros_like(self.total)
        self._marks = [(self.total.clone(), self.episodes.clone())]

    def begin(self) -> Position:
        """The first decisions of all learners."""
        sim = self.simulator
        uniforms = self.uniforms(range(len(self.tasks)), sim.draws + 5)
        position = sim.start(uniforms[..., : sim.draws])
        everywhere = torch.ones_like(position.done)
        self._seat(everywhere, uniforms[..., sim.draws :])
        return self._settle(position, everywhere)[0]

    def step(
        self, position: Position, action: Tensor
    ) -> tuple[Position, Tensor, Tensor]:
        """The learners' next decisions, and what came of those before.

        Args:
          position: the learners are to move everywhere.
          action: what they do ``[S, B]``.

        Returns:
          The next position, the rewards ``[S, B]``, and the discount where the episode
          went on, 0 where it ended.
        """
        everywhere = torch.ones_like(position.done)
        position = self.simulator.step(position, action, everywhere)
        return self._settle(position, ~everywhere)

    def _settle(
        self, position: Position, closed: Tensor
    ) -> tuple[Position, Tensor, Tensor]:
        """Plays until all learners are to move: positions, rewards and discounts.

        Only the first end after a decision pays for it: a game can end again before
        the learner has its next turn. ``closed`` says where there was no decision.
        """
        sim, seat = self.simulator, self.seat
        reward = torch.zeros(closed.shape, device=self.device)
        alive = torch.full_like(reward, self.discount)
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
            uniforms = self.uniforms(trials, sim.draws + 5)
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

    def uniforms(self, trials: Sequence[int], columns: int) -> Tensor:
        """Numbers ``[S, B, columns]`` from the trials' own generators; 0 elsewhere."""
        shape = (self.games, columns)
        numbers = torch.zeros(len(self.tasks), *shape, dtype=torch.float64)
        for s in trials:
            torch.rand(shape, generator=self.play[s], out=numbers[s])
        return numbers.to(self.device)

    def mark(self) -> None:
        """Closes a stretch of play, whose mean payoff ``returns`` gives."""
        self._marks.append((self.total.clone(), self.episodes.clone()))

    @property
    def returns(self) -> Float64[ndarray, "S stretches"]:
        """Mean payoff of the episodes that ended in a stretch; NaN where none did."""
        total, count = (torch.stack(part, 1) for part in zip(*self._marks, strict=True))
        means: ndarray = (total.diff(dim=1) / count.diff(dim=1)).cpu().numpy()
        return means
