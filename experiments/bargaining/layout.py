"""How the numbers of the bargaining tables are laid out for readers."""

from collections.abc import Sequence
from typing import Any

from experiments.bargaining.results import (
    MAXIMUM,
    Data,
    Row,
    data,
    data_name,
    datasets,
    line,
    line_name,
    setting,
    setting_name,
    solver_name,
)
from experiments.lab.report import Table


def _at(cells: Sequence[Row], where: Data) -> Row | None:
    return next((cell for cell in cells if data(cell) == where), None)


def _heads(cell: Row) -> list[str]:
    tuned = setting_name(cell["approach"], setting(cell))
    return [solver_name(cell["evaluation"]), line_name(line(cell)), tuned]


def _by_row(cells: Sequence[Row]) -> list[list[Row]]:
    """Cells of each evaluation solver, approach and exploration solver."""
    groups: dict[tuple[str, tuple[str, str]], list[Row]] = {}
    for cell in cells:
        groups.setdefault((cell["evaluation"], line(cell)), []).append(cell)
    return list(groups.values())


def _grid(
    caption: str, cells: Sequence[Row], where: Sequence[Data], show: Any
) -> list[Table]:
    """One row an evaluation solver and approach, one column a data set."""
    if not cells:
        return []
    head = ["evaluation", "approach, exploration", "setting", *map(data_name, where)]
    body = [
        _heads(group[0]) + [show(c) if (c := _at(group, d)) else "-" for d in where]
        for group in _by_row(cells)
    ]
    return [Table(caption, head, body)]


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _spread(cell: Row) -> str:
    text = _number(cell["mean"])
    if cell["standard_error"] is not None:
        text += f" ± {cell['standard_error']:.3f}"
    if cell["low"] is not None:
        text += f" [{cell['low']:.2f}, {cell['high']:.2f}]"
    k = "/".join(map(str, cell["k"]))
    return f"{text} n={cell['n']}, k={k}" + (" *" if cell["best"] else "")


def regret_tables(cells: Sequence[Row], where: Sequence[Data]) -> list[Table]:
    """Regret, its estimation error, and welfare; columns are data sets."""
    regret = (
        "Regret: mean ± standard error over trials, [bootstrap 95 % interval of the "
        "mean], trials n, k; * is the lowest mean of a column. Below five trials "
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
        *_grid(regret, cells, where, _spread),
        *_grid(error, cells, where, lambda c: _number(c["estimation_error"])),
        *_grid(
            welfare,
            cells,
            where,
            lambda c: (
                "-"
                if c["welfare"] is None
                else f"{c['welfare']:.2f} ({c['welfare_share']:.0%})"
            ),
        ),
    ]


def p_tables(
    same: Sequence[Row], against: Sequence[Row], where: Sequence[Data]
) -> list[Table]:
    """P-values against both references; columns are data sets."""
    how = (
        "one-sided permutation test / Mann-Whitney test / Holm's correction of the "
        "first over this table / sign-flip test of paired trials. The first three take "
        "trials as independent, though those of one number share a data set and a "
        "model; the last does not, and is at least 1/8 at three trials and 1/32 at five"
    )

    def tests(one: Row) -> str:
        keys = ("p_permutation", "p_mann_whitney", "p_holm", "p_paired")
        return " / ".join("-" if one[k] is None else f"{one[k]:.3g}" for k in keys)

    def beside(one: Row) -> str:
        published = "-" if one["published"] is None else f"{one['published']:.2f}"
        return f"{tests(one)}; {published}"

    return [
        *_grid(
            "p-values against COffeE, R2D under the same evaluation solver (Table 1's "
            f"layout): {how}; then the published value. Low where the reference is "
            "lower",
            same,
            where,
            beside,
        ),
        *_grid(
            f"p-values against COffeE, R2D exploration, R2D evaluation: {how}",
            against,
            where,
            tests,
        ),
    ]


def model_tables(cells: Sequence[Row]) -> list[Table]:
    """Errors of models and clones, one column a data set; none without cells."""
    if not cells:
        return []
    where = datasets(cells)
    names = dict.fromkeys(cell["measure"] for cell in cells)
    body = []
    for name in names:
        own = [cell for cell in cells if cell["measure"] == name]
        body.append([name.replace("_", " ")])
        for one in where:
            cell = _at(own, one)
            body[-1].append("-" if cell is None else _between(cell))
    caption = (
        "Model and clone: mean over trials [lowest, highest], trials n; errors and "
        "payoffs in units of payoff or state, cross-entropies of the clone in nats"
    )
    return [Table(caption, ["", *map(data_name, where)], body)]


def _between(cell: Row) -> str:
    text = f"{cell['mean']:.4g}"
    if cell["n"] > 1:
        text += f" [{cell['lowest']:.4g}, {cell['highest']:.4g}]"
    return f"{text} n={cell['n']}"


def tuning_tables(weights: Sequence[Row], grid: Sequence[Row]) -> list[Table]:
    """Table 4 (weights of OEF-BC) and Table 5 (lambda and alpha of COffeE)."""
    tables = []
    for caption, cells, down, across in (
        (
            "Tuning (Table 4): regret of OEF-BC by weight w; 0 is OEF",
            weights,
            "",
            "weight",
        ),
        ("Tuning (Table 5): regret of COffeE by λ and α", grid, "penalty", "coverage"),
    ):
        if not cells:
            continue
        values = sorted({cell[across] for cell in cells})
        groups: dict[tuple[str, ...], dict[float, Row]] = {}
        for cell in cells:
            key = [data_name(data(cell)), solver_name(cell["exploration"])]
            key += [solver_name(cell["evaluation"])]
            key += [f"{cell[down]:g}"] if down else []
            groups.setdefault(tuple(key), {})[cell[across]] = cell
        symbol = {"weight": "w", "coverage": "α"}[across]
        head = ["data", "exploration", "evaluation", *(["λ"] if down else [])]
        head += [f"{symbol} {value:g}" for value in values]
        body = [
            [*key, *(_spread(row[v]) if v in row else "-" for v in values)]
            for key, row in groups.items()
        ]
        tables.append(Table(caption, head, body))
    return tables
