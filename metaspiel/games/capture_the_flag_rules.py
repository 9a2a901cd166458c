"""Rules of four-player capture the flag, two against two, and its map as tables.

Players 0 and 1 are team 0, players 2 and 3 team 1. A game of our own: Liu et al.,
"Neural Population Learning beyond Symmetric Zero-sum Games", AAMAS 2024, arXiv
2401.05133, play one whose map and rules cannot be obtained. This one stands for team
games with hidden moves, partial views and rare rewards; it does not replicate theirs.

**Map.** Team 0 owns the columns left of the middle one, team 1 those right of it. The
middle column belongs to nobody and has a wall in every second row, the first one open.
A team's flag is at home in the middle row of column ``columns // 4``; its two players
have their bases in the first and the last row of column 0. Team 1's half is team 0's in
a mirror. A map of 7 rows and 7 columns (``#`` wall, ``A`` and ``B`` bases, ``a`` and
``b`` flags)::

    A.....B
    ...#...
    .......
    .a.#.b.
    .......
    ...#...
    A.....B

An episode begins with all players on their bases and both flags at home. Cells are
numbered row by row from 0. Each team is shown the map with its own ground on the left:
what is said of columns and directions is said for team 0.

**Rounds.** In each of ``horizon`` rounds all four players choose an action (wait, up,
down, back, ahead; ahead is towards the other team's ground). They are asked in the
order 0, 1, 2, 3 and see nothing of what the others chose. A move off the map or into a
wall is not legal; all others are. Then the actions are carried out one after the other,
on the map as the actions before left it. The order is the ring 0, 2, 1, 3 or the ring
2, 0, 3, 1, begun at any of the four: an episode's uniform number picks one of the eight
for the first round, and every further round begins one player later in the ring.

**An action**, carried out:

1. *Tagging.* If it leads to a cell of the player's own ground where an enemy stands,
   the enemy is tagged: it is put on its base, a flag that it carried stays where it
   was, and if it has not acted in this round yet it waits. The tagging player stays
   where it is.
2. *Collisions.* Else, if anybody stands in the cell, or it is the base of another
   player or the home of the player's own flag (where only enemies go), the player
   waits. So a cell never holds two players, and a base is free whenever its owner is
   put there.
3. *Moving.* Else the player moves there, and a flag that it carries with it.

Whether it moved or not, the player now does with flags what its cell allows:

4. *Pick-up.* It takes the enemy's flag if that lies there.
5. *Capture.* If it carries the enemy's flag on its own ground, its team scores 1 and
   the flag is back at its home; the player stays.
6. *Return.* Its own flag, if it lies there, is back at its home.

**End.** After the last round each player gets the captures of its team minus those of
the other team: zero-sum between teams, alike within a team. There is no other reward,
and no earlier end.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64
from numpy import ndarray

from metaspiel.nfg.errors import UserError

PLAYERS = 4
TEAMS = 2
MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""Rows and columns that an action adds: wait, up, down, back, ahead."""

ACTIONS = len(MOVES)
RINGS = ((0, 2, 1, 3), (2, 0, 3, 1))
"""Players as they follow one another: two rings, each the other's in the mirror."""

PLANES = 5
"""What is told of a cell in view: closed, teammate, enemies, own and their flag."""

OWN = 6
"""Numbers that a player knows of itself and the time, besides where it stands."""

_LIMITS = {"rows": (3, 31), "columns": (5, 31), "view": (1, 15), "horizon": (1, 1000)}


@dataclass(frozen=True)
class Terms:
    """Size of the map, how far players see, and how long they play.

    Attributes:
      rows: of the map.
      columns: of the map, an odd number.
      view: a player sees so many cells in each direction, diagonals included.
      horizon: rounds of an episode; all four players move in each.

    Raises:
      UserError: a number is out of bounds, or the columns have no middle.
    """

    rows: int = 7
    columns: int = 7
    view: int = 2
    horizon: int = 40

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UserError(
                    f"CaptureTheFlag(): {name} must be from {low} to {high}; "
                    f"got {value}"
                )
        if self.columns % 2 == 0:
            raise UserError(
                f"CaptureTheFlag(): columns must be odd; got {self.columns}"
            )

    @property
    def cells(self) -> int:
        """Cells of the map."""
        return self.rows * self.columns

    @property
    def in_view(self) -> int:
        """Cells of the square that a player sees."""
        return (2 * self.view + 1) ** 2


