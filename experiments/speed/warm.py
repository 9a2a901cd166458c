"""What a warm start saves, by the size of the meta-game: cold and warm in one run.

Example: metaspiel speed_warm --sizes 50 100 150

PSRO with exact responses, each iteration solved from the last one's answer; at the
sizes asked for the same meta-game is solved from nothing as well. Sizes are policies
of the first player. Differences are of the objective (Gini impurity or welfare, in the
solver's own sense), and of the joint, which many optima may share.

Writes cells.json, table.md and report.html, and a file a solver that --resume does not
run again.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import Flat, Resumable, each_once
from experiments.lab.page import Answer, main
from experiments.lab.trust import SolverSpec
from experiments.speed.measuring import answer, timed
from meta_solvers import get, solve
from meta_solvers.values import MetaSolution
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    game: str = "leduc_poker"
    """OpenSpiel game."""
    solvers: tuple[SolverSpec, ...] = ("mgcce", "mwcce")
    """Meta-solvers with concept cce or ce."""
    sizes: tuple[int, ...] = (50, 100, 150)
    """Policies of the first player at which both starts are measured."""
    iterations: int = 1000
    """Iterations after which a run ends, whether or not it has grown to all sizes."""
    run: Flat[Resumable] = Resumable()

    def check(self) -> None:
        """Stops at fields that cannot be measured.

        Raises:
          UserError: one of them cannot.
        """
        each_once(self, solvers=None, sizes=None)
        if not all(2 <= size <= 5000 for size in self.sizes):
            raise UserError(f"--sizes must be from 2 to 5000; got {self.sizes}")
        if self.iterations < 1:
            raise UserError(f"--iterations must be at least 1; got {self.iterations}")
        for spec in self.solvers:
            if get(spec).concept not in ("ce", "cce"):
                raise UserError(
                    "--solvers must have concept ce or cce; got "
                    f"'{spec}' with {get(spec).concept}"
                )
        from metaspiel.games.openspiel import sequence_form

        sequence_form(self.game)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One solver at one size."""

    solver: str
    size: str
    iteration: int
    run_seconds: float
    warm_seconds: float
    cold_seconds: float
    warm_status: str
    cold_status: str
    objective_apart: float
    joint_apart: float


def page(config: Config) -> Answer:
    """Runs what is missing and prints the table."""
    config.check()
    with claim(config.run, "speed_warm") as folder:
        record(folder, config)
        works = {
            f"{number:02d}": partial(measured, spec, config)
            for number, spec in enumerate(config.solvers)
        }
        results, faults = fill(works, folder, config)
        rows = [row for made in results.values() for row in made]
        return answer(
            folder,
            f"Cold and warm starts on {config.game}",
            [
                "run seconds are CPU seconds of the warm run so far, all parts of it",
                "warm and cold seconds are of one solve of the same meta-game",
            ],
            rows,
            said=[outcome(rows)],
            faults=faults,
            cells=rows,
        )


def outcome(rows: Sequence[Mapping[str, Any]]) -> str:
    """What came out, in one sentence."""
    if not rows:
        return "No run reached a size that was asked for."
    faster = sum(row["warm_seconds"] < row["cold_seconds"] for row in rows)
    apart = max(row["objective_apart"] for row in rows)
    return (
        f"A warm start is faster in {faster} of {len(rows)} meta-games; objectives are "
        f"at most {apart:.1e} apart."
    )


def measured(spec: str, config: Config) -> list[dict[str, object]]:
    """The rows of one solver."""
    from metaspiel.games.openspiel import sequence_form
    from psro.exact import ExactEvaluator, ExactOracle
    from psro.loop import run, start
    from psro.setup import Setup

    form, solver = sequence_form(config.game), get(spec)
    setup = Setup(
        oracle=ExactOracle(form, tie_break="first"),
        evaluator=ExactEvaluator(form),
        solver=solver,
        concept="ce" if solver.concept == "ce" else "cce",
    )
    rows, left = [], sorted(config.sizes)
    for state in run(setup, start(setup), config.iterations):
        size = len(state.population.pools[0])
        if size >= left[0]:
            left = [other for other in left if other > size]
            game = state.table.game(state.population, setup.repeats)
            seconds, cold = timed(partial(solve, solver, game, throw=False))
            rows.append(
                asdict(
                    Row(
                        solver=spec,
                        size=" x ".join(map(str, game.actions)),
                        iteration=state.iteration,
                        run_seconds=sum(state.cpu.values()),
                        warm_seconds=state.train.seconds,
                        cold_seconds=seconds,
                        warm_status=state.train.status.name,
                        cold_status=cold.status.name,
                        objective_apart=apart(game, state.train, cold),
                        joint_apart=float(np.abs(state.train.joint - cold.joint).max()),
                    )
                )
            )
        if not left:
            break
    return rows


def apart(game: Game, one: MetaSolution, other: MetaSolution) -> float:
    """By how much the objective of two answers differs."""
    if "gini" in one.diagnostics:
        worth = [float(np.sum(s.joint**2 / game.copies)) for s in (one, other)]
    else:
        worth = [float(s.values.sum()) for s in (one, other)]
    return abs(worth[0] - worth[1])


if __name__ == "__main__":
    sys.exit(main(page, Config))
