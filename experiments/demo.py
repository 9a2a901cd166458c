"""The demo: three meta-solvers, swapped by name, in PSRO on three OpenSpiel games.

Example: python -m experiments.demo

Writes a run folder for each pair and one report.html that compares them and says which
solver did best, and what in the numbers explains it.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.lab.folder import claim, read_result, record, slug, stored
from experiments.lab.options import Flat, Resumable, least
from experiments.lab.page import Answer, main
from experiments.lab.report import Table, percent, render
from experiments.psro import config as psro
from meta_solvers import get
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro.metrics import Row

GAMES = {
    "Kuhn poker, 3 players": ("kuhn_poker(players=3)", 25),
    "Sheriff (Farina et al.)": (
        "sheriff(item_penalty=1.0,item_value=5.0,max_bribe=2,max_items=10,"
        "num_rounds=2,sheriff_penalty=1.0)",
        40,
    ),
    "Leduc poker": ("leduc_poker", 40),
}
LEGEND = (
    "Sum over players of what a best response over all policies of the game gains; 0 "
    "is an exact coarse correlated equilibrium."
)
SOLVED = 1e-6  # a full-game gap below this counts as an equilibrium


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the demo."""

    solvers: tuple[str, ...] = ("mgcce", "mwcce", "prd")
    """Meta-solvers to compare."""
    evaluation: str = "mwcce"
    """Measured on every population: the most welfare an equilibrium there offers."""
    iterations: int | None = None
    """Iterations a run (default: 25 to 40, by game)."""
    seed: int = 0
    """Seed of every run."""
    run: Flat[Resumable] = Resumable()


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run of the comparison; gaps are of the full game where nothing is said."""

    title: str
    solver: str
    gap: float
    first_solved: int | None = None
    welfare: float = 0.0
    best_welfare: float | None = None
    policies: int = 0
    support_share: float
    meta_gap: float = 0.0
    statuses: Sequence[str] = ()
    cpu_seconds: float = 0.0
    rows: Sequence[tuple[int, float]] = ()
    evaluation: Sequence[tuple[int, float | None]] = ()

    @property
    def solved(self) -> bool:
        """Whether the run ends in an equilibrium."""
        return self.gap <= SOLVED

    @property
    def reached(self) -> str:
        """How far it came, in words."""
        text = f"ends in an equilibrium, first met in iteration {self.first_solved}"
        if not self.solved:
            text = f"ends at a gap of {self.gap:.3g}"
            if self.first_solved is not None:
                text += f" after an equilibrium in iteration {self.first_solved}"
        if self.best_welfare is not None:
            welfare = _rounded(self.best_welfare)
            text += f", with welfare up to {welfare:.6g} in its population"
        return text


def _rounded(value: float) -> float:
    return round(value, 9) + 0.0


def page(config: Config) -> Answer:
    """Runs every pair, then compares."""
    if not config.solvers:
        raise UserError("demo: --solvers must name at least one meta-solver; got none")
    for spec in (*config.solvers, config.evaluation):
        get(spec)
    least(config, iterations=0)
    with claim(config.run, "demo") as folder:
        record(folder, config)
        games = {
            title: [_pair(config, folder, title, solver) for solver in config.solvers]
            for title in GAMES
        }
        _write(folder, config, games)
        summary = [asdict(run) for runs in games.values() for run in runs]
        files.write_json(folder / "comparison.json", summary)
    text = "\n".join([*verdict(games), f"report: {folder / 'report.html'}"])
    return Answer(summary=summary, text=text)


def _pair(config: Config, folder: Path, title: str, solver: str) -> Result:
    """One run, made or read, as a row of the comparison."""
    from experiments.psro.checkpoint import finished
    from experiments.psro.run import run as run_psro
    from experiments.psro.summary import SHAPE

    game, iterations = GAMES[title]
    place = folder / f"{slug(game)}-{slug(solver)}"
    run = psro.Config(
        game=game,
        solver=solver,
        eval_solver=config.evaluation,
        concept="cce",
        iterations=iterations if config.iterations is None else config.iterations,
        seed=config.seed,
        run=psro.Run(
            out=place,
            resume=(place / "config.json").exists(),
            quiet=config.run.silent,
        ),
    )
    done = place / "summary.json"
    if done.exists():
        stored(place)  # what is finished must still be what it was
        files.read_arrays(place / "meta_game.npz")
    else:
        run_psro(run)
    return _result(title, read_result(done, run, SHAPE), finished(run, place))


def _result(title: str, summary: Mapping[str, Any], rows: Sequence[Row]) -> Result:
    """One run as a row of the comparison."""
    gaps = [(row.iteration, row.gap) for row in rows if row.gap is not None]
    solved = [iteration for iteration, gap in gaps if gap <= SOLVED]
    shares = [row.support / math.prod(row.unique_policies) for row in rows]
    welfare = [(row.iteration, _worth(row)) for row in rows]
    return Result(
        title=title,
        solver=summary["solver"],
        gap=summary["gap"],
        first_solved=solved[0] if solved else None,
        welfare=summary["value_sum"],
        best_welfare=max((w for _, w in welfare if w is not None), default=None),
        policies=sum(summary["unique_policies"]),
        support_share=sum(shares) / len(shares),
        meta_gap=summary["meta_gap"],
        statuses=sorted({row.status for row in rows}),
        cpu_seconds=summary["cpu_seconds"],
        rows=gaps,
        evaluation=welfare,
    )


def _worth(row: Row) -> float | None:
    """The evaluation solver's welfare, where that is an equilibrium."""
    solved = row.eval_gap is not None and row.eval_gap <= SOLVED
    return row.eval_value_sum if solved else None


