"""Numbers of the bargaining grid's tables: regret, p-values, models and tuning."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from experiments.bargaining.published import PUBLISHED
from experiments.bargaining.results import (
    MAXIMUM,
    REFERENCE,
    Data,
    Fidelity,
    Judged,
    Setting,
    Subject,
    Trial,
    by_trial,
    evaluations,
    finite,
    lines,
    of_data,
    solver_name,
)
from experiments.lab.statistics import (
    PValue,
    apart,
    holm,
    interval,
    mann_whitney,
    mean,
    mean_if_any,
    permutation,
    sign_flips,
    standard_error,
)
from experiments.lab.verdict import LEVEL

KEYS = (
    *("evaluation", "approach", "exploration", "behaviour", "trajectories"),
    *("penalty", "coverage", "weight"),
)
"""Columns that say which cell it is; in files of numbers they go first."""
ENOUGH = 5  # trials whose interval can mark a cell
SEED = 0  # of bootstrap resamples and drawn splits


@dataclass(frozen=True, kw_only=True)
class Cell(Subject):
    """A cell of a table: the trials of one evaluation solver, approach and data set."""

    evaluation: str


@dataclass(frozen=True, kw_only=True)
class RegretCell(Cell):
    """Regret of the trials of a cell, and what else was measured.

    Attributes:
      n: trials.
      mean, standard_error: of their regret.
      low, high: a bootstrap interval of the mean; ``interval`` says how it was had.
      k: profiles that were responded to.
      estimation_error, screened, welfare: means over trials.
      welfare_share: of the largest welfare.
      best: its interval is below those of all others on its data set.
    """

    n: int
    mean: float
    standard_error: float | None
    low: float | None
    high: float | None
    interval: str
    k: list[int]
    estimation_error: float | None
    screened: float | None
    welfare: float | None
    welfare_share: float | None
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Comparison(Cell):
    """A cell against COffeE that explored with R2D, on the same data set.

    Attributes:
      n, n_reference: trials.
      difference: their mean less that of the reference, which is claimed to be lower.
      p_permutation, p_mann_whitney: one-sided, for trials that are independent;
        ``p_smallest`` is the least that the first can be, ``test`` how it was had.
      p_paired: of the sign flips of trials with one key, None where the sides have
        different ones; ``p_paired_smallest`` likewise.
      reference_evaluation: evaluation solver of the reference.
      published: the paper's p-value, where there is one.
      p_holm: the first p-value, corrected over the table.
    """

    n: int
    n_reference: int
    difference: float
    p_permutation: float | None
    p_mann_whitney: float | None
    p_smallest: float | None
    p_paired: float | None
    p_paired_smallest: float | None
    test: str
    reference_evaluation: str
    published: float | None
    p_holm: float | None = None

    @property
    def able(self) -> bool:
        """The permutation test could have decided."""
        return self.p_smallest is not None and self.p_smallest <= LEVEL

    @property
    def agrees(self) -> bool | None:
        """Whether our test and the published one decide alike; None without one."""
        if self.p_permutation is None or self.published is None:
            return None
        return (self.p_permutation <= LEVEL) == (self.published <= LEVEL)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How well the models or clones of a data set do: one number over its trials."""

    behaviour: str
    trajectories: int
    measure: str
    mean: float
    lowest: float
    highest: float
    n: int

    @property
    def data(self) -> Data:
        """The data set."""
        return Data(self.behaviour, self.trajectories)


def regret_cells(rows: Sequence[Judged]) -> list[RegretCell]:
    """One for each evaluation solver, approach, exploration and data set."""
    cells = []
    for evaluation in evaluations(rows):
        for line in lines(rows):
            own = [r for r in rows if (r.evaluation, r.line) == (evaluation, line)]
            cells += [_regret_cell(kept) for kept in of_data(own).values()]
    columns = [column for column in of_data(cells).values() if len(column) > 1]
    best = [cell for column in columns for cell in column if _lowest(cell, column)]
    return [replace(cell, best=cell in best) for cell in cells]


def _lowest(cell: RegretCell, column: Sequence[RegretCell]) -> bool:
    """Whether a cell's interval is below those of all others of its column."""
    others = [one for one in column if one is not cell]
    return all(
        min(cell.n, one.n) >= ENOUGH
        and apart((cell.low, cell.high), (one.low, one.high))
        and cell.mean < one.mean
        for one in others
    )


def _regret_cell(rows: Sequence[Judged]) -> RegretCell:
    welfare = _mean(row.welfare for row in rows)
    regret = [row.regret for row in rows]
    ends = interval(regret, SEED)
    return RegretCell(
        **_about(rows[0]),
        n=len(rows),
        mean=mean(regret),
        standard_error=standard_error(regret),
        low=ends.low,
        high=ends.high,
        interval=ends.note,
        k=sorted({row.k for row in rows}),
        estimation_error=_mean(row.error for row in rows),
        screened=_mean(row.screened for row in rows),
        welfare=welfare,
        welfare_share=None if welfare is None else welfare / MAXIMUM,
    )


