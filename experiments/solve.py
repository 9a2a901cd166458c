"""Solves one normal-form game with one meta-solver, or compares all that apply.

Example: metaspiel solve --payoffs game.npy --solver mgcce
         metaspiel solve --game matrix_pd --solver all

Prints the joint, the marginals, the values, the measured gaps, the status and the time.
Exits with 3 where the status is not OK (with "all": where no solver's is; with
--equilibria: where some may be missing or are none).
"""

import json
import sys
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lab.ending import NotOK
from experiments.lab.options import Flat, Printing, least
from experiments.lab.page import Answer, main
from experiments.lab.report import console
from experiments.lab.trust import SolverSpec
from meta_solvers import Game, MetaSolution, MetaSolver, get, names, solve
from meta_solvers.base import SolverFailed, Status, check
from meta_solvers.listing import Listing
from meta_solvers.registry import solver_class, takes_solvers
from metaspiel import files, nfg
from metaspiel.nfg.archives import MEMORY_GB
from metaspiel.nfg.catalogue import catalogue
from metaspiel.nfg.errors import UnknownGame, UserError
from metaspiel.nfg.reading import Reading, read

GAPS = {
    "ne": "product of the marginals",
    "cce": "joint, deviations before being told",
    "ce": "joint, deviations after being told",
}
_LINE = 200  # characters that one line of an array may take


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of one solve."""

    payoffs: Path | None = None
    """The game: .npy [N, A1, ..., AN], .npz, .csv, Gambit's .nfg, or the reduced normal
    form of Gambit's .efg."""
    memory_gb: float = MEMORY_GB
    """Refuse files that take, or unpack to, more than this."""
    game: str | None = None
    """Or a one-shot OpenSpiel game ("matrix_pd") or a named game ("chicken")."""
    players: int | None = None
    """Number of players, where the OpenSpiel game has that parameter."""
    solver: SolverSpec = "mgcce"
    """Meta-solver, as a name or spec; "all" compares every one that applies."""
    seed: int = 0
    """Seed of stochastic solvers."""
    tolerance: float = 1e-6
    """Gap allowed beyond the solver's epsilon, as a fraction of the payoff range."""
    equilibria: bool = False
    """List every Nash equilibrium instead (two players, or two actions each); of a
    continuum its vertices."""
    symmetric: bool = False
    """Declare the game symmetric; it is checked (alpharank:populations=single)."""
    run: Flat[Printing] = Printing()


def page(config: Config) -> Answer:
    """Solves the game."""
    least(config, seed=0)
    if not 0 <= config.tolerance < 1:
        raise UserError(f"--tolerance must be in [0, 1); got {config.tolerance}")
    if not config.memory_gb > 0:
        raise UserError(f"--memory-gb must be positive; got {config.memory_gb}")
    if config.equilibria:
        if config.solver != Config.solver:
            raise UserError(
                f"--equilibria lists without a solver; got --solver {config.solver}"
            )
        return every_equilibrium(load(config), config.tolerance)
    if config.solver == "all":
        return compared(config, load(config))
    solver, reading = get(config.solver), load(config)
    solution = solved(config, solver, reading.game)
    return Answer(
        summary=as_json(config.solver, solution, reading),
        text=said(reading) + as_text(config.solver, solution),
        terse=short_lines(files.spelled(solution.joint.tolist())),
        fault=None if solution.status is Status.OK else SolverFailed(solution),
    )


def short_lines(values: list[Any]) -> str:
    """An array as JSON: on one line if that is short, else its rows apart."""
    text = json.dumps(values)
    if len(text) > _LINE and isinstance(values[0], list):
        return f"[{(',' + chr(10)).join(map(short_lines, values))}]"
    return "\n".join(textwrap.wrap(text, _LINE, break_on_hyphens=False))


def load(config: Config) -> Reading:
    """The game that the configuration names, and what its reader assumed."""
    if (config.payoffs is None) == (config.game is None):
        raise UserError("solve: exactly one of --payoffs and --game must be given")
    own = config.payoffs is not None or config.game in catalogue()
    if own and config.players is not None:
        raise UserError(
            "--players goes with OpenSpiel's games; files and named games have none"
        )
    if config.payoffs is not None and config.payoffs.suffix.lower() == ".efg":
        reading = tree(config.payoffs, config.memory_gb)
    elif config.payoffs is not None:
        reading = read(config.payoffs, config.memory_gb)
    else:
        reading = Reading(_named(config))
    if not config.symmetric:
        return reading
    return replace(reading, game=replace(reading.game, symmetric=True))


def said(reading: Reading) -> str:
    """A line about what the reader of a file assumed, where it did."""
    return f"reading    {reading.assumed}\n" if reading.assumed else ""


def _named(config: Config) -> Game:
    name = str(config.game)
    if name in catalogue():
        return catalogue()[name].game
    from metaspiel.games.openspiel import matrix_game

    try:
        return matrix_game(name, config.players)
    except UnknownGame:
        raise UserError(
            f"solve: --game must be one of OpenSpiel's one-shot games or one of "
            f"{', '.join(catalogue())}; got '{name}'"
        ) from None


def tree(path: Path, memory_gb: float) -> Reading:
    """The reduced normal form of a game tree, and that it is that."""
    from metaspiel.games import efg
    from metaspiel.games.strategies import normal_form

    form = efg.from_file(path, memory_gb=memory_gb)
    game = normal_form(form)
    sizes = "x".join(map(str, game.actions))
    assumed = f"a game tree, solved as its reduced normal form of {sizes} strategies"
    if any(form.absent_minded):
        assumed += (
            "; absent-mindedness: an information set is met twice on one path, and "
            "behaviour strategies, which draw anew each time, can get more than any "
            "mixture of these strategies"
        )
    return Reading(game, assumed)


