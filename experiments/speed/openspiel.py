"""Our loops beside OpenSpiel's own jpsro and psro_v2: CPU time and what comes out.

Example: metaspiel speed_openspiel --quick

Both sides make the same number of iterations in one process with one thread, after a
warm-up. OpenSpiel runs as it is, but for its linear programs, which go to --lp, because
cvxpy no longer brings ECOS along. Everything that ours does is counted, building the
game's sequence form included. Both final meta-strategies are judged by our exact best
responses. The pools differ (ties are broken differently, and psro_v2 samples payoffs),
so a ratio is an order of magnitude.

Writes table.md, report.html, comparison.csv and .json, and a file a row that --resume
does not run again.
"""

import math
import statistics
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any, Literal

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import Flat, Resumable, least
from experiments.lab.page import Answer, main
from experiments.lab.process import environment
from experiments.lab.report import comma_separated
from experiments.speed.comparisons import ROWS, Comparison
from experiments.speed.measuring import answer, repeated, timed
from meta_solvers import get
from metaspiel import files
from metaspiel.nfg.errors import unknown

LONG = 5.0  # a side that took this many CPU seconds is not run again for a median


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a comparison."""

    rows: tuple[str, ...] = ()
    """Names of the rows to run, as in the table (default: all)."""
    quick: bool = False
    """A third of the iterations."""
    lp: Literal["HIGHS", "CLARABEL", "ECOS"] = "HIGHS"
    """What solves OpenSpiel's linear programs."""
    seed: int = 1
    """Seed of both sides."""
    repeats: int = 3
    """Runs of each side, of which the median counts; one if it is long."""
    simulations: int = 1000
    """Episodes that psro_v2 samples for a cell of its payoff table."""
    run: Flat[Resumable] = Resumable()


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What came of one row.

    Numbers of OpenSpiel's are None where it failed, those of an evaluation where there
    is none. Without the build is without making our sequence form.
    """

    game: str
    concept: str
    solvers: str
    loop: str
    rounds: int
    ours_seconds: float = math.nan
    ours_build_seconds: float
    ours_seconds_without_build: float = math.nan
    ours_seconds_per_stage: Mapping[str, float]
    ours_statuses: Sequence[str]
    ours_gap: float | None
    ours_value_sum: float
    ours_eval_gap: float | None = None
    ours_eval_value_sum: float | None = None
    theirs_failed: str | None = None
    theirs_warnings: Sequence[str] | None = None
    theirs_seconds: float | None = None
    ratio: float | None = None
    ratio_without_build: float | None = None
    theirs_gap: float | None = None
    theirs_value_sum: float | None = None
    theirs_eval_gap: float | None = None
    theirs_eval_value_sum: float | None = None

    @property
    def record(self) -> dict[str, Any]:
        """The row as JSON has it: what there is."""
        return {k: v for k, v in asdict(self).items() if v is not None}


def page(config: Config) -> Answer:
    """Runs what is missing and prints the table."""
    for name in config.rows:
        if name not in ROWS:
            raise unknown("--rows", "row", name, ROWS)
    least(config, repeats=1, simulations=1, seed=0)
    with claim(config.run, "compare-openspiel") as folder:
        record(folder, config)
        works = {name: partial(measured, name, config) for name in config.rows or ROWS}
        results, faults = fill(works, folder, config, room="rows")
        rows = {name: Compared(**result) for name, result in results.items()}
        means = _means(rows.values())
        records = {name: row.record for name, row in rows.items()}
        result = {"folder": str(folder), "means": means, "rows": records}
        lines = [{"row": name, **fields} for name, fields in records.items()]
        files.write_text(folder / "comparison.csv", comma_separated(lines))
        versions = ", ".join(map(" ".join, environment()["versions"].items()))
        said = answer(
            folder,
            "Ours beside OpenSpiel",
            [
                NOTE.format(repeats=config.repeats),
                *_remarks(means, rows),
                f"linear programs of OpenSpiel by {config.lp}; {versions}",
            ],
            [_columns(name, row) for name, row in rows.items()],
            said=[_outcome(means)],
            faults=faults,
            comparison=result,
        )
        return replace(said, summary=result, text=f"{said.text}\n-> {folder}")


def measured(name: str, config: Config) -> dict[str, Any]:
    """A row that is run now, as JSON has it."""
    _warm_up(replace(config, repeats=1, simulations=1))
    row = ROWS[name]
    few = max(row.iterations // 3, 1)
    row = replace(row, iterations=few) if config.quick else row
    return compare(row, config).record


@cache
def _warm_up(config: Config) -> None:
    """Imports, first calls of BLAS and of the solvers: nobody's time."""
    for name in ("kuhn", "kuhn_3p_ce", "psro_kuhn_nash"):
        compare(replace(ROWS[name], iterations=2), config)


