"""The paper's claims (Nguyen & Wellman 2026), judged from the rows of a grid.

Trials of one number and seed share their data set and model, whatever the approach, so
they are compared as pairs where both sides have the same trials, and as independent
ones where they do not. See ``rivals`` for what decides.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from statistics import median

from experiments.bargaining.results import (
    LINES,
    REFERENCE,
    Data,
    Fidelity,
    Judged,
    Line,
    Results,
    Setting,
    Trial,
    by_trial,
    datasets,
    finite,
    of_data,
    preferred,
    setting_name,
    solver_name,
)
from experiments.bargaining.rivals import correlates, lower
from experiments.bargaining.strata import Block, Strata, Stratum, correlated
from experiments.lab.statistics import mean
from experiments.lab.verdict import Claim

SMALL = 500  # trajectories of the paper's smallest data sets
_FEWEST = 3  # trials whose spread says anything
RIVALS = tuple(line for line in LINES if line != REFERENCE)
"""What the paper compares COffeE with R2D with."""
Pairs = dict[Trial, list[tuple[float, float]]]
"""By trial what is claimed to be lower, each beside what it is compared with."""


def judge(results: Results) -> list[Claim]:
    """Each claim with its verdict, evidence, test and numbers.

    The evaluation solver is R2D where rows have it, but for the claim on final solvers.
    """
    table = _Table(results.main)
    return [
        _lowest(table),
        _consistent(table),
        _margin(table),
        *_cloning(table),
        _final_solver(results.main),
        _uncertain(results.points),
        _conservative(results.fidelity),
        _moderate(results.final, preferred(results.main)),
    ]


class _Table:
    """Regrets under one evaluation solver, by approach and data set."""

    def __init__(self, rows: Sequence[Judged]) -> None:
        self.chosen = preferred(rows)
        self.where = datasets(row.data for row in rows)
        self._rows = rows

    def cell(self, line: Line, data: Data) -> dict[Trial, float]:
        """Regrets of one cell by trial."""
        return by_trial(self._rows, line, self.chosen, data)

    def against(
        self, first: Line, other: Line, where: Sequence[Data] | None = None
    ) -> Strata:
        """Regrets of two lines on some data sets, or on all."""
        return {
            data.name: (self.cell(first, data), self.cell(other, data))
            for data in (self.where if where is None else where)
        }


def _lowest(table: _Table) -> Claim:
    first = 0
    for data in table.where:
        cells = {line: table.cell(line, data) for line in LINES}
        means = {line: mean([*cell.values()]) for line, cell in cells.items() if cell}
        first += min(means, key=lambda line: means[line], default=None) == REFERENCE
    return lower(
        "COffeE with R2D has the lowest regret",
        {rival.short: table.against(REFERENCE, rival) for rival in RIVALS},
        "needs COffeE with R2D and another approach or solver on one data set",
        f"Lowest mean on {first} of {len(table.where)} data sets (evaluated with "
        f"{solver_name(table.chosen)}). Against ",
    )


def _consistent(table: _Table) -> Claim:
    def distances(side: dict[Trial, float]) -> dict[Trial, float]:
        """Distances to the median; none where there are too few trials for a spread."""
        if len(side) < _FEWEST:
            return {}
        centre = median(side.values())
        return {key: abs(value - centre) for key, value in side.items()}

    return lower(
        "COffeE with R2D has the most consistent regret (smallest spread)",
        {
            rival.short: {
                data.name: (
                    distances(table.cell(REFERENCE, data)),
                    distances(table.cell(rival, data)),
                )
                for data in table.where
            }
            for rival in RIVALS
        },
        f"needs COffeE with R2D and another approach, {_FEWEST} trials each",
        "Mean distance to the median of trials, less that of ",
        "; of distances to the median of trials (Brown & Forsythe), approximate",
    )


def _margin(table: _Table) -> Claim:
    """A margin is of one trial; PSRO and uniform data of one trial are no pair."""

    def margins(rival: Line, data: Data) -> dict[Trial, float]:
        ours, theirs = table.cell(REFERENCE, data), table.cell(rival, data)
        return {key: theirs[key] - ours[key] for key in ours if key in theirs}

    def both(rival: Line, size: int) -> Stratum:
        return margins(rival, Data("psro", size)), margins(rival, Data("uniform", size))

    sizes = [n for b, n in table.where if b == "psro" and ("uniform", n) in table.where]
    return lower(
        "COffeE with R2D beats OEF by more on uniform data than on PSRO data",
        {
            f"margin over {rival.short}, PSRO less uniform,": {
                f"{size}": both(rival, size) for size in sizes
            }
            for rival in RIVALS
            if rival.approach == "oef"
        },
        "needs COffeE with R2D and OEF on uniform and PSRO data of one size",
    )


def _cloning(table: _Table) -> list[Claim]:
    cloned = [line for line in LINES if line.approach == "oef-bc"]
    others = [line for line in LINES if line.approach != "oef-bc"]
    uniform = [d for d in table.where if d.behaviour == "uniform"]
    small = [d for d in uniform if d.trajectories <= SMALL]
    large = [d for d in uniform if d.trajectories > SMALL]
    online = [d for d in table.where if d.behaviour == "psro"]

    def pairs(
        first: Sequence[Line], other: Sequence[Line], on: Sequence[Data]
    ) -> dict[str, Strata]:
        return {
            f"{a.short} less {b.short}": table.against(a, b, on)
            for a in first
            for b in other
        }

    return [
        lower(
            f"OEF-BC has the lowest regret on small uniform data (at most {SMALL})",
            pairs(cloned, others, small),
            f"needs OEF-BC and another approach on uniform data of at most {SMALL}",
        ),
        lower(
            f"OEF-BC no longer beats COffeE with R2D on more than {SMALL} uniform",
            pairs([REFERENCE], cloned, large),
            f"needs COffeE with R2D and OEF-BC on uniform data of more than {SMALL}",
        ),
        lower(
            "OEF-BC has the highest regret on PSRO data",
            pairs(others, cloned, online),
            "needs OEF-BC and another approach on PSRO data",
        ),
    ]


def _averages(pairs: Pairs, data: Data) -> Stratum:
    """Both sides on a data set, each the mean over the pairs of a trial."""
    own = {trial: both for trial, both in pairs.items() if trial[:2] == data}
    first, other = (
        {trial: mean([pair[side] for pair in both]) for trial, both in own.items()}
        for side in (0, 1)
    )
    return first, other


def _final_solver(rows: Sequence[Judged]) -> Claim:
    """One pair a trial: its runs share a data set and a model.

    OEF and OEF-BC even share their profile. So a trial counts once, with the mean over
    its approaches.
    """
    runs: dict[tuple[Line, Trial], dict[str, float]] = defaultdict(dict)
    for row in rows:
        runs[row.line, row.pair][row.evaluation] = row.regret
    pairs: Pairs = defaultdict(list)
    for (_, trial), regret in runs.items():
        if {"r2d", "rd"} <= regret.keys():
            pairs[trial].append((regret["r2d"], regret["rd"]))
    down = sum(mean([a - b for a, b in both]) < 0 for both in pairs.values())
    where = datasets(row.data for row in rows)
    return lower(
        "R2D as the final solver has lower regret than RD",
        {"RD of the same runs": {d.name: _averages(pairs, d) for d in where}},
        "needs runs evaluated with both R2D and RD",
        f"R2D lower in {down} of {len(pairs)} trials, each the mean over its "
        "approaches. Against ",
    )


def _blocks(
    points: Sequence[Fidelity],
    x: Callable[[Fidelity], float],
    key: Callable[[Fidelity], Hashable],
) -> dict[str, list[Block]]:
    """Runs by data set and block, as ``x`` and utility error."""
    blocks: dict[str, list[Block]] = {}
    for data, rows in of_data(points).items():
        own: dict[Hashable, list[Fidelity]] = defaultdict(list)
        for row in rows:
            own[key(row)].append(row)
        blocks[data.name] = [_block(some, x) for some in own.values()]
    return blocks


def _block(rows: Sequence[Fidelity], x: Callable[[Fidelity], float]) -> Block:
    return [x(row) for row in rows], [row.utility_error for row in rows]


def _uncertain(points: Sequence[Fidelity]) -> Claim:
    """Within trials, whose runs share a model; within data sets where trials have one.

    Then the runs of a data set are independent, and may be exchanged.
    """
    shared = len({row.pair for row in points}) < len(points)
    named = "trials" if shared else "data"
    blocks = _blocks(
        points, lambda r: r.uncertainty, lambda r: r.pair if shared else r.data
    )
    pooled = correlated([_block(points, lambda r: r.uncertainty)])
    extra = f". Blocks are {named}; {len(points)} runs pooled"
    extra += "" if pooled is None else f": rho {pooled.rho:+.3f}, no evidence alone"
    return correlates(
        "Model uncertainty and utility error are positively related",
        {"uncertainty": blocks} if points else {},
        1,
        why=f"needs runs of one block that differ in both; got {len(points)} runs",
        extra=extra,
    )


def _conservative(fidelity: Iterable[Fidelity]) -> Claim:
    """Runs of COffeE at several settings on one model."""
    points = [r for r in fidelity if r.approach == "coffee" and finite(r.utility_error)]

    def block(row: Fidelity) -> Hashable:
        return row.exploration, row.pair

    return correlates(
        "Larger λ and α lower the model's utility error",
        {
            "λ": _blocks(points, lambda r: r.penalty, block),
            "α": _blocks(points, lambda r: r.coverage, block),
        },
        -1,
        why="needs COffeE at several λ and α on one data set",
        extra=". Blocks are the settings of one trial and exploration solver",
    )


def _moderate(rows: Sequence[Judged], chosen: str) -> Claim:
    """Settings between the least and the most conservative one, against both.

    A trial counts once: the mean over its moderate settings and exploration solvers.
    """
    least: Pairs = defaultdict(list)
    most: Pairs = defaultdict(list)
    best = []
    regrets: dict[tuple[Data, str], dict[Setting, dict[Trial, float]]] = {}
    for row in rows:
        if (row.approach, row.evaluation) == ("coffee", chosen):
            own = regrets.setdefault((row.data, row.exploration), {})
            own.setdefault(row.setting, {})[row.pair] = row.regret
    for (data, solver), regret in sorted(regrets.items()):
        low, high = (
            Setting(*map(end, zip(*regret, strict=True))) for end in (min, max)
        )
        between = [s for s in regret if s not in (low, high)]
        if not (between and low in regret and high in regret):
            continue
        # Trials that lack a setting would compare different settings.
        for trial in sorted(set.intersection(*map(set, regret.values()))):
            middle = mean([regret[s][trial] for s in between])
            least[trial].append((middle, regret[low][trial]))
            most[trial].append((middle, regret[high][trial]))
        top = min(regret, key=lambda s: mean([*regret[s].values()]))
        best.append(
            f"{setting_name('coffee', top)} ({data.name}, explored with "
            f"{solver_name(solver)}, {len(regret)} settings)"
        )
    swept = datasets(Data(*trial[:2]) for trial in least)
    return lower(
        "Moderate conservatism (λ, α between the extremes) has the lowest regret",
        {
            "the least conservative": {d.name: _averages(least, d) for d in swept},
            "the most conservative": {d.name: _averages(most, d) for d in swept},
        },
        "needs COffeE at the least, the most and a setting between on one data set",
        f"Lowest mean at {'; '.join(best)}. All moderate settings together against ",
    )
