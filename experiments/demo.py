"""The demo: three meta-solvers, swapped by name, in PSRO on three OpenSpiel games.

Example: metaspiel demo

Writes a run folder for each run and one report.html that shows them side by side. One
seed ranks nothing: with --seeds 6 or more, runs are compared by a test, with intervals.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

from experiments.lab.estimates import estimate
from experiments.lab.folder import claim, read_result, record, slug, stored
from experiments.lab.options import Flat, Resumable, least
from experiments.lab.page import Answer, main
from experiments.lab.report import Table, percent, render
from experiments.lab.statistics import holm, mean
from experiments.lab.trust import SolverSpec
from experiments.lab.verdict import LEVEL, Claim, Higher, Verdict, short_of
from experiments.lab.verdict import table as claim_table
from experiments.psro import config as psro
from experiments.psro_parts.config import Run
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

    may_change: ClassVar[tuple[str, ...]] = ("seeds",)

    solvers: tuple[SolverSpec, ...] = ("mgcce", "mwcce", "prd")
    """Meta-solvers to compare."""
    evaluation: SolverSpec = "mwcce"
    """Measured on every population: the most welfare an equilibrium there offers."""
    iterations: int | None = None
    """Iterations a run (default: 25 to 40, by game)."""
    seed: int = 0
    """Seed of the first run of every pair."""
    seeds: int = 1
    """Runs of every pair; run i uses seed + i."""
    run: Flat[Resumable] = Resumable()


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run of the comparison; its gaps are exact, over all policies of the game."""

    title: str
    solver: str
    seed: int = 0
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
    least(config, iterations=0, seeds=1, seed=0)
    seeds = range(config.seed, config.seed + config.seeds)
    with claim(config.run, "demo") as folder:
        record(folder, config)
        runs = [
            _run(config, folder, title, solver=solver, seed=seed)
            for title in GAMES
            for solver in config.solvers
            for seed in seeds
        ]
        claims = compared(runs, config.seed)
        _write(folder, config, runs, claims)
        summary = [asdict(run) for run in runs]
        files.write_json(folder / "comparison.json", summary)
    lines = [*sentences(runs, claims), f"report: {folder / 'report.html'}"]
    return Answer(summary=summary, text="\n".join(lines))


def _run(config: Config, folder: Path, title: str, *, solver: str, seed: int) -> Result:
    """One run, made or read, as a row of the comparison."""
    from experiments.psro.checkpoint import finished
    from experiments.psro.run import run as run_psro
    from experiments.psro.summary import SHAPE

    game, iterations = GAMES[title]
    place = folder / f"{slug(game)}-{slug(solver)}-s{seed}"
    run = psro.Config(
        game=game,
        solver=solver,
        eval_solver=config.evaluation,
        concept="cce",
        iterations=iterations if config.iterations is None else config.iterations,
        seed=seed,
        run=Run(
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
        seed=summary["seed"],
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


Pair = tuple[str, str]
"""A game and a meta-solver."""


def _grouped(runs: Sequence[Result]) -> dict[Pair, list[Result]]:
    groups: dict[Pair, list[Result]] = {}
    for run in runs:
        groups.setdefault((run.title, run.solver), []).append(run)
    return groups


def _final(runs: Sequence[Result]) -> list[float]:
    """Final gaps; below what counts as an equilibrium rounding decides, so 0."""
    return [0.0 if run.solved else run.gap for run in runs]


def compared(runs: Sequence[Result], seed: int) -> list[Claim]:
    """Tests whether two solvers end at different gaps; none with one seed."""
    groups, tests = _grouped(runs), []
    for (title, one), (other_title, two) in combinations(groups, 2):
        if title == other_title and len(groups[title, one]) > 1:
            pair = sorted((one, two), key=lambda s: mean(_final(groups[title, s])))
            lower, upper = (_final(groups[title, solver]) for solver in pair)
            tests.append((title, pair, lower, upper, Higher.of(upper, lower, seed)))
    sided = [[2 * min(t.p or 1.0, t.p_reverse or 1.0) for *_, t in tests]]
    (corrected,) = holm([[min(1.0, p) for p in row] for row in sided])
    return [
        _claim(test, p or 0.0, len(tests), seed=seed)
        for test, p in zip(tests, corrected, strict=True)
    ]


def _claim(test: tuple[Any, ...], p: float, count: int, *, seed: int) -> Claim:
    title, pair, lower, upper, raw = test
    few = short_of(2 * (raw.smallest_p or 1.0) * count)
    below, above = (estimate(values, seed).shown(4) for values in (lower, upper))
    return Claim(
        about=title,
        text=f"{pair[0]} ends at a lower gap than {pair[1]}",
        verdict=Verdict.HOLDS if p <= LEVEL else Verdict.UNDECIDED,
        evidence=f"{below} against {above}; corrected p {p:.2g}",
        test=f"permutation, two-sided, Holm over {count}",
        trials=len(lower),
        remark="" if p <= LEVEL else few,
    )


def sentences(runs: Sequence[Result], claims: Sequence[Claim]) -> list[str]:
    """How far the runs came on each game, and what the tests decide."""
    groups, lines = _grouped(runs), []
    for title in dict.fromkeys(run.title for run in runs):
        own = [f"{s} {_reached(groups[t, s])}" for t, s in groups if t == title]
        decided = [
            one.text
            for one in claims
            if one.about == title and one.verdict is Verdict.HOLDS
        ]
        if claims:
            own.append("decided: " + (", ".join(decided) if decided else "nothing"))
        lines.append(f"{title}: {'; '.join(own)}.")
    if not claims:
        lines.append(
            "One seed of each pair, so nothing is ranked; --seeds 6 or more compares "
            "final gaps by a test."
        )
    return lines


def _reached(runs: Sequence[Result]) -> str:
    if len(runs) == 1:
        return runs[0].reached
    solved = sum(run.solved for run in runs)
    final = estimate(_final(runs), runs[0].seed).shown(4)
    return (
        f"ends in an equilibrium with {solved} of {len(runs)} seeds, mean gap {final}"
    )


def _write(
    folder: Path, config: Config, runs: Sequence[Result], claims: Sequence[Claim]
) -> None:
    from experiments.lab import charts  # they load matplotlib

    columns = {
        "game": lambda run: run.title,
        "meta-solver": lambda run: run.solver,
        "seed": lambda run: run.seed,
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
    figures = []
    for title in dict.fromkeys(run.title for run in runs):
        own = [run for run in runs if run.title == title]
        lines = {
            run.solver if config.seeds == 1 else f"{run.solver}, seed {run.seed}": (
                [at for at, _ in run.rows],
                [gap for _, gap in run.rows],
            )
            for run in own
        }
        drawn = charts.curve(lines, "CCE gap", log=True)
        png = folder / "plots" / f"{slug(title)}.png"
        figures.append(charts.figure(drawn, f"{title}: gap by iteration", LEGEND, png))
    tables = [Table.of("Final state of every run", columns, runs)]
    if claims:
        tables.insert(0, claim_table(claims, "Pairs of meta-solvers"))
    title = "Three games, side by side"
    lead = sentences(runs, claims)
    render(folder / "report.html", title, lead, tables=tables, figures=figures)


if __name__ == "__main__":
    sys.exit(main(page, Config))
