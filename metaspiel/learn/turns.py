"""Games of S learners, a decision at a time, against co-players drawn from pools.

In a round every learner decides once in each of its games; then the other players move,
finished games begin anew, and when it is the learner's turn everywhere again the
decisions have become transitions. So each round gives one transition a game, whatever
happens in the games, and a trial's games do not depend on the trials beside it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Generator, Tensor

from metaspiel.games.simulator import Position
from metaspiel.learn.co_players import CoPlayers
from metaspiel.learn.tasks import Task


class Turns:
    """The games of S trainings in lockstep.

    Attributes:
      simulator: the game of all trials.
      co_players: the other players.
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
        self.play, self.games = play, games
        self.discount, self.device = discount, device
        first, *rest = [task.simulator for task in tasks]
        self.simulator = first.together(rest)
        self.co_players = CoPlayers(tasks, games, device)
        self.seat = torch.tensor([[t.player] for t in tasks], device=device)
        columns = torch.tensor([[t.penalty, 1 / t.scale] for t in tasks])
        self.penalty, self.unit = columns.to(device).split(1, dim=1)
        self.total = torch.zeros(len(tasks), device=device, dtype=torch.float64)
        self.episodes = torch.zeros_like(self.total)
        self._marks = [(self.total.clone(), self.episodes.clone())]

    def begin(self) -> Position:
        """The first decisions of all learners."""
        sim = self.simulator
        uniforms = self.uniforms(range(len(self.play)), sim.draws + 5)
        position = sim.start(uniforms[..., : sim.draws])
        everywhere = torch.ones_like(position.done)
        self.co_players.seat(everywhere, uniforms[..., sim.draws : sim.draws + 3])
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
            worth = self.co_players.weight * own - self.penalty * position.penalty
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
            self.co_players.seat(over, uniforms[..., sim.draws : sim.draws + 3])
            waiting = position.mover != seat
            action = self.co_players.act(
                position, waiting, uniforms[..., sim.draws + 3 :]
            )
            position = sim.step(position, action, waiting)

    def uniforms(self, trials: Sequence[int], columns: int) -> Tensor:
        """Numbers ``[S, B, columns]`` from the trials' own generators; 0 elsewhere."""
        shape = (self.games, columns)
        numbers = torch.zeros(
            len(self.play),
            *shape,
            dtype=torch.float64,
            pin_memory=self.device.type == "cuda",  # so that copying does not wait
        )
        for s in trials:
            torch.rand(shape, generator=self.play[s], out=numbers[s])
        return numbers.to(self.device, non_blocking=True)

    def mark(self) -> None:
        """Closes a stretch of play, whose mean payoff ``returns`` gives."""
        self._marks.append((self.total.clone(), self.episodes.clone()))

    @property
    def returns(self) -> Float64[ndarray, "S stretches"]:
        """Mean payoff of the episodes that ended in a stretch; NaN where none did."""
        total, count = (torch.stack(part, 1) for part in zip(*self._marks, strict=True))
        means: ndarray = (total.diff(dim=1) / count.diff(dim=1)).cpu().numpy()
        return means
