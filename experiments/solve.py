"""Solves one normal-form game with one meta-solver, or compares all that apply.

Example: python -m experiments.solve --payoffs game.npy --solver mgcce
         python -m experiments.solve --game matrix_pd --solver all

Prints the joint, the marginals, the values, the measured gaps, the status and the time.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.options import Flat, Printing
from experiments.lab.page import main
from metaspiel import files
from metaspiel.nfg.errors import UnknownGame, UserError

if TYPE_CHECKING:
    from meta_solvers import Game, MetaSolution


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of one solve."""

    payoffs: Path | None = None
    """The game: .npy [N, A1, ..., AN], .npz, .csv or Gambit .nfg."""
    game: str | None = None
    """Or a one-shot OpenSpiel game ("matrix_pd") or a named game ("chicken")."""
    players: int | None = None
    """Number of players, where the OpenSpiel game has that parameter."""
    solver: str = "mgcce"
    """Meta-solver, as a name or spec; "all" compares every one that applies."""
    seed: int = 0
    """Seed of stochastic solvers."""
    tolerance: float = 1e-6
    """Gap allowed beyond the solver's epsilon, as a fraction of the payoff range."""
    equilibria: bool = False
    """List every Nash equilibrium instead (two players, or two actions each)."""
    run: Flat[Printing] = Printing()


def load(config: Config) -> "Game":
    """The game that the configuration names."""
    if (config.payoffs is None) == (config.game is None):
        raise UserError("solve: exactly one of --payoffs and --game must be given")
    from metaspiel.nfg.catalogue import catalogue

    own = config.payoffs is not None or config.game in catalogue()
    if own and config.players is not None:
        raise UserError(
            "--players goes with OpenSpiel's games; files and named games have none"
        )
    if config.payoffs is not None:
        from metaspiel.nfg import load

        return load(config.payoffs)

    assert config.game is not None
    if config.game in catalogue():
        return catalogue()[config.game].game
    from metaspiel.games.openspiel import matrix_game

    try:
        return matrix_game(config.game, config.players)
    except UnknownGame:
        raise UserError(
            f"solve: --game must be one of OpenSpiel's one-shot games or one of "
            f"{', '.join(catalogue())}; got '{config.game}'"
        ) from None


def as_json(spec: str, solution: "MetaSolution") -> dict[str, Any]:
    """The solution as plain values; NaN becomes None."""
    gaps = solution.gaps
    fields = {
        "solver": spec,
        "status": solution.status.name,
        "joint": solution.joint.tolist(),
        "marginals": [m.tolist() for m in solution.marginals],
        "values": solution.values.tolist(),
        "gaps": {k: getattr(gaps, k).tolist() for k in ("ne", "cce", "ce")},
        "seconds": solution.seconds,
        "diagnostics": dict(solution.diagnostics),
    }
    cleaned: dict[str, Any] = files.spelled(fields)
    return cleaned


def page(config: Config) -> None:
    """Solves the game and prints the solution."""
    if not 0 <= config.tolerance < 1:
        raise UserError(f"--tolerance must be in [0, 1); got {config.tolerance}")
    if config.seed < 0:
        raise UserError(f"--seed must be at least 0; got {config.seed}")
    from meta_solvers import get, solve

    if config.equilibria:
        _list(config)
        return
    if config.solver == "all":
        _compare(config)
        return
    solver = get(config.solver)
    solution = solve(
        solver, load(config), config.seed, throw=False, tolerance=config.tolerance
    )
    if config.run.json:
        print(json.dumps(as_json(config.solver, solution)))
    elif config.run.quiet:
        print(json.dumps(files.spelled(solution.joint.tolist())))
    else:
        _show(config.solver, solution)


def _show(spec: str, solution: "MetaSolution") -> None:
    import numpy as np

    print(f"solver     {spec}")
    print(f"status     {solution.status.name}: {solution.status.value}")
    print(f"seconds    {solution.seconds:.4f}")
    with np.printoptions(precision=6, suppress=True, threshold=200):
        print(f"values     {solution.values}   sum {solution.values.sum():.6g}")
        for name, sentence in (
            ("ne", "product of the marginals"),
            ("cce", "joint, deviations before being told"),
            ("ce", "joint, deviations after being told"),
        ):
            gap = getattr(solution.gaps, name)
            print(f"{name + ' gap':<10} {gap.sum():.3g}   ({sentence})")
        for player, own in enumerate(solution.marginals):
            print(f"player {player}   {own}")
        print(f"joint\n{solution.joint}")
    for key, value in solution.diagnostics.items():
        print(f"{key:<10} {value}")


def _list(config: Config) -> None:
    """Every Nash equilibrium: extreme ones where there is a continuum."""
    import numpy as np

    from metaspiel.nfg.gaps import expected
    from metaspiel.nfg.simplex import product

    game = load(config)
    if set(game.actions) == {2}:
        from meta_solvers import two_action

        profiles = [list(p) for p in two_action.equilibria(game)]
    elif game.players == 2:
        from meta_solvers import nash

        profiles = [list(p) for p in nash.equilibria(game)]
    else:
        raise UserError(
            "--equilibria: the game must have two players, or two actions each; got "
            f"actions {list(game.actions)}"
        )
    marginals = [[np.asarray(own) for own in profile] for profile in profiles]
    values = [expected(game, product(profile)) for profile in marginals]
    if config.run.json:
        pairs = [
            {"marginals": [own.tolist() for own in profile], "values": value.tolist()}
            for profile, value in zip(marginals, values, strict=True)
        ]
        print(json.dumps(files.spelled(pairs)))
        return
    with np.printoptions(precision=6, suppress=True):
        for number, (profile, value) in enumerate(zip(marginals, values, strict=True)):
            print(f"{number:3d}  values {value}  " + "  ".join(map(str, profile)))


def _compare(config: Config) -> None:
    from meta_solvers import get, names, solve
    from meta_solvers.base import check
    from meta_solvers.registry import solver_class, takes_solvers

    game = load(config)
    solved, refused = [], []
    for name in names():
        try:
            if takes_solvers(solver_class(name)):
                continue
            solver = get(name)
            check(solver, game)
        except UserError as error:
            refused.append((name, str(error)))
            continue
        solution = solve(
            solver, game, config.seed, throw=False, tolerance=config.tolerance
        )
        solved.append((name, solver, solution))
    if config.run.json:
        print(json.dumps([as_json(name, solution) for name, _, solution in solved]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*("solver", "concept", "status", "ne gap", "cce gap", "ce gap"))
    for column in ("value sum", "values", "seconds"):
        table.add_column(column, justify="right")
    for name, solver, solution in solved:
        gaps = [float(getattr(solution.gaps, k).sum()) for k in ("ne", "cce", "ce")]
        line = [name, solver.concept, solution.status.name]
        line += [f"{gap:.2g}" for gap in gaps]
        line += [f"{solution.values.sum():.5g}"]
        line += [" ".join(f"{v:.4g}" for v in solution.values)]
        table.add_row(*line, f"{solution.seconds:.4f}")
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)
    for name, why in refused:
        console.print(f"not applicable: {name}: {why}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main(page, Config))
