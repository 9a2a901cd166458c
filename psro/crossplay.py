"""Runs of one game against each other: what each seat gets beside whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product as profiles_of

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.games.sequence import SequenceForm
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.simplex import marginals

MOST = 2_000_000  # profiles of members


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """What one run brings: how often it plays each profile of its policies.

    Attributes:
      name: of the run.
      joint: how often each profile is played.
    """

    name: str
    joint: Float64[ndarray, "*K"]

    def seated(self, seats: Sequence[int]) -> ndarray:
        """How its draws for some seats go together, whoever has the others."""
        rest = tuple(p for p in range(self.joint.ndim) if p not in seats)
        return np.asarray(self.joint.sum(axis=rest))


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossPlay:
    """Payoffs of every seating of R runs at the N seats of a game.

    Seats that one run has are drawn together, as it draws them; seats of different runs
    are drawn apart.

    Attributes:
      names: of the runs.
      how: the payoffs came about, in words.
      means: payoff of each seat, by the run at each seat.
      errors: their standard errors; 0 where they are exact.
      member_means: the same of every profile of members, those of all runs one after
        the other; None where they were not asked for.
      member_errors: their standard errors.
      owners: for each seat, run and number of each member of that axis.
    """

    names: tuple[str, ...]
    how: str
    means: Float64[ndarray, "N *R"]
    errors: Float64[ndarray, "N *R"]
    member_means: Float64[ndarray, "N *U"] | None = None
    member_errors: Float64[ndarray, "N *U"] | None = None
    owners: tuple[tuple[tuple[int, int], ...], ...] = ()

    def __repr__(self) -> str:
        return f"<CrossPlay of {', '.join(self.names)}: {self.how}>"


def seatings(runs: int, players: int) -> list[tuple[int, ...]]:
    """Every way to have one of the runs at each seat."""
    return list(profiles_of(range(runs), repeat=players))


def groups(seating: Sequence[int]) -> list[tuple[int, list[int]]]:
    """The runs of a seating, each with its seats."""
    return [
        (run, [p for p, other in enumerate(seating) if other == run])
        for run in dict.fromkeys(seating)
    ]


def weights(entries: Sequence[Entry], seating: Sequence[int]) -> ndarray:
    """How often each profile of members is played in a seating ``[*K]``."""
    parts, order = [], list[int]()
    for run, seats in groups(seating):
        parts.append(entries[run].seated(seats))
        order += seats
    return np.transpose(reduce(np.multiply.outer, parts), np.argsort(order))


def owned(entries: Sequence[Entry]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Run and number of each member of each seat, runs one after the other."""
    return tuple(
        tuple((r, k) for r, e in enumerate(entries) for k in range(e.joint.shape[p]))
        for p in range(entries[0].joint.ndim)
    )


def check_size(entries: Sequence[Entry]) -> None:
    """Refuses more profiles of members than anyone could look at.

    Raises:
      UserError: there are.
    """
    sizes = np.sum([entry.joint.shape for entry in entries], axis=0)
    if np.prod(sizes, dtype=float) > MOST:
        raise UserError(
            f"cross_play(): members must have at most {MOST} profiles; got "
            f"{' x '.join(map(str, sizes.tolist()))} (members=False plays mixtures "
            "alone)"
        )


def exactly(
    form: SequenceForm,
    entries: Sequence[Entry],
    plans: Sequence[Sequence[Float64[ndarray, "_ _"]]],
    *,
    members: bool,
) -> CrossPlay:
    """Exact payoffs, where the tree of the game fits.

    Args:
      form: the game.
      entries: the runs.
      plans: realisation plans of each run's players.
      members: every profile of members as well.
    """
    players = form.players
    means = np.zeros((players, *(len(entries),) * players))
    for seating in seatings(len(entries), players):
        joint = weights(entries, seating)
        used = [np.flatnonzero(own) for own in marginals(joint)]
        paid = form.tensor([plans[r][p][used[p]] for p, r in enumerate(seating)])
        axes = tuple(range(1, players + 1))
        total = (paid * joint[np.ix_(*used)]).sum(axis=axes)
        for player in range(players):
            means[(player, *seating)] = total[player]
    table: ndarray | None = None
    if members:
        check_size(entries)
        every = [np.concatenate([own[p] for own in plans]) for p in range(players)]
        table = form.tensor(every)
    return CrossPlay(
        names=tuple(entry.name for entry in entries),
        how="exact, in the tree of the game",
        means=means,
        errors=np.zeros_like(means),
        member_means=table,
        member_errors=None if table is None else np.zeros_like(table),
        owners=owned(entries),
    )
