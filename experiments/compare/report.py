"""What a comparison says first, and all that it writes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from experiments.compare import sentences, tables
from experiments.compare.axes_config import SAME
from experiments.compare.claims import Pair, Ranking, pairs, rankings
from experiments.compare.config import Config
from experiments.compare.naming import described
from experiments.compare.results import Results
from experiments.compare.standings import Standing, standings
from experiments.lab import verdict
from experiments.lab.folder import clock, plain
from experiments.lab.report import Opening, Table, comma_separated, publish
from metaspiel import files

_NAMED = 5  # methods in a title
_PAIRS = "Pairs of methods, by the logarithm of the gap at the end"
_MOST = 30  # claims in the report; pairs.csv has them all


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The results of a comparison and what they amount to.

    Attributes:
      results: all runs.
      standings: methods on games.
      pairs: tests of two methods on a game.
      rankings: over games, all of them first.
    """

    results: Results
    standings: Sequence[Standing]
    pairs: Sequence[Pair]
    rankings: Sequence[Ranking]

    @classmethod
    def of(cls, results: Results, config: Config) -> "Judged":
        """Judges all runs."""
        return cls(
            results=results,
            standings=standings(results, config),
            pairs=[one for g in results.games for one in pairs(results, g, config)],
            rankings=rankings(results, config),
        )


def write(folder: Path, config: Config, judged: Judged) -> tuple[Any, str]:
    """Writes the report and all numbers as CSV.

    Returns:
      The summary, and the tables as Markdown.
    """
    from experiments.compare.pictures import pictures  # they load vl-convert

    bands = list(tables.band_rows(judged.results, config.seed))
    rows = {
        "curves": list(tables.curve_rows(judged.results)),
        "bands": bands,
        "table": list(tables.table_rows(judged.standings)),
        "pairs": list(tables.pair_rows(judged.pairs)),
        "ranks": list(tables.rank_rows(judged.rankings)),
    }
    for name, own in rows.items():
        files.write_text(folder / f"{name}.csv", comma_separated(own))
    summary: dict[str, Any] = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        **{name: rows[name] for name in ("table", "pairs", "ranks")},
        "missing": [list(row) for row in tables.missing(judged.results).rows],
        "wall_seconds": clock(folder),
    }
    said = opening(config, judged)
    text = publish(
        folder,
        summary,
        title=_title(judged),
        opening=said,
        tables=_tables(judged),
        figures=pictures(judged.results, bands),
    )
    return summary, "\n".join([*said.ran, *said.result, *said.sure, "", text])


def _title(judged: Judged) -> str:
    """The methods, by name where they are few, and how many games."""
    labels, games = judged.results.labels, judged.results.names
    what = f"{len(labels)} methods"
    if 0 < len(labels) <= _NAMED:
        what = ", ".join(labels.values())
    where = next(iter(games.values())) if len(games) == 1 else f"{len(games)} games"
    return f"{what}: PSRO on {where}"


def _tables(judged: Judged) -> list[Table]:
    results = judged.results
    made = [tables.ranks(results, one) for one in judged.rankings if one.methods]
    made += [one for game in results.games if (one := _table(judged, game)).rows]
    claims = [one.claim(results) for one in judged.pairs]
    if 0 < len(claims) <= _MOST:
        made.append(replace(verdict.table(claims, _PAIRS), raw=True))
    missing = tables.missing(results)
    return [*made, missing] if missing.rows else made


def _table(judged: Judged, game: str) -> Table:
    return tables.table(judged.results, judged.standings, judged.pairs, game)


def _meanings(config: Config, judged: Judged) -> list[str]:
    """What the short names stand for, where they need it."""
    short = {k: v for k, v in judged.results.names.items() if v != k}
    said = [f"{name} is {game}." for game, name in short.items()]
    methods = judged.results.methods
    if methods and judged.results.labels[methods[0]] != methods[0].name:
        said.append(f"Responses of all methods: {methods[0].oracle}.")
    if len(methods) > _NAMED:
        return said
    own = {one.solver for one in config.methods}  # typed, or trusted
    asked = [one.evaluation for one in methods if one.evaluation != SAME]
    for solver in dict.fromkeys([*(one.solver for one in methods), *asked]):
        if text := described(solver, trusted=solver in own):
            said.append(f"{solver}: {text}.")
    return said


def opening(config: Config, judged: Judged) -> Opening:
    """What a reader must know first."""
    seeds = sorted({seed for one in judged.standings for seed in one.seeds})
    ran = [
        f"{_title(judged)}, {config.length} iterations each, with "
        f"{'seeds' if len(seeds) > 1 else 'seed'} {_listed(seeds)}. Compared is the "
        "exact gap: what the players, each alone, could gain by leaving what is "
        "played, summed; 0 is an equilibrium.",
        *_meanings(config, judged),
    ]
    if config.merge:
        ran.append(
            f"Runs are merged up to iteration {config.length}, which all of them have; "
            "what longer ones did after it is left out."
        )
    if absent := _absent(config, judged.results):
        ran.append(
            f"{absent} run{'s' * (absent != 1)} of what was asked for "
            f"{'are' if absent > 1 else 'is'} not there: interrupted, or lost to a "
            "fault; --resume plays what is missing."
        )
    parts = judged.results, judged.standings, judged.pairs
    result = [sentences.of_game(*parts, game) for game in judged.results.games]
    sure = sentences.sure(judged.standings, judged.pairs, len(seeds))
    if judged.rankings[0].left_out and judged.rankings[0].methods:
        names = ", ".join(judged.results.labels[m] for m in judged.rankings[0].left_out)
        sure.append(f"Not ranked, as some runs are missing: {names}.")
    return Opening(ran=ran, result=result, sure=sure)


def _absent(config: Config, results: Results) -> int:
    """How many runs that were asked for have no result."""
    there = {(one.game, one.method, one.seed) for one in results.runs}
    seeds = range(config.seed, config.seed + config.seeds)
    return len({*product(config.games, config.methods, seeds)} - there)


def _listed(seeds: Sequence[int]) -> str:
    """Seeds in words: "0 to 4", or one by one where some are missing."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds)) or "none"
