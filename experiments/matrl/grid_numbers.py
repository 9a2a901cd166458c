"""Numbers of the grid-world page: runs, methods, pairs of methods, and claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from experiments.lab.statistics import holm, sign_flips, t_interval, t_test

Row = dict[str, Any]

LEVEL = 0.95
_POINTS = 50  # of a curve at most; iterations beyond are averaged in blocks
MEETS = 0.05  # mean rho from which the meta-game is said to hold steps back


def blocks(values: Sequence[float]) -> tuple[Float64[ndarray, " P"], ...]:
    """Means of blocks of iterations, and the last iteration of each block."""
    size = max(1, -(-len(values) // _POINTS))
    starts = range(0, len(values), size)
    means = [float(np.mean(values[at : at + size])) for at in starts]
    ends = [min(at + size, len(values)) for at in starts]
    return np.array(ends, dtype=float), np.array(means)


def of_run(rows: Sequence[Row], last: int) -> Row:
    """What one run came to.

    Args:
      rows: of its iterations, at least one.
      last: iterations at the end that make up its final return.
    """
    end = rows[-last:]
    returns = [row["returns"] for row in rows]
    ends, means = blocks(returns)
    batch = rows[0]["env_steps"]
    run: Row = {
        "final": float(np.mean([row["returns"] for row in end])),
        "final_own": np.mean([row["returns_own"] for row in end], 0).tolist(),
        "length": float(np.mean([row["length"] for row in end])),
        "average": float(np.mean(returns)),
        "best": float(np.max(means)),
        "cpu_seconds": sum(sum(row["seconds"].values()) for row in rows),
        "curve": {"steps": (ends * batch).tolist(), "returns": means.tolist()},
    }
    if "rho" in rows[0]:
        rho = np.array([row["rho"] for row in rows], dtype=float)
        inside = ((rho > 0) & (rho < 1)).any(1)
        run |= {
            "rho": float(rho.mean()),
            "rho_inside": float(inside.mean()),
            "rho_any": float((rho > 0).any(1).mean()),
            "rho_curve": blocks(rho.mean(1).tolist())[1].tolist(),
        }
    if "equilibria" in rows[0]:
        count = [row["equilibria"] for row in rows]
        run |= {
            "equilibria": float(np.mean(count)),
            "several": float(np.mean(np.array(count) > 1)),
            "meta_regret": float(max(row["meta_regret"] for row in rows)),
            "approximate": sum(row["meta_status"] != "OK" for row in rows),
        }
    return run


def of_method(name: str, runs: Mapping[int, Row], failed: int) -> Row:
    """A line of a task's table, from its finished runs by seed."""
    line: Row = {"method": name, "n": len(runs), "failed": failed}
    every = [runs[seed] for seed in sorted(runs)]
    line["finals"] = {str(seed): runs[seed]["final"] for seed in sorted(runs)}
    if not every:
        return line
    finals = [run["final"] for run in every]
    low, high = t_interval(finals)
    line |= {"final": float(np.mean(finals)), "low": low, "high": high}
    line["own"] = np.mean([run["final_own"] for run in every], 0).tolist()
    keys = ("length", "average", "best", "cpu_seconds", "rho", "rho_inside", "rho_any")
    for key in (*keys, "equilibria", "several"):
        if key in every[0]:
            line[key] = float(np.mean([run[key] for run in every]))
    if "meta_regret" in every[0]:
        line["meta_regret"] = max(run["meta_regret"] for run in every)
        line["approximate"] = sum(run["approximate"] for run in every)
    curves = np.array([run["curve"]["returns"] for run in every])
    bounds = [t_interval(column) for column in curves.T.tolist()]
    line["curve"] = {
        "steps": every[0]["curve"]["steps"],
        "mean": curves.mean(0).tolist(),
        "low": [bound[0] for bound in bounds],
        "high": [bound[1] for bound in bounds],
    }
    if "rho" in every[0]:
        line["rho_curve"] = np.mean([run["rho_curve"] for run in every], 0).tolist()
    return line


def pair(first: Row, second: Row) -> Row:
    """What the first method has more than the second at the end, seed by seed."""
    seeds = [seed for seed in first["finals"] if seed in second["finals"]]
    more = [first["finals"][seed] - second["finals"][seed] for seed in seeds]
    low, high = t_interval(more)
    apart = None
    if low is not None and None not in (first["low"], second["low"]):
        apart = first["low"] > second["high"] or second["low"] > first["high"]
    return {
        "first": first["method"],
        "second": second["method"],
        "n": len(seeds),
        "same": sum(value == 0 for value in more),
        "difference": float(np.mean(more)) if more else None,
        "low": low,
        "high": high,
        "p": t_test(more),
        "p_sign": sign_flips([-value for value in more], 0).p,
        "apart": apart,
    }