def mirrored(terms: Terms, cells: Int64[ndarray, "*n"]) -> Int64[ndarray, "*n"]:
    """The cells in a mirror: the same row, columns from the other end."""
    row, column = np.divmod(cells, terms.columns)
    return np.asarray(row * terms.columns + terms.columns - 1 - column)


def bases(terms: Terms) -> Int64[ndarray, " 4"]:
    """Each player's base."""
    left = np.array([0, (terms.rows - 1) * terms.columns])
    return np.concatenate([left, mirrored(terms, left)])


def homes(terms: Terms) -> Int64[ndarray, " 2"]:
    """Where each team's flag is at home."""
    left = np.array([terms.rows // 2 * terms.columns + terms.columns // 4])
    return np.concatenate([left, mirrored(terms, left)])


def walls(terms: Terms) -> Bool[ndarray, " cells"]:
    """Which cells are walls."""
    row, column = np.divmod(np.arange(terms.cells), terms.columns)
    return np.asarray((column == terms.columns // 2) & (row % 2 == 1))


def grounds(terms: Terms) -> Bool[ndarray, "2 cells"]:
    """Which cells each team owns."""
    column = np.arange(terms.cells) % terms.columns
    return np.stack([column < terms.columns // 2, column > terms.columns // 2])


def closed(terms: Terms) -> Bool[ndarray, "4 cells"]:
    """Cells that a player may not enter: others' bases and its own flag's home."""
    shut = np.zeros((PLAYERS, terms.cells), dtype=bool)
    shut[:, bases(terms)] = ~np.eye(PLAYERS, dtype=bool)
    shut[np.arange(PLAYERS), homes(terms)[np.arange(PLAYERS) // 2]] = True
    return shut


def around(terms: Terms, offsets: Int64[ndarray, "K 2"]) -> Int64[ndarray, "2 cells K"]:
    """The cells at these offsets from each cell, as each team sees it; -1 outside."""
    row, column = np.divmod(np.arange(terms.cells), terms.columns)
    rows = row[:, None] + offsets[:, 0]
    sides = []
    for sign in (1, -1):
        columns = column[:, None] + sign * offsets[:, 1]
        inside = (rows >= 0) & (rows < terms.rows)
        inside &= (columns >= 0) & (columns < terms.columns)
        sides.append(np.where(inside, rows * terms.columns + columns, -1))
    return np.stack(sides)


def windows(terms: Terms) -> Int64[ndarray, "2 cells W"]:
    """The cells in view of each cell, row by row, as each team sees it; -1 outside."""
    reach = np.arange(-terms.view, terms.view + 1)
    square = np.stack(np.meshgrid(reach, reach, indexing="ij"), -1)
    return around(terms, square.reshape(-1, 2))


def blocked(terms: Terms, cells: Int64[ndarray, "*n"]) -> Bool[ndarray, "*n"]:
    """Which of these cells are walls or outside the map (-1)."""
    return np.asarray((cells < 0) | walls(terms)[cells])


def targets(terms: Terms) -> Int64[ndarray, "2 cells A"]:
    """Where each action leads from each cell, if nobody is there; -1: not legal."""
    next_to = around(terms, np.array(MOVES))
    return np.where(blocked(terms, next_to), -1, next_to)


def standing(terms: Terms) -> Float32[ndarray, "2 cells RC"]:
    """Where a cell is as a team sees it: 1 at its row, of R, and its column, of C."""
    cells = np.arange(terms.cells)
    sides = []
    for seen in (cells, mirrored(terms, cells)):
        row, column = np.divmod(seen, terms.columns)
        one = np.eye(terms.rows)[row], np.eye(terms.columns)[column]
        sides.append(np.concatenate(one, axis=1))
    return np.stack(sides).astype(np.float32)
