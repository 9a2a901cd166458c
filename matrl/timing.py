"""What an iteration costs, and solving its meta-game: CPU times of this process."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from matrl import loop
from matrl.meta_game import estimate
from matrl.methods import METHODS, Settings
from meta_solvers.solving import solve
from meta_solvers.two_action import TwoActionNash
from metaspiel.games.markov import MarkovGame
from metaspiel.nfg.game import Game

PHASES = ("play", "trial", "meta_game", "aggregate", "response")
_GAMES, _SAMPLES = 20, 2000  # random games, and samples that a meta-game is made of


@dataclass(frozen=True, kw_only=True)
class MethodTime:
    """CPU seconds of a method's iteration; medians over rounds.

    Attributes:
      phases: of each phase.
      seconds: of the whole iteration.
      least: of the fastest.
      ratio: to the first method, from the same state.
      samples_per_second: environment steps that are learned from.
    """

    phases: Mapping[str, float]
    seconds: float
    least: float
    ratio: float
    samples_per_second: float


def time_iterations(
    game: MarkovGame,
    settings: Settings,
    methods: Sequence[str],
    *,
    rounds: int,
    warm: int = 0,
    seed: int = 0,
) -> dict[str, MethodTime]:
    """Times every method from the same states, in turn; the first one leads on.

    Args:
      game: what is learned.
      settings: of all methods.
      methods: names of ``METHODS``.
      rounds: iterations of each method.
      warm: iterations of the first method before the first round.
      seed: of the agents.
    """
    state = loop.start(game, settings, seed)
    for _ in range(warm):
        state, _ = loop.step(game, METHODS[methods[0]], settings, state)
    taken: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
    for number in range(rounds):
        following = state
        # The order changes, so that no method always comes after the same one.
        turn = number % len(methods)
        for method in (*methods[turn:], *methods[:turn]):
            after, row = loop.step(game, METHODS[method], settings, state)
            taken[method].append(row["seconds"])
            if method == methods[0]:
                following = after
        state = following
    totals = {m: [sum(one.values()) for one in every] for m, every in taken.items()}
    first = totals[methods[0]]
    return {
        method: MethodTime(
            phases={p: statistics.median(one[p] for one in every) for p in PHASES},
            seconds=statistics.median(totals[method]),
            least=min(totals[method]),
            ratio=statistics.median(
                one / other for one, other in zip(totals[method], first, strict=True)
            ),
            samples_per_second=settings.ppo.batch / statistics.median(totals[method]),
        )
        for method, every in taken.items()
    }


@dataclass(frozen=True, kw_only=True)
class SolvingTime:
    """Milliseconds to estimate a meta-game and to solve random ones.

    Attributes:
      agents: of the games.
      estimate: of a meta-game from samples, the median.
      all: for all equilibria, the median.
      all_most: the slowest.
      all_regret: the largest regret, as a fraction of the payoff range.
      pure_first: as ``all``, where pure equilibria are looked for first.
      pure_first_most: the slowest of these.
      pure_first_regret: the largest regret of these.
    """

    agents: int
    estimate: float
    all: float
    all_most: float
    all_regret: float
    pure_first: float
    pure_first_most: float
    pure_first_regret: float


def time_solving(agents: int, *, rounds: int, seed: int = 0) -> SolvingTime:
    """Times the estimate of a meta-game, and solving two-action games.

    Args:
      agents: of the games, whose payoffs are random.
      rounds: estimates.
      seed: of payoffs and samples.
    """
    rng = np.random.default_rng((seed, agents))
    games = [Game(rng.standard_normal((agents, *(2,) * agents))) for _ in range(_GAMES)]
    logs = (0.1 * rng.standard_normal((agents, _SAMPLES))).astype(np.float32)
    values = rng.standard_normal((agents, _SAMPLES)).astype(np.float32)
    estimates = []
    for _ in range(rounds):
        begin = time.process_time()
        estimate(logs, values)
        estimates.append(1e3 * (time.process_time() - begin))
    every = _solved(TwoActionNash("random"), games, rng)
    pure = _solved(TwoActionNash("random", True), games, rng)
    return SolvingTime(
        agents=agents,
        estimate=statistics.median(estimates),
        all=every[0],
        all_most=every[1],
        all_regret=every[2],
        pure_first=pure[0],
        pure_first_most=pure[1],
        pure_first_regret=pure[2],
    )


def _solved(
    solver: TwoActionNash, games: Sequence[Game], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Median and most milliseconds, and the largest regret."""
    taken, regrets = [], [0.0]
    for game in games:
        begin = time.process_time()
        answer = solve(solver, game, rng, throw=False)
        taken.append(1e3 * (time.process_time() - begin))
        regrets.append(answer.diagnostics["regret"])
    return statistics.median(taken), max(taken), max(regrets)
