"""Our loops beside OpenSpiel's own jpsro and psro_v2: CPU time and what comes out.

Example: metaspiel speed_openspiel --quick

Both sides make the same number of iterations in one process with one thread, after a
warm-up. OpenSpiel runs as it is, but for its linear programs, which go to --lp, because
cvxpy no longer brings ECOS along. Everything that ours does is counted, building the
game's sequence form included. Both final meta-strategies are judged by our exact best
responses. The pools differ (ties are broken differently, and psro_v2 samples payoffs),
so a ratio is an order of magnitude.

Writes comparison.md, .csv and .json, and a file a row that --resume does not run again.
"""

import csv
import io
import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from experiments.lab.folder import claim, read_result, record, write_result
from experiments.lab.options import Flat, Resumable
from experiments.lab.page import Answer, main
from experiments.lab.process import environment
from experiments.speed import openspiel_loops as _theirs
from experiments.speed.comparisons import ROWS, Row
from metaspiel import files
from metaspiel.nfg.errors import UserError, unknown

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


def run(config: Config) -> dict[str, Any]:
    """Runs what is missing; returns the result that is also written."""
    for name in config.rows:
        if name not in ROWS:
            raise unknown("--rows", "row", name, ROWS)
    for name, low in (("repeats", 1), ("simulations", 1), ("seed", 0)):
        if (value := getattr(config, name)) < low:
            raise UserError(f"--{name} must be at least {low}; got {value}")
    with claim(config.run, "compare-openspiel") as folder:
        record(folder, config)
        (folder / "rows").mkdir(exist_ok=True)
        rows, warm = {}, False
        for name in config.rows or ROWS:
            place = folder / "rows" / f"{name}.json"
            if not place.exists():
                if not warm:
                    _warm_up(config)
                    warm = True
                write_result(place, compare(_sized(name, config), config), config)
            rows[name] = read_result(place, config)
            if not config.run.silent:
                print(_line(name, rows[name]), flush=True)
        result = {"folder": str(folder), "means": _means(rows), "rows": rows}
        files.write_json(folder / "comparison.json", result)
        files.write_text(folder / "comparison.csv", _csv(rows))
        files.write_text(folder / "comparison.md", _markdown(result, config))
        return result


