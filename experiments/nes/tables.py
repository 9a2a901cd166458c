"""Tables 1 and 2 of the Neural Equilibrium Solver's paper, next to ours.

Example: metaspiel nes_tables --quick

Games are two-player, L2-invariant (mean 0, variance 1), and the solution is the
maximum-entropy CCE. CCE gap: sum over players of the largest gain. Solver gap: half the
absolute difference to the exact joint. Published values are those of Marris et al.,
"Turbocharging Solution Concepts", NeurIPS 2022; a network of theirs was trained for
each size (Table 1) or at 8x8 alone (Table 2), while ours is one file of weights.

ECOS solves the same games in two formulations: the approximation fixed at 0, and as a
variable with a penalty (rho 100) and an explicit bound that never binds.

Writes cells.json, table.md and report.html, and a file a cell that --resume does not
run again.
"""

import sys
import time
import warnings
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.folder import claim, piece, record
from experiments.lab.options import Flat, Resumable
from experiments.lab.page import Answer, main
from experiments.lab.report import Table
from experiments.nes import measures as _nes
from metaspiel import files
from metaspiel.nfg.errors import UserError

SIZES = (4, 8, 16, 32, 64)
FORMS = ("hard", "penalty")
RHO = 100.0
# Marris et al. 2022, Table 1: CCE gap and solver gap of uniform and of NES,
# ECOS's share of success; Table 2: the gaps of the network trained at 8x8.
COLUMNS = (
    *("gap uniform", "gap nes", "solver_gap uniform", "solver_gap nes"),
    *("ecos", "gap 8x8", "solver_gap 8x8"),
)
PUBLISHED: dict[int, dict[str, float | None]] = {
    n: dict(zip(COLUMNS, values, strict=True))
    for n, values in {
        4: (1.1006, 0.0274, 0.3552, 0.0120, 1.00, 4.4445, 0.1500),
        8: (1.0043, 0.0163, 0.2513, 0.0054, 0.99, 0.0163, 0.0054),
        16: (0.8861, 0.0173, 0.2014, 0.0034, 0.98, 0.0, 0.1089),
        32: (0.7376, 0.0215, None, None, 0.0, 0.0, None),
        64: (0.5864, 0.0288, None, None, 0.0, 0.0, None),
    }.items()
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the tables."""

    sizes: tuple[int, ...] = SIZES
    """Actions of each player."""
    games: int = 128
    """Games of each size."""
    ecos_games: int = 10
    """Games a size for ECOS: the first of them."""
    seconds: float = 300.0
    """ECOS starts no further game of a cell after so many seconds."""
    network: Path | None = None
    """File of weights (default: the shipped ones)."""
    seed: int = 0
    """Seed of the games."""
    quick: bool = False
    """Sixteen games a size, two of them for ECOS, and no size above 16."""
    run: Flat[Resumable] = Resumable()


def check(config: Config) -> None:
    """Refuses impossible values before anything runs."""
    _nes.check(config.network, config.games, config.seed)
    if not config.sizes or min(config.sizes) < 2:
        raise UserError(
            f"--sizes must be numbers of actions of at least 2; got {config.sizes}"
        )
    if config.ecos_games < 0:
        raise UserError(f"--ecos-games must be at least 0; got {config.ecos_games}")
    if not config.seconds > 0:
        raise UserError(f"--seconds must be positive; got {config.seconds}")


def run(config: Config) -> list[dict[str, Any]]:
    """Runs what is missing; returns one row a size."""
    check(config)
    with claim(config.run, "nes_tables") as folder:
        record(folder, config)
        (folder / "cells").mkdir(exist_ok=True)
        count = 16 if config.quick else config.games
        most = min(config.ecos_games, 2 if config.quick else count)
        rows, cells = [], {}
        for n in dict.fromkeys(config.sizes):
            if config.quick and n > 16:
                continue
            games = _nes.draw("l2_invariant", (n, n), count, config.seed)
            cell = piece(
                folder / "cells" / f"{n}.json",
                config,
                lambda games=games: _nes.measure(games, "cce", config.network),
            )
            cells[str(n)] = cell
            ecos = {}
            for form in FORMS if find_spec("ecos") is not None and most else ():
                place = folder / "cells" / f"{n}-ecos-{form}.json"
                some = games[:most]
                ecos[form] = piece(
                    place,
                    config,
                    lambda some=some, form=form: ecos_cell(some, form, config.seconds),
                )
                cells[f"{n} {form}"] = ecos[form]
            rows.append(row(n, cell, ecos))
            if not config.run.silent:
                print("\n".join(verdict(rows[-1])), flush=True)
        files.write_json(folder / "cells.json", cells)
        _write(folder, rows, config.network)
        return rows


def ecos_cell(payoffs: ndarray, form: str, seconds: float) -> dict[str, Any]:
    """ECOS on each game: statuses, CPU seconds, distance to the exact joint."""
    import torch

    from meta_solvers.exact.batch import equilibria
    from meta_solvers.exact.build import build
    from meta_solvers.exact.dual import Dual

    import_module("cvxpy")  # which takes longer than a small game
    cell: dict[str, Any] = {"status": [], "seconds": [], "apart": []}
    begun = time.monotonic()
    for game in payoffs:
        if cell["status"] and time.monotonic() - begun > seconds:
            break
        deviations = Dual(build(game[None])[0]).deviations()[0]
        before = time.process_time()
        status, joint = ecos(deviations, game.shape[1:], form)
        cell["seconds"].append(time.process_time() - before)
        cell["status"].append(status)
        far = None
        if status == "optimal" and joint is not None:
            exact = np.asarray(equilibria(torch.from_numpy(game[None])).joint)
            far = float(_nes.apart(np.reshape(joint, exact.shape), exact)[0])
        cell["apart"].append(far)
    cell["asked"] = len(payoffs)
    return cell


def ecos(
    deviations: ndarray, actions: tuple[int, ...], form: str
) -> tuple[str, ndarray | None]:
    """One game through cvxpy: status and joint.

    Hard: maximise the entropy where no deviation gains. Penalty: every deviation of p
    gains at most ``eps_p <= eps+``, which costs ``rho x ln(x / (e eps+))`` with
    ``x = eps+ - eps_p`` and ``eps+ = sqrt(prod A)``, as in the paper's equation 6.
    """
    cp: Any = import_module("cvxpy")

    count = deviations.shape[1]
    joint = cp.Variable(count)
    constraints = [cp.sum(joint) == 1]
    if form == "hard":
        objective = cp.sum(cp.entr(joint))
        constraints += [deviations @ joint <= 0]
    else:
        upper, epsilon = count**0.5, cp.Variable(len(actions))
        rows = np.split(deviations, np.cumsum(actions)[:-1])
        constraints += [joint >= 0, epsilon <= upper]
        constraints += [part @ joint <= epsilon[p] for p, part in enumerate(rows)]
        objective = -cp.sum(cp.rel_entr(joint, np.full(count, 1 / count)))
        objective -= RHO * cp.sum(cp.rel_entr(upper - epsilon, np.e * upper))
    problem = cp.Problem(cp.Maximize(objective), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "may be inaccurate": the status says it
        try:
            problem.solve(solver=cp.ECOS)
        except cp.error.SolverError:
            return "error", None
    return str(problem.status), joint.value


def row(n: int, cell: dict[str, Any], ecos: dict[str, Any]) -> dict[str, Any]:
    """One size: means and standard errors, successes, and what was published."""
    line: dict[str, Any] = {"n": n, "games": len(cell["exact"]["status"])}
    for name in ("uniform", "nes", "refined"):
        for what in ("gap", "solver_gap"):
            line[f"{what} {name}"] = _nes.summary(cell[name][what])
    line["published"] = PUBLISHED.get(n, {})
    line["exact"] = {
        "success": cell["exact"]["status"].count(0) / line["games"],
        "gap": _nes.summary(cell["exact"]["gap"])["worst"],
        "seconds": _nes.summary(cell["exact"]["seconds"])["mean"],
    }
    for form in FORMS:
        done = ecos.get(form)
        line[f"ecos {form}"] = done and {
            "games": len(done["status"]),
            "asked": done["asked"],
            "success": done["status"].count("optimal") / len(done["status"]),
            "seconds": _nes.summary(done["seconds"])["mean"],
            "apart": _nes.summary(done["apart"])["worst"],
        }
    return line


def verdict(row: dict[str, Any]) -> list[str]:
    """Whether our network is at or below the published one: a line for each table."""
    lines = []
    for title, theirs in (("Table 1", "nes"), ("Table 2", "8x8")):
        parts = []
        for what, label in (("gap", "CCE gap"), ("solver_gap", "solver gap")):
            value = row["published"].get(f"{what} {theirs}")
            ours = row[f"{what} nes"]["mean"]
            if value is None or ours is None:
                continue
            # Compared in the four decimals that were published.
            word = "at or below" if round(ours, 4) <= value else "ABOVE"
            parts.append(f"{label} {_nes.number(ours)} is {word} {value:.4f}")
        text = "; ".join(parts) or "nothing was published"
        lines.append(f"{title}, n = {row['n']}: {text}.")
    return lines


def estimate(cell: dict[str, float | None]) -> str:
    """Mean and standard error as text."""
    text = _nes.number(cell["mean"])
    return text if cell["error"] is None else f"{text} ± {_nes.number(cell['error'])}"


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """Gaps and successes of Table 1, then Table 2."""

    def published(row: dict[str, Any], key: str) -> str:
        return _nes.number(row["published"].get(key))

    result: list[Table] = []
    for what, label in (("gap", "CCE gap"), ("solver_gap", "Solver gap")):
        columns = ["n", "uniform: published", "uniform: ours", "NES: published"]
        columns += ["NES: ours", f"ours and {_nes.REFINED} Newton steps"]
        cells = [
            [
                row["n"],
                published(row, f"{what} uniform"),
                estimate(row[f"{what} uniform"]),
                published(row, f"{what} nes"),
                estimate(row[f"{what} nes"]),
                estimate(row[f"{what} refined"]),
            ]
            for row in rows
        ]
        result.append(Table(f"Table 1: {label}, mean ± standard error", columns, cells))
    columns = ["n", "ECOS: published", "ECOS, hard", "ECOS, penalty", "exact solver"]
    columns += ["ECOS hard: s/game", "penalty: s/game", "exact: s/game"]
    columns += ["ECOS hard to exact (worst)", "exact: largest CCE gap"]
    result.append(
        Table("Table 1: share of games solved", columns, [_solved(r) for r in rows])
    )
    columns = ["n", "CCE gap: published", "ours", "solver gap: published", "ours"]
    zero_shot = [
        [
            row["n"],
            published(row, "gap 8x8"),
            estimate(row["gap nes"]),
            published(row, "solver_gap 8x8"),
            estimate(row["solver_gap nes"]),
        ]
        for row in rows
    ]
    caption = "Table 2: trained at 8x8 (published) or on what our weights were"
    return [*result, Table(caption, columns, zero_shot)]


def _solved(row: dict[str, Any]) -> list[Any]:
    missing = "not run" if find_spec("ecos") is not None else "not installed"
    ecos = [row["ecos hard"], row["ecos penalty"]]
    shares = [
        f"{100 * e['success']:.0f} % of {e['games']}"
        + (f" ({e['asked']} asked)" if e["games"] < e["asked"] else "")
        if e
        else missing
        for e in ecos
    ]
    published = row["published"].get("ecos")
    exact = row["exact"]
    times = [f"{e['seconds']:.3g}" if e else "-" for e in ecos]
    return [
        row["n"],
        "-" if published is None else f"{100 * published:.0f} %",
        *shares,
        f"{100 * exact['success']:.1f} % of {row['games']}",
        *times,
        f"{exact['seconds']:.2g}",
        _nes.number(ecos[0]["apart"]) if ecos[0] else "-",
        _nes.number(exact["gap"]),
    ]


def _write(folder: Path, rows: list[dict[str, Any]], network: Path | None) -> None:
    lines = [line for row in rows for line in verdict(row)]
    lead = [
        "Maximum-entropy CCE of two-player L2-invariant games. Published: Marris et "
        "al., NeurIPS 2022. The solver gap is the total variation to the exact joint. "
        "Seconds are CPU seconds. The penalty formulation allows a gap by design; its "
        "success is ECOS's status 'optimal' and nothing else. A published gap of 0 in "
        "Table 2 is a joint inside the polytope, away from the solution. Weights: "
        f"{network or 'the shipped ones'}."
    ]
    title = "Tables 1 and 2 of the Neural Equilibrium Solver"
    _nes.publish(folder, title, lead, tables(rows), lines)
    files.write_json(folder / "rows.json", rows)


def page(config: Config) -> Answer:
    """Runs and prints the tables."""
    rows = run(config)
    return Answer(summary=rows, text="\n" + _nes.markdown(tables(rows)).rstrip("\n"))


if __name__ == "__main__":
    sys.exit(main(page, Config))
