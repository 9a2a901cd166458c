"""What a reader must know of a run of the bargaining grid before its numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from experiments.bargaining.config import SIZES, Config
from experiments.bargaining.results import APPROACHES, Results, setting_name
from experiments.bargaining.tables import Comparison, RegretCell
from experiments.lab.verdict import LEVEL
from metaspiel.learn.settings import DDQN

TRIALS = 10  # a cell, in the paper
PAPER = replace(SIZES["paper"], ddqn=DDQN(games=1), judge=DDQN(games=1))
_SETTINGS: dict[str, Callable[[Config], float]] = {
    "iterations of PSRO in the model": lambda c: c.iterations,
    "decisions of the learner a response": lambda c: c.ddqn.decisions,
    "games side by side for a learner": lambda c: c.ddqn.games,
    "decisions of a response that judges": lambda c: c.judge.decisions,
    "episodes of each entry of an empirical game": lambda c: c.episodes,
    "training steps of the model": lambda c: c.training.steps,
    "members of the ensemble": lambda c: c.training.members,
    "responses until coverage is 0": lambda c: c.anneal,
    "discount a round": lambda c: c.game.discount,
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


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is told of a run beside its rows.

    Attributes:
      config: with all that the folder was ever asked for.
      command: that began it.
      units: of work, of which those in ``missing`` are unfinished.
      cpu_seconds, wall_seconds: so far; those of ``unknown`` units are not counted.
      commits: of the code that worked on it.
    """

    config: Config
    command: str
    units: int = 0
    missing: tuple[str, ...] = ()
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    unknown: int = 0
    commits: tuple[str, ...] = ()


def notes(
    results: Results,
    cells: Sequence[RegretCell],
    same: Sequence[Comparison],
    facts: Facts,
) -> list[str]:
    """One sentence for each thing that limits what the numbers say, without its stop.

    Args:
      results: the rows.
      cells: of their main settings.
      same: comparisons under the same evaluation solver.
      facts: of the run.
    """
    sentences = list(results.notes)
    most = max((cell.n for cell in cells), default=TRIALS)
    if facts.missing:
        sentences.append(
            f"{len(facts.missing)} units of work are unfinished ({facts.missing[0]}, "
            "...)"
        )
    if most == 1:
        sentences.append(
            "one trial a cell: no spread, no interval, and no test can decide"
        )
    possible = [one.p_smallest for one in same if one.p_smallest is not None]
    if possible and min(possible) > LEVEL:
        sentences.append(
            f"with these trials no p-value of the table is below {min(possible):.3g}"
        )
    behaviours = {row.behaviour for row in results.final}
    changed = _changed(facts.config, behaviours)
    if most != TRIALS:
        changed.append(f"{most} trials a cell at most, where the paper has {TRIALS}")
    sentences += [*changed, *_untuned(results), *_unmixed(results)]
    return sentences + _agreement(same, bool(changed))


def _changed(config: Config, behaviours: set[str]) -> list[str]:
    """Where the run is not as the paper's."""
    sentences = [
        f"{of(config):,} {what}, where the paper has {of(PAPER):,}"
        for what, of in _SETTINGS.items()
        if of(config) != of(PAPER)
    ]
    if "psro" in behaviours:
        own, paper = config.behaviour_iterations, PAPER.behaviour_iterations
        if own != paper:
            sentences.append(
                f"PSRO data are of runs of {own} iterations, the paper's of {paper}"
            )
        if config.shared_behaviour:
            sentences.append(
                "trials on PSRO data share five behaviour runs, where the paper has "
                "five new ones a trial: their spread and p-values are of the rest only"
            )
    if "file" in behaviours:
        sentences.append(
            "all trials share the given data set: their spread and p-values are of "
            "models and learning only"
        )
    return sentences


def _untuned(results: Results) -> list[str]:
    """Approaches that were run at one setting, where the paper chose among several."""
    sentences = []
    for approach in ("coffee", "oef-bc"):
        tried = {r.setting for r in results.final if r.approach == approach}
        if len(tried) == 1:
            sentences.append(
                f"{APPROACHES[approach]} was not tuned: only "
                f"{setting_name(approach, *tried)} was tried, and the paper's choice "
                "is not known to us"
            )
    return sentences


def _unmixed(results: Results) -> list[str]:
    """How often OEF-BC was beaten by a deviation that only it is judged against."""
    own = [row.best for row in results.main if row.approach == "oef-bc"]
    if not own:
        return []
    won = sum(any(one.startswith("unmixed") for one in best) for best in own)
    return [
        f"in {won} of {len(own)} profiles of OEF-BC the best deviation is an unmixed "
        "policy, which other approaches are not judged against"
    ]


def _agreement(same: Sequence[Comparison], changed: bool) -> list[str]:
    """How many p-values agree with the published, of those that could."""
    both = [one for one in same if one.agrees is not None]
    able = [one for one in both if one.able]
    if not both:
        return []
    if not able:
        return [
            f"none of {len(both)} p-values of the table could reach {LEVEL}, so their "
            "agreement with the published ones is not counted"
        ]
    agree = sum(one.agrees is True for one in able)
    sizes = sorted({(one.n_reference, one.n) for one in able})
    counts = ", ".join(f"{a} v {b}" for a, b in sizes)
    rest = "; and the settings are not the paper's" if changed else ""
    return [
        f"{agree} of {len(able)} p-values that could reach {LEVEL} are on the same "
        f"side of it as the published ones (trials here {counts}, there {TRIALS} v "
        f"{TRIALS}{rest})"
    ]