def _sized(name: str, config: Config) -> Row:
    row = ROWS[name]
    return replace(row, iterations=max(row.iterations // 3, 1)) if config.quick else row


def _warm_up(config: Config) -> None:
    """Imports, first calls of BLAS and of the solvers: nobody's time."""
    once = replace(config, repeats=1, simulations=1)
    for name in ("kuhn", "kuhn_3p_ce", "psro_kuhn_nash"):
        compare(replace(ROWS[name], iterations=2), once)


def compare(row: Row, config: Config) -> dict[str, Any]:
    """One row: both sides, timed and judged."""
    from metaspiel.games.openspiel import load, sequence_form

    result: dict[str, Any] = {
        "game": row.game,
        "concept": row.concept,
        "solvers": f"{row.ours} / {row.theirs}",
        "loop": "psro_v2" if row.evaluation is None else "jpsro",
        "rounds": row.rounds,
    }
    seconds, ours = _timed(lambda: run_ours(row, config), config.repeats)
    result |= {"ours_seconds": seconds, **ours}
    result["ours_seconds_without_build"] = seconds - ours["ours_build_seconds"]
    form, game = sequence_form(row.game), load(row.game)
    with warnings.catch_warnings(record=True, action="default") as caught:
        try:
            seconds, played = _timed(
                lambda: run_theirs(row, game, config), config.repeats
            )
        except Exception as error:  # noqa: BLE001  OpenSpiel's failure is a result
            result["theirs_failed"] = f"{type(error).__name__}: {error}".split("\n")[0]
            return result
    result["theirs_warnings"] = sorted({str(w.message)[:120] for w in caught})
    result["theirs_seconds"] = seconds
    result["ratio"] = seconds / result["ours_seconds"]
    result["ratio_without_build"] = seconds / result["ours_seconds_without_build"]
    for name, (policies, joint) in played.items():
        gap, value = _theirs.judge(row.concept, form, game, policies, joint)
        result[f"theirs_{name}gap"], result[f"theirs_{name}value_sum"] = gap, value
    return result


def _timed(side: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median CPU seconds of several runs, and the last one's result."""
    spent: list[float] = []
    while len(spent) < repeats and sum(spent) < LONG:
        begin = time.process_time()
        result = side()
        spent.append(time.process_time() - begin)
    return float(np.median(spent)), result


def run_ours(row: Row, config: Config) -> dict[str, Any]:
    """Our loop; game, solvers and all."""
    from meta_solvers import get
    from metaspiel.games.openspiel import sequence_form
    from psro.exact import ExactEvaluator, ExactOracle
    from psro.loop import run as iterate
    from psro.loop import start
    from psro.setup import Setup

    begin = time.process_time()
    form = sequence_form(row.game)
    build = time.process_time() - begin
    setup = Setup(
        oracle=ExactOracle(form),
        evaluator=ExactEvaluator(form),
        solver=get(row.ours),
        concept=row.concept,
        seed=config.seed,
        evaluation=get(row.evaluation) if row.evaluation else None,
    )
    states = [start(setup)]
    states += iterate(setup, states[0], row.rounds)
    last = states[-1]
    statuses = {x.status.name for s in states for x in (s.train, s.evaluation)}
    measured = {
        "ours_build_seconds": build,
        "ours_seconds_per_stage": dict(last.cpu),
        "ours_statuses": sorted(statuses),
        "ours_gap": last.gap(row.concept),
        "ours_value_sum": float(last.train.values.sum()),
    }
    if row.evaluation:
        measured["ours_eval_gap"] = last.evaluation_gap
        measured["ours_eval_value_sum"] = float(last.evaluation.values.sum())
    return measured


def run_theirs(row: Row, game: Any, config: Config) -> _theirs.Played:
    """OpenSpiel's loop; the game is loaded already."""
    common = (game, row.iterations, config.lp, config.seed)
    if row.evaluation is None:
        return _theirs.run_psro_v2(*common, row.theirs, config.simulations)
    return _theirs.run_jpsro(*common, row.concept, row.theirs, row.evaluation)


def _means(rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Geometric means of the ratios, for each of OpenSpiel's loops."""
    means = {}
    for loop in ("jpsro", "psro_v2"):
        for key in ("ratio", "ratio_without_build"):
            values = [r[key] for r in rows.values() if r["loop"] == loop and key in r]
            if values:
                means[f"{loop}_{key}"] = float(np.exp(np.mean(np.log(values))))
    return means


SIDES = ("ours", "theirs")
COLUMNS = (
    "row", "rounds", "s/round", "OpenSpiel", "ratio", "unbuilt", "gap", "OpenSpiel",
    "value sum", "OpenSpiel", "eval gap", "OpenSpiel", "eval sum", "OpenSpiel",
)  # fmt: skip
NOTE = (
    "CPU seconds a round (median of up to {repeats} runs), ours and OpenSpiel's; their "
    "ratio, counting the building of our sequence form and not (unbuilt); final "
    "full-game gap and value sum of both sides, by our exact best responses, for the "
    "solver that is responded to and the one only measured (eval). 0 is below 1e-12."
)


def _cells(name: str, row: dict[str, Any]) -> list[str]:
    """A row of the table as text."""

    def show(value: float | None, digits: int = 3) -> str:
        if value is None or math.isnan(value):
            return "-"
        return f"{0.0 if abs(value) < 1e-12 else value:.{digits}g}"

    rounds = row["rounds"]
    spent = [row.get(f"{side}_seconds", math.nan) / rounds for side in SIDES]
    cells = [name, str(rounds), *map(show, spent)]
    cells += [show(row.get(key)) for key in ("ratio", "ratio_without_build")]
    for key in ("gap", "value_sum", "eval_gap", "eval_value_sum"):
        digits = 5 if key.endswith("sum") else 3
        cells += [show(row.get(f"{side}_{key}"), digits) for side in SIDES]
    return cells


def _line(name: str, row: dict[str, Any]) -> str:
    if "theirs_failed" in row:
        return f"{name}: OpenSpiel failed: {row['theirs_failed']}"
    return (
        f"{name}: {row['ratio']:.3g}x  gap {row['ours_gap']:.3g} "
        f"(OpenSpiel {row['theirs_gap']:.3g})"
    )


def _csv(rows: dict[str, dict[str, Any]]) -> str:
    keys = list(dict.fromkeys(k for row in rows.values() for k in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *keys])
    for name, row in rows.items():
        writer.writerow([name, *(row.get(key, "") for key in keys)])
    return text.getvalue()


def _markdown(result: dict[str, Any], config: Config) -> str:
    from experiments.lab import report

    lines = ["# Ours beside OpenSpiel", "", NOTE.format(repeats=config.repeats), ""]
    cells = [_cells(name, row) for name, row in result["rows"].items()]
    lines += [report.markdown(COLUMNS, cells)]
    lines += [*(f"- {text}" for text in _remarks(result)), ""]
    versions = ", ".join(map(" ".join, environment()["versions"].items()))
    lines += [f"Linear programs of OpenSpiel by {config.lp}; {versions}.", ""]
    return "\n".join(lines)


def _remarks(result: dict[str, Any]) -> list[str]:
    """Means, failures and answers that were not exact."""
    remarks = []
    for key, value in result["means"].items():
        loop, _, what = key.partition("_ratio")
        remarks.append(f"geometric mean, {loop}{what.replace('_', ' ')}: {value:.3g}x")
    for name, row in result["rows"].items():
        if "theirs_failed" in row:
            remarks.append(f"{name}: OpenSpiel failed: {row['theirs_failed']}")
        if row["ours_statuses"] != ["OK"]:
            remarks.append(f"{name}: ours also said {', '.join(row['ours_statuses'])}")
    return remarks


def page(config: Config) -> Answer:
    """Runs and shows the table."""
    from rich.console import Console
    from rich.table import Table

    result = run(config)
    table = Table(*COLUMNS)
    for name, row in result["rows"].items():
        table.add_row(*_cells(name, row))
    console = Console(width=None if sys.stdout.isatty() else 200)
    with console.capture() as drawn:
        console.print(table)
    lines = [drawn.get().rstrip("\n"), *_remarks(result), f"-> {result['folder']}"]
    return Answer(summary=result, text="\n".join(lines))


if __name__ == "__main__":
    sys.exit(main(page, Config))
