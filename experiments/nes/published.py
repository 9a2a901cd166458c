"""Our network beside the published ones: measured, claimed and in tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy import ndarray

from experiments.lab import verdict
from experiments.lab.folder import claim, record
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, percent, publish
from experiments.lab.statistics import t_interval
from experiments.lab.verdict import Claim, Verdict
from experiments.nes.numbers import Spread, compared, draw, filled, number, spreads
from experiments.nes.tables_config import Config, check
from meta_solvers.exact.conic import Tried, in_turn
from meta_solvers.nes.measure import REFINED, Comparison
from metaspiel import files

ROUNDING = 5e-5  # of what was published
FORMS = {"hard": math.inf, "penalty": 100.0}  # of ECOS, by rho
LABELS = {"gap": "CCE gap", "solver_gap": "Solver gap"}
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
RAN = (
    "Maximum-entropy CCE of two-player L2-invariant games. Published: Marris et al., "
    "NeurIPS 2022."
)
SURE = (
    "The solver gap is the total variation to the exact joint. Seconds "
    "are CPU seconds. The penalty formulation allows a gap by design; its success is "
    "ECOS's status 'optimal' and nothing else. A published gap of 0 in Table 2 is a "
    "joint inside the polytope, away from the solution."
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One size: what our solvers did, and ECOS by form, beside what was published."""

    n: int
    ours: Comparison
    ecos: Mapping[str, Tried]

    @property
    def spreads(self) -> dict[str, Spread]:
        """Spreads of our gaps, by the keys of what was published."""
        return spreads(self.ours)

    @property
    def published(self) -> Mapping[str, float | None]:
        """What the paper has of this size."""
        return PUBLISHED.get(self.n, {})

    @property
    def record(self) -> dict[str, object]:
        """The row as JSON holds it."""
        exact = self.ours.exact
        row: dict[str, object] = {"n": self.n, "games": self.ours.games}
        row |= {name: asdict(spread) for name, spread in self.spreads.items()}
        row["published"] = self.published
        row["exact"] = {
            "success": self.ours.solved / self.ours.games,
            "gap": max(exact.gap),
            "seconds": Spread.of(exact.seconds).mean,
        }
        for form in FORMS:
            tried = self.ecos.get(form)
            row[f"ecos {form}"] = tried and {
                "games": len(tried.status),
                "asked": tried.asked,
                "success": tried.success,
                "seconds": Spread.of(tried.seconds).mean,
                "apart": Spread.of(tried.apart).worst,
            }
        return row


def run(config: Config) -> Answer:
    """Measures what is missing, and lays the tables side by side."""
    check(config)
    with claim(config.run, "nes_tables") as folder:
        record(folder, config)
        rows = measured(config, folder)
        records = [row.record for row in rows]
        files.write_json(folder / "rows.json", records)
        ran = f"{RAN} Weights: {config.network or 'the shipped ones'}."
        judged = [one for row in rows for one in claims(row)]
        title = "Tables 1 and 2 of the Neural Equilibrium Solver"
        text = publish(
            folder,
            title=title,
            opening=Opening(
                ran=[ran],
                result=[f"Claims: {verdict.counted(judged)}."],
                sure=[SURE],
            ),
            tables=tables(rows),
        )
    return Answer(summary=records, text="\n" + text.rstrip("\n"))


def measured(config: Config, folder: Path) -> list[Row]:
    """A row of each size; cells that are missing are made."""
    sizes = [n for n in dict.fromkeys(config.sizes) if not config.quick or n <= 16]
    count = 16 if config.quick else config.games
    most = min(config.ecos_games, 2 if config.quick else count)
    forms = FORMS if find_spec("ecos") is not None and most else {}
    cells: dict[str, Callable[[], object]] = {}
    for n in sizes:
        which = partial(compared, "l2_invariant", (n, n), count, seed=config.seed)
        cells[str(n)] = partial(which, concept="cce", network=config.network)
        for form, rho in forms.items():
            games = draw("l2_invariant", (n, n), count, seed=config.seed)[:most]
            cells[f"{n}-ecos-{form}"] = partial(tried, games, rho, config.seconds)
    results = filled(cells, folder, config)
    every = {name.replace("-ecos-", " "): cell for name, cell in results.items()}
    files.write_json(folder / "cells.json", every)
    return [
        Row(
            n=n,
            ours=Comparison.of(results[str(n)]),
            ecos={form: Tried(**results[f"{n}-ecos-{form}"]) for form in forms},
        )
        for n in sizes
    ]


