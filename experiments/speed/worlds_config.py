"""What the comparison of worlds is asked for."""

from dataclasses import dataclass

from experiments.lab.options import Flat, Resumable, each_once, least
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    agents: tuple[int, ...] = (6, 24)
    """Numbers of agents; a third of them are ghosts or adversaries in worlds of two
    roles."""
    copies: tuple[int, ...] = (12, 64, 512)
    """Episodes side by side, where a simulator can do that."""
    seconds: float = 0.5
    """CPU seconds that each measurement lasts at least."""
    rounds: int = 3
    """Turns of everything that is compared, of which the median counts."""
    seed: int = 0
    """Seed of chance and actions."""
    run: Flat[Resumable] = Resumable()

    def check(self) -> None:
        """Stops at fields that cannot be measured.

        Raises:
          UserError: one of them cannot.
        """
        each_once(self, agents=None, copies=None)
        least(self, rounds=1, seed=0)
        if not all(3 <= n <= 256 for n in self.agents):
            raise UserError(f"--agents must be from 3 to 256; got {self.agents}")
        if not all(1 <= n <= 100_000 for n in self.copies):
            raise UserError(f"--copies must be from 1 to 100000; got {self.copies}")
        if not 0 < self.seconds <= 600:
            raise UserError(
                f"--seconds must be above 0 and at most 600; got {self.seconds}"
            )
