"""Tables of a comparison: a line a method, for each game, and the same as CSV."""

from collections.abc import Iterator
from typing import Any

from experiments.compare.config import Config
from experiments.compare.results import FINISHED, Results
from experiments.lab.estimates import estimate
from experiments.lab.report import Table


def table(results: Results, game: str, config: Config) -> Table:
    """The methods on a game: where they end, and how fast they get there."""
    columns = ["method", "seeds", "gap at the end", "best so far"]
    lines = []
    for method in results.methods:
        runs = results.judged(game, method)
        if not runs:
            continue
        last = [one.curves["gap"][-1] for one in runs]
        best = [one.curves["best"][-1] for one in runs]
        lines.append(
            [
                method.name,
                len(runs),
                estimate(last, config.seed).shown(4),
                estimate(best, config.seed).shown(4),
            ]
        )
    return Table(game, columns, lines)


def missing(results: Results) -> Table:
    """What was left out or failed, and why; the same reason of all seeds once."""
    seeds: dict[tuple[str, ...], list[int]] = {}
    for one in results.runs:
        if one.outcome != FINISHED:
            key = one.game, one.method.name, one.outcome, one.reason
            seeds.setdefault(key, []).append(one.seed)
    lines = [[*key, own] for key, own in seeds.items()]
    columns = ["game", "method", "outcome", "reason", "seeds"]
    return Table("What is not in the tables", columns, lines)


def curve_rows(results: Results) -> Iterator[dict[str, Any]]:
    """All iterations of all runs, a row each."""
    for one in results.runs:
        head = {
            name: getattr(one, name)
            for name in ("game", "solver", "evaluation", "oracle", "seed", "outcome")
        }
        for row in one.rows:
            yield {**head, **row}
