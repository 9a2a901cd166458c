"""What a meta-strategy plays in a game whose tree fits: policies, and how often.

>>> import numpy as np
>>> from metaspiel.games.openspiel import sequence_form
>>> form = sequence_form("kuhn_poker")
>>> plans = [tree.plan(tree.uniform())[None] for tree in form.trees]
>>> uniform = Mixture.of(form, plans, np.ones((1, 1)), "ne")
>>> uniform.independent, round(uniform.gap.sum(), 4)
(True, 0.9167)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.games.sequence import SequenceForm
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected
from metaspiel.nfg.simplex import marginals, product
from psro.exact import ExactOracle
from psro.parts import Member, Population, Response, TargetConcept
from psro.targets import gap_of, played, targets

_ROUNDING = 1e-12  # of probabilities of a product


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture:
    """Realisation plans of all players, and a distribution over their profiles.

    Attributes:
      form: the game.
      plans: of each player, as many as it has policies.
      joint: probability of each profile, which is drawn once an episode.
      concept: by which its gap is measured.
    """

    form: SequenceForm
    plans: tuple[Float64[ndarray, "K S"], ...]
    joint: Float64[ndarray, "*K"]
    concept: TargetConcept

    @classmethod
    def of(
        cls,
        form: SequenceForm,
        plans: Sequence[Float64[ndarray, "K S"]],
        joint: Float64[ndarray, "*K"],
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

    @cached_property
    def marginals(self) -> tuple[Float64[ndarray, " K"], ...]:
        """How often each player plays each of its policies."""
        return marginals(self.joint)

    @cached_property
    def independent(self) -> bool:
        """Whether the players' draws have nothing to do with each other."""
        apart = np.abs(self.joint - product(self.marginals)).max()
        return bool(apart <= _ROUNDING)

    def behaviour(self, player: int) -> Float64[ndarray, " S"]:
        """The one policy that plays as the player's marginal does (Kuhn 1953).

        Uniform where the player's own moves never lead.
        """
        plan = self.marginals[player] @ self.plans[player]
        return self.form.trees[player].behaviour(plan)

    def member(self, player: int, index: int) -> Float64[ndarray, " S"]:
        """The behaviour of one of the player's policies."""
        return self.form.trees[player].behaviour(self.plans[player][index])

    def draw(self, rng: Generator) -> tuple[int, ...]:
        """The policy of each player, for one episode."""
        number = rng.choice(self.joint.size, p=self.joint.ravel())
        return tuple(map(int, np.unravel_index(number, self.joint.shape)))

    @cached_property
    def game(self) -> Game:
        """The meta-game of these policies, with exact payoffs."""
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
