"""Warm starts: the deviations that bind and the joint actions that are played.

The meta-game of one iteration of PSRO is that of the last with an action or two more,
at the end of each player's. What decides its answer is small: some dozen deviations and
some hundred joint actions of tens of thousands. A solver starts from those of its last
answer, adds what that leaves violated or worth playing, and stops when nothing is: the
answer is that of the whole game, whatever it started from.

What is kept is plain arrays of integers, so that a checkpoint holds it and a resumed
run starts from the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from meta_solvers.gains import Gains

KEYS = ("actions", "rows", "columns")


@dataclass(frozen=True, eq=False)
class WorkingSet:
    """Some deviations and some joint actions of a game.

    Attributes:
      gains: the gains of all deviations.
      rows: which deviations.
      columns: which joint actions.
    """

    gains: Gains
    rows: Bool[ndarray, " D"]
    columns: Bool[ndarray, " P"]

    @classmethod
    def recalled(cls, gains: Gains, warm: Mapping[str, ndarray]) -> "WorkingSet | None":
        """What was kept of a smaller game, with all that has a new action in it.

        None where nothing was kept, no joint action is left, or it is not of a game
        with fewer actions.
        """
        actions = gains.game.actions
        if any(key not in warm or warm[key].dtype.kind != "i" for key in KEYS):
            return None
        if warm["actions"].shape != (len(actions),):
            return None
        old = tuple(int(size) for size in warm["actions"])
        if any(not 1 <= was <= now for was, now in zip(old, actions, strict=True)):
            return None
        if not (_within(warm["columns"], old) and gains.names(warm["rows"], old)):
            return None
        rows = np.zeros(gains.deviations, dtype=bool)
        for player, part in enumerate(gains.parts):
            to, told = gains.told(np.arange(part.start, part.stop), player)
            new = to >= old[player]
            rows[part] = new if told is None else new | (told >= old[player])
        rows[gains.row(warm["rows"])] = True
        columns = np.ones(actions, dtype=bool)
        columns[tuple(slice(size) for size in old)] = False
        columns[tuple(warm["columns"].T)] = True
        return cls(gains, rows, columns.ravel()) if columns.any() else None

    def kept(self) -> dict[str, ndarray]:
        """The set as arrays, which mean the same in a game of more actions.

        "actions" ``[N]`` are the game's sizes, "rows" ``[R, 3]`` each deviation's
        player, action and (CE; else 0) recommendation, "columns" ``[C, N]`` the joint
        actions.
        """
        actions = self.gains.game.actions
        columns = np.unravel_index(np.flatnonzero(self.columns), actions)
        return {
            "actions": np.array(actions, dtype=np.int32),
            "rows": self.gains.named(np.flatnonzero(self.rows)).astype(np.int32),
            "columns": np.stack(columns, axis=1).astype(np.int32),
        }

    def with_worst(
        self,
        violated: Float64[ndarray, " D"],
        worth: Float64[ndarray, " P"],
        *,
        rows: int = 50,
        columns: int = 200,
    ) -> "WorkingSet | None":
        """The set with what is above 0 and missing, the largest first.

        Args:
          violated: by how much each deviation gains too much.
          worth: what each joint action that is not played would be worth.
          rows: how many deviations may be added.
          columns: how many joint actions.

        Returns:
          The larger set; None where nothing is missing, so that the answer stands.
        """
        more_rows = _largest(np.where(self.rows, 0.0, violated), rows)
        more_columns = _largest(np.where(self.columns, 0.0, worth), columns)
        if not more_rows.size and not more_columns.size:
            return None
        grown = WorkingSet(self.gains, self.rows.copy(), self.columns.copy())
        grown.rows[more_rows] = True
        grown.columns[more_columns] = True
        return grown


def _within(indices: ndarray, sizes: tuple[int, ...]) -> bool:
    """Whether an array is of joint actions of a game with these sizes."""
    wanted = indices.ndim == 2 and indices.shape[1] == len(sizes)
    return wanted and bool(np.all((indices >= 0) & (indices < sizes)))


def _largest(numbers: ndarray, count: int) -> ndarray:
    """Indices of the largest numbers above 0."""
    above = np.flatnonzero(numbers > 0)
    return above[np.argsort(-numbers[above], kind="stable")[:count]]
