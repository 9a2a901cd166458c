"""The demo: three meta-solvers, swapped by name, in PSRO on three OpenSpiel games.

Example: python -m experiments.demo

Writes a run folder for each pair and one report.html that compares them and says which
solver did best, and what in the numbers explains it.
"""

import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from experiments.lab.folder import claim, read_result, record, slug, stored
from experiments.lab.options import Flat, Resumable
from experiments.lab.page import Answer, main
from experiments.psro import config as psro
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


def page(config: Config) -> Answer:
    """Runs every pair, then compares."""
    if not config.solvers:
        raise UserError("demo: --solvers must name at least one meta-solver; got none")
    from meta_solvers import get

    for spec in (*config.solvers, config.evaluation):
        get(spec)
    if config.iterations is not None and config.iterations < 0:
        raise UserError(f"--iterations must be at least 0; got {config.iterations}")
    with claim(config.run, "demo") as folder:
        record(folder, config)
        results = [
            _pair(config, folder, title, solver)
            for title in GAMES
            for solver in config.solvers
        ]
        _write(folder, config, results)
        files.write_json(folder / "comparison.json", results)
    text = "\n".join([*verdict(results), f"report: {folder / 'report.html'}"])
    return Answer(summary=results, text=text)


def _pair(config: Config, folder: Path, title: str, solver: str) -> dict[str, Any]:
    """One run, made or read, as a row of the comparison."""
    from experiments.psro.checkpoint import finished
    from experiments.psro.run import run as run_psro

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
    return _result(title, read_result(done, run), finished(run, place))


def _result(title: str, summary: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    """One run as a row of the comparison."""
    gaps = [(row.iteration, row.gap) for row in rows if row.gap is not None]
    solved = [iteration for iteration, gap in gaps if gap <= SOLVED]
    shares = [row.support / prod(row.unique_policies) for row in rows]
    welfare = [
        None if row.eval_gap is None or row.eval_gap > SOLVED else row.eval_value_sum
        for row in rows
    ]
    return {
        "title": title,
        "solver": summary["solver"],
        "gap": summary["gap"],
        "first_solved": solved[0] if solved else None,
        "welfare": summary["value_sum"],
        "best_welfare": max((w for w in welfare if w is not None), default=None),
        "policies": sum(summary["unique_policies"]),
        "support_share": sum(shares) / len(shares),
        "meta_gap": summary["meta_gap"],
        "statuses": sorted({row.status for row in rows}),
        "cpu_seconds": summary["cpu_seconds"],
        "rows": [list(pair) for pair in gaps],
        "evaluation": [
            [row.iteration, worth] for row, worth in zip(rows, welfare, strict=True)
        ],
    }


def verdict(results: list[dict[str, Any]]) -> list[str]:
    """Which solver did best on each game, and what the numbers say about why."""
    sentences = []
    for title in dict.fromkeys(r["title"] for r in results):
        runs = [r for r in results if r["title"] == title]
        best = _winner(runs)
        others = [r for r in runs if r is not best]
        text = f"{title}: {best['solver']} did best: it {_reached(best)}"
        if others:
            reached = [f"{r['solver']} {_reached(r)}" for r in others]
            text += f"; {'; '.join(reached)}"
        text += ". "
        if others:
            shares = [
                f"{run['solver']} {100 * run['support_share']:.0f} %"
                for run in (best, *others)
            ]
            text += f"Share of profiles played on average: {', '.join(shares)}. "
            text += _why(best, others)
        sentences.append(text.strip())
    return sentences


def _winner(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Ends in an equilibrium, then offers more welfare, then was there sooner."""

    def key(run: dict[str, Any]) -> tuple[bool, float, float, float]:
        solved = run["gap"] <= SOLVED
        welfare = run["best_welfare"]
        return (
            not solved,
            0.0 if solved else run["gap"],
            float("inf") if welfare is None else -round(welfare, 6),
            run["first_solved"] if run["first_solved"] is not None else float("inf"),
        )

    return min(runs, key=key)


def _reached(run: dict[str, Any]) -> str:
    if run["gap"] > SOLVED:
        text = f"ends at a gap of {run['gap']:.3g}"
        if run["first_solved"] is not None:
            text += f" after an equilibrium in iteration {run['first_solved']}"
    else:
        text = f"ends in an equilibrium, first met in iteration {run['first_solved']}"
    if run["best_welfare"] is not None:
        welfare = round(run["best_welfare"], 9) + 0.0
        text += f", with welfare up to {welfare:.6g} in its population"
    return text


def _why(best: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """What separates each other run from the best, read off the numbers."""
    reasons = []
    for run in others:
        share = run["support_share"] / best["support_share"]
        if run["gap"] > SOLVED and run["meta_gap"] > 0.3 * run["gap"]:
            reasons.append(
                f"what is left of {run['solver']}'s gap is its own meta-solver's error "
                f"({run['meta_gap']:.2g} inside the population)"
            )
        elif share < 0.8:
            reasons.append(
                f"{run['solver']} plays fewer profiles than {best['solver']}, so its "
                "best responses learn to beat fewer opponents"
            )
        elif share > 1.25:
            reasons.append(
                f"{run['solver']} spreads play wider than {best['solver']}, so each "
                "response hedges against more opponents than it needs to"
            )
    if not reasons:
        return "Breadth of play does not separate them; the curves below do."
    return f"Why: {'; '.join(reasons)}."


def _write(folder: Path, config: Config, results: list[dict[str, Any]]) -> None:
    from experiments.lab import charts, report

    columns = [
        "game", "meta-solver", "final gap", "first gap < 1e-6", "value sum",
        f"best welfare ({config.evaluation})", "policies", "profiles played",
        "statuses", "CPU s",
    ]  # fmt: skip
    cells: list[list[Any]] = []
    best: list[int] = []
    for title in dict.fromkeys(r["title"] for r in results):
        runs = [r for r in results if r["title"] == title]
        for run in runs:
            if run is _winner(runs):
                best.append(len(cells))
            cells.append(
                [
                    run["title"],
                    run["solver"],
                    run["gap"],
                    run["first_solved"],
                    round(run["welfare"], 9) + 0.0,
                    run["best_welfare"] and round(run["best_welfare"], 9) + 0.0,
                    run["policies"],
                    f"{100 * run['support_share']:.0f} %",
                    run["statuses"],
                    run["cpu_seconds"],
                ]
            )
    figures = []
    for title in dict.fromkeys(r["title"] for r in results):
        lines = {
            r["solver"]: ([x for x, _ in r["rows"]], [y for _, y in r["rows"]])
            for r in results
            if r["title"] == title
        }
        drawn = charts.curve(lines, "full-game CCE gap", log=True)
        figures.append(
            charts.figure(
                drawn,
                f"{title}: gap by iteration",
                "Sum over players of what a best response over all policies of the "
                "game gains; 0 is an exact coarse correlated equilibrium.",
                folder / "plots" / f"{slug(title)}.png",
            )
        )
    report.render(
        folder / "report.html",
        "Which meta-solver does best?",
        verdict(results),
        [report.Table("Final state of every run (best of each game marked)", columns,
                       cells, best)],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(page, Config))
