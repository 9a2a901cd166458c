"""Cross-play: agents of a two-agent game against those of other runs and scripts.

A score is half the difference of both agents' returns in a game, for the side that is
named first. Agents are the weights ``[2, P]`` of a policy for each side of the game.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from torch import Tensor

from meta_solvers import get, solve
from metaspiel.games.markov import MarkovGame
from metaspiel.games.mini_pong import MiniPong, tracker
from metaspiel.learn.rollout import act, look, play
from metaspiel.learn.students import Students
from metaspiel.nfg.game import Game

FIGURES = ("score", "deviation", "won", "drawn")
"""Results of a pair's games for the first side: the last axis of arrays."""
_DRAWS = 10_000  # resamples of an interval

Numbers = Callable[..., np.random.Generator]
"""Random numbers of a pair, from its place in the array of results."""


def tally(scores: Float64[ndarray, " M"]) -> Float64[ndarray, " 4"]:
    """``FIGURES`` of M games."""
    deviation = scores.std(ddof=min(1, len(scores) - 1))
    return np.array(
        [scores.mean(), deviation, (scores > 0).mean(), (scores == 0).mean()]
    )


def opponents(game: MarkovGame) -> tuple[str, ...]:
    """Opponents that do not learn and can play this game."""
    return ("random", "tracker") if isinstance(game, MiniPong) else ("random",)


@dataclass(frozen=True)
class Arena:
    """Where agents meet.

    Attributes:
      game: of two agents with discrete actions.
      who: networks of all agents.
      games: M, played by a pair in one go.
    """

    game: MarkovGame
    who: Students
    games: int

    def scores(
        self,
        zero: Float32[Tensor, "2 P"],
        one: Float32[Tensor, "2 P"],
        rng: np.random.Generator,
    ) -> Float64[ndarray, " M"]:
        """Scores of agent 0 of ``zero`` against agent 1 of ``one``."""
        returns, _ = play(
            self.game,
            self.who.policies,
            torch.stack([zero[0], one[1]]),
            episodes=self.games,
            rng=rng,
            numbered=self.who.numbered,
        )
        score: ndarray = (returns[:, 0] - returns[:, 1]) / 2
        return score

    def against(
        self,
        opponent: str,
        own: Float32[Tensor, "2 P"],
        side: int,
        *,
        rng: np.random.Generator,
    ) -> Float64[ndarray, " M"]:
        """Scores of the agent of ``own`` on a side against one of ``opponents``."""
        game, policies = self.game, self.who.policies
        scene = game.start(rng.random((self.games, game.draws)))
        score = np.zeros(self.games)
        players, other = policies.bound(own), 1 - side
        while not scene.over.all():
            seen = look(scene, self.who.numbered)
            actions = act(players, seen, rng.random((2, self.games, policies.draws)))
            actions[:, other] = (
                tracker(scene.observations[:, other])
                if opponent == "tracker"
                else rng.integers(policies.actions.size, size=self.games)
            )
            scene = game.step(scene, actions)
            score += (scene.rewards[:, side] - scene.rewards[:, other]) / 2
        return score

    def matrix(
        self,
        ours: Sequence[Float32[Tensor, "2 P"]],
        theirs: Sequence[Float32[Tensor, "2 P"]],
        numbers: Numbers,
    ) -> Float64[ndarray, "2 A B 4"]:
        """All of ours against all of theirs: as agent 0, then as agent 1."""
        made = np.empty((2, len(ours), len(theirs), len(FIGURES)))
        for i, one in enumerate(ours):
            for j, two in enumerate(theirs):
                made[0, i, j] = tally(self.scores(one, two, numbers(0, i, j)))
                made[1, i, j] = tally(-self.scores(two, one, numbers(1, i, j)))
        return made

    def scripts(
        self, ours: Sequence[Float32[Tensor, "2 P"]], numbers: Numbers
    ) -> Float64[ndarray, "A O 2 4"]:
        """All of ours against every opponent that does not learn, on either side."""
        names = opponents(self.game)
        made = np.empty((len(ours), len(names), 2, len(FIGURES)))
        for i, j, side in np.ndindex(*made.shape[:3]):
            rng = numbers(i, j, side)
            made[i, j, side] = tally(self.against(names[j], ours[i], side, rng=rng))
        return made


