"""What the figures of the Neural Equilibrium Solver's paper are asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.lab.options import Flat, Resumable, least, shape
from meta_solvers.exact.problem import Concept
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.sample import families

PANELS = {
    "a": "selection criteria, 4x4 CCE",
    "b": "shapes, maximum-entropy CCE",
    "c": "concepts, 8x8 maximum entropy",
    "d": "ablation, 4x4x4 maximum-entropy CCE, feed-forward",
}
CLASSES = (
    *("l2_invariant", "uniform", "zero_sum", "covariant", "common_interest"),
    *("congestion", "dispersion", "majority_voting", "minimum_effort"),
    *("travellers_dilemma", "war_of_attrition", "bertrand", "grab_the_dollar"),
    *("location", "polymatrix"),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the figures."""

    figure: Literal[1, 3, 4] = 1
    """Figure to draw."""
    concept: Concept = "cce"
    """Figures 1 and 4: concept of the equilibria."""
    games: int = 512
    """Figure 3: fresh games a curve is measured on. Figure 4: games a class."""
    steps: int = 1200
    """Figure 3: updates of each training."""
    seeds: int = 3
    """Figure 3: trainings of each curve."""
    panels: tuple[str, ...] = tuple(PANELS)
    """Figure 3: panels to draw."""
    shapes: tuple[str, ...] = ("4x4", "8x8", "4x4x4")
    """Figure 3 (b): action counts, the same for every player."""
    classes: tuple[str, ...] = CLASSES
    """Figure 4: families of games."""
    size: int = 8
    """Figure 4: actions of each of the two players."""
    network: Path | None = None
    """Figures 1 and 4: file of weights (default: the shipped ones)."""
    seed: int = 0
    """Seed of games and trainings."""
    quick: bool = False
    """Draw at most 32 games; figure 3: one seed and at most 40 steps."""
    run: Flat[Resumable] = Resumable()

    @property
    def count(self) -> int:
        """The number of games, --quick considered."""
        return min(self.games, 32) if self.quick else self.games

    @property
    def trainings(self) -> range:
        """Seeds of the trainings of a curve, --quick considered."""
        return range(self.seed, self.seed + (1 if self.quick else self.seeds))


def check(config: Config) -> None:
    """Refuses impossible values before anything runs."""
    least(config, games=1, seed=0, steps=1, seeds=1, size=2)
    check_weights(config.network)
    for name, known in (("panels", PANELS), ("classes", families(players=2))):
        if not getattr(config, name):
            raise UserError(f"--{name} must name at least one; got none")
        for one in getattr(config, name):
            if one not in known:
                raise unknown(f"--{name}", name, one, known)
    for text in config.shapes:
        sizes = shape(text)
        if len(sizes) < 2 or len(set(sizes)) > 1 or sizes[0] < 2:
            raise UserError(
                "--shapes must give two or more players the same number of actions, at "
                f"least 2; got '{text}'"
            )


def check_weights(network: Path | None) -> None:
    """Refuses a file of weights that is not there."""
    if network is not None and not network.is_file():
        raise UserError(f"--network must name a file of weights; got '{network}'")
