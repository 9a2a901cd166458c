"""Policies as OpenSpiel's bots: searched, scripted, or anything else that moves.

A policy is a few numbers, of which a function makes a bot. So populations are plain
arrays that checkpoints hold, and nothing of a bot's inside is ever stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.nfg.errors import UserError
from psro.parts import Population, Response, Table, Target

BOT = "bot"
"""The mode of play of numbers of which a bot is made."""
Make = Callable[[ndarray, int], Any]
"""Numbers of a policy and the player that it is for, to a ``pyspiel.Bot``."""


def matches(
    game: Any, bots: Sequence[Any], episodes: int, seed: Sequence[int]
) -> Float64[ndarray, "M N"]:
    """Payoffs of episodes between bots, whose chance a seed decides.

    Args:
      game: the turn-based ``pyspiel.Game``.
      bots: one a player; they are told to begin anew before every episode.
      episodes: M.
      seed: of chance; the same seed has the same in every match.
    """
    from open_spiel.python.algorithms.evaluate_bots import evaluate_bots

    return np.array(
        [
            evaluate_bots(
                game.new_initial_state(), bots, np.random.RandomState([*seed, number])
            )
            for number in range(episodes)
        ],
        dtype=np.float64,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class BotOracle:
    """Best responses among candidates, each played against the target.

    Attributes:
      game: the turn-based ``pyspiel.Game``.
      bot: makes the bots.
      candidates: (player, rng) -> numbers of the policies that a response is chosen
        from; a population begins with the first of them.
      episodes: of each candidate, and again of the best, so that it is not praised for
        its luck.
    """

    game: Any
    bot: Make
    candidates: Callable[[int, Generator], Sequence[Any]]
    episodes: int = 50

    def __post_init__(self) -> None:
        if self.episodes < 2:
            raise UserError(
                f"BotOracle(): episodes must be at least 2; got {self.episodes}"
            )

    @property
    def players(self) -> int:
        """N, the number of players."""
        return int(self.game.num_players())

    def evaluator(self, seed: int) -> "BotEvaluator":
        """One that plays these bots as often."""
        return BotEvaluator(
            game=self.game, bot=self.bot, episodes=self.episodes, seed=seed
        )

    def initial(self, rng: Generator) -> Population:
        """The first candidate of every player."""
        population = Population(((),) * self.players)
        for player in range(self.players):
            first = _numbers(self.candidates(player, rng)[0])
            population = population.add(player, first, BOT)
        return population

    def respond(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response]:
        """The candidate that earned most, with what it earns in fresh episodes."""
        return [self._response(population, target, rng) for target in targets]

    def _response(
        self, population: Population, target: Target, rng: Generator
    ) -> Response:
        tried = [_numbers(one) for one in self.candidates(target.player, rng)]
        first, again = rng.integers(2**31, size=2).tolist()
        earned = [self._earned(population, target, one, first).mean() for one in tried]
        best = tried[int(np.argmax(earned))]
        paid = self._earned(population, target, best, again)
        value = float(paid.mean())
        return Response(
            player=target.player,
            policy=best,
            value=value,
            gain=target.weight * max(value - target.value, 0.0),
            error=float(paid.std(ddof=1) / np.sqrt(len(paid))),
            play=BOT,
        )

    def _earned(
        self, population: Population, target: Target, policy: ndarray, seed: int
    ) -> Float64[ndarray, " M"]:
        """What a policy earns where co-players are drawn once an episode."""
        rng, paid = np.random.default_rng(seed), []
        others = [p for p in range(self.players) if p != target.player]
        drawn = rng.choice(target.co_play.size, self.episodes, p=target.co_play.ravel())
        for number, count in zip(*np.unique(drawn, return_counts=True), strict=True):
            profile = np.unravel_index(number, target.co_play.shape)
            bots: list[Any] = [None] * self.players
            bots[target.player] = self.bot(policy, target.player)
            for player, index in zip(others, profile, strict=True):
                member = population.pools[player][int(index)]
                bots[player] = self.bot(member.policy, player)
            returns = matches(self.game, bots, int(count), [seed, int(number)])
            paid.append(returns[:, target.player])
        return np.concatenate(paid)

    def measure(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response] | None:
        """None, as what a candidate earns is not known before it plays."""
        return None

    def grow(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """Appends novel policies and counts known ones once more."""
        for response in chosen:
            population = population.add(response.player, response.policy, response.play)
        return population


@dataclass(frozen=True, eq=False, kw_only=True)
class BotEvaluator:
    """Payoffs of profiles of bots, averaged over episodes whose chance they share.

    Attributes:
      game: the turn-based ``pyspiel.Game``.
      bot: makes the bots.
      episodes: of each profile.
      seed: of chance, the same in all iterations.
    """

    game: Any
    bot: Make
    episodes: int = 50
    seed: int = 0

    @property
    def ensemble(self) -> int:
        """1: a real game."""
        return 1

    def fill(self, population: Population, table: Table, rng: Generator) -> Table:
        """``table`` with no cell missing; what is known stays."""
        values, errors = table.values.copy(), table.errors.copy()
        episodes: Int64[ndarray, "*K"] = table.episodes.copy()
        for profile in np.argwhere(table.missing).tolist():
            bots = [
                self.bot(population.pools[player][index].policy, player)
                for player, index in enumerate(profile)
            ]
            paid = matches(self.game, bots, self.episodes, [self.seed])
            for player in range(len(bots)):
                at = (0, player, *profile)
                values[at] = paid[:, player].mean()
                errors[at] = paid[:, player].std(ddof=1) / np.sqrt(self.episodes)
            episodes[tuple(profile)] = self.episodes
        return Table(table.uids, values, errors, episodes)


def _numbers(given: Any) -> ndarray:
    """The numbers of a policy.

    Raises:
      UserError: they are none.
    """
    numbers = np.atleast_1d(np.asarray(given, dtype=np.float64))
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise UserError(
            f"BotOracle(): a candidate must be a row of finite numbers; got {given!r}"
        )
    return numbers
