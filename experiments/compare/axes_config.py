"""What is compared: specs of solvers and oracles, and the settings they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from experiments.lab import words
from experiments.lab.folder import plain
from experiments.lab.options import flag
from experiments.lab.page import parse
from experiments.psro_parts.config import Budget, Run, Settings
from metaspiel.nfg.errors import UserError, shown, unknown
from psro.own_parts import ORACLES

SAME = "same"
"""The solver that is responded to is the one that is evaluated."""
EXACT = "exact"
TABLES = (".npy", ".npz", ".csv", ".nfg")
# Axes and options of the comparison itself, and rules by which runs end apart.
_OWN = {
    *("game", "players", "payoffs", "solver", "eval_solver", "oracle", "evaluator"),
    "concept",
    *("iterations", "seed", "trials", "executor", "final_gap"),
    "population_exploitability",
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
        responses = "" if self.oracle == EXACT else f" ({self.oracle})"
        return f"{self.solver}{judged}{responses}"


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
    if ORACLES.is_own(name):
        raise unknown(where, "oracle with exact gaps", name, ORACLES.built_in)
    known = _fields(Settings())
    made: dict[str, list[str]] = {"oracle": ["--oracle", name]}
    for pair in filter(None, rest.split(",")):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and value):
            raise UserError(
                f"{where}: fields must be written key=value; got '{shown(pair)}'"
            )
        if key not in known:
            raise unknown(where, "field", key, known, listing="metaspiel psro --help")
        if key in made:
            raise UserError(f"{where}: '{key}' must be given once")
        made[key] = [flag(key), value]
        if isinstance(known[key], bool):
            if value not in ("true", "false"):
                raise UserError(f"{where}: {key} must be true or false; got '{value}'")
            made[key] = [flag(key) if value == "true" else words.no(key)]
    try:
        settings = parse(Settings, [*chain(*made.values())], where)
        if settings.responder != EXACT and "referee" not in made:
            made["referee"] = ["--referee"]
            settings = parse(Settings, [*chain(*made.values())], where)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return settings


def oracle_spec(values: Mapping[str, Any]) -> str:
    """The spec of the oracle of a run, with the fields that are not as usual.

    Args:
      values: all fields of the run, plain, by name of their flags.
    """
    names = ("oracle", "teacher", "decisions")
    usual = Settings.usual(Budget(**{name: values[name] for name in names}))
    known = _fields(usual)
    known |= {"teacher": Budget.teacher, "decisions": Budget.decisions}
    if usual.responder != EXACT:
        known["referee"] = True
    fields = []
    for name, value in known.items():
        given = values[name]
        # A budget sets the schedule of its learner.
        if given != plain(value) and not name.endswith(".decisions"):
            word = str(given).lower() if isinstance(given, bool) else str(given)
            fields.append(f"{name}={word}")
    return ":".join([values["oracle"], *[",".join(fields)] * bool(fields)])


@cache
def usual_spec(spec: str) -> str:
    """The one spelling of a spec of an oracle.

    Raises:
      UserError: it is none; see ``oracle_settings``.
    """
    every = words.fields(oracle_settings(spec))
    return oracle_spec({name: plain(value) for name, (value, _) in every.items()})


def _fields(settings: Settings) -> dict[str, Any]:
    """The fields of a run that an oracle's spec may set, by name of their flags."""
    return {
        name: value
        for name, (value, group) in words.fields(settings).items()
        if name not in _OWN and not isinstance(group, Run)
    }


def settings_of(
    game: str,
    method: Method,
    *,
    seed: int,
    iterations: int,
    concept: Literal["auto", "ne", "cce", "ce"],
    population: bool = False,
) -> Settings:
    """The settings of the run in which a method plays a game.

    Args:
      game: as it was asked for.
      method: that plays it.
      seed: of the run.
      iterations: of the run.
      concept: what is responded to.
      population: the exploitability of the population is measured.

    Raises:
      UserError: there are no such settings: a game in a file has no learned responses.
    """
    table = Path(game) if Path(game).suffix.lower() in TABLES else None
    return replace(
        oracle_settings(method.oracle),
        game=Settings.game if table else game,
        payoffs=table,
        solver=method.solver,
        eval_solver=None if method.evaluation == SAME else method.evaluation,
        concept=concept,
        iterations=iterations,
        seed=seed,
        population_exploitability=population,
        run=Run(quiet=True),
    )
