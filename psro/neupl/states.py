"""States at which the policies of a neural population decide, from sampled episodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.games.simulator import Simulator
from metaspiel.learn.evaluate import Matches
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Pool, chances
from metaspiel.learn.visits import Tour, Visits, visit
from psro.executor import Executor
from psro.neupl.lesson import Lesson


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """Policies of a player whose decisions are wanted.

    Attributes:
      player: the player.
      policies: their numbers in its pool.
      each: states of each of them, at most.
    """

    player: int
    policies: Sequence[int]
    each: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Scout:
    """Plays policies for the states that they decide at.

    Co-players are drawn once an episode, all of their policies alike, the new ones
    among them: a policy must be known wherever it may be played later, not only against
    the mixture that it was learned against.

    Attributes:
      simulator: the game.
      network: network of all policies.
      executor: where play runs.
      device: torch device.
    """

    simulator: Simulator
    network: Network
    executor: Executor
    device: str = "cpu"

    def visits(
        self, pools: tuple[Pool, ...], asked: Sequence[Asked], rng: Generator
    ) -> list[Visits]:
        """States of what is asked.

        Episodes are played in two rounds: as many as would do if all were as long as
        can be, and then what is missing, as long as they were. There are at most as
        many of a policy in a round as states are asked for, so that of policies that
        seldom decide there are fewer states.
        """
        sim = self.simulator
        episodes = [max(2, -(-one.each * sim.players // sim.longest)) for one in asked]
        episodes = [min(n, one.each) for n, one in zip(episodes, asked, strict=True)]
        first = self._played(pools, asked, episodes, rng)
        short, more = [], []
        for number, (one, made) in enumerate(zip(asked, first, strict=True)):
            seen = made.visited / len(one.policies)
            if seen < one.each:
                lacks = (one.each - seen) * episodes[number] / max(seen, 1.0)
                short.append(number)
                more.append(int(np.clip(np.ceil(lacks), 2, one.each)))
        second = self._played(pools, [asked[n] for n in short], more, rng)
        for number, made in zip(short, second, strict=True):
            first[number] = _together(first[number], made)
        return [_cut(made, one.each) for made, one in zip(first, asked, strict=True)]

    def _played(
        self,
        pools: tuple[Pool, ...],
        asked: Sequence[Asked],
        episodes: Sequence[int],
        rng: Generator,
    ) -> list[Visits]:
        sizes = np.array([len(pool) for pool in pools])
        tours = []
        for one, count in zip(asked, episodes, strict=True):
            shape = len(one.policies), count, len(pools)
            profiles = rng.integers(sizes, size=shape)
            profiles[:, :, one.player] = np.array(one.policies)[:, None]
            match = Matches(
                simulator=self.simulator,
                network=self.network,
                pools=pools,
                profiles=profiles,
                seed=tuple(rng.integers(2**32, size=4).tolist()),
                device=self.device,
            )
            limit = max(one.each * len(one.policies), 1)
            tours.append(Tour(match, one.player, limit))
        return self.executor.answer(visit, tours)


def _together(one: Visits, two: Visits) -> Visits:
    return Visits(
        np.concatenate([one.inputs, two.inputs]),
        np.concatenate([one.legal, two.legal]),
        np.concatenate([one.policy, two.policy]),
        one.visited + two.visited,
    )


def _cut(made: Visits, each: int) -> Visits:
    """The first states of each policy, so many at most."""
    order = np.argsort(made.policy, kind="stable")
    ranked = made.policy[order]
    rank = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    rows = np.sort(order[rank < each])
    return Visits(made.inputs[rows], made.legal[rows], made.policy[rows], made.visited)


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """What the policies of one player saw, each different observation once.

    Attributes:
      inputs: I observations.
      legal: what might be done there.
      state: observation of each of R pairs of an observation and a policy.
      policy: policy of each pair.
      weight: how often the policy was there, of all that was seen of it.
    """

    inputs: Float32[ndarray, "I D"]
    legal: Bool[ndarray, "I A"]
    state: Int64[ndarray, " R"]
    policy: Int64[ndarray, " R"]
    weight: Float64[ndarray, " R"]

    @classmethod
    def of(cls, visits: Sequence[Visits]) -> "Seen":
        """What was seen in some visits of one player."""
        inputs = np.concatenate([made.inputs for made in visits])
        legal = np.concatenate([made.legal for made in visits])
        policy = np.concatenate([made.policy for made in visits])
        rows = np.concatenate([inputs, legal.astype(np.float32)], axis=1)
        keys = np.ascontiguousarray(rows).view(f"V{4 * rows.shape[1]}")[:, 0]
        _, first, state = np.unique(keys, return_index=True, return_inverse=True)
        policies = int(policy.max(initial=0)) + 1
        pairs, count = np.unique(state * policies + policy, return_counts=True)
        state, policy = np.divmod(pairs, policies)
        total = np.bincount(policy, weights=count, minlength=policies)
        return cls(
            inputs=inputs[first],
            legal=legal[first],
            state=state,
            policy=policy,
            weight=count / total[policy],
        )

    def behaviour(
        self,
        network: Network,
        pool: Pool,
        *,
        policies: Sequence[int],
        rows: Int64[ndarray, " R"],
        device: str,
    ) -> Float64[ndarray, "K R A"]:
        """What some policies of a pool do in some pairs, whosever these are."""
        inputs = torch.from_numpy(self.inputs[self.state[rows]]).to(device)
        legal = torch.from_numpy(self.legal[self.state[rows]]).to(device)
        made = np.zeros((len(policies), *legal.shape))
        for number, k in enumerate(policies):
            weights = torch.from_numpy(pool.weights[k]).to(device)
            does = chances(network, weights, pool.plays[k], inputs=inputs, legal=legal)
            made[number] = does.cpu().numpy()
        return made


def lesson_of(
    network: Network,
    pools: Sequence[Pool],
    seen: Sequence[Seen],
    *,
    old: Sequence[int],
    dtype: torch.dtype,
    device: str,
) -> Lesson:
    """What one conditional network is to learn and to keep of some players' policies.

    Args:
      network: network of all policies.
      pools: the policies of each player, earlier ones first.
      seen: what they saw.
      old: how many of each player are earlier ones.
      dtype: of the lesson's numbers.
      device: where it is.
    """
    states, codes, teachers, new = [], [], [], []
    offset = first = 0
    for mine, pool, known in zip(seen, pools, old, strict=True):
        teacher = np.zeros((len(mine.state), network.actions))
        for k in range(len(pool)):
            rows = np.flatnonzero(mine.policy == k)
            (teacher[rows],) = mine.behaviour(
                network, pool, policies=[k], rows=rows, device=device
            )
        states.append(mine.state + offset)
        codes.append(mine.policy + first)
        teachers.append(teacher)
        new.append(mine.policy >= known)
        offset, first = offset + len(mine.inputs), first + len(pool)

    def real(parts: Sequence[ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(parts)).to(device, dtype)

    def other(parts: Sequence[ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(parts)).to(device)

    return Lesson(
        x=real([mine.inputs for mine in seen]),
        legal=other([mine.legal for mine in seen]),
        state=other(states),
        code=other(codes),
        teacher=real(teachers),
        new=other(new),
        weight=real([mine.weight for mine in seen]),
    )
