"""Normal-form games from files users have."""

import io
import zipfile
from pathlib import Path

import numpy as np

from metaspiel.nfg.errors import UserError
from metaspiel.nfg.gambit import parse
from metaspiel.nfg.game import Game

_ENDINGS = (".npy", ".npz", ".csv", ".nfg")


def load(path: Path) -> Game:
    """A game from a file.

    .npy: payoffs ``[N, A1, ..., AN]``. .npz: the same under ``payoffs`` (or the only
    array), optionally ``members`` and ``repeats_0``, ``repeats_1``, ... .csv: the row
    player's matrix alone (zero-sum), or two matrices with an empty line between them.
    .nfg: Gambit's format, payoff or outcome version.

    Raises:
      UserError: the file is not there, not readable, or not a game.
    """
    if path.suffix not in _ENDINGS:
        raise UserError(
            f"'{path}' must end in one of {', '.join(_ENDINGS)}; got '{path.suffix}'"
        )
    try:
        if path.suffix == ".npy":
            with open(path, "rb") as file:
                return Game(np.load(file, allow_pickle=False))
        if path.suffix == ".npz":
            return _from_npz(path)
        text = path.read_text("utf-8-sig")
    except UserError as error:
        raise UserError(f"'{path}': {error}") from None
    except FileNotFoundError:
        raise UserError(f"'{path}' must exist; it does not") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"'{path}' must be a readable {path.suffix} file; {first}"
        ) from None
    try:
        return parse(text) if path.suffix == ".nfg" else _from_csv(text)
    except UserError as error:
        raise UserError(f"'{path}': {error}") from None


def _from_npz(path: Path) -> Game:
    # numpy leaves a file it opened itself open when the content is no archive
    with open(path, "rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise UserError("an .npz must be an archive; this is one array (.npy)")
        names = list(arrays)
        if "payoffs" not in names and "members" not in names and len(names) != 1:
            raise UserError(
                "an .npz must hold 'payoffs' or 'members' (or one array); got "
                f"{', '.join(names) or 'nothing'}"
            )
        only = arrays[names[0]] if len(names) == 1 else None
        members = arrays["members"] if "members" in names else None
        payoffs = arrays["payoffs"] if "payoffs" in names else only
        counts = [arrays[n] for n in sorted(names) if n.startswith("repeats_")]
    if members is not None and ("payoffs" not in names):
        return Game.ensemble(members, counts or None)
    return Game(payoffs, members, counts or None)


def _from_csv(text: str) -> Game:
    blocks = [b for b in text.replace("\r", "").split("\n\n") if b.strip()]
    if len(blocks) not in (1, 2):
        raise UserError(
            "a .csv must hold one matrix (zero-sum) or two with an empty line between; "
            f"got {len(blocks)}"
        )
    matrices = []
    for block in blocks:
        try:
            lines = io.StringIO(block)
            rows = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
            matrices.append(rows)
        except ValueError as error:
            raise UserError(
                f"a .csv must hold numbers in rows of one length; {error}"
            ) from None
    if len(matrices) == 1:
        matrices.append(-matrices[0])
    if matrices[0].shape != matrices[1].shape:
        raise UserError(
            "both matrices of a .csv must have one shape; got "
            f"{matrices[0].shape} and {matrices[1].shape}"
        )
    return Game(np.stack(matrices))
