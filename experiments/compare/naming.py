"""Short names of long games, and what a meta-solver is in a phrase."""

from collections.abc import Mapping, Sequence

from meta_solvers import get, registry
from meta_solvers.registry import takes_solvers
from metaspiel.nfg.errors import UserError

_LONG = 40  # letters of a name that is written out everywhere


def short_names(games: Sequence[str]) -> Mapping[str, str]:
    """Names of games for tables and sentences; the full name where it is not long.

    A long one is its name without parameters, with a number where several have it.
    """
    bases = {game: game.partition("(")[0] for game in games if len(game) > _LONG}
    made = {}
    for game in games:
        base = bases.get(game)
        alike = [one for one in games if one == base or bases.get(one) == base]
        if base is None:
            made[game] = game
        else:
            made[game] = base if len(alike) == 1 else f"{base} #{alike.index(game) + 1}"
    return made


def described(solver: str, *, trusted: bool) -> str:
    """What a solver selects, in a phrase; empty where it does not say.

    Args:
      solver: its spec.
      trusted: it may be imported to ask; else only what this package has is asked.
    """
    if not trusted and registry.reaches(solver):
        return ""
    try:
        one = get(solver)
    except UserError:  # a merged run's, which is not at hand here
        return ""
    aim = one.maximises
    plain = aim.startswith("nothing: ") or bool(takes_solvers(type(one)))
    if one.concept in ("ce", "cce") and aim and not plain:
        return f"a {one.concept.upper()} that maximises {aim}"
    return aim.removeprefix("nothing: ")