@dataclass(frozen=True, eq=False)
class League:
    """What each of R runs has against each other one over both sides.

    Attributes:
      score: mean score.
      won: share of games that it wins.
      drawn: share of games that are drawn.
    """

    score: Float64[ndarray, "R R"]
    won: Float64[ndarray, "R R"]
    drawn: Float64[ndarray, "R R"]

    @classmethod
    def of(cls, home: Float64[ndarray, "R R 4"]) -> "League":
        """From ``FIGURES`` of every run as agent 0 (rows) against every one as 1."""
        score, _, won, drawn = np.moveaxis(home, -1, 0)
        return cls(
            score=(score - score.T) / 2,
            # As agent 1 it wins what the other does not win or draw.
            won=(won + 1 - won.T - drawn.T) / 2,
            drawn=(drawn + drawn.T) / 2,
        )

    def choice(self, groups: Mapping[str, Sequence[int]], seed: int = 0) -> "Choice":
        """The game in which both sides choose a group, whose runs then play.

        Args:
          groups: numbers of the runs of each, such as those of a method.
          seed: of solvers that draw.
        """
        runs = groups.values()
        payoff = np.array(
            [[self.score[np.ix_(a, b)].mean() for b in runs] for a in runs]
        )
        game = Game(np.stack([payoff, payoff.T]), symmetric=True)
        nash, rank = (
            solve(get(name), game, np.random.default_rng(seed), throw=False)
            for name in ("nash_lp", "alpharank")
        )
        return Choice(
            methods=list(groups),
            payoff=payoff.tolist(),
            nash_lp=nash.joint.sum(1).tolist(),
            alpharank=rank.joint.sum(1).tolist(),
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A game in which both sides choose a method, and what solves it.

    Attributes:
      methods: by name.
      payoff: mean score of the row's method against the column's.
      nash_lp: an equilibrium.
      alpharank: the stationary distribution of alpha-rank.
    """

    methods: list[str]
    payoff: list[list[float]]
    nash_lp: list[float]
    alpharank: list[float]


@dataclass(frozen=True, kw_only=True)
class Ages:
    """Scores of one method against another, by checkpoint (C) of both.

    Attributes:
      score: mean over sides and seeds.
      error: its standard error over seeds; with one seed, over the games of a pair.
      mean: of all scores.
      same_age: mean score of checkpoints of the same age.
      ahead: share of the pairs that are above 0 by two standard errors.
      behind: share of those below by as much.
    """

    score: list[list[float]]
    error: list[list[float]]
    mean: float
    same_age: float
    ahead: float
    behind: float

    @classmethod
    def of(cls, played: Float64[ndarray, "S 2 C C 4"], games: int) -> "Ages":
        """From what ``Arena.matrix`` gave for each of S seeds.

        Args:
          played: ``FIGURES`` by seed, side, own checkpoint and the other's.
          games: played by a pair on both sides together.
        """
        each = played[..., 0].mean(1)
        score = each.mean(0)
        if len(each) > 1:
            error = each.std(0, ddof=1) / np.sqrt(len(each))
        else:
            error = np.sqrt((played[0, ..., 1] ** 2).mean(0) / games)
        return cls(
            score=score.tolist(),
            error=error.tolist(),
            mean=float(score.mean()),
            same_age=float(np.diag(score).mean()),
            ahead=float((score > 2 * error).mean()),
            behind=float((score < -2 * error).mean()),
        )


def resampled(
    between: Float64[ndarray, "A B"], seed: int
) -> tuple[float | None, float | None]:
    """95 % percentile interval of the mean score between two groups of runs.

    Runs of both groups are resampled, which are the rows and the columns. None where
    a group has a single run.
    """
    if min(between.shape) < 2:
        return None, None
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(n, size=(_DRAWS, n)) for n in between.shape)
    means = between[rows[:, :, None], columns[:, None]].mean((1, 2))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
