"""Tables of a comparison for its report, and the same numbers as rows of CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from experiments.compare.axes_config import Method
from experiments.compare.claims import Pair, Ranking
from experiments.compare.results import FINISHED, Results
from experiments.compare.standings import Standing, band
from experiments.lab.estimates import Estimate
from experiments.lab.frames import columns
from experiments.lab.ranks import MeanRank
from experiments.lab.report import Table, digits

_POPULATION = "population_exploitability"
_MANY = 4  # names in a cell; of more their number


def spread(one: Estimate | MeanRank) -> str:
    """A mean with its interval, three digits each."""
    middle, low, high = map(_shown, (one.mean, one.low, one.high))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _shown(value: float | None) -> str:
    """A number without rounding noise around zero."""
    return "-" if value is None else digits(round(value, 12) + 0.0, 3)


def table(
    results: Results, standings: Sequence[Standing], pairs: Sequence[Pair], game: str
) -> Table:
    """The methods on a game: where they end, and how fast."""
    labels = results.labels
    own = [one for one in standings if one.game == game]
    below: dict[Method, list[str]] = {}
    for pair in pairs:
        if pair.game == game and pair.decided:
            below.setdefault(pair.lower, []).append(labels[pair.higher])
    lines = [
        {
            "method": labels[one.method],
            "seeds": _seeds(one),
            "gap at the end": spread(one.last),
            "exploitability": spread(one.exploitability),
            "lowest so far": spread(one.best),
            **{f"gap at {i}": spread(gap) for i, gap in one.at.items()},
            **{f"first at {t:g}": first.shown for t, first in one.first.items()},
            "area of log gap": spread(one.area),
            **_population(one),
            "welfare": spread(one.welfare),
            "profiles played": spread(one.support),
            "policies": spread(one.policies),
            "CPU s": spread(one.cpu_seconds),
            **({"ends below": _names(below.get(one.method, []))} if pairs else {}),
        }
        for one in own
    ]
    heads = list(dict.fromkeys(name for line in lines for name in line))
    return Table(
        results.names[game],
        heads,
        [[line.get(name) for name in heads] for line in lines],
    )


def _population(one: Standing) -> dict[str, str]:
    """The exploitability of the populations, in a column of its own if measured."""
    if one.population is None:
        return {}
    return {"population exploitability": spread(one.population)}


def _seeds(one: Standing) -> str:
    every = f" of {len(one.seeds) + one.failed}" if one.failed else ""
    return f"{len(one.seeds)}{every}{', all the same' if one.same else ''}"


def _names(names: Sequence[str]) -> str:
    if len(names) > _MANY:
        return f"{len(names)} others"
    return ", ".join(names) if names else "-"


_ABOUT = {
    "test": "games that test: no constant was chosen on them",
    "training": "games on which constants were chosen",
}


def ranks(results: Results, ranking: Ranking) -> Table:
    """The mean ranks of the methods over games."""
    lines = [
        [results.labels[method], *map(spread, numbers)]
        for method, *numbers in zip(
            ranking.methods, ranking.last, ranking.best, ranking.area, strict=True
        )
    ]
    caption = (
        f"Mean rank over {ranking.games} game{'s' * (ranking.games != 1)} and "
        f"{ranking.seeds} seeds; 1 is the lowest gap"
    )
    if ranking.about != "all":
        caption += f" ({_ABOUT[ranking.about]})"
    heads = ["method", "gap at the end", "lowest so far", "area of log gap"]
    return Table(caption, heads, lines)


def missing(results: Results) -> Table:
    """What was left out or failed, and why; the same reason of all seeds once."""
    seeds: dict[tuple[str, ...], list[int]] = {}
    for one in results.runs:
        reason = one.reason
        if one.outcome == FINISHED:
            if one.judged:
                continue
            reason = "no exact gap: what is learned has no referee"
        key = one.game, results.labels[one.method], one.outcome, reason
        seeds.setdefault(key, []).append(one.seed)
    lines = [[results.names[game], *key, own] for (game, *key), own in seeds.items()]
    columns = ["game", "method", "outcome", "reason", "seeds"]
    return Table("What is not in the tables", columns, lines)


def curve_rows(results: Results) -> Iterator[dict[str, Any]]:
    """All iterations of all runs, a row each."""
    for one in results.runs:
        head = {"game": one.game, **asdict(one.method), "seed": one.seed}
        for row in one.rows:
            yield {**head, "outcome": one.outcome, **columns(row)}


def band_rows(results: Results, seed: int) -> Iterator[dict[str, Any]]:
    """Means over seeds and their intervals, a row an iteration."""
    for game in results.games:
        for method in results.methods:
            runs = results.judged(game, method)
            if not runs:
                continue
            every = [band(runs, name, seed) for name in ("gap", "best")]
            for number, at in enumerate(runs[0].curves["iteration"]):
                row = {"game": game, **asdict(method), "iteration": at}
                for one in every:
                    row[one.name] = one.mean[number]
                    row[f"{one.name}_low"] = one.low[number]
                    row[f"{one.name}_high"] = one.high[number]
                yield row


def table_rows(standings: Sequence[Standing]) -> Iterator[dict[str, Any]]:
    """The standings, a row each; of an estimate its mean and the ends."""
    for one in standings:
        yield {
            "game": one.game,
            **asdict(one.method),
            "concept": one.concept,
            "seeds": list(one.seeds),
            "same_in_all_seeds": one.same,
            "failed": one.failed,
            **_ends("gap", one.last),
            **_ends("exploitability", one.exploitability),
            **_ends("best", one.best),
            **_all(one.at, "gap_at_{}"),
            **_firsts(one),
            **_ends("area", one.area),
            **(_ends(_POPULATION, one.population) if one.population else {}),
            **_ends("welfare", one.welfare),
            **_ends("support", one.support),
            **_ends("policies", one.policies),
            **_ends("cpu_seconds", one.cpu_seconds),
        }


def _all(estimates: Mapping[int, Estimate], name: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, one in estimates.items():
        made |= _ends(name.format(key), one)
    return made


def _firsts(standing: Standing) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for target, one in standing.first.items():
        name = f"first_at_{target:g}"
        made |= {f"{name}_reached": one.reached, name: one.median}
        made |= {f"{name}_low": one.low, f"{name}_high": one.high}
    return made


def _ends(name: str, one: Estimate) -> dict[str, Any]:
    return {name: one.mean, f"{name}_low": one.low, f"{name}_high": one.high}


def pair_rows(pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """The tested pairs, a row each."""
    for one in pairs:
        yield {
            "game": one.game,
            **{f"lower_{name}": v for name, v in asdict(one.lower).items()},
            **{f"higher_{name}": v for name, v in asdict(one.higher).items()},
            "seeds": one.seeds,
            "ratio": one.ratio,
            "ratio_low": one.low,
            "ratio_high": one.high,
            "test": one.test,
            "p": one.p,
            "p_holm": one.corrected,
            "p_least": one.least,
            "decided": one.decided,
        }


def rank_rows(rankings: Sequence[Ranking]) -> Iterator[dict[str, Any]]:
    """The mean ranks, a row a method and set of games."""
    for ranking in rankings:
        kinds = {"last": ranking.last, "best": ranking.best, "area": ranking.area}
        for number, method in enumerate(ranking.methods):
            row: dict[str, Any] = {"games": ranking.about, **asdict(method)}
            for kind, numbers in kinds.items():
                one = numbers[number]
                row |= {f"rank_{kind}": one.mean, f"rank_{kind}_low": one.low}
                row |= {f"rank_{kind}_high": one.high}
            yield row
