"""``Listing``: all equilibria of a game, and whether they are all."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.errors import UserError

Profile = tuple[ndarray, ...]


@dataclass(frozen=True, eq=False)
class Listing:
    """Nash equilibria of a game, measured.

    Attributes:
      profiles: each a distribution per player. Of a continuum of equilibria its
        vertices stand for it.
      regrets: ``[E]`` the largest gain from deviating in each, as a fraction of the
        player's payoff range.
      missing: why equilibria may be missing, as a clause; empty when none is.
    """

    profiles: Sequence[Profile]
    regrets: Float64[ndarray, " E"]
    missing: str = ""

    @property
    def complete(self) -> bool:
        """No equilibrium is missing."""
        return not self.missing

    def require(self) -> list[Profile]:
        """The profiles of a complete list.

        Raises:
          UserError: equilibria may be missing.
        """
        if self.missing:
            raise UserError(
                "equilibria(): the list must be complete (listing() gives the part "
                f"there is); got {len(self.profiles)} profiles: {self.missing}"
            )
        return list(self.profiles)