def _about(row: Judged | RegretCell) -> dict[str, Any]:
    """The fields of a cell that say which it is."""
    about = {**row.line._asdict(), **row.data._asdict(), **row.setting._asdict()}
    return about | {"evaluation": row.evaluation}


def _mean(values: Iterable[float]) -> float | None:
    return mean_if_any([value for value in values if finite(value)])


def comparisons(rows: Sequence[Judged], evaluation: str | None) -> list[Comparison]:
    """Every cell against COffeE that explored with R2D, on the same data set.

    Args:
      rows: final rows.
      evaluation: evaluation solver of the reference; None takes that of the row, as
        the paper's table appears to (it has no row for COffeE with R2D under either).
    """
    every = []
    for cell in regret_cells(rows):
        against = evaluation or cell.evaluation
        if (cell.line, cell.evaluation) == (REFERENCE, against):
            continue
        ours = by_trial(rows, REFERENCE, against, cell.data)
        if ours:
            theirs = by_trial(rows, cell.line, cell.evaluation, cell.data)
            place = (cell.evaluation, *cell.line, *cell.data[::-1])
            published = None if evaluation else PUBLISHED.get(place)
            every.append(_comparison(cell, against, ours, theirs, published=published))
    corrected = holm([[one.p_permutation for one in every]])[0]
    return [replace(one, p_holm=p) for one, p in zip(every, corrected, strict=True)]


def _comparison(
    cell: RegretCell,
    against: str,
    ours: Mapping[Trial, float],
    theirs: Mapping[Trial, float],
    *,
    published: float | None,
) -> Comparison:
    lower, higher = tuple(ours.values()), tuple(theirs.values())
    first, ranks = _tests(lower, higher)
    matched = ours.keys() == theirs.keys()
    paired = sign_flips([ours[t] - theirs[t] for t in ours if matched], SEED)
    return Comparison(
        **_about(cell),
        n=len(higher),
        n_reference=len(lower),
        difference=mean(higher) - mean(lower),
        p_permutation=first.p,
        p_mann_whitney=ranks.p,
        p_smallest=first.smallest,
        p_paired=paired.p,
        p_paired_smallest=paired.smallest,
        test=first.note,
        reference_evaluation=against,
        published=published,
    )


@cache
def _tests(lower: tuple[float, ...], other: tuple[float, ...]) -> tuple[PValue, PValue]:
    return permutation(lower, other, SEED), mann_whitney(lower, other, SEED)


def measures(fidelity: Sequence[Fidelity], rows: Sequence[Judged]) -> list[Measure]:
    """How well models and clones do; errors of single entries of a state are left out.

    Runs of one trial share both, so a trial counts once. The cells of the empirical
    game are each run's own.
    """
    values: dict[tuple[Data, str], dict[Trial, float]] = defaultdict(dict)
    for run in fidelity:
        for kind, errors in (run.model or {}).items():
            for name, value in errors.items():
                if value is not None and not name.split("_")[-1].isdigit():
                    key = run.data, f"model {kind} {name}"
                    values[key].setdefault(run.pair, value)
        for name, value in (run.cells or {}).items():
            if value is not None:
                explored = solver_name(run.exploration)
                measure = f"cells of {run.tuned}, explored with {explored}: {name}"
                values[run.data, measure][run.pair] = value
    for row in rows:
        for name, value in (row.clone or {}).items():
            if value is not None:
                values[row.data, f"clone {name}"].setdefault(row.pair, value)
    return [
        Measure(
            **data._asdict(),
            measure=name,
            mean=mean([*by_trial.values()]),
            lowest=min(by_trial.values()),
            highest=max(by_trial.values()),
            n=len(by_trial),
        )
        for (data, name), by_trial in values.items()
    ]


def tuning_cells(rows: Sequence[Judged], approach: str) -> list[RegretCell]:
    """Cells of the data sets and solvers under which settings of an approach differ.

    OEF is OEF-BC with weight 0, and stands for it where that was not run itself.
    """
    same = ("oef-bc", "oef") if approach == "oef-bc" else (approach,)
    groups: dict[tuple[Data, str, str], dict[Setting, list[Judged]]] = {}
    for row in sorted(rows, key=lambda r: r.approach == "oef"):
        if row.approach in same:
            place = row.data, row.exploration, row.evaluation
            own = groups.setdefault(place, {}).setdefault(row.setting, [])
            if not own or own[0].approach == row.approach:
                own.append(row)
    return [
        _regret_cell(settings[one])
        for _, settings in sorted(groups.items())
        if sum(own[0].approach == approach for own in settings.values()) > 1
        for one in sorted(settings)
    ]
