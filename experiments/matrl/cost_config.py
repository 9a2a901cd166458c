"""Methods, games and settings of the cost page."""

from dataclasses import dataclass
from typing import Literal, get_args

from experiments.lab.options import Flat, Resumable
from metaspiel.nfg.errors import UserError, unknown

Part = Literal["iteration", "simulator", "nash"]


PARTS: tuple[Part, ...] = get_args(Part)


METHODS = ("il", "il-matched", "il-la", "matrl-wo-br", "matrl", "random-rho")


GAMES = (
    *("checkers", "switch", "switch(agents=3)", "switch(agents=4)", "pennies"),
    *(f"pennies(agents={n})" for n in range(3, 7)),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    parts: tuple[Part, ...] = PARTS
    """Parts of the cost to measure."""
    games: tuple[str, ...] = GAMES
    """Worlds in which iterations are timed."""
    methods: tuple[str, ...] = METHODS
    """Methods to time, of matrl.methods; the first must be il."""
    rounds: int = 20
    """Rounds of a measurement, whose median counts."""
    warm: int = 20
    """Iterations of il before the first round."""
    batch: int = 2000
    """Environment steps of an iteration."""
    steps: int = 10
    """Steps of an update (K)."""
    br_steps: int = 5
    """Steps of the best response (K_BR)."""
    width: int = 128
    """Units of a hidden layer."""
    most: int = 6
    """Agents of the largest game that is solved."""
    seed: int = 0
    """Seed of everything random."""
    run: Flat[Resumable] = Resumable()


def check(config: Config) -> None:
    """Refuses what cannot be measured.

    Raises:
      UserError: a field is impossible, or a world, method or part unknown.
    """
    from experiments.matrl.cost_measures import settings
    from matrl import loop
    from matrl.methods import METHODS as KNOWN
    from metaspiel.games.worlds import load

    for name, least in (("rounds", 1), ("warm", 0), ("seed", 0), ("batch", 1)):
        if getattr(config, name) < least:
            raise UserError(
                f"--{name} must be at least {least}; got {getattr(config, name)}"
            )
    if not 2 <= config.most <= 8:
        raise UserError(f"--most must be from 2 to 8; got {config.most}")
    for name in ("parts", "games", "methods"):
        asked = getattr(config, name)
        if not asked or len(set(asked)) < len(asked):
            raise UserError(f"--{name} must be named, each once; got {list(asked)}")
    for method in config.methods:
        if method not in KNOWN:
            raise unknown("--methods", "method", method, KNOWN)
    if config.methods[0] != "il":
        raise UserError(
            f"--methods must begin with il, the measure of all; got {config.methods[0]}"
        )
    for name in config.games:
        game = load(name)
        loop.start(game, settings(config, game), config.seed)
