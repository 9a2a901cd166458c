"""Sampled payoffs of profiles: many at once, on the same episodes.

Every profile plays the same episodes (common random numbers): the instance, who begins
and the numbers that decide random actions are those of the episode, not of the profile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.simulator import Enumerable, Position, Simulator
from metaspiel.learn.nets import Network, check_network
from metaspiel.learn.policies import Bank, Habit, Pool
from metaspiel.learn.random import generators
from metaspiel.learn.settings import check_device
from metaspiel.nfg.errors import UserError

_HELD = 50_000_000  # numbers that are seen at a time, at most


@dataclass(frozen=True, eq=False)
class Instances:
    """All outcomes of chance in a game that has few.

    Attributes:
      uniforms: the numbers that start each of M instances.
      weights: probabilities of the instances.
    """

    uniforms: Float64[ndarray, "M draws"]
    weights: Float64[ndarray, " M"]

    @classmethod
    def of(cls, simulator: Simulator) -> "Instances":
        """The instances of a simulator.

        Raises:
          UserError: chance acts after the first move, or has no short list.
        """
        if not isinstance(simulator, Enumerable):
            raise UserError(
                "Instances.of(): chance must have finitely many outcomes, all before "
                f"the first move; '{simulator.name}' has not"
            )
        uniforms, weights = simulator.instances()
        return cls(uniforms.double().numpy(), weights.double().numpy())


@dataclass(frozen=True, eq=False, kw_only=True)
class Matches:
    """Profiles to be played, and how.

    Attributes:
      simulator: the game to play in.
      network: network of the policies.
      pools: policies of every player.
      profiles: for each of C profiles, in each of M episodes, which policy of its pool
        each player plays. A pure profile repeats itself; a mixed one is drawn.
      seed: seed of the episodes.
      habit: behaviour that all players fall back on.
      instances: every instance is played, once; exact, since only greedy policies may.
      rows: episodes played at a time, fewer where players see very much; it bounds
        memory.
      device: torch device.
    """

    simulator: Simulator
    network: Network
    pools: tuple[Pool, ...]
    profiles: Int64[ndarray, "C M N"]
    seed: tuple[int, ...]
    habit: Habit | None = None
    instances: Instances | None = None
    rows: int = 40_000
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_network("Matches()", self.network, self.simulator)
        if self.profiles.shape[1] < 2:
            raise UserError(
                "Matches(): a payoff needs at least 2 episodes, for its standard "
                f"error; got {self.profiles.shape[1]}"
            )
        sizes = np.array([len(pool) for pool in self.pools])
        fits = self.profiles.shape[2] == len(sizes) == self.simulator.players
        if not fits or (self.profiles < 0).any() or (self.profiles >= sizes).any():
            raise UserError(
                f"Matches(): profiles must hold a policy number for each player, below "
                f"the sizes {sizes.tolist()} of the pools; got numbers up to "
                f"{self.profiles.max(axis=(0, 1)).tolist()}"
            )
        check_device("Matches()", self.device)
        listed = self.instances
        if listed is not None and len(listed.weights) != self.profiles.shape[1]:
            raise UserError(
                f"Matches(): there must be one episode for each of the "
                f"{len(listed.weights)} instances; got {self.profiles.shape[1]}"
            )

    @property
    def at_once(self) -> int:
        """Profiles that are played at a time."""
        rows = min(self.rows, _HELD // self.simulator.inputs)
        return max(1, rows // self.profiles.shape[1])


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """Payoffs of C profiles over M episodes each.

    Attributes:
      mean: by each of E ensemble members.
      error: standard error of the mean over the episodes; 0 over all instances.
      penalty: mean uncertainty of the outcome ``[C]``.
      length: mean number of moves ``[C]``.
      outcomes: payoff of every episode, for paired comparisons.
    """

    mean: Float64[ndarray, "E C N"]
    error: Float64[ndarray, "E C N"]
    penalty: Float64[ndarray, " C"]
    length: Float64[ndarray, " C"]
    outcomes: Float32[ndarray, "C M E N"]


def pure(cells: Int64[ndarray, "C N"], episodes: int) -> Int64[ndarray, "C M N"]:
    """Profiles that play the same policies in every episode."""
    return np.repeat(cells[:, None], episodes, axis=1)


def against(
    co_play: Float64[ndarray, "*K"],
    player: int,
    policies: Sequence[int],
    *,
    episodes: int,
    rng: np.random.Generator,
) -> Int64[ndarray, "C M N"]:
    """Profiles of a player's policies against one mixture of co-players.

    All policies meet the same co-players, whose profile is drawn once an episode, so
    that it is as correlated as the mixture.

    Args:
      co_play: distribution over the co-players' profiles.
      player: the player.
      policies: numbers of C policies of its pool.
      episodes: M, of each.
      rng: draws the co-players.
    """
    flat = co_play.reshape(-1)
    drawn = rng.choice(len(flat), episodes, p=flat / flat.sum())
    co_players = np.argwhere(np.ones(co_play.shape))[drawn]
    profiles = [np.insert(co_players, player, number, axis=1) for number in policies]
    return np.stack(profiles).astype(np.int64)


def play(matches: Sequence[Matches]) -> list[Scores]:
    """Plays each in turn; every one is a large batch already."""
    with torch.no_grad():
        return [_play(m) for m in matches]


def prepared(
    match: Matches,
) -> tuple[Bank, Int64[Tensor, "C M N"], Float64[Tensor, "M columns"]]:
    """What ``moves`` takes: the bank, whom it plays, and the numbers of the episodes.

    Raises:
      UserError: instances are to be played by policies that are not greedy.
    """
    sim, device = match.simulator, torch.device(match.device)
    bank = Bank(match.network, match.pools, match.habit, device)
    profiles = torch.as_tensor(match.profiles + np.array(bank.first), device=device)
    uniforms = drawn_numbers(sim, profiles.shape[1], match.seed)
    if match.instances is not None:
        _require_greedy(match)
        uniforms[:, : sim.draws] = torch.from_numpy(match.instances.uniforms)
    return bank, profiles, uniforms.to(device)


def _play(match: Matches) -> Scores:
    bank, profiles, uniforms = prepared(match)
    episodes = profiles.shape[1]
    weights = np.full(episodes, 1 / episodes)
    if match.instances is not None:
        weights = match.instances.weights
    parts = [
        _episodes(match.simulator, bank, part, uniforms)
        for part in profiles.split(match.at_once)
    ]
    outcomes = np.concatenate([p[0] for p in parts])  # [C, M, E, N]
    mean = np.einsum("m,cmen->ecn", weights, outcomes)
    error = outcomes.std(axis=1, ddof=1).transpose(1, 0, 2) / np.sqrt(episodes)
    if match.instances is not None:
        error = np.zeros_like(error)
    penalty = np.concatenate([p[1] for p in parts]) @ weights
    length = np.concatenate([p[2] for p in parts]) @ weights
    return Scores(
        mean=mean,
        error=error,
        penalty=penalty,
        length=length,
        outcomes=outcomes.astype(np.float32),
    )


def _require_greedy(match: Matches) -> None:
    """Raises a ``UserError`` unless all policies that play instances are greedy."""
    greedy = [
        pool.greedy[match.profiles[:, :, player]].all()
        for player, pool in enumerate(match.pools)
    ]
    if match.habit is not None or not all(greedy):
        raise UserError(
            "Matches(): instances are exact for greedy policies only; got a habit, or "
            "a policy that samples its actions or plays uniformly"
        )


def moves(
    sim: Simulator,
    bank: Bank,
    profiles: Int64[Tensor, "C M N"],
    uniforms: Float64[Tensor, "M columns"],
) -> Iterator[tuple[Position, Tensor, Tensor, Position]]:
    """Plays all episodes to their end, a move of each at a time.

    Args:
      sim: the game to play in.
      bank: bank of the policies.
      profiles: whom the bank plays in each seat, as it numbers them.
      uniforms: what starts each of the M episodes, then two numbers a move.

    Yields:
      The position ``[1, C * M]``, the movers' actions, where the episode was not over,
      and the position after the move.

    Raises:
      RuntimeError: an episode has more moves than the simulator says.
    """
    count, episodes, players = profiles.shape
    seats = profiles.view(1, -1, players)
    position = sim.start(uniforms[None, :, : sim.draws].repeat(1, count, 1))
    for t in range(sim.longest):
        live = ~position.done
        rows = live[0].nonzero()[:, 0]
        if not len(rows):
            return
        action = torch.zeros_like(position.mover)
        action[0, rows] = bank.act(
            seats.gather(2, position.mover[:, :, None])[0, rows, 0],
            position.inputs[0, rows],
            position.legal[0, rows],
            uniforms[rows % episodes, sim.draws + 2 * t : sim.draws + 2 * t + 2],
        )
        after = sim.step(position, action, live)
        yield position, action, live, after
        position = after
    if not bool(position.done.all()):
        raise RuntimeError(f"moves(): an episode has more than {sim.longest} moves")


def drawn_numbers(
    sim: Simulator, episodes: int, seed: Sequence[int]
) -> Float64[Tensor, "M columns"]:
    """The numbers that ``moves`` takes, drawn on the CPU."""
    columns = sim.draws + 2 * sim.longest
    generator = generators(seed, 1)[0]
    return torch.rand(episodes, columns, generator=generator, dtype=torch.float64)


def _episodes(
    sim: Simulator, bank: Bank, profiles: Tensor, uniforms: Tensor
) -> tuple[ndarray, ndarray, ndarray]:
    """Outcomes ``[C, M, E, N]``, uncertainty and length ``[C, M]`` of some profiles."""
    lead = profiles.shape[:2]
    length = torch.zeros(lead.numel(), device=uniforms.device)
    for _, _, live, after in moves(sim, bank, profiles, uniforms):
        length += live[0]
        position = after
    outcomes = sim.outcomes(position)[0].double().cpu().numpy()
    return (
        outcomes.reshape(*lead, *outcomes.shape[1:]),
        position.penalty[0].double().cpu().numpy().reshape(lead),
        length.double().cpu().numpy().reshape(lead),
    )
