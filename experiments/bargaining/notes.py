"""What a reader must know of a run of the bargaining grid before its numbers."""

from collections.abc import Sequence
from typing import Any

from experiments.bargaining.results import (
    NAMES,
    Judged,
    Row,
    Setting,
    setting,
    setting_name,
)
from experiments.bargaining.tables import regret_cells
from experiments.bargaining.verdicts import LEVEL

TRIALS = 10  # a cell, in the paper
_PAPER: dict[str, tuple[Any, str]] = {
    "iterations": (40, "iterations of PSRO in the model"),
    "decisions": (200_000, "decisions of the learner a response"),
    "games": (1, "games side by side for a learner"),
    "episodes": (1000, "episodes of each entry of an empirical game"),
    "model_steps": (10_000, "training steps of the model"),
    "members": (4, "members of the ensemble"),
    "anneal": (10, "responses until coverage is 0"),
    "discount": (0.99, "discount a round"),
}
LOWER_BOUND = (
    "Regret is the sum over players of what the best deviation found gains in the true "
    "game. Deviations are the run's own policies and learned responses to the last k "
    "profiles: an estimate of a lower bound, which grows with k and with how long the "
    "responses learn. OEF-BC is judged against about twice as many: also its policies "
    'without the imitation ("unmixed"), which can only raise its estimate.'
)
PAIRED = (
    "Trials of one number share their data set and model, whatever the approach. "
    "Claims are tested on the differences of such pairs (sign flips; on one data set "
    "the least p-value is 1/8 with three pairs and 1/32 with five), or as independent "
    "trials where the two sides do not have the same ones."
)
PUBLISHED_NOTE = (
    "We had no copy of the paper with its tables' regrets; only the p-values could be "
    "compared. The columns 1 and 2 of that table have 500 trajectories, 3 and 4 have "
    "1000, 5 and 6 have 2000; that the odd ones are PSRO data and the even ones "
    "uniform is our inference from what the text says of OEF-BC. The paper's test and "
    "k are not known; its 60 p-values are of ten trials a side and not corrected."
)


def notes(judged: Judged, same: Sequence[Row], facts: dict[str, Any]) -> list[str]:
    """One sentence for each thing that limits what the numbers say, without its stop.

    Args:
      judged: the rows.
      same: comparisons under the same evaluation solver.
      facts: as ``_bargaining_report.write`` takes them.
    """
    sentences = []
    missing = facts.get("missing") or []
    if missing:
        sentences.append(
            f"{len(missing)} units of work are unfinished ({missing[0]}, ...)"
        )
    cells = regret_cells(judged.main)
    if cells and max(c["n"] for c in cells) == 1:
        sentences.append(
            "one trial a cell: no spread, no interval, and no test can decide"
        )
    possible = [one["p_smallest"] for one in same if one["p_smallest"] is not None]
    if possible and min(possible) > LEVEL:
        sentences.append(
            f"with these trials no p-value of the table is below {min(possible):.3g}"
        )
    settings = _settings(judged, facts.get("config") or {})
    sentences += [*settings, *_untuned(judged), *_unmixed(judged.main)]
    return sentences + _agreement(same, bool(settings))


def _settings(judged: Judged, config: dict[str, Any]) -> list[str]:
    """Where the run is not as the paper's."""
    sentences = [
        f"{config[key]:,} {what}, where the paper has {usual:,}"
        for key, (usual, what) in _PAPER.items()
        if config.get(key) not in (None, usual)
    ]
    behaviours = {row["behaviour"] for row in judged.final}
    if "psro" in behaviours:
        own = config.get("behaviour_iterations")
        if own not in (None, 20):
            sentences.append(
                f"PSRO data are of runs of {own} iterations, the paper's of 20"
            )
        if config.get("shared_behaviour"):
            sentences.append(
                "trials on PSRO data share five behaviour runs, where the paper has "
                "five new ones a trial: their spread and p-values are of the rest only"
            )
    if "file" in behaviours:
        sentences.append(
            "all trials share the given data set: their spread and p-values are of "
            "models and learning only"
        )
    most = max((cell["n"] for cell in regret_cells(judged.main)), default=TRIALS)
    if most != TRIALS:
        sentences.append(f"{most} trials a cell at most, where the paper has {TRIALS}")
    return sentences


def _untuned(judged: Judged) -> list[str]:
    """Approaches that were run at one setting, where the paper chose among several."""
    tried: dict[str, set[Setting]] = {}
    for row in judged.final:
        tried.setdefault(row["approach"], set()).add(setting(row))
    return [
        f"{NAMES[approach]} was not tuned: only {setting_name(approach, *used)} was "
        "tried, and the paper's choice is not known to us"
        for approach, used in tried.items()
        if approach in ("coffee", "oef-bc") and len(used) == 1
    ]


def _unmixed(rows: Sequence[Row]) -> list[str]:
    """How often OEF-BC was beaten by a deviation that only it is judged against."""
    own = [row for row in rows if row["approach"] == "oef-bc" and row.get("best")]
    if not own:
        return []
    won = sum(any(b.startswith("unmixed") for b in row["best"]) for row in own)
    return [
        f"in {won} of {len(own)} profiles of OEF-BC the best deviation is an unmixed "
        "policy, which other approaches are not judged against"
    ]


def _agreement(same: Sequence[Row], changed: bool) -> list[str]:
    """How many p-values agree with the published, of those that could."""
    both = [one for one in same if one["published"] is not None]
    if not both:
        return []
    able = [one for one in both if one["p_smallest"] <= LEVEL]
    if not able:
        return [
            f"none of {len(both)} p-values of the table could reach {LEVEL}, so their "
            "agreement with the published ones is not counted"
        ]
    agree = sum(
        (one["p_permutation"] <= LEVEL) == (one["published"] <= LEVEL) for one in able
    )
    sizes = sorted({(one["n_reference"], one["n"]) for one in able})
    counts = ", ".join(f"{a} v {b}" for a, b in sizes)
    rest = "; and the settings are not the paper's" if changed else ""
    return [
        f"{agree} of {len(able)} p-values that could reach {LEVEL} are on the same "
        f"side of it as the published ones (trials here {counts}, there {TRIALS} v "
        f"{TRIALS}{rest})"
    ]
