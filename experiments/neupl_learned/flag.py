"""Team games: one network as the population beside separate networks."""

from dataclasses import dataclass

from experiments.neupl_learned.config import Size, Variant
from experiments.neupl_learned.course import Course, grown
from experiments.neupl_learned.duels import Side, duel, exploited
from experiments.neupl_learned.measures import (
    Common,
    diversity,
    drift,
    forgetting,
    visited,
)
from psro.metrics import gap_error

TRIES = 2
_FRESH = 2000  # episodes of duels and of exploiters
_EACH = 100  # common states of each policy


@dataclass(frozen=True, kw_only=True)
class Method:
    """What one population came to.

    Attributes:
      gaps: what responses learned to gain, by iteration from the first state on.
      errors: standard errors of them, at most.
      gains: of independent exploiters against the final meta-strategy, of the players
        who learned.
      gain_errors: their standard errors.
      diversity: mean pairwise divergence on common states (nats).
      forgetting: divergence of policies from what they were, by age (nats).
      drift: largest change of an old payoff, by iteration.
      bytes_a_policy: stored, in float32.
      cpu: seconds by phase.
      policies: of each player.
      curves: mean payoff of each batch of each response.
    """

    gaps: list[float]
    errors: list[float]
    gains: list[float]
    gain_errors: list[float]
    diversity: float
    forgetting: list[float]
    drift: list[float]
    bytes_a_policy: float
    cpu: dict[str, float]
    policies: list[int]
    curves: list[list[float]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """Both populations of one seed.

    Attributes:
      neupl: one network.
      separate: a network for each policy, with the same budget.
      cross: payoff of the first half of the players, and its standard error, by whose
        meta-strategies are played, the first half's first.
    """

    neupl: Method
    separate: Method
    cross: dict[str, list[float]]


def measured(size: Size, *, solver: str, seed: int) -> Result:
    """Runs both and lets them play each other."""
    courses = {
        name: grown(size, Variant(separate=separate), solver=solver, seed=seed)
        for name, separate in (("neupl", False), ("separate", True))
    }
    some = courses["neupl"]
    states = visited(
        some.simulator,
        some.oracle.network,
        [course.realised[-1] for course in courses.values()],
        executor=some.executor,
        each=_EACH,
        seed=seed,
    )
    sides = {name: Side.of(course) for name, course in courses.items()}
    return Result(
        **{
            name: _method(course, states, players=size.players, seed=seed)
            for name, course in courses.items()
        },
        cross={
            f"{first} {second}": list(duel(some, one, two, episodes=_FRESH, seed=seed))
            for first, one in sides.items()
            for second, two in sides.items()
        },
    )


def _method(
    course: Course, states: list[Common], *, players: tuple[int, ...], seed: int
) -> Method:
    """What is known of one population; exploiters learn last."""
    known = [state for state in course.states if state.responses is not None]
    errors = [
        gap_error(s, s.table.game(s.population, repeats=False), "cce") for s in known
    ]
    curves = list(course.executor.curves)
    gains, gain_errors = exploited(
        course, players, tries=TRIES, episodes=_FRESH, seed=seed
    )
    return Method(
        gaps=[s.gap("cce") or 0.0 for s in known],
        errors=[error or 0.0 for error in errors],
        gains=gains,
        gain_errors=gain_errors,
        diversity=diversity(course.oracle.network, course.realised[-1], states),
        forgetting=forgetting(course, states),
        drift=drift(course),
        bytes_a_policy=course.bytes_a_policy,
        cpu=course.cpu,
        policies=list(course.last.population.sizes),
        curves=curves,
    )
