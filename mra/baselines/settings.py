"""What EPC and RL^2 have that the methods of MRA's loop do not; loads no torch."""

from dataclasses import dataclass, field, replace

from metaspiel.nfg.errors import UserError, at_least
from mra.settings import METHODS, Method


@dataclass(frozen=True, kw_only=True)
class EPC:
    """How sets of agents grow up.

    Attributes:
      sweeps: of the whole run: turns of every size.
      sets: that learn side by side.
      evaluations: episodes in which a set or a cross is measured.
      method: whose networks the smallest game has.
    """

    sweeps: int = 30
    sets: int = 3
    evaluations: int = 64
    method: Method = field(default_factory=lambda: METHODS["plain"])

    def __post_init__(self) -> None:
        at_least(self, sweeps=1, sets=1, evaluations=1)
        if self.method.apart or self.method.copies > 1:
            raise UserError(
                "EPC(): method must have one network a role, which crosses multiply; "
                f"got {self.method}"
            )

    def comparisons(self, games: int) -> int:
        """Episodes in which a run of so many games compares sets and crosses.

        They come on top of the training episodes: after every sweep each set plays,
        and at every new game each cross of two sets.
        """
        crosses = self.sets * (self.sets + 1) // 2
        played = self.sweeps * self.sets + (games - 1) * crosses
        return self.evaluations * played

    def at(self, stage: int) -> Method:
        """The method of the sets with so many stages behind them."""
        return replace(self.method, copies=2**stage)


@dataclass(frozen=True, kw_only=True)
class RL2:
    """What RL^2 has that other arms do not.

    Attributes:
      units: of the hidden state.
      method: whose graph and critic it has; one latent.
    """

    units: int = 64
    method: Method = field(default_factory=lambda: METHODS["plain"])

    def __post_init__(self) -> None:
        at_least(self, units=1)
        if self.method.relations.latents != 1 or self.method.prior != "uniform":
            raise UserError(
                f"RL2(): method must have one latent and no prior; got {self.method}"
            )