def solved(config: Config, solver: MetaSolver, game: Game) -> MetaSolution:
    """The solution of one solver, whatever its status."""
    tolerance = config.tolerance
    return solve(solver, game, config.seed, throw=False, tolerance=tolerance)


def as_json(spec: str, solution: MetaSolution, reading: Reading) -> dict[str, Any]:
    """The solution as plain values; NaN becomes None."""
    fields: dict[str, Any] = files.spelled(
        {
            "solver": spec,
            "reading": reading.assumed or None,
            "status": solution.status.name,
            "joint": solution.joint.tolist(),
            "marginals": [m.tolist() for m in solution.marginals],
            "values": solution.values.tolist(),
            "gaps": {name: getattr(solution.gaps, name).tolist() for name in GAPS},
            "seconds": solution.seconds,
            "diagnostics": dict(solution.diagnostics),
        }
    )
    return fields


def as_text(spec: str, solution: MetaSolution) -> str:
    """The solution for people."""
    status = solution.status
    lines = [
        f"solver     {spec}",
        f"status     {status.name}: {status.sentence(get(spec).concept)}",
        f"seconds    {solution.seconds:.4f}",
    ]
    with np.printoptions(precision=6, suppress=True, threshold=200):
        total = solution.values.sum()
        lines.append(f"values     {solution.values}   sum {total:.6g}")
        for name, sentence in GAPS.items():
            gap = getattr(solution.gaps, name).sum()
            lines.append(f"{name + ' gap':<10} {gap:.3g}   ({sentence})")
        for player, own in enumerate(solution.marginals):
            lines.append(f"player {player}   {own}")
        lines.append(f"joint\n{solution.joint}")
        lines += [f"{key:<10} {value}" for key, value in solution.diagnostics.items()]
    return "\n".join(lines)


def every_equilibrium(reading: Reading, tolerance: float) -> Answer:
    """Every Nash equilibrium: extreme ones where there is a continuum."""
    from meta_solvers import nash, two_action

    game = reading.game
    if game.players == 2:
        listing = nash.listing(game, nash.MOST_ENTRIES)
    elif set(game.actions) == {2}:
        listing = two_action.listing(game)
    else:
        raise UserError(
            "--equilibria: the game must have two players, or two actions each; got "
            f"actions {list(game.actions)}"
        )
    each, lines = [], []
    with np.printoptions(precision=6, suppress=True):
        for number, profile in enumerate(listing.profiles):
            value = nfg.expected(game, nfg.product(profile))
            regret = float(listing.regrets[number])
            marginals = [own.tolist() for own in profile]
            each.append(
                {"marginals": marginals, "values": value.tolist(), "regret": regret}
            )
            shown = "  ".join(map(str, profile))
            lines.append(f"{number:3d}  values {value}  {shown}")
    lines.append(counted(listing))
    status = Status.OK if listing.complete else Status.INCOMPLETE
    if listing.regrets.max(initial=0.0) > tolerance:
        status = Status.INACCURATE
        lines.append(f"the largest regret is {listing.regrets.max():.3g} of the range")
    summary = {
        "status": status.name,
        "missing": listing.missing,
        "count": len(each),
        "equilibria": each,
        "reading": reading.assumed or None,
    }
    text = "\n".join(lines)
    fault = None
    if status is not Status.OK:
        fault = NotOK(f"--equilibria: the list is {status.name}; {lines[-1]}")
    return Answer(summary=summary, text=said(reading) + text, terse=text, fault=fault)


def counted(listing: Listing) -> str:
    """How many equilibria are listed, and whether these are all, as a sentence."""
    count = len(listing.profiles)
    noun = "equilibrium" if count == 1 else "equilibria"
    if listing.complete:
        return f"{count} {noun}; of a continuum the vertices are listed"
    return f"{count} {noun}, and there may be more: {listing.missing}"


def compared(config: Config, reading: Reading) -> Answer:
    """Every solver that applies to the game, and why the others do not."""
    from rich.table import Table

    table = Table("solver", "concept", "status", *(f"{name} gap" for name in GAPS))
    for column in ("value sum", "values", "seconds"):
        table.add_column(column, justify="right")
    game, answers, refused = reading.game, [], []
    for name in names():
        try:
            if takes_solvers(solver_class(name)):
                continue
            solver = get(name)
            check(solver, game)
        except UserError as error:
            refused.append(f"not applicable: {name}: {error}")
            continue
        solution = solved(config, solver, game)
        answers.append(as_json(name, solution, reading))
        gaps = [f"{getattr(solution.gaps, gap).sum():.2g}" for gap in GAPS]
        values = " ".join(f"{v:.4g}" for v in solution.values)
        numbers = (f"{solution.values.sum():.5g}", values, f"{solution.seconds:.4f}")
        table.add_row(name, solver.concept, solution.status.name, *gaps, *numbers)
    text = said(reading) + "\n".join([console(table), *refused])
    solved_by = [one["solver"] for one in answers if one["status"] == "OK"]
    fault = None if solved_by else NotOK("--solver all: no solver's answer is OK")
    return Answer(summary=answers, text=text, fault=fault)


if __name__ == "__main__":
    sys.exit(main(page, Config))
