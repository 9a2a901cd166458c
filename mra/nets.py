"""All networks of a method in a family of games, and whose weights an agent uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jaxtyping import Float32
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn import relational
from metaspiel.learn.maac import MAACCritic
from metaspiel.nfg.errors import UserError
from mra.heads import GUESSING, Classifier, OneHidden, Prior
from mra.settings import Method

GUESSERS = ("classifier", "counter")
"""Parts that belong to the games of a run, and are of no use in others."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Nets:
    """The networks of a method; their weights are one vector a group of agents.

    Attributes:
      graph: phi, whom an agent attends to.
      policy: theta, what it does.
      critic: zeta, what that is worth.
      prior: psi, the latents that are drawn.
      classifier: xi, the game that is guessed from graphs.
      counter: guesses it from the numbers of agents: what guessing could come to if it
        saw them.
      apart: every agent is a group of its own.
      copies: groups of a role otherwise.
      together: a group shares one latent.
    """

    graph: Any
    policy: Any
    critic: Any
    prior: Prior
    classifier: Classifier
    counter: OneHidden
    apart: bool
    copies: int
    together: bool

    @classmethod
    def of(cls, method: Method, games: Sequence[Populated]) -> "Nets":
        """The networks of a method for games of one family.

        Raises:
          UserError: agents have networks of their own, and the games differ in size.
        """
        layout, latents = games[0].layout, method.relations.latents
        if method.apart and len(games) > 1:
            raise UserError(
                "Nets.of(): agents with networks of their own must learn in one game; "
                f"got {len(games)} of different sizes"
            )
        make_critic: Any = relational.critic
        if method.critic == "maac":
            make_critic = MAACCritic
        return cls(
            graph=relational.graph(method.relations, layout),
            policy=relational.policy(method.relations, layout),
            critic=make_critic(method.relations, layout),
            prior=Prior(len(games[0].sizes), latents),
            classifier=Classifier(latents, len(games)),
            counter=OneHidden(len(games[0].sizes), GUESSING, len(games)),
            apart=method.apart,
            copies=method.copies,
            together=method.together,
        )

    def groups(self, game: Populated) -> tuple[slice, ...]:
        """The agents of each group."""
        if self.apart:
            return tuple(slice(i, i + 1) for i in range(game.agents))
        return tuple(
            part for role in game.layout.groups for part in _shares(role, self.copies)
        )

    def each(
        self, game: Populated, weights: Mapping[str, Tensor]
    ) -> dict[str, Float32[Tensor, "N P"]]:
        """Weights of every agent, from those of the groups ``[G, P]``."""
        groups = enumerate(self.groups(game))
        which = [group for group, who in groups for _ in range(who.start, who.stop)]
        return {name: rows[which] for name, rows in weights.items()}

    @property
    def parts(self) -> dict[str, Any]:
        """The networks by the name of their weights in a state."""
        return {
            "graph": self.graph,
            "policy": self.policy,
            "critic": self.critic,
            "prior": self.prior.network,
            "classifier": self.classifier.network,
            "counter": self.counter,
        }


def _shares(who: slice, count: int) -> list[slice]:
    """Agents side by side, in so many parts of (nearly) equal size."""
    agents = who.stop - who.start
    ends = [who.start + agents * k // count for k in range(count + 1)]
    return [slice(begin, end) for begin, end in pairwise(ends)]
