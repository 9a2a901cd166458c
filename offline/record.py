"""Data sets of the Bargaining game, by a behaviour or from a user's episodes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games import bargaining_rules as rules
from metaspiel.games.bargaining import (
    Bargaining,
    BargainingPosition,
    observations,
    state,
    vectors,
)
from metaspiel.games.simulator import Position
from metaspiel.learn.policies import drawn
from metaspiel.nfg.errors import UserError
from offline.data import Dataset, Mirror, Sizes
from offline.episodes import bad_instances, bad_moves, check_number, check_shapes

Actor = Callable[[Position, Int64[Tensor, "S B"], Float64[Tensor, "S B"]], Tensor]
"""Chooses actions ``[S, B]`` (int64) of the movers.

It is given the position, the number of each mover's pure policy, and a uniform number
for each episode. What it says where an episode is over does not matter.
"""

HEAD = 8  # agreed, offers made, pool, own valuation; then the standing offer
_POOL = slice(2, 5)  # in the true state, like the next
_FIRST, _SECOND, _MOVER = slice(5, 8), slice(11, 14), 14
_CLOSE = 1e-3  # what stored numbers may differ from replayed ones


def uniform(
    position: Position,
    chosen: Int64[Tensor, "S B"],
    uniforms: Float64[Tensor, "S B"],
) -> Int64[Tensor, "S B"]:
    """An ``Actor``: every legal action alike; 0 where there is none."""
    return drawn(position.legal, uniforms)


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
    """Plays the game and stores the trajectories; equal seeds give equal data.

    Args:
      simulator: the game.
      trajectories: how many to store. With mirrors counted (the authors' way), half as
        many episodes are played and each is stored twice, the second time with the
        players exchanged.
      seed: seed of all randomness.
      act: chooses actions.
      mixture: J joint profiles over K pure policies. Each episode draws one profile,
        all alike, then each player draws its pure policy from it and keeps it; ``act``
        is told its number. None: the number is always 0.
      behaviour: how the data set says who played.
      mirror: "counted" or "none".

    Raises:
      UserError: the number of trajectories or the mixture is impossible.
    """
    check_number("collect()", mirror, trajectories)
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

    return _stored(
        simulator, position, moves, behaviour=behaviour, seed=seed, mirror=mirror
    )


def replay(
    simulator: Bargaining,
    first: ndarray,
    pools: ndarray,
    valuations: ndarray,
    actions: Sequence[Sequence[Any]],
    *,
    behaviour: str,
    mirror: Mirror = "none",
) -> Dataset:
    """A data set of a user's own episodes, replayed through the rules of the game.

    Args:
      simulator: the game, which also says the discount of its payoffs.
      first: who moves first, 0 or 1; int64 ``[n]``.
      pools: items of each type; each one of ``bargaining_rules.pools()``; int64
        ``[n, 3]``.
      valuations: what an item of each type is worth to each player; each entry at
        least 1, their sum 5 to 10; floats ``[n, 2, 3]``.
      actions: n lists: actions of each episode in order, whole numbers 0 to 108
        (accept).
      behaviour: how the data set says who played.
      mirror: "counted" also stores each episode with the players exchanged.

    Raises:
      UserError: an instance or an action is not of the game; the sentence names the
        first such episode.
    """
    where = "replay()"
    check_number(where, mirror, 2 * len(actions))
    check_shapes(where, first, pools, valuations, actions)
    return _replayed(
        where, simulator, (first, pools, valuations, actions), behaviour, mirror
    )


def verify(data: Dataset, simulator: Bargaining) -> None:
    """Raises a ``UserError`` where a data set breaks the rules of the game.

    Instances, first movers and actions are replayed; all that is stored must be what
    comes of them, within 1e-3. With mirrors counted, pairs must be mirrors.

    Raises:
      UserError: it does not; the sentence names the first such trajectory.
    """
    where = f"data set of '{data.game}'"
    sizes = Sizes(
        players=rules.PLAYERS,
        actions=rules.ACTIONS,
        state=rules.STATE,
        observation=rules.OBSERVATION,
        vector=rules.ITEMS,
        head=HEAD,
        longest=simulator.longest,
    )
    for name, one, two in (
        ("game", data.game, simulator.name),
        ("symmetric", data.symmetric, simulator.symmetric),
        ("sizes", data.sizes, sizes),
    ):
        if one != two:
            raise UserError(f"{where}: its {name} must be {two}; got {one}")
    for name, table in (("vectors", vectors().numpy()), ("paying", _paying())):
        if not np.array_equal(getattr(data, name), table):
            raise UserError(f"{where}: '{name}' must be what the game has; it differs")
    begin = data.states[:, 0]
    pools = begin[:, _POOL]
    pools = np.where(np.abs(pools) < 100, pools, 0).round().astype(np.int64)
    values = np.stack([begin[:, _FIRST], begin[:, _SECOND]], 1)
    actions = [a[:n].tolist() for a, n in zip(data.action, data.length, strict=True)]
    first = data.mover[:, 0].copy()
    true = _replayed(where, simulator, (first, pools, values, actions), "", "none")
    bad, sentence = data.trajectories, ""
    for wrong, text in _differences(data, true):
        if wrong.any() and np.argmax(wrong) < bad:
            bad, sentence = int(np.argmax(wrong)), text
    if sentence:
        raise UserError(f"{where}: trajectory {bad} {sentence}")


def _differences(data: Dataset, true: Dataset) -> Iterator[tuple[ndarray, str]]:
    """Trajectories that break the rules, with the end of the message about each."""
    made = np.arange(data.sizes.longest) < data.length[:, None]
    for name in ("mover", "legal", "states", "observations", "returns"):
        given, right = (getattr(d, name).astype(np.float64) for d in (data, true))
        apart = np.abs(given - right)
        if name != "returns":
            apart = apart.reshape(*made.shape, -1).max(2) * made
        yield apart.max(1) > _CLOSE, f"must have the {name} of its game; it has others"
    if data.mirror == "counted":
        swapped = _exchanged(data.states)
        swapped[..., _MOVER] = 1 - data.states[..., _MOVER]
        pair = np.arange(data.trajectories) ^ 1
        apart = np.abs(swapped[pair, 0] - data.states[:, 0]).max(1) > _CLOSE
        apart |= (data.length != data.length[pair]) | (
            (data.action != data.action[pair]) & made
        ).any(1)
        apart[::2] = False  # the second of a pair is the mirror
        text = "must be the one before it with the players exchanged; it is not"
        yield apart, text


def _replayed(
    where: str,
    simulator: Bargaining,
    episodes: tuple[ndarray, ndarray, ndarray, Sequence[Sequence[Any]]],
    behaviour: str,
    mirror: Mirror,
) -> Dataset:
    """A data set replayed from first movers, pools, valuations and actions."""
    first, pools, valuations, actions = episodes
    bad = bad_instances(first, pools, valuations)
    index = (pools[:, None] == rules.pools()).all(2).argmax(1)
    position = simulator.deal(
        torch.from_numpy(first)[None],
        torch.from_numpy(index)[None],
        torch.from_numpy(valuations).float()[None],
    )
    bad += bad_moves(simulator, position, actions, skip={number for number, _ in bad})
    if bad:
        number, sentence = min(bad)
        raise UserError(f"{where}: trajectory {number} {sentence}")
    padded = np.zeros((len(actions), simulator.longest), dtype=np.int64)
    for row, episode in zip(padded, actions, strict=True):
        row[: len(episode)] = episode
    chosen = torch.from_numpy(padded)

    def moves(move: int, now: BargainingPosition) -> Tensor:
        return chosen[None, :, move]

    return _stored(
        simulator, position, moves, behaviour=behaviour, seed=None, mirror=mirror
    )


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


class _Moment(NamedTuple):
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
    """Plays all episodes to their end and stores every moment."""
    moments: list[_Moment] = []
    for move in range(simulator.longest):
        alive = ~position.done
        action = torch.where(alive, moves(move, position), 0)
        moments.append(
            _Moment(
                states=state(position)[0],
                observations=observations(position)[0],
                legal=position.legal[0],
                mover=position.mover[0],
                action=action[0],
                alive=alive[0],
            )
        )
        position = simulator.step(position, action, alive)
    kept = _Moment(*(torch.stack(parts, 1) for parts in zip(*moments, strict=True)))
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
        paying=_paying(),
        **{name: array.numpy() for name, array in arrays.items()},
    )


def _with_mirrors(
    arrays: dict[str, Tensor], alive: Bool[Tensor, "n L"]
) -> dict[str, Tensor]:
    """Inserts after every trajectory the same one with the players exchanged."""
    swapped = torch.from_numpy(_exchanged(arrays["states"].numpy()))
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


def _exchanged(states: Float32[ndarray, "n L 15"]) -> Float32[ndarray, "n L 15"]:
    """States with the valuations exchanged; the movers stay."""
    swapped = states.copy()
    swapped[..., _FIRST] = states[..., _SECOND]
    swapped[..., _SECOND] = states[..., _FIRST]
    return swapped


def _paying() -> Bool[ndarray, " A"]:
    """Actions that end an episode with payoffs."""
    return np.arange(rules.ACTIONS) == rules.ACCEPT
