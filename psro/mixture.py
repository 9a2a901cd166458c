"""What a meta-strategy plays in a game whose tree fits: policies, and how often.

>>> import numpy as np
>>> from metaspiel.games.openspiel import sequence_form
>>> form = sequence_form("kuhn_poker")
>>> plans = [tree.plan(tree.uniform())[None] for tree in form.trees]
>>> uniform = Mixture.of(form, plans, np.ones((1, 1)), "ne")
>>> round(uniform.gap.sum(), 4)
0.9167
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import AnyGame
from metaspiel.games.population import population_game
from metaspiel.games.sequence import SequenceForm
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint
from psro.exact import ExactOracle
from psro.parts import Member, Population, Response, TargetConcept
from psro.targets import gap_of, played, targets


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture:
    """Realisation plans of all players, and a distribution over their profiles.

    Attributes:
      form: the game.
      plans: of each player, one a policy ``[K_p, S_p]``.
      joint: probability of each profile, which is drawn once an episode.
      concept: by which its gap is measured.
    """

    form: SequenceForm
    plans: tuple[Float64[ndarray, "_ _"], ...]
    joint: Joint
    concept: TargetConcept

    @classmethod
    def of(
        cls,
        form: SequenceForm,
        plans: Sequence[Float64[ndarray, "_ _"]],
        joint: Joint,
        concept: TargetConcept,
    ) -> "Mixture":
        """What is played of a meta-strategy: under NE players draw independently."""
        return cls(
            form=form,
            plans=tuple(plans),
            joint=played(joint, concept),
            concept=concept,
        )

    @property
    def players(self) -> int:
        """N, the number of players."""
        return self.form.players

    def behaviour(
        self, player: int, weights: Float64[ndarray, " K"]
    ) -> Float64[ndarray, " S"]:
        """The one policy that plays as a player who draws a plan (Kuhn 1953).

        Uniform where the player's own moves never lead.
        """
        return self.form.trees[player].behaviour(weights @ self.plans[player])

    @property
    def alone(self) -> "Mixture":
        """The same policies of players who draw each alone, as often as here."""
        return Mixture.of(self.form, self.plans, self.joint, "ne")

    @property
    def zero_sum(self) -> bool:
        """Whether it is of a two-player zero-sum game."""
        sums = np.abs(self.form.payoffs.sum(axis=0)).max(initial=0.0)
        return self.players == 2 and bool(sums <= self.form.noise)

    @cached_property
    def game(self) -> AnyGame:
        """The meta-game of these policies, with exact payoffs."""
        if isinstance(self.joint, Products):
            unit = np.ones(self.players)
            return population_game(self.form, self.plans, unit)
        return Game(self.form.tensor(list(self.plans)))

    @cached_property
    def values(self) -> Float64[ndarray, " N"]:
        """Expected payoff of each player."""
        return expected(self.game, self.joint)

    @cached_property
    def responses(self) -> tuple[Response, ...]:
        """An exact best response to each target of the concept."""
        pools = tuple(tuple(map(Member, range(len(p)), p)) for p in self.plans)
        oracle = ExactOracle(self.form, tie_break="first")
        asked = targets(self.game, self.joint, self.concept)
        rng = np.random.default_rng(0)  # nothing is drawn
        return tuple(oracle.respond(Population(pools), asked, rng))

    @property
    def gap(self) -> Float64[ndarray, " N"]:
        """Full-game gap of each player: every policy of the game is a deviation."""
        return gap_of(self.players, self.responses)
