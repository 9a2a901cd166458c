"""What the tests of a comparison say, in sentences that a reader sees first."""

from collections.abc import Iterable, Sequence
from math import comb

from experiments.compare import tables
from experiments.compare.claims import Pair
from experiments.compare.results import Results
from experiments.compare.scale import MILLIONTH
from experiments.compare.sizes import seeds_needed
from experiments.compare.standings import Standing

_FEW = 5  # seeds from which on intervals are not too narrow


def of_game(
    results: Results, standings: Sequence[Standing], pairs: Sequence[Pair], game: str
) -> str:
    """The method with the lowest mean gap on a game, and what it is told apart from."""
    own = [one for one in standings if one.game == game]
    name, labels = results.names[game], results.labels
    if not own:
        return f"{name}: no run finished."
    if len(own[0].seeds) < 2:
        ends = ", ".join(
            f"{labels[one.method]} {tables.spread(one.last)}" for one in own
        )
        return f"{name}: gaps at the end: {ends}."
    first = (
        f"{name}: {labels[own[0].method]} has the lowest mean gap at the end, "
        f"{tables.spread(own[0].last)}"
    )
    if len(own) < 2:
        return f"{first}."
    here = [pair for pair in pairs if pair.game == game]
    told = "; ".join([first, *_others(results, own, here)])
    return " ".join([f"{told}.", *_too_few(here)])


def _others(
    results: Results, own: Sequence[Standing], pairs: Sequence[Pair]
) -> list[str]:
    """How the other methods of a game stand to the one with the lowest mean gap."""
    first, labels = own[0].method, results.labels
    with_first = {
        pair.higher if pair.lower == first else pair.lower: pair
        for pair in pairs
        if first in (pair.lower, pair.higher)
    }
    alike, tied, below, untested = [], [], [], []
    for one in own[1:]:
        pair, label = with_first.get(one.method), labels[one.method]
        if pair is None or not (pair.decided or pair.untested):
            alike.append(label)
        elif not pair.decided:
            tied.append(label)
        elif pair.higher == first:
            below.append(label)
        elif pair.untested:
            untested.append(label)
    said = _listed("not told apart from it: ", alike)
    said += _listed("level with it in all seeds: ", tied)
    said += _listed("below it by logarithms, which tests go by: ", below)
    if not said and len(untested) == len(own) - 1:
        return ["below all others in all seeds, without a test"]
    said = said or ["told apart from all others"]
    return said + _listed("above it in all seeds, without a test: ", untested)


def _listed(what: str, names: Sequence[str]) -> list[str]:
    return [f"{what}{', '.join(names)}"] if names else []


def _too_few(pairs: Sequence[Pair]) -> list[str]:
    """A sentence on seeds that cannot decide pairs of a game; none if all can."""
    tested = [pair for pair in pairs if not pair.untested]
    short = [pair for pair in tested if pair.too_few]
    if not short:
        return []
    fewest = min(pair.seeds for pair in short)
    least = min(pair.least for pair in short if pair.least is not None)
    flipped = sum(pair.flipped for pair in tested)
    needed = seeds_needed(len(tested) - flipped, flipped)
    advice = "compare fewer methods" if needed is None else f"take at least {needed}"
    share = f"{len(short)} of " if len(short) < len(tested) else ""
    return [
        f"{fewest} seeds cannot tell {share}{len(tested)} pair{'s' * (len(tested) > 1)}"
        f" apart (least possible corrected p {least:.2g}): {advice}."
    ]


def sure(standings: Sequence[Standing], pairs: Sequence[Pair], seeds: int) -> list[str]:
    """How sure the ranking of a comparison with so many seeds is."""
    if seeds < 2:
        needed = seeds_needed(max(_pairs(standings), default=0)) or 0
        return [
            "One seed ranks nothing: no test, no interval and no rank is given; "
            f"--seeds {max(_FEW, needed)} or more compares."
        ]
    said = []
    untested = [pair for pair in pairs if pair.untested]
    tested = len(pairs) - len(untested)
    if tested:
        decided = sum(pair.decided for pair in pairs if not pair.untested)
        said.append(
            f"{decided} of {tested} tested pair{'s' * (tested > 1)} of methods "
            f"{'are' if tested > 1 else 'is'} told apart by the gap at the end."
        )
    if pairs:
        said.append(
            "The lowest mean gap comes first; tests (two-sided, Holm's correction in "
            "each game) and ratios go by logarithms, which may order two methods "
            f"otherwise. Gaps count in whole steps of {MILLIONTH:g} of the range of "
            "payoffs, summed over players: less is noise."
        )
    if any(one.same for one in standings):
        said.append(
            'Some runs are the same in all seeds, "all the same" in the tables: they '
            "are one number each and no sample. Another method is tested against such "
            "a number by sign flips of its own seeds, of which fewer than six decide "
            "nothing."
        )
    if untested:
        differ = sum(pair.decided for pair in untested)
        said.append(
            "Two such are compared as they are, without a test: "
            f"{len(untested)} pair{'s' * (len(untested) > 1)} beside the tested ones, "
            f"of which {differ} differ{'s' * (differ == 1)}."
        )
    said.append(
        "The gap at the end is that of the last iterate, which may be above the lowest "
        "that a run had: both are shown. Intervals are bootstrap 95 %, over seeds."
    )
    return said


def _pairs(standings: Sequence[Standing]) -> Iterable[int]:
    """How many pairs of methods each game has."""
    games = [one.game for one in standings]
    return (comb(games.count(game), 2) for game in dict.fromkeys(games))