def tried(payoffs: ndarray, rho: float, seconds: float) -> dict[str, object]:
    """ECOS on games for so many seconds, as a cell holds it."""
    return asdict(in_turn(payoffs, rho, seconds))


def claims(row: Row) -> list[Claim]:
    """Whether our network is at or below the published one, by table and gap."""
    judged = []
    for title, theirs in (("Table 1", "nes"), ("Table 2", "8x8")):
        for what, label in LABELS.items():
            value = row.published.get(f"{what} {theirs}")
            gaps = [gap for gap in getattr(row.ours.nes, what) if gap is not None]
            claim = Claim(
                text=f"{label} at or below the published network's",
                verdict=Verdict.NOT_TESTED,
                evidence="nothing was published",
                about=f"{title}, n = {row.n}",
            )
            if value is not None and gaps:
                low, high = t_interval(gaps)
                claim = replace(
                    claim,
                    verdict=_below(low, high, value),
                    evidence=f"{number(Spread.of(gaps).mean)} against {value:.4f}",
                    test="95 % t interval of our mean",
                    trials=len(gaps),
                    remark="" if len(gaps) > 1 else "one game has no interval",
                )
            judged.append(claim)
    return judged


def _below(low: float | None, high: float | None, published: float) -> Verdict:
    """Whether an interval is at or below what was published in four decimals."""
    if low is None or high is None:
        return Verdict.UNDECIDED
    return verdict.within(-high, -low, -(published + ROUNDING))


def tables(rows: Sequence[Row]) -> list[Table]:
    """Gaps and successes of Table 1, then Table 2, then what is claimed of them."""

    def published(key: str) -> Callable[[Row], str]:
        return lambda row: number(row.published.get(key))

    def ours(key: str) -> Callable[[Row], str]:
        return lambda row: estimate(row.spreads[key])

    size = {"n": lambda row: row.n}
    every = []
    for what, label in LABELS.items():
        columns = {
            "uniform: published": published(f"{what} uniform"),
            "uniform: ours": ours(f"{what} uniform"),
            "NES: published": published(f"{what} nes"),
            "NES: ours": ours(f"{what} nes"),
            f"ours and {REFINED} Newton steps": ours(f"{what} refined"),
        }
        caption = f"Table 1: {label}, mean ± standard error"
        every.append(Table.of(caption, size | columns, rows))
    caption = "Table 1: share of games solved"
    every.append(Table.of(caption, size | _solved(), rows))
    columns = {
        "CCE gap: published": published("gap 8x8"),
        "CCE gap: ours": ours("gap nes"),
        "solver gap: published": published("solver_gap 8x8"),
        "solver gap: ours": ours("solver_gap nes"),
    }
    caption = "Table 2: trained at 8x8 (published) or on what our weights were"
    every.append(Table.of(caption, size | columns, rows))
    return [*every, verdict.table([one for row in rows for one in claims(row)])]


def estimate(spread: Spread) -> str:
    """Mean and standard error as text."""
    error = "" if spread.error is None else f" ± {number(spread.error)}"
    return number(spread.mean) + error


def _solved() -> dict[str, Callable[[Row], str]]:
    """Columns on whether games were solved, and in what time."""
    missing = "not run" if find_spec("ecos") is not None else "not installed"

    def ecos(
        form: str, read: Callable[[Tried], str], without: str = "-"
    ) -> Callable[[Row], str]:
        return lambda row: read(row.ecos[form]) if form in row.ecos else without

    def share(tried: Tried) -> str:
        begun = len(tried.status)
        asked = f" ({tried.asked} asked)" if begun < tried.asked else ""
        return f"{percent(tried.success, 0)} of {begun}{asked}"

    def seconds(tried: Tried) -> str:
        return f"{np.mean(tried.seconds):.3g}"

    def success(row: Row) -> str:
        return f"{percent(row.ours.solved / row.ours.games)} of {row.ours.games}"

    return {
        "ECOS: published": lambda row: percent(row.published.get("ecos"), 0),
        "ECOS, hard": ecos("hard", share, missing),
        "ECOS, penalty": ecos("penalty", share, missing),
        "exact solver": success,
        "ECOS hard: s/game": ecos("hard", seconds),
        "penalty: s/game": ecos("penalty", seconds),
        "exact: s/game": lambda row: f"{np.mean(row.ours.exact.seconds):.2g}",
        "ECOS hard to exact (worst)": ecos(
            "hard", lambda tried: number(Spread.of(tried.apart).worst)
        ),
        "exact: largest CCE gap": lambda row: number(max(row.ours.exact.gap)),
    }
