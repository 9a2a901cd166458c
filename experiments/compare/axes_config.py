"""What is compared: specs of solvers and oracles, and the settings they stand for."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from experiments.lab import words
from experiments.lab.options import flag
from experiments.lab.page import parse
from experiments.psro_parts.config import Run, Settings
from metaspiel.nfg.errors import UserError, shown, unknown

SAME = "same"
"""The solver that is responded to is the one that is evaluated."""
EXACT = "exact"
_TABLES = (".npy", ".npz", ".csv", ".nfg")
# Axes and options of the comparison itself, and rules by which runs end apart.
_OWN = {
    *("game", "players", "payoffs", "solver", "eval_solver", "oracle", "concept"),
    *("iterations", "seed", "trials", "executor", "final_gap"),
    *("stop_gap", "stop_no_novel", "max_seconds"),
}


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to play: what is responded to, what is evaluated, and who responds.

    Attributes:
      solver: spec of the meta-solver that is responded to.
      evaluation: spec of the one whose gap is compared; ``SAME`` for the solver.
      oracle: spec of how responses are found.
    """

    solver: str
    evaluation: str = SAME
    oracle: str = EXACT

    @property
    def name(self) -> str:
        """The name in tables; what is as usual is left out."""
        judged = "" if self.evaluation == SAME else f" > {self.evaluation}"
        found = "" if self.oracle == EXACT else f" ({self.oracle})"
        return f"{self.solver}{judged}{found}"


@cache
def oracle_settings(spec: str) -> Settings:
    """The settings of a PSRO run that a spec of an oracle stands for.

    A spec is a name and flags of the page psro: ``exact:tie_break=first``,
    ``ppo:ppo.episodes=1000,start=mixture``. Learned responses are judged by a referee,
    so that their gaps compare with others, unless the spec says ``referee=false``.

    Raises:
      UserError: there is no such oracle or flag, a flag is one of the comparison's own,
        or a value does not fit.
    """
    where = f"--oracles {shown(spec)}"
    name, _, rest = spec.partition(":")
    usual = words.fields(Settings())
    known = {
        key: value
        for key, (value, group) in usual.items()
        if key not in _OWN and not isinstance(group, Run)
    }
    made, given = ["--oracle", name], set()
    for pair in filter(None, rest.split(",")):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and value):
            raise UserError(
                f"{where}: fields must be written key=value; got '{shown(pair)}'"
            )
        if key not in known:
            raise unknown(where, "field", key, known, listing="metaspiel psro --help")
        if key in given:
            raise UserError(f"{where}: '{key}' must be given once")
        given.add(key)
        if not isinstance(known[key], bool):
            made += [flag(key), value]
        elif value in ("true", "false"):
            made.append(flag(key) if value == "true" else words.no(key))
        else:
            raise UserError(f"{where}: {key} must be true or false; got '{value}'")
    try:
        settings = parse(Settings, made, where)
        if settings.responder != EXACT and "referee" not in given:
            settings = parse(Settings, [*made, "--referee"], where)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return settings


def settings_of(
    game: str,
    method: Method,
    *,
    seed: int,
    iterations: int,
    concept: Literal["auto", "ne", "cce", "ce"],
) -> Settings:
    """The settings of the run in which a method plays a game.

    Raises:
      UserError: there are no such settings: a game in a file has no learned responses.
    """
    table = Path(game) if Path(game).suffix.lower() in _TABLES else None
    return replace(
        oracle_settings(method.oracle),
        game=Settings.game if table else game,
        payoffs=table,
        solver=method.solver,
        eval_solver=None if method.evaluation == SAME else method.evaluation,
        concept=concept,
        iterations=iterations,
        seed=seed,
        run=Run(quiet=True),
    )
