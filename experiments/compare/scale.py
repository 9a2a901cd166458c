"""How small a gap is noise: a millionth of what is at stake in a game."""

from functools import cache
from pathlib import Path

from experiments.compare.axes_config import TABLES
from metaspiel.games.worlds import SIMULATORS
from metaspiel.nfg.errors import UserError

MILLIONTH = 1e-6
"""``solve`` calls an answer OK whose gap is within this share of what a player can be
paid, so that smaller gaps say more of a solver's tolerance than of its choice."""


def step(game: str) -> float:
    """The unit in which gaps of a game are compared: less is noise.

    It is a millionth of the range of payoffs, summed over players as gaps are. Where
    the range is not known (a simulator, a file that is gone) it is 1e-6.
    """
    return MILLIONTH * (_stake(game) or 1.0)


@cache
def _stake(game: str) -> float:
    """The sum over players of the ranges of their payoffs; 0 where it is not known."""
    from metaspiel.games import efg
    from metaspiel.games.openspiel import OPENSPIEL, load
    from metaspiel.nfg.reading import read

    kind = Path(game).suffix.lower()
    if game.partition("(")[0] in SIMULATORS:
        return 0.0
    try:
        if kind in TABLES:
            payoffs = read(Path(game)).game.payoffs
            return float(sum(one.max() - one.min() for one in payoffs))
        if kind == ".efg":
            ends = [n.payoffs for n in efg.load(game).nodes if n.move is None]
            return sum(max(one) - min(one) for one in zip(*ends, strict=True))
        known = load(game.removeprefix(OPENSPIEL))
    except UserError:
        return 0.0
    return float(known.num_players() * (known.max_utility() - known.min_utility()))
