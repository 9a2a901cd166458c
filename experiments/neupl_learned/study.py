"""The finished runs of a study, and words that all studies share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.lab.report import estimate
from experiments.lab.statistics import mean, t_interval
from experiments.lab.verdict import Verdict, within
from experiments.neupl_learned.config import Config, Size

TEST = "Student's 95 % interval, seed by seed"


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study and what there is of it.

    Attributes:
      name: of the study.
      sizes: of each of its games.
      made: results as JSON has them, by game, and by variant and seed or by seed.
    """

    name: str
    sizes: Mapping[str, Size]
    made: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, config: Config, name: str, cells: Mapping[str, Any]) -> "Study":
        """The study's part of all cells."""
        sizes = config.sizes(name)
        made: dict[str, dict[str, Any]] = {game: {} for game in sizes}
        for cell, result in cells.items():
            study, game, *rest = cell.split("-", 2)
            if study == name:
                made[game][rest[0]] = result
        return cls(name=name, sizes=sizes, made=made)

    def caption(self, game: str, runs: int, cpu_seconds: float) -> str:
        """The size, runs and CPU minutes of a game."""
        size = self.sizes[game]
        return (
            f"{self.name}, {size.game}: {size.iterations} iterations, "
            f"{size.decisions} decisions a response, {size.episodes} episodes a "
            f"payoff, width {size.width}; {runs} runs, {cpu_seconds / 60:.1f} CPU min"
        )


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean and Student's 95 % interval; "-" without values."""
    if not values:
        return "-"
    low, high = t_interval(list(values))
    return estimate(mean(values), low, high, digits=digits)


def positive(values: Sequence[float]) -> Verdict:
    """The verdict whether the mean of independent values is above 0."""
    return within(*t_interval(list(values))) if values else Verdict.NOT_TESTED


def over(runs: Sequence[Any], read: Callable[[Any], float]) -> float:
    """The mean of a number over runs."""
    return mean([read(one) for one in runs])
