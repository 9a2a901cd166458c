"""Data sets of the Bargaining game: from a behaviour, or from a user's episodes."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from torch import Tensor

from games import bargaining_rules as rules
from games.bargaining import (
    Bargaining,
    BargainingPosition,
    observations,
    state,
    vectors,
)
from games.simulator import Position
from nfg.errors import UserError
from offline.data import Dataset, Mirror, check_mirror

Actor = Callable[[Position, Int64[Tensor, "S B"], Float64[Tensor, "S B"]], Tensor]
"""Chooses actions ``[S, B]`` (int64) of the movers.

It is given the position, the number of each mover's pure policy, and a uniform number
for each episode. What it says where an episode is over does not matter.
"""

HEAD = 8  # agreed, offers made, pool, own valuation; then the standing offer
_FIRST, _SECOND, _MOVER = slice(5, 8), slice(11, 14), 14  # in the true state


def uniform(
    position: Position,
    chosen: Int64[Tensor, "S B"],
    uniforms: Float64[Tensor, "S B"],
) -> Int64[Tensor, "S B"]:
    """An ``Actor``: every legal action alike; 0 where there is none."""
    return pick(position.legal, uniforms)


def pick(
    legal: Bool[Tensor, "S B A"], uniforms: Float64[Tensor, "S B"]
) -> Int64[Tensor, "S B"]:
    """A legal action, each alike; 0 where there is none.

    Args:
      legal: what may be chosen.
      uniforms: numbers in [0, 1).
    """
    count = legal.sum(-1)
    rank = (uniforms * count).long().clamp(max=(count - 1).clamp(min=0))
    return (legal.cumsum(-1) > rank[..., None]).int().argmax(-1)


def collect(
    simulator: Bargaining,
    trajectories: int,
    seed: int,
    *,
    act: Actor = uniform,
    mixture: Float64[ndarray, "J N K"] | None = None,
    behaviour: str = "uniform",
    mirror: Mirror = "counted",
) -> Dataset:
    """Plays the game and stores what happened; the same seed, the same data.

    Args:
      simulator: the game.
      trajectories: how many to store. With mirrors counted (the authors' way), half as
        many episodes are played and each is stored twice, the second time with the
        players exchanged.
      seed: of all randomness.
      act: chooses actions.
      mixture: J joint profiles over K pure policies. Each episode draws one profile,
        all alike, then each player draws its pure policy from it and keeps it; ``act``
        is told its number. None: the number is always 0.
      behaviour: how the data set says who played.
      mirror: "counted" or "none".

    Raises:
      UserError: the number of trajectories or the mixture is impossible.
    """
    _check_number("collect()", mirror, trajectories)
    episodes = trajectories // (2 if mirror == "counted" else 1)
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    position = simulator.start(draw(1, episodes, simulator.draws))
    policies = _policies(mixture, draw(episodes, 1 + rules.PLAYERS))[None]
    chance = draw(simulator.longest, 1, episodes)

    def moves(move: int, now: BargainingPosition) -> Tensor:
        chosen = policies.gather(2, now.mover[..., None])[..., 0]
        return act(now, chosen, chance[move])

    return _stored(simulator, position, moves, behaviour, seed, mirror)


def replay(
    simulator: Bargaining,
    first: Int64[ndarray, " n"],
    pools: Int64[ndarray, "n 3"],
    valuations: Float[ndarray, "n 2 3"],
    actions: Sequence[Sequence[int]],
    *,
    behaviour: str,
    mirror: Mirror = "none",
) -> Dataset:
    """A data set of a user's own episodes, replayed through the rules of the game.

    Args:
      simulator: the game, which also says the discount of its payoffs.
      first: who moves first, 0 or 1.
      pools: items of each type; one of ``bargaining_rules.pools()``.
      valuations: what an item of each type is worth to each player; each entry at
        least 1, their sum 5 to 10.
      actions: actions of each episode in order, 0 to 108 (accept).
      behaviour: how the data set says who played.
      mirror: "counted" also stores each episode with the players exchanged.

    Raises:
      UserError: an instance or an action is not of the game; the sentence names the
        first such episode.
    """
    _check_number("replay()", mirror, 2 * len(actions))
    bad = _bad_instances(first, pools, valuations, actions)
    index = (pools[:, None] == rules.pools()).all(2).argmax(1)
    position = simulator.deal(
        torch.from_numpy(first)[None],
        torch.from_numpy(index)[None],
        torch.from_numpy(valuations).float()[None],
    )
    bad += _bad_moves(simulator, position, actions, skip={number for number, _ in bad})
    if bad:
        number, sentence = min(bad)
        raise UserError(f"replay(): trajectory {number} {sentence}")
    padded = np.zeros((len(actions), simulator.longest), dtype=np.int64)
    for row, episode in zip(padded, actions, strict=True):
        row[: len(episode)] = episode
    told = torch.from_numpy(padded)

    def moves(move: int, now: BargainingPosition) -> Tensor:
        return told[None, :, move]

    return _stored(simulator, position, moves, behaviour, None, mirror)


def _policies(
    mixture: Float64[ndarray, "J N K"] | None, draws: Float64[Tensor, "B draws"]
) -> Int64[Tensor, "B N"]:
    """The pure policy of each player in each episode."""
    if mixture is None:
        return torch.zeros_like(draws[:, 1:], dtype=torch.int64)
    sums = mixture.sum(2)
    if (mixture < 0).any() or not np.allclose(sums, 1, atol=1e-6):
        raise UserError(
            "collect(): every profile of the mixture must be probabilities that sum to "
            f"1; got sums {sums.min()} to {sums.max()}"
        )
    profile = (draws[:, 0] * len(mixture)).long()
    edges = torch.from_numpy(mixture).cumsum(2)
    edges = edges / edges[..., -1:]
    return (draws[:, 1:, None] >= edges[profile]).sum(2)


class _Told(NamedTuple):
    """One moment of all episodes: state, observations, legal, mover, action, alive."""

    states: Tensor
    observations: Tensor
    legal: Tensor
    mover: Tensor
    action: Tensor
    alive: Tensor


def _stored(
    simulator: Bargaining,
    position: BargainingPosition,
    moves: Callable[[int, BargainingPosition], Tensor],
    behaviour: str,
    seed: int | None,
    mirror: Mirror,
) -> Dataset:
    """Plays to the end and stores everything."""
    told: list[_Told] = []
    for move in range(simulator.longest):
        alive = ~position.done
        action = torch.where(alive, moves(move, position), 0)
        told.append(
            _Told(
                state(position)[0],
                observations(position)[0],
                position.legal[0],
                position.mover[0],
                action[0],
                alive[0],
            )
        )
        position = simulator.step(position, action, alive)
    kept = _Told(*(torch.stack(parts, 1) for parts in zip(*told, strict=True)))
    tables = vectors()
    arrays = {
        "states": kept.states * kept.alive[..., None],
        "observations": kept.observations * kept.alive[..., None, None],
        "legal": kept.legal & kept.alive[..., None],
        "action": kept.action,
        "mover": kept.mover * kept.alive,
        "length": kept.alive.sum(1),
        "returns": position.returns[0],
    }
    if mirror == "counted":
        arrays = _with_mirrors(arrays, kept.alive)
    return Dataset(
        game=simulator.name,
        symmetric=simulator.symmetric,
        head=HEAD,
        behaviour=behaviour,
        seed=seed,
        mirror=mirror,
        vectors=tables.numpy(),
        paying=(np.arange(rules.ACTIONS) == rules.ACCEPT),
        **{name: array.numpy() for name, array in arrays.items()},
    )


def _with_mirrors(
    arrays: dict[str, Tensor], alive: Bool[Tensor, "n L"]
) -> dict[str, Tensor]:
    """After every trajectory the same with the players exchanged."""
    swapped = arrays["states"].clone()
    swapped[..., _FIRST] = arrays["states"][..., _SECOND]
    swapped[..., _SECOND] = arrays["states"][..., _FIRST]
    swapped[..., _MOVER] = (1 - arrays["states"][..., _MOVER]) * alive
    other = {
        **arrays,
        "states": swapped,
        "observations": arrays["observations"].flip(2),
        "mover": (1 - arrays["mover"]) * alive,
        "returns": arrays["returns"].flip(1),
    }
    return {
        name: torch.stack([array, other[name]], 1).flatten(0, 1)
        for name, array in arrays.items()
    }


def _check_number(where: str, mirror: str, trajectories: int) -> None:
    check_mirror(where, mirror)
    if trajectories < 1 or (mirror == "counted" and trajectories % 2):
        raise UserError(
            f"{where}: trajectories must be at least 1, and even with mirrors counted; "
            f"got {trajectories}"
        )


def _bad_instances(
    first: Int64[ndarray, " n"],
    pools: Int64[ndarray, "n 3"],
    valuations: Float[ndarray, "n 2 3"],
    actions: Sequence[Sequence[int]],
) -> list[tuple[int, str]]:
    """Impossible instances: the episode and what is wrong with it."""
    if len(actions) != len(first):
        raise UserError(
            "replay(): there must be one list of actions for each instance; got "
            f"{len(actions)} lists and {len(first)} instances"
        )
    low, high = rules.VALUE_SUMS
    total, slack = valuations.sum(2), 1e-4
    inside = (valuations >= 1 - slack).all(2) & (total >= low - slack)
    inside &= total <= high + slack
    tests = (
        ((first < 0) | (first > 1), "must begin with player 0 or 1"),
        (
            ~(pools[:, None] == rules.pools()).all(2).any(1),
            "must have a pool of at least one item of each type and 5 to 7 in all",
        ),
        (
            ~inside.all(1),
            "must have valuations of at least 1 that sum to 5 to 10",
        ),
    )
    return [
        (int(number), f"{sentence}; it does not")
        for wrong, sentence in tests
        for number in np.flatnonzero(wrong)[:1]
    ]


def _bad_moves(
    simulator: Bargaining,
    position: BargainingPosition,
    actions: Sequence[Sequence[int]],
    skip: set[int],
) -> list[tuple[int, str]]:
    """Impossible moves: the episode and what is wrong with it."""
    found: dict[int, str] = {}
    for move in range(simulator.longest + 1):
        now = torch.zeros_like(position.mover)
        for number, wrong in _of_move(position, actions, move, now):
            found.setdefault(number, wrong)
        alive = ~position.done
        for number in found:
            alive[0, number] = False
        position = simulator.step(position, now, alive)
    return [(number, wrong) for number, wrong in found.items() if number not in skip]


def _of_move(
    position: BargainingPosition,
    actions: Sequence[Sequence[int]],
    move: int,
    now: Int64[Tensor, "1 n"],
) -> Iterator[tuple[int, str]]:
    """Writes the legal actions of one move into ``now`` and tells of the others."""
    for number, episode in enumerate(actions):
        over = bool(position.done[0, number])
        if move >= len(episode):
            if not over:
                yield number, f"must go on to its end; it has {len(episode)} moves"
        elif over:
            yield number, f"must stop at its end; it has {len(episode)} moves"
        else:
            action = int(episode[move])
            legal = 0 <= action < rules.ACTIONS
            if not legal or not position.legal[0, number, action]:
                yield number, f"must take legal actions; move {move} is {action}"
            else:
                now[0, number] = action
