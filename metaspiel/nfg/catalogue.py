"""Named games with known equilibria, and where those are proved."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy import ndarray

from metaspiel.nfg.errors import unknown
from metaspiel.nfg.game import Game

Profile = tuple[ndarray, ...]
Number = int | float


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """A named game and what is known of its equilibria.

    Attributes:
      name: key in the catalogue.
      game: the game.
      source: where the game is from, and why its equilibria are these.
      nash: known equilibria, each a distribution per player. Of a continuum, its
        extreme points.
      complete: ``nash`` holds every equilibrium (every extreme one of a continuum).
      values: payoff of each player at every equilibrium, if it is always the same.
      facts: further numbers. ``ce_welfare``: largest sum of payoffs of a correlated
        equilibrium. ``risk_dominant``: joint action.
    """

    name: str
    game: Game
    source: str
    nash: tuple[Profile, ...] = ()
    complete: bool = True
    values: tuple[float, ...] | None = None
    facts: Mapping[str, float | tuple[int, ...]] = field(default_factory=dict)


def catalogue() -> dict[str, Entry]:
    """All entries by name."""
    return dict(_entries())


def named(name: str) -> Entry:
    """The entry called ``name``.

    Raises:
      UserError: there is none; lists the names.
    """
    if name not in _entries():
        raise unknown("named()", "game", name, _entries())
    return _entries()[name]


@cache
def _entries() -> Mapping[str, Entry]:
    entries = [
        entry
        for group in (_dilemmas, _zero_sum, _coordination, _larger, _degenerate)
        for entry in group()
    ]
    return MappingProxyType({entry.name: entry for entry in entries})


def _same(row: Sequence[Sequence[Number]]) -> Game:
    """A symmetric two-player game from the row player's payoffs."""
    payoff = np.array(row, dtype=np.float64)
    return Game(np.stack([payoff, payoff.T]), symmetric=True)


def _against(row: Sequence[Sequence[Number]]) -> Game:
    """A two-player zero-sum game from the row player's payoffs."""
    payoff = np.array(row, dtype=np.float64)
    return Game(np.stack([payoff, -payoff]))


def _mixed(*strategies: Sequence[Number]) -> Profile:
    return tuple(np.array(s, dtype=np.float64) for s in strategies)


def _pure(actions: tuple[int, ...], *choice: int) -> Profile:
    return tuple(np.eye(a)[c] for a, c in zip(actions, choice, strict=True))


def _twos(*ones: Number) -> Profile:
    """A profile of a two-action game from the probabilities of action 1."""
    return tuple(np.array([1.0 - p, p]) for p in ones)


def _counted(players: int, payoff: Callable[[int, int], float]) -> Game:
    """Two actions; a payoff depends on the own one and how many others play 1."""
    played = np.indices((2,) * players)
    others = played.sum(axis=0) - played
    table = np.array([[payoff(own, k) for k in range(players)] for own in (0, 1)])
    return Game(table[played, others], symmetric=True)


def _dilemmas() -> list[Entry]:
    both = (_twos(1, 1),)
    return [
        Entry(
            name="prisoners_dilemma",
            game=_same([[3, 0], [5, 1]]),
            source="Axelrod 1984, payoffs 5, 3, 1, 0; defection strictly dominates",
            nash=both,
            values=(1.0, 1.0),
            facts={"ce_welfare": 2.0},
        ),
        Entry(
            name="deadlock",
            game=_same([[1, 0], [3, 2]]),
            source="Rapoport & Guyer 1966; action 1 strictly dominates and is "
            "efficient",
            nash=both,
            values=(2.0, 2.0),
            facts={"ce_welfare": 4.0},
        ),
        Entry(
            name="chicken",
            game=_same([[6, 2], [7, 0]]),
            source="Aumann 1974: the mediator who beats every Nash equilibrium",
            nash=(_twos(0, 1), _twos(1, 0), _twos(1 / 3, 1 / 3)),
            facts={"ce_welfare": 10.5},
        ),
        Entry(
            name="traffic_lights",
            game=_same([[-100, 1], [0, 0]]),
            source="Nisan et al. 2007, section 1.3.6: cross or stop; crossing pays if "
            "the "
            "other crosses with probability at most 1/101",
            nash=(_twos(0, 1), _twos(1, 0), _twos(100 / 101, 100 / 101)),
            facts={"ce_welfare": 1.0},
        ),
    ]


_Rows = Sequence[Sequence[Number]]


def _zero_sum() -> list[Entry]:
    half, third = [1 / 2, 1 / 2], [1 / 3, 1 / 3, 1 / 3]
    biased = [1 / 3, 1 / 6, 1 / 2]
    morra = ([0.0, 4 / 7, 3 / 7, 0.0], [0.0, 3 / 5, 2 / 5, 0.0])
    entries: list[tuple[str, _Rows, list[tuple[list[float], ...]], str]] = [
        (
            "matching_pennies",
            [[1, -1], [-1, 1]],
            [(half, half)],
            "von Neumann 1928; the value and strategies follow from indifference",
        ),
        (
            "rock_paper_scissors",
            [[0, -1, 1], [1, 0, -1], [-1, 1, 0]],
            [(third, third)],
            "Kaplansky 1945: a skew-symmetric 3 x 3 game with one kernel vector",
        ),
        (
            "biased_rps",
            [[0, -3, 1], [3, 0, -2], [-1, 2, 0]],
            [(biased, biased)],
            "Kaplansky 1945: with wins 3, 1, 2 the kernel is (2, 1, 3) / 6",
        ),
        (
            "morra",
            [[0, 2, -3, 0], [-2, 0, 0, 3], [3, 0, 0, -4], [0, -3, 4, 0]],
            list(itertools.product(morra, repeat=2)),
            "Chvatal 1983, chapter 15: two-finger Morra; optimal are (0, p, 1 - p, 0) "
            "with p from 4/7 to 3/5",
        ),
    ]
    return [
        Entry(
            name=name,
            game=_against(row),
            source=source,
            nash=tuple(_mixed(*pair) for pair in nash),
            values=(0.0, 0.0),
            facts={"ce_welfare": 0.0},
        )
        for name, row, nash, source in entries
    ]