def verdict(games: Mapping[str, Sequence[Result]]) -> list[str]:
    """Which solver did best on each game, and what the numbers say about why."""
    sentences = []
    for title, runs in games.items():
        best = winner(runs)
        others = [run for run in runs if run is not best]
        reached = [f"{run.solver} {run.reached}" for run in others]
        text = "; ".join([f"it {best.reached}", *reached])
        text = f"{title}: {best.solver} did best: {text}."
        if others:
            shares = [
                f"{run.solver} {percent(run.support_share, 0)}"
                for run in (best, *others)
            ]
            text += f" Share of profiles played on average: {', '.join(shares)}. "
            text += _why(best, others)
        sentences.append(text)
    return sentences


def winner(runs: Sequence[Result]) -> Result:
    """Ends in an equilibrium, then offers more welfare, then was there sooner."""

    def key(run: Result) -> tuple[bool, float, float, float]:
        return (
            not run.solved,
            0.0 if run.solved else run.gap,
            math.inf if run.best_welfare is None else -round(run.best_welfare, 6),
            math.inf if run.first_solved is None else run.first_solved,
        )

    return min(runs, key=key)


def _why(best: Result, others: Sequence[Result]) -> str:
    """What separates each other run from the best, read off the numbers."""
    reasons = []
    for run in others:
        share = run.support_share / best.support_share
        if not run.solved and run.meta_gap > 0.3 * run.gap:
            reasons.append(
                f"what is left of {run.solver}'s gap is its own meta-solver's error "
                f"({run.meta_gap:.2g} inside the population)"
            )
        elif share < 0.8:
            reasons.append(
                f"{run.solver} plays fewer profiles than {best.solver}, so its best "
                "responses learn to beat fewer opponents"
            )
        elif share > 1.25:
            reasons.append(
                f"{run.solver} spreads play wider than {best.solver}, so each response "
                "hedges against more opponents than it needs to"
            )
    if not reasons:
        return "Breadth of play does not separate them; the curves below do."
    return f"Why: {'; '.join(reasons)}."


def _write(folder: Path, config: Config, games: Mapping[str, Sequence[Result]]) -> None:
    from experiments.lab import charts  # they load matplotlib

    columns = {
        "game": lambda run: run.title,
        "meta-solver": lambda run: run.solver,
        "final gap": lambda run: run.gap,
        "first gap < 1e-6": lambda run: run.first_solved,
        "value sum": lambda run: _rounded(run.welfare),
        f"best welfare ({config.evaluation})": lambda run: (
            run.best_welfare and _rounded(run.best_welfare)
        ),
        "policies": lambda run: run.policies,
        "profiles played": lambda run: percent(run.support_share, 0),
        "statuses": lambda run: run.statuses,
        "CPU s": lambda run: run.cpu_seconds,
    }
    every = [run for runs in games.values() for run in runs]
    best = [every.index(winner(runs)) for runs in games.values()]
    figures = []
    for title, runs in games.items():
        lines = {
            run.solver: ([at for at, _ in run.rows], [gap for _, gap in run.rows])
            for run in runs
        }
        drawn = charts.curve(lines, "full-game CCE gap", log=True)
        png = folder / "plots" / f"{slug(title)}.png"
        figures.append(charts.figure(drawn, f"{title}: gap by iteration", LEGEND, png))
    caption = "Final state of every run (best of each game marked)"
    table = Table.of(caption, columns, every, best)
    title = "Which meta-solver does best?"
    render(folder / "report.html", title, verdict(games), [table], figures)


if __name__ == "__main__":
    sys.exit(main(page, Config))
