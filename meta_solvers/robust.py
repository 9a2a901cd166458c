"""Direct minimiser of the worst-case regret bound over an ensemble of payoffs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import Answer, MetaSolver, Status
from meta_solvers.lp import minimise
from meta_solvers.replicator import ReplicatorDynamics
from meta_solvers.solving import solve
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import against, measure
from metaspiel.nfg.simplex import marginals, product

Profile = list[ndarray]


@dataclass(frozen=True)
class MinRegretBound(MetaSolver):
    """Minimises ``sum_p [max_s up_p(s) - base_p]`` over independent play.

    The bound is the largest sum of regrets that payoffs between the entry-wise bounds
    of the ensemble allow (optimistic best deviation less pessimistic value). With the
    other players fixed it is a linear program in one player's mixture, so the method
    descends player by player, each step exact, from several starts: uniform play,
    replicator dynamics on the mean and on the lower bounds, the best pure profile, and
    random profiles. Symmetric games are solved with one shared mixture: a step there
    moves along the best of the linear program's direction. The lowest bound found is
    returned; it is not convex, so a lower one may exist. Without an ensemble, the
    bound is NashConv.

    Attributes:
      starts: number of random starts beside the fixed ones.
      rounds: most passes over the players from each start.
      tolerance: stop a start when a pass lowers the bound by less than this fraction
        of the payoff range.
    """

    starts: int = 8
    rounds: int = 200
    tolerance: float = 1e-6
    uses_members: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
    expands_repeats: ClassVar[bool] = False
    maximises: ClassVar[str] = "minus the worst-case sum of regrets over the ensemble"
    source: ClassVar[str] = "this library (objective: Nguyen & Wellman 2026)"

    def __post_init__(self) -> None:
        if self.starts < 0 or self.rounds < 1:
            raise UserError(
                "MinRegretBound(): starts must be >= 0 and rounds >= 1; got "
                f"{self.starts} and {self.rounds}"
            )

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        scale = float(game.scale.max())
        descents: list[tuple[float, int, Profile, bool]] = []
        beginnings = self._beginnings(game, rng)
        for number, profile in enumerate(beginnings):
            profile, settled = self._descend(game, profile, scale)
            descents.append((regret_bound(game, profile), number, profile, settled))
        bound, number, profile, settled = min(descents, key=lambda item: item[:2])
        diagnostics = {
            "bound": bound,
            "start": number,
            "starts": len(beginnings),
            "agreeing_starts": sum(f[0] <= bound + 1e-6 * scale for f in descents),
        }
        status = Status.OK if settled else Status.MAX_STEPS
        return Answer(product(profile), status, 0.0, diagnostics)

    def _beginnings(self, game: Game, rng: np.random.Generator) -> list[Profile]:
        uniform = [np.full(size, 1.0 / size) for size in game.actions]
        starts = [uniform]
        replicator = ReplicatorDynamics(steps=200, iterate="best")
        for payoffs in (game.payoffs, game.lower):
            solution = solve(replicator, Game(payoffs), throw=False)
            starts.append(list(solution.marginals))
        starts.append(_best_pure(game))
        for _ in range(self.starts):
            draws = [rng.dirichlet(np.ones(size)) for size in game.actions]
            starts.append(draws)
        if game.symmetric:
            starts = [[profile[0]] * game.players for profile in starts]
        return starts

    def _descend(
        self, game: Game, profile: Profile, scale: float
    ) -> tuple[Profile, bool]:
        """Exact steps player by player until a pass gains nothing."""
        bound = regret_bound(game, profile)
        step: Callable[[Game, Profile, int], Profile] = (
            _shared_step if game.symmetric else _own_step
        )
        movers = 1 if game.symmetric else game.players
        for _ in range(self.rounds):
            before = bound
            for player in range(movers):
                trial = step(game, profile, player)
                value = regret_bound(game, trial)
                if value < bound:
                    profile, bound = trial, value
            if before - bound <= self.tolerance * scale:
                return profile, True
        return profile, False


def regret_bound(game: Game, profile: Profile) -> float:
    """``sum_p [max_s up_p(s) - base_p]`` with entry-wise bounds (COffeE-PSRO, 5.4)."""
    total = 0.0
    for player, own in enumerate(profile):
        best = against(game.upper[player], profile, player).max()
        total += float(best - own @ against(game.lower[player], profile, player))
    return total


@dataclass(frozen=True)
class Judged:
    """What a solver that saw an ensemble is worth in the true game.

    Attributes:
      bound: of its profile on the sum of regrets, as ``regret_bound`` has it.
      true_regret: sum over players of what a best deviation gains in the true game.
      settled: the solver met its own stopping rule.
    """

    bound: float
    true_regret: float
    settled: bool


def judge(
    solver: MetaSolver, games: Sequence[tuple[Game, Game]], rng: np.random.Generator
) -> list[Judged]:
    """Solves ensembles, and measures each answer in the game that it is about.

    Args:
      solver: it sees the ensembles only; a flow steps all of them together.
      games: true games and their ensembles, of one shape for a flow.
      rng: of a stochastic solver.
    """
    known = [ensemble for _, ensemble in games]
    answers: list[tuple[ndarray, Status]]
    if isinstance(solver, ReplicatorDynamics):
        answers = [(one.joint, one.status) for one in solver.distributions(known)]
    else:
        solved = [solve(solver, ensemble, rng, throw=False) for ensemble in known]
        answers = [(one.joint, one.status) for one in solved]
    return [
        Judged(
            regret_bound(ensemble, list(marginals(joint))),
            float(measure(true, joint).ne.sum()),
            status is Status.OK,
        )
        for (true, ensemble), (joint, status) in zip(games, answers, strict=True)
    ]


def _best_pure(game: Game) -> Profile:
    """The pure profile with the smallest bound."""
    total = np.zeros(game.actions)
    for player in range(game.players):
        total += game.upper[player].max(axis=player, keepdims=True) - game.lower[player]
    index = np.unravel_index(int(np.argmin(total)), game.actions)
    return [np.eye(size)[i] for size, i in zip(game.actions, index, strict=True)]


def _pair(payoff: ndarray, profile: Profile, player: int, other: int) -> ndarray:
    """Payoffs by (action of ``other``, action of ``player``), the rest mixed out."""
    keep = (other, player)
    for axis in reversed([q for q in range(payoff.ndim) if q not in keep]):
        payoff = np.tensordot(payoff, profile[axis], axes=(axis, 0))
    return payoff if other < player else payoff.T


def _linear_step(game: Game, profile: Profile, player: int) -> Float64[ndarray, " A_p"]:
    """The mixture of ``player`` that minimises the bound with the others fixed."""
    size = game.actions[player]
    others = [q for q in range(game.players) if q != player]
    cost = -against(game.lower[player], profile, player)
    rows, caps = [], []
    for position, other in enumerate(others):
        # The other's pessimistic value, linear in the mover's mixture.
        low = _pair(game.lower[other], profile, player, other)
        cost = cost - profile[other] @ low
        high = _pair(game.upper[other], profile, player, other)
        block = np.zeros((len(high), size + len(others)))
        block[:, :size] = high
        block[:, size + position] = -1.0
        rows.append(block)
        caps.append(np.zeros(len(high)))
    if not others:
        return np.eye(size)[int(np.argmin(cost))]
    scale = float(game.scale.max())
    stacked = np.concatenate(rows)
    stacked[:, :size] /= scale
    values = minimise(
        np.append(cost / scale, np.ones(len(others))),
        stacked,
        np.concatenate(caps),
        equal=np.append(np.ones(size), np.zeros(len(others)))[None],
        equal_to=np.ones(1),
        positive=size,
    ).values
    if values is None:
        return profile[player]
    mixture = np.maximum(values[:size], 0.0)
    return mixture / mixture.sum()


def _own_step(game: Game, profile: Profile, player: int) -> Profile:
    mixture = _linear_step(game, profile, player)
    return [mixture if q == player else own for q, own in enumerate(profile)]


def _shared_step(game: Game, profile: Profile, player: int) -> Profile:
    """One mixture for all: the best point between here and the linear step."""
    target = _linear_step(game, profile, player)
    here = profile[0]
    lengths = np.concatenate([0.5 ** np.arange(0, 12), [0.0]])
    trials = [[here + t * (target - here)] * game.players for t in lengths]
    values = [regret_bound(game, trial) for trial in trials]
    return trials[int(np.argmin(values))]
