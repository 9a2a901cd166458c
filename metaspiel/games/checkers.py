"""Checkers: one agent should eat the apples, the other clear its way of lemons.

The world of ma-gym (Koul, 2019; after Sunehag et al., "Value-Decomposition Networks")
that MATRL (Wen et al., Figure 4a) is measured on. Grid of 3 x 8 cells, ``a`` an apple
and ``l`` a lemon; the agents start at their numbers::

    alalal0.
    lalala..
    alalal1.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from metaspiel.games.grids import ACTIONS, MOVES, GridScene, GridWorld, Reference
from metaspiel.games.markov import joint_action

ROWS, COLUMNS = 3, 8
CELLS = ROWS * COLUMNS
"""Cells are numbered column by column: row r and column c is 3c + r. The food of three
neighbouring columns is then nine bits in a row, all that an agent can see of it."""

FOOD = (1 << 3 * 6) - 1
APPLES = sum(1 << 3 * c + r for c in range(6) for r in range(3) if (r + c) % 2 == 0)
"""A bit for each cell with food, and for each with an apple, at the start."""

STARTS = (3 * 6 + 0, 3 * 6 + 2)
LIMIT = 100
COST = -0.01
_BITS = 5  # of a state, for the cell of one agent; the food lies above both


@dataclass(frozen=True)
class Checkers(GridWorld):
    """Two agents among apples and lemons.

    A step costs each agent 0.01. Who enters a cell eats what is there: an apple pays
    agent 0 ten (five by the legacy rules) and agent 1 one, a lemon costs as much. The
    episode terminates when no apple is left and is truncated after 100 steps; ma-gym
    says ``done`` to both. The ids of ma-gym are ``Checkers-v0`` (the defaults here),
    ``-v1`` (``sight="joint"``), ``-v2`` (``clock``) and ``-v3`` (both).

    An agent sees its place and the 3 x 3 cells around it. Modern: five numbers a cell,
    1 at what is there of lemon, apple, agent 0, agent 1 and wall (there is none).
    Legacy: one number a cell, 0 nothing or outside, 1 lemon, 2 apple, 3 an agent.

    Attributes:
      rules: "modern", ma-gym 0.0.7 to 0.0.14, or "legacy", up to 0.0.5, as MATRL's
        authors had it.
      sight: an agent sees its own observation, "partial", or those of both, "joint".
      clock: an agent sees how much of the episode has passed.

    Raises:
      UserError: a value does not exist.
    """

    rules: Literal["modern", "legacy"] = "modern"
    sight: Literal["partial", "joint"] = "partial"
    clock: bool = False

    kind = "checkers"
    limit = LIMIT

    def __post_init__(self) -> None:
        self.check("rules", "modern", "legacy")
        self.check("sight", "partial", "joint")

    @property
    def reference(self) -> Reference:
        """Reference returns to compare learners with."""
        return REFERENCE[self.rules]

    @property
    def agents(self) -> int:
        """The number of agents: two, of which agent 0 is more sensitive to food."""
        return 2

    @property
    def inputs(self) -> int:
        """Observation size D: place, cells and clock, of one agent or of both."""
        one = 2 + 9 * (5 if self.rules == "modern" else 1) + self.clock
        return one * (2 if self.sight == "joint" else 1)

    def first(self) -> tuple[int, Float32[ndarray, "N D"]]:
        """Both agents beside the food."""
        return _FIRST, _first_seen(self)

    def step(self, scene: GridScene, actions: ndarray) -> GridScene:
        """The scene after one move of agent 0, then one of agent 1.

        Raises:
          UserError: the joint actions have another shape or kind than the game's.
        """
        joint_action(self, len(scene.state), actions)
        tables = _tables(self.rules)
        live = ~scene.over
        pair = scene.state & _PAIR
        for agent, moved in enumerate(tables.moved):
            pair = moved.take(pair * ACTIONS.size + actions[:, agent])
        if not live.all():
            pair = np.where(live, pair, scene.state & _PAIR)
        left = scene.state >> 2 * _BITS
        entered = tables.bits.take(pair, 0)
        eaten = left[:, None] & entered
        rewards = np.where(eaten, tables.pay.take(pair, 0), COST)
        left = left & ~(entered[:, 0] | entered[:, 1])
        count = scene.count + live
        terminated = (left & APPLES) == 0
        return GridScene(
            observations=_seen(self, pair, left, count),
            rewards=rewards if live.all() else rewards * live[:, None],
            terminated=terminated,
            truncated=(count >= LIMIT) & ~terminated,
            state=left << 2 * _BITS | pair,
            count=count,
        )


_PLAN = (
    "02 14 30 22 01 31 13 33 13 00 14 11 12 31 01 41 41 23 23 43 04 13 11 11 31 01 41 "
    "41 23 23 43 04 14 11 01 24 24"
)

REFERENCE = {
    "modern": Reference(
        optimum=86.26, plan=_PLAN, attained=86.26, waiting=-2.0, uniform=-2.15
    ),
    "legacy": Reference(
        optimum=41.26, plan=_PLAN, attained=41.26, waiting=-2.0, uniform=-1.98
    ),
}
"""Reference returns by rules; sight and clock change nothing.