def _coordination() -> list[Entry]:
    alike = (_twos(0, 0), _twos(1, 1))
    row = np.array([[3.0, 0.0], [0.0, 2.0]])
    battle = Game(np.stack([row, row[::-1, ::-1]]))
    return [
        Entry(
            name="stag_hunt",
            game=_same([[4, 0], [3, 3]]),
            source="Harsanyi & Selten 1988, section 3.9: hare is risk-dominant, 9 > 1",
            nash=(*alike, _twos(1 / 4, 1 / 4)),
            facts={"ce_welfare": 8.0, "risk_dominant": (1, 1)},
        ),
        Entry(
            name="battle_of_the_sexes",
            game=battle,
            source="Luce & Raiffa 1957, section 5.3; indifference gives 3/5 and 2/5",
            nash=(*alike, _twos(2 / 5, 3 / 5)),
            facts={"ce_welfare": 5.0},
        ),
        Entry(
            name="coordination",
            game=_same([[1, 0], [0, 1]]),
            source="Schelling 1960; two strict equilibria and, by index, one mixed",
            nash=(*alike, _twos(1 / 2, 1 / 2)),
            facts={"ce_welfare": 2.0},
        ),
        Entry(
            name="anti_coordination",
            game=_same([[0, 1], [1, 0]]),
            source="coordination with one player's actions exchanged",
            nash=(_twos(0, 1), _twos(1, 0), _twos(1 / 2, 1 / 2)),
            facts={"ce_welfare": 2.0},
        ),
        Entry(
            name="three_player_majority",
            game=_counted(3, lambda own, ones: float(ones > 0 if own else ones < 2)),
            source="1 for being in the majority: action 1 gains x_j + x_k - 1, which "
            "leaves "
            "all alike or all at 1/2",
            nash=(_twos(0, 0, 0), _twos(1, 1, 1), _twos(1 / 2, 1 / 2, 1 / 2)),
            facts={"ce_welfare": 3.0},
        ),
    ]


def _larger() -> list[Entry]:
    third, row = [1 / 3, 1 / 3, 1 / 3], np.eye(3)
    shapley = Game(np.stack([row, np.roll(row, 1, axis=1)]))
    first, second, last = np.indices((2, 2, 2))
    jordan = np.stack([first == second, second == last, last != first])
    alone = np.indices((3, 3, 3))
    dispersion = np.stack(
        [(alone == alone[p]).sum(axis=0) == 1 for p in range(3)]
    ).astype(np.float64)
    root = math.sqrt(1 / 2)
    return [
        Entry(
            name="shapley",
            game=shapley,
            source="Shapley 1964: fictitious play cycles; the only equilibrium is "
            "uniform",
            nash=(_mixed(third, third),),
            values=(1 / 3, 1 / 3),
            facts={"ce_welfare": 1.0},
        ),
        Entry(
            name="jordan_matching_pennies",
            game=Game(jordan.astype(np.float64)),
            source="Jordan 1993: three-player matching pennies, one equilibrium",
            nash=(_twos(1 / 2, 1 / 2, 1 / 2),),
            values=(1 / 2, 1 / 2, 1 / 2),
        ),
        Entry(
            name="el_farol",
            game=_counted(
                3, lambda own, ones: (1.0 if ones < 2 else -1.0) if own else 0.0
            ),
            source="after Arthur 1994: going gains 1 - 2 x_j x_k, so two go; or one "
            "goes and "
            "two mix 1/2; or all mix sqrt(1/2)",
            nash=(
                *(_twos(*x) for x in ((0, 1, 1), (1, 0, 1), (1, 1, 0))),
                *(_twos(*x) for x in ((1, 0.5, 0.5), (0.5, 1, 0.5), (0.5, 0.5, 1))),
                _twos(root, root, root),
            ),
            facts={"ce_welfare": 2.0},
        ),
        Entry(
            name="dispersion",
            game=Game(dispersion, symmetric=True),
            source="after Grenager et al. 2002: 1 for being alone on an action; every "
            "permutation is an equilibrium, and by symmetry so is uniform",
            nash=(
                *(_pure((3, 3, 3), *p) for p in itertools.permutations(range(3))),
                _mixed(third, third, third),
            ),
            complete=False,
            facts={"ce_welfare": 3.0},
        ),
    ]


def _degenerate() -> list[Entry]:
    return [
        Entry(
            name="one_player",
            game=Game(np.array([[0.0, 2.0, 1.0]])),
            source="a decision: the best action",
            nash=(_pure((3,), 1),),
            values=(2.0,),
            facts={"ce_welfare": 2.0},
        ),
        Entry(
            name="one_action",
            game=Game(np.array([[[1.0]], [[-2.0]]])),
            source="nothing to choose",
            nash=(_mixed([1.0], [1.0]),),
            values=(1.0, -2.0),
            facts={"ce_welfare": -1.0},
        ),
        Entry(
            name="constant",
            game=Game(np.stack([np.full((2, 2), 1.0), np.full((2, 2), 3.0)])),
            source="nobody can gain: every profile is an equilibrium, the pure are "
            "extreme",
            nash=(_twos(0, 0), _twos(0, 1), _twos(1, 0), _twos(1, 1)),
            values=(1.0, 3.0),
            facts={"ce_welfare": 4.0},
        ),
    ]
