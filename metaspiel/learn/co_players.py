"""Co-players of S trainings: who sits where in an episode, and what they do.

On a CPU each trial asks its own policies in turn, so that its bits depend on no other
trial. A GPU would wait at every question, which policy is to be asked, and start a
handful of kernels for each: there all policies that may be met answer everywhere at
once, as one stack of networks, and only then is chosen who was asked.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from metaspiel.games.simulator import Position
from metaspiel.learn.mlp import MLP, Stack
from metaspiel.learn.policies import Bank, drawn, sampled
from metaspiel.learn.tasks import Task


class CoPlayers:
    """The other players in the games of S trainings.

    Attributes:
      banks: each trial's policies.
      others: number of the policy in each seat of each game ``[S, B, N]``.
      weight: 1; 0 where only the outcome's uncertainty counts ``[S, B]``.
    """

    def __init__(self, tasks: Sequence[Task], games: int, device: torch.device) -> None:
        players = tasks[0].simulator.players
        stacked = device.type == "cuda" and _alike(tasks)
        place = torch.device("cpu") if stacked else device
        self.banks = [Bank(t.network, t.pools, t.habit, place) for t in tasks]
        lead = (len(tasks), games)
        self.others = torch.zeros(*lead, players, dtype=torch.int64, device=device)
        self.weight = torch.ones(lead, device=device)
        rest = [[q for q in range(players) if q != task.player] for task in tasks]
        first = [[b.first[q] for q in r] for b, r in zip(self.banks, rest, strict=True)]

        def columns(rows: Sequence[Sequence[int]]) -> tuple[Tensor, ...]:
            return torch.tensor(rows, device=device).split(1, dim=1)

        # By co-player: its seat, its policies, the number of the first of them.
        sizes = columns([task.co_play.shape for task in tasks])
        self._seats = list(zip(columns(rest), sizes, columns(first), strict=True))
        (self._uniform,) = columns([[bank.uniform] for bank in self.banks])
        coverage = torch.tensor([[task.coverage] for task in tasks], dtype=torch.double)
        self._coverage = coverage.to(device)
        sums = [np.cumsum(task.co_play.reshape(-1)) for task in tasks]
        (self._last,) = columns([[len(one) - 1] for one in sums])
        longest = max(len(one) for one in sums)
        padded = [np.pad(one, (0, longest - len(one)), mode="edge") for one in sums]
        self._chances = torch.as_tensor(np.stack(padded), device=device)
        self._stacked = _Stacked(tasks, self.banks, device) if stacked else None

    def seat(
        self, where: Bool[Tensor, "S B"], uniforms: Float64[Tensor, "S B 3"]
    ) -> None:
        """Draws the co-players of new episodes, a whole profile at a time."""
        at = uniforms[..., 0] * self._chances[:, -1:]
        index = torch.searchsorted(self._chances, at, right=True)
        index = torch.minimum(index, self._last)
        covered = uniforms[..., 1] < self._coverage
        pick = (uniforms[..., 2] * len(self._seats)).long()
        chosen = self.others.clone()
        for number, (seat, size, first) in reversed([*enumerate(self._seats)]):
            here = torch.where(
                covered & (pick == number), self._uniform, first + index % size
            )
            chosen.scatter_(2, seat[..., None].expand(*here.shape, 1), here[..., None])
            index = index // size
        self.others = torch.where(where[..., None], chosen, self.others)
        weight = torch.where(covered, 0.0, 1.0)
        self.weight = torch.where(where, weight, self.weight)

    def act(
        self,
        position: Position,
        waiting: Bool[Tensor, "S B"],
        uniforms: Float64[Tensor, "S B 2"],
    ) -> Int64[Tensor, "S B"]:
        """Actions where co-players are to move; 0 elsewhere."""
        which = self.others.gather(2, position.mover[:, :, None])[:, :, 0]
        if self._stacked is not None:
            action = self._stacked.act(which, position, uniforms)
            return torch.where(waiting, action, 0)
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


def _alike(tasks: Sequence[Task]) -> bool:
    """Whether the networks of all trials can be stacked."""
    networks = {task.network for task in tasks}
    habits = {task.habit.network for task in tasks if task.habit is not None}
    return len(habits) <= 1 and all(isinstance(n, MLP) for n in networks | habits)


def _met(task: Task, bank: Bank) -> list[int]:
    """Numbers of the policies that co-players may play and whose weights they need."""
    met = set()
    rest = [q for q in range(task.simulator.players) if q != task.player]
    for axis, q in enumerate(rest):
        others = tuple(i for i in range(len(rest)) if i != axis)
        share = task.co_play.sum(axis=others)
        # Rounding may draw the last one, whatever its share is.
        met |= {bank.first[q] + int(k) for k in [*share.nonzero()[0], len(share) - 1]}
    return sorted(number for number in met if bank.plays[number] != "uniform")


class _Stacked:
    """The policies of banks on the CPU as one stack: K a trial, padded with zeros.

    What is known of a policy is looked up by its trial and number, ``[S, numbers]``.
    """

    def __init__(
        self, tasks: Sequence[Task], banks: Sequence[Bank], device: torch.device
    ) -> None:
        met = [_met(task, bank) for task, bank in zip(tasks, banks, strict=True)]
        self.wide = max(len(numbers) for numbers in met)
        lead = len(banks), max(len(bank.plays) for bank in banks)
        slot = torch.zeros(lead, dtype=torch.int64)
        uniform = torch.zeros(lead, dtype=torch.bool)
        draws, chances = uniform.clone(), torch.zeros(lead, dtype=torch.float64)
        network = tasks[0].network
        assert isinstance(network, MLP)  # ``_alike`` sees to it
        weights = torch.zeros(len(banks), self.wide, network.size)
        for s, (bank, numbers) in enumerate(zip(banks, met, strict=True)):
            count = len(bank.plays)
            rows = torch.tensor(numbers, dtype=torch.int64)
            slot[s, rows] = torch.arange(len(rows))
            uniform[s, :count] = torch.tensor([p == "uniform" for p in bank.plays])
            draws[s, :count] = torch.tensor([p == "sampled" for p in bank.plays])
            chances[s, :count] = bank.chances
            weights[s, : len(rows)] = bank.weights[rows]
        self.samples, self.habits = bool(draws.any()), bool(chances.any())
        self.slot, self.uniform = slot.to(device), uniform.to(device)
        self.draws, self.chances = draws.to(device), chances.to(device)
        self.stack = Stack(network, len(banks) * self.wide, device)
        self.stack.load(weights.flatten(0, 1))
        if self.habits:
            self.behaviour = _behaviour(tasks, device)

    def act(
        self,
        which: Int64[Tensor, "S B"],
        position: Position,
        uniforms: Float64[Tensor, "S B 2"],
    ) -> Int64[Tensor, "S B"]:
        """Actions of the policies of these numbers, as ``Bank.act`` says."""
        legal, inputs, first = position.legal, position.inputs, uniforms[..., 0]
        action = drawn(legal, first)
        if self.wide:
            x = inputs[:, None].expand(-1, self.wide, -1, -1).flatten(0, 1)
            every = self.stack.values(x).unflatten(0, (len(which), self.wide))
            own = self.slot.gather(1, which)[:, None, :, None]
            scores = every.gather(1, own.expand(-1, -1, -1, legal.shape[2]))[:, 0]
            played = scores.masked_fill(~legal, -torch.inf).argmax(2)
            if self.samples:
                samples = _sampled(scores, legal, first)
                played = torch.where(self.draws.gather(1, which), samples, played)
            action = torch.where(self.uniform.gather(1, which), action, played)
        if self.habits:
            chance, second = self.chances.gather(1, which), uniforms[..., 1]
            imitates = second < chance
            # What is left of the number is uniform again.
            rest = torch.where(imitates, second / chance, 0.0)
            habit = _sampled(self.behaviour.values(inputs), legal, rest)
            action = torch.where(imitates, habit, action)
        return action


def _behaviour(tasks: Sequence[Task], device: torch.device) -> Stack:
    """The behaviour of each trial; zeros where it has none, which is never asked."""
    (network,) = {task.habit.network for task in tasks if task.habit is not None}
    assert isinstance(network, MLP)  # ``_alike`` sees to it
    weights = torch.zeros(len(tasks), network.size)
    for row, task in zip(weights, tasks, strict=True):
        if task.habit is not None:
            row.copy_(torch.as_tensor(task.habit.weights))
    stack = Stack(network, len(tasks), device)
    stack.load(weights)
    return stack


def _sampled(scores: Tensor, legal: Tensor, uniforms: Tensor) -> Tensor:
    """Actions from the softmax over legal scores, ``[S, B]``."""
    flat = (part.flatten(0, 1) for part in (scores, legal, uniforms))
    return sampled(*flat).view_as(uniforms)