def pairs(tasks: Sequence[Row]) -> list[Row]:
    """MATRL against every other method on every task; Holm's correction over all."""
    rows = []
    for task in tasks:
        methods = {row["method"]: row for row in task["methods"]}
        if "matrl" in methods:
            rows += [
                {"task": task["task"], **pair(methods["matrl"], other)}
                for name, other in methods.items()
                if name != "matrl"
            ]
    corrected = holm([[row["p"] for row in rows]])[0]
    return [row | {"p_holm": p} for row, p in zip(rows, corrected, strict=True)]


def claims(tasks: Sequence[Row], compared: Sequence[Row]) -> list[Row]:
    """Which of the paper's claims these runs bear out, by the rules in each row."""
    judged = [_better(row) for row in compared]
    for task in tasks:
        methods = {row["method"]: row for row in task["methods"] if row["n"]}
        for name, value in task["published"]:
            if name in methods:
                judged.append(_published(task, methods[name], value))
        if "il" in methods and "il-six-rows" in methods:
            judged.append(_six(task, methods["il"], methods["il-six-rows"]))
        if "matrl" in methods:
            judged.append(_gate(task, methods["matrl"]))
    return judged


def _between(row: Row) -> str:
    if row["low"] is None:
        return "no interval from one run"
    return f"[{row['low']:.2f}, {row['high']:.2f}]"


def _better(row: Row) -> Row:
    claim = f"matrl ends above {row['second']}"
    verdict = "not decided: fewer than two pairs of runs"
    if row["low"] is not None:
        verdict = "no difference shown"
        if row["low"] > 0:
            verdict = "holds before correction only"
            if row["p_holm"] < 1 - LEVEL:
                verdict = "holds"
        elif row["high"] < 0:
            verdict = "the opposite, before correction only"
            if row["p_holm"] < 1 - LEVEL:
                verdict = "the opposite holds"
    facts = "no pairs"
    if row["difference"] is not None:
        facts = f"difference {row['difference']:+.2f} {_between(row)}, n = {row['n']}"
    if row["same"]:
        facts += f", {row['same']} of them the same number"
    if row["p"] is not None:
        facts += f", p {row['p']:.2g}, corrected {row['p_holm']:.2g}"
        facts += f"; intervals of the two {'apart' if row['apart'] else 'overlap'}"
    return {"task": row["task"], "claim": claim, "verdict": verdict, "facts": facts}


def _published(task: Row, row: Row, value: float) -> Row:
    """Whether the figure's final return lies in our interval."""
    low, high = row["low"], row["high"]
    if low is None:
        verdict = "not decided: one run"
    elif low <= value <= high:
        verdict = "reproduced"
    else:
        verdict = f"not reproduced: ours is {'higher' if low > value else 'lower'}"
    return {
        "task": task["task"],
        "claim": f"{row['method']} ends at {value:g}, as the figure shows",
        "verdict": verdict,
        "facts": f"ours {row['final']:.2f} {_between(row)}, n = {row['n']}",
    }


def _six(task: Row, whole: Row, six: Row) -> Row:
    """Whether updates on six samples explain a low independent learner."""
    compared = pair(whole, six)
    verdict = "not decided: fewer than two pairs of runs"
    if compared["low"] is not None:
        verdict = "holds" if compared["low"] > 0 else "no difference shown"
    return {
        "task": task["task"],
        "claim": "il is held down by updates that see six samples (not of the paper)",
        "verdict": verdict,
        "facts": f"six samples {six['final']:.2f} {_between(six)}, all of them "
        f"{whole['final']:.2f} {_between(whole)}",
    }


def _gate(task: Row, row: Row) -> Row:
    """Whether the meta-game keeps anything of the trial step back."""
    verdict = "holds" if row["rho"] >= MEETS else "it lets nearly every step pass"
    return {
        "task": task["task"],
        "claim": f"the meta-game holds steps back (mean rho at least {MEETS:g})",
        "verdict": verdict,
        "facts": f"mean rho {row['rho']:.3f}; above 0 for some agent in "
        f"{100 * row['rho_any']:.1f} % of iterations, inside (0, 1) in "
        f"{100 * row['rho_inside']:.1f} %; {row['equilibria']:.2f} equilibria found on "
        f"average, several in {100 * row['several']:.1f} %",
    }
