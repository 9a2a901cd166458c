"""How the numbers of the bargaining tables are laid out for readers."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from experiments.bargaining.results import (
    MAXIMUM,
    Data,
    datasets,
    setting_name,
    solver_name,
)
from experiments.bargaining.tables import Cell, Comparison, Measure, RegretCell
from experiments.lab.report import Table, number

C = TypeVar("C", bound=Cell)


def _by_data(
    caption: str, cells: Sequence[C], where: Sequence[Data], show: Callable[[C], str]
) -> list[Table]:
    """One row an evaluation solver and approach, one column a data set."""
    if not cells:
        return []
    heads: dict[str, Callable[[C], str]] = {
        "evaluation": lambda cell: solver_name(cell.evaluation),
        "approach, exploration": lambda cell: cell.line.name,
        "setting": lambda cell: setting_name(cell.approach, cell.setting),
    }
    columns = [data.name for data in where]
    return [
        Table.pivot(
            caption,
            cells,
            heads=heads,
            column=lambda cell: cell.data.name,
            columns=columns,
            show=show,
        )
    ]


def _spread(cell: RegretCell) -> str:
    text = number(cell.mean, 3)
    if cell.standard_error is not None:
        text += f" ± {cell.standard_error:.3f}"
    if cell.low is not None:
        text += f" [{cell.low:.2f}, {cell.high:.2f}]"
    k = "/".join(map(str, cell.k))
    return f"{text} n={cell.n}, k={k}" + (" *" if cell.best else "")


def _welfare(cell: RegretCell) -> str:
    if cell.welfare is None:
        return "-"
    return f"{cell.welfare:.2f} ({cell.welfare_share:.0%})"


def regret_tables(cells: Sequence[RegretCell], where: Sequence[Data]) -> list[Table]:
    """Regret, its estimation error, and welfare; columns are data sets."""
    regret = (
        "Regret: mean ± standard error over trials, [bootstrap 95 % interval of the "
        "mean], trials n, k; "
        "* has an interval below all others of its column, from five trials on. Below "
        "five trials "
        "the interval is of plain percentiles and too narrow"
    )
    error = (
        "Estimation error: mean over trials of the standard error of a regret, from "
        "the episodes it was measured on"
    )
    welfare = (
        f"Welfare of the judged profile, and its share of {MAXIMUM}, the mean over "
        "instances of the largest sum of both payoffs before discounting"
    )
    return [
        *_by_data(regret, cells, where, _spread),
        *_by_data(error, cells, where, lambda c: number(c.estimation_error, 3)),
        *_by_data(welfare, cells, where, _welfare),
    ]


def p_tables(
    same: Sequence[Comparison], against: Sequence[Comparison], where: Sequence[Data]
) -> list[Table]:
    """P-values against both references; columns are data sets."""
    how = (
        "one-sided permutation test / Mann-Whitney test / Holm's correction of the "
        "first over this table / sign-flip test of paired trials. The first three take "
        "trials as independent, though those of one number share a data set and a "
        "model; the last does not, and is at least 1/8 at three trials and 1/32 at five"
    )
    beside = (
        "p-values against COffeE, R2D under the same evaluation solver (Table 1's "
        f"layout): {how}; then the published value. Low where the reference is lower"
    )
    alone = f"p-values against COffeE, R2D exploration, R2D evaluation: {how}"

    def tests(one: Comparison) -> str:
        every = (one.p_permutation, one.p_mann_whitney, one.p_holm, one.p_paired)
        return " / ".join("-" if p is None else f"{p:.3g}" for p in every)

    return [
        *_by_data(
            beside, same, where, lambda c: f"{tests(c)}; {number(c.published, 2)}"
        ),
        *_by_data(alone, against, where, tests),
    ]


def model_tables(measures: Sequence[Measure]) -> list[Table]:
    """Errors of models and clones, one column a data set; none without measures."""
    if not measures:
        return []
    caption = (
        "Model and clone: mean over trials [lowest, highest], trials n; errors and "
        "payoffs in units of payoff or state, cross-entropies of the clone in nats"
    )
    return [
        Table.pivot(
            caption,
            measures,
            heads={"": lambda one: one.measure.replace("_", " ")},
            column=lambda one: one.data.name,
            columns=[data.name for data in datasets(one.data for one in measures)],
            show=_between,
        )
    ]


def _between(one: Measure) -> str:
    text = f"{one.mean:.4g}"
    if one.n > 1:
        text += f" [{one.lowest:.4g}, {one.highest:.4g}]"
    return f"{text} n={one.n}"


def tuning_tables(
    weights: Sequence[RegretCell], grid: Sequence[RegretCell]
) -> list[Table]:
    """Table 4 (weights of OEF-BC) and Table 5 (lambda and alpha of COffeE)."""
    heads: dict[str, Callable[[RegretCell], str]] = {
        "data": lambda cell: cell.data.name,
        "exploration": lambda cell: solver_name(cell.exploration),
        "evaluation": lambda cell: solver_name(cell.evaluation),
    }
    tables = []
    if weights:
        table = Table.pivot(
            "Tuning (Table 4): regret of OEF-BC by weight w; 0 is OEF",
            weights,
            heads=heads,
            column=lambda cell: f"w {cell.weight:g}",
            columns=[f"w {w:g}" for w in sorted({cell.weight for cell in weights})],
            show=_spread,
        )
        tables.append(table)
    if grid:
        table = Table.pivot(
            "Tuning (Table 5): regret of COffeE by λ and α",
            grid,
            heads=heads | {"λ": lambda cell: f"{cell.penalty:g}"},
            column=lambda cell: f"α {cell.coverage:g}",
            columns=[f"α {c:g}" for c in sorted({cell.coverage for cell in grid})],
            show=_spread,
        )
        tables.append(table)
    return tables