def compare(row: Comparison, config: Config) -> Compared:
    """One row: both sides, timed and judged."""
    from experiments.speed.openspiel_loops import judged, play
    from metaspiel.games.openspiel import load, sequence_form

    own, ours = repeated(lambda: ours_alone(row, config), config.repeats, LONG)
    unbuilt = own - ours.ours_build_seconds
    ours = replace(ours, ours_seconds=own, ours_seconds_without_build=unbuilt)
    form, game = sequence_form(row.game), load(row.game)
    run = partial(
        play, row, game, config.lp, config.seed, simulations=config.simulations
    )
    with warnings.catch_warnings(record=True, action="default") as caught:
        try:
            seconds, played = repeated(run, config.repeats, LONG)
        except Exception as error:  # noqa: BLE001  OpenSpiel's failure is a result
            failed = f"{type(error).__name__}: {error}".split("\n")[0]
            return replace(ours, theirs_failed=failed)
    numbers = judged(row, form, game, played)
    return replace(
        ours,
        theirs_warnings=sorted({str(w.message)[:120] for w in caught}),
        theirs_seconds=seconds,
        ratio=seconds / own,
        ratio_without_build=seconds / unbuilt,
        theirs_gap=numbers["gap"],
        theirs_value_sum=numbers["value_sum"],
        theirs_eval_gap=numbers.get("eval_gap"),
        theirs_eval_value_sum=numbers.get("eval_value_sum"),
    )


def ours_alone(row: Comparison, config: Config) -> Compared:
    """Our loop, game, solvers and all; OpenSpiel's side is still open."""
    from metaspiel.games.openspiel import sequence_form
    from psro import ExactEvaluator, ExactOracle, Setup, start
    from psro import run as iterate

    build, form = timed(lambda: sequence_form(row.game))
    setup = Setup(
        oracle=ExactOracle(form),
        evaluator=ExactEvaluator(form),
        solver=get(row.ours),
        concept=row.concept,
        seed=config.seed,
        evaluation=get(row.evaluation) if row.evaluation else None,
    )
    first = start(setup)
    states = [first, *iterate(setup, first, row.rounds)]
    last, evaluated = states[-1], row.evaluation is not None
    evaluation = float(last.evaluation.values.sum())
    return Compared(
        game=row.game,
        concept=row.concept,
        solvers=f"{row.ours} / {row.theirs}",
        loop="jpsro" if evaluated else "psro_v2",
        rounds=row.rounds,
        ours_build_seconds=build,
        ours_seconds_per_stage=dict(last.cpu),
        ours_statuses=sorted(
            {x.status.name for s in states for x in (s.train, s.evaluation)}
        ),
        ours_gap=last.gap(row.concept),
        ours_value_sum=float(last.train.values.sum()),
        ours_eval_gap=last.evaluation_gap if evaluated else None,
        ours_eval_value_sum=evaluation if evaluated else None,
    )


NOTE = (
    "CPU seconds a round (median of up to {repeats} runs), ours and OpenSpiel's; their "
    "ratio, counting the building of our sequence form and not (unbuilt); final "
    "full-game gap and value sum of both sides, by our exact best responses, for the "
    "solver that is responded to and the one only measured (eval); 0 is below 1e-12"
)


def _columns(name: str, row: Compared) -> dict[str, float | str | None]:
    """A row of the table."""
    theirs = None if row.theirs_seconds is None else row.theirs_seconds / row.rounds
    numbers = {
        "s/round": row.ours_seconds / row.rounds,
        "OpenSpiel s/round": theirs,
        "ratio": row.ratio,
        "unbuilt": row.ratio_without_build,
        "gap": row.ours_gap,
        "OpenSpiel gap": row.theirs_gap,
        "value sum": row.ours_value_sum,
        "OpenSpiel sum": row.theirs_value_sum,
        "eval gap": row.ours_eval_gap,
        "OpenSpiel eval gap": row.theirs_eval_gap,
        "eval sum": row.ours_eval_value_sum,
        "OpenSpiel eval sum": row.theirs_eval_value_sum,
    }
    clean = {k: v if v is None or abs(v) >= 1e-12 else 0.0 for k, v in numbers.items()}
    return {"row": name, "rounds": row.rounds, **clean}


def _means(rows: Iterable[Compared]) -> dict[str, float]:
    """Geometric means of the ratios, for each of OpenSpiel's loops."""
    ratios: dict[str, list[float]] = {}
    for row in sorted(rows, key=lambda row: row.loop):
        if row.ratio is not None and row.ratio_without_build is not None:
            ratios.setdefault(f"{row.loop}_ratio", []).append(row.ratio)
            ratios.setdefault(f"{row.loop}_ratio_without_build", []).append(
                row.ratio_without_build
            )
    return {name: statistics.geometric_mean(values) for name, values in ratios.items()}


def _outcome(means: Mapping[str, float]) -> str:
    """How much longer OpenSpiel takes, by its loops."""
    each = [
        f"{name.removesuffix('_ratio')} {ratio:.3g}"
        for name, ratio in means.items()
        if name.endswith("_ratio")
    ]
    took = ", ".join(each) or "nothing was timed on both sides"
    return f"OpenSpiel's time over ours, geometric means by its loops: {took}."


def _remarks(means: Mapping[str, float], rows: Mapping[str, Compared]) -> list[str]:
    """Means, failures and answers that were not exact."""
    remarks = []
    for key, value in means.items():
        what = key.replace("_ratio", "").replace("_without_build", " without build")
        remarks.append(f"geometric mean, {what}: {value:.3g}x")
    for name, row in rows.items():
        if row.theirs_failed is not None:
            remarks.append(f"{name}: OpenSpiel failed: {row.theirs_failed}")
        if row.ours_statuses != ["OK"]:
            remarks.append(f"{name}: ours also said {', '.join(row.ours_statuses)}")
    return remarks


if __name__ == "__main__":
    sys.exit(main(page, Config))
