"""Normal-form games from files users have."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from metaspiel.nfg.archives import MEMORY_GB, read_archive, read_array
from metaspiel.nfg.errors import UserError, shown
from metaspiel.nfg.gambit import payoffs
from metaspiel.nfg.game import Game
from metaspiel.nfg.tables import matrices
from metaspiel.nfg.texts import read_text

_ENDINGS = (".npy", ".npz", ".csv", ".nfg")
_ZERO_SUM = "one matrix, read as zero-sum: the column player gets minus each entry"


@dataclass(frozen=True)
class Reading:
    """A game from a file.

    Attributes:
      game: the game.
      assumed: what the reader took for granted though the file does not say it; empty
        where there is nothing.
      names: of each player's actions, empty where the file has none.
    """

    game: Game
    assumed: str = ""
    names: tuple[tuple[str, ...], ...] = ()


def load(path: Path | str, memory_gb: float = MEMORY_GB) -> Game:
    """A game from a file; see ``read``."""
    return read(path, memory_gb).game


def read(path: Path | str, memory_gb: float = MEMORY_GB) -> Reading:
    """A game from a file, whose ending may be in capitals, and what was assumed.

    .npy: payoffs ``[N, A1, ..., AN]``. .npz: the same under ``payoffs`` (or the only
    array), optionally ``members`` and ``repeats_0``, ``repeats_1``, ... .csv: the row
    player's matrix alone (zero-sum), or two matrices with an empty line between them,
    as spreadsheets write them. .nfg: Gambit's format, payoff or outcome version.

    Args:
      path: of the file.
      memory_gb: what it may take or unpack to.

    Raises:
      UserError: the file is not there, not readable, or not a game.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise UserError(
            f"'{path}' must end in one of {', '.join(_ENDINGS)}; got '{path.suffix}'"
        )
    try:
        if ending == ".npy":
            return Reading(Game(read_array(path, memory_gb)))
        if ending == ".npz":
            return Reading(_from_npz(read_archive(path, memory_gb=memory_gb)))
        if ending == ".nfg":
            return Reading(Game(payoffs(read_text(path, memory_gb))))
        return _from_csv(read_text(path, memory_gb))
    except UserError as error:
        raise UserError(f"'{path}': {error}") from None


def _from_npz(arrays: Mapping[str, ndarray]) -> Game:
    if not {"payoffs", "members"} & arrays.keys() and len(arrays) != 1:
        names = shown(", ".join(arrays) or "nothing", 200)
        raise UserError(
            f"an .npz must hold 'payoffs' or 'members' (or one array); got {names}"
        )
    repeats = [name for name in arrays if name.startswith("repeats_")]
    counts = [arrays[n] for n in sorted(repeats, key=lambda n: (len(n), n))] or None
    members = arrays.get("members")
    if members is not None and "payoffs" not in arrays:
        return Game.ensemble(members, counts)
    only = next(iter(arrays.values()))
    return Game(arrays.get("payoffs", only), members, counts)


def _from_csv(text: str) -> Reading:
    tables = matrices(text)
    names = (tables[0].rows, tables[0].columns)
    if len(tables) == 1:
        return Reading(Game.zero_sum(tables[0].values), _ZERO_SUM, names)
    return Reading(Game(np.stack([one.values for one in tables])), names=names)