``optimum`` comes from an exact search: agent 0 eats the nine apples, agent 1 three
lemons, in 37 steps. In ``plan`` neither agent answers one observation by two actions,
so agents without memory and with partial sight attain the optimum. ``uniform`` is the
mean of a million episodes; its standard error is 0.011 (modern) and 0.005 (legacy).
"""

_PAIR = (1 << 2 * _BITS) - 1
_FIRST = FOOD << 2 * _BITS | STARTS[1] << _BITS | STARTS[0]


class _Tables(NamedTuple):
    """Look-up tables of the rules, by pair of cells: P = 1024, 5 bits for each cell.

    Attributes:
      moved: for each agent, the pair after its move, at pair * 5 + action.
      bits: bits of food, in the cell of each agent.
      pay: each agent's reward if its cell has food.
      around: observations of all but the food, by pair.
      food: what an agent sees of the food, at its cell * 512 + the nine bits of the
        columns around it.
    """

    moved: tuple[Int64[ndarray, " 5120"], ...]
    bits: Int64[ndarray, "P 2"]
    pay: Float64[ndarray, "P 2"]
    around: Float32[ndarray, "P 2 D"]
    food: Float32[ndarray, "12288 D"]


def _cells() -> Int64[ndarray, "P 2"]:
    """The agents' cells by pair; codes that are no cell count as the last cell."""
    pairs = np.arange(_PAIR + 1)
    return np.stack([pairs & 31, pairs >> _BITS], 1).clip(max=CELLS - 1)


@cache
def _tables(rules: str) -> _Tables:
    cells = _cells()
    leads = np.arange(CELLS)[:, None].repeat(len(MOVES), 1)
    for cell in range(CELLS):
        for action, (down, right) in enumerate(MOVES):
            row, column = cell % ROWS + down, cell // ROWS + right
            if 0 <= row < ROWS and 0 <= column < COLUMNS:
                leads[cell, action] = column * ROWS + row
    moved = []
    for agent in range(2):
        there, other = leads[cells[:, agent]], cells[:, 1 - agent, None]
        there = np.where(there == other, cells[:, agent, None], there)
        after = there << _BITS * agent | other << _BITS * (1 - agent)
        moved.append(after.ravel())
    apple = (APPLES >> cells & 1).astype(bool)
    worth = [10.0 if rules == "modern" else 5.0, 1.0]
    return _Tables(
        moved=tuple(moved),
        bits=(1 << cells) & FOOD,
        pay=COST + np.where(apple, worth, np.negative(worth)),
        around=_around(rules, cells),
        food=_food(rules),
    )


def _codes(rules: str) -> Float32[ndarray, "4 K"]:
    """The content of a cell as agents see it: lemon, apple, agent 0, agent 1."""
    if rules == "legacy":
        return np.array([[1], [2], [3], [3]], np.float32)
    return np.eye(4, 5, dtype=np.float32)


def _around(rules: str, cells: Int64[ndarray, "P 2"]) -> Float32[ndarray, "P 2 D"]:
    """Each agent's observation of its place and of the agents around it."""
    codes = _codes(rules)
    grid = np.zeros((len(cells), 2, 3, 3, codes.shape[1]), np.float32)
    pairs = np.arange(len(cells))
    for me in range(2):
        for agent in range(2):
            down = cells[:, agent] % ROWS - cells[:, me] % ROWS + 1
            right = cells[:, agent] // ROWS - cells[:, me] // ROWS + 1
            near = (abs(down - 1) < 2) & (abs(right - 1) < 2)
            grid[pairs[near], me, down[near], right[near]] = codes[2 + agent]
    # ma-gym divides the row by the number of rows, the column by the last column.
    place = np.stack([cells % ROWS / ROWS, cells // ROWS / (COLUMNS - 1)], -1)
    shown = grid.reshape(*cells.shape, -1)
    return np.concatenate([place.round(2).astype(np.float32), shown], -1)


def _food(rules: str) -> Float32[ndarray, "12288 D"]:
    """Food as an agent sees it; bit 3i + j is row j of column i of three."""
    codes = _codes(rules)
    cell, bits, down, right = np.ogrid[:CELLS, :512, :3, :3]
    row, column = cell % ROWS + down - 1, cell // ROWS + right - 1
    inside = (row >= 0) & (row < ROWS) & (column >= 0) & (column < COLUMNS)
    there = inside & (bits >> (3 * right + row).clip(0) & 1).astype(bool)
    grid = there[..., None] * codes[np.where((row + column) % 2, 0, 1)]
    place = np.zeros((CELLS * 512, 2), np.float32)
    return np.concatenate([place, grid.reshape(CELLS * 512, -1)], 1)


def _seen(
    game: Checkers,
    pair: Int64[ndarray, " B"],
    left: Int64[ndarray, " B"],
    count: Int64[ndarray, " B"],
) -> Float32[ndarray, "B 2 D"]:
    """The observations of both agents."""
    tables = _tables(game.rules)
    cells = np.stack([pair & 31, pair >> _BITS], 1)
    # One empty column to the left of the grid, so that no shift is negative.
    bits = (left[:, None] << ROWS) >> cells // ROWS * ROWS & 511
    seen = tables.around.take(pair, 0) + tables.food.take(cells << 9 | bits, 0)
    if game.clock:
        passed = (count / LIMIT).astype(np.float32)
        passed = passed[:, None, None].repeat(2, 1)
        seen = np.concatenate([seen, passed], -1)
    if game.sight == "joint":
        seen = np.repeat(seen.reshape(len(seen), 1, -1), 2, 1)
    return seen


@cache
def _first_seen(game: Checkers) -> Float32[ndarray, "2 D"]:
    pair, left = np.array([_FIRST & _PAIR]), np.array([FOOD])
    return _seen(game, pair, left, np.zeros(1, np.int64))[0]
