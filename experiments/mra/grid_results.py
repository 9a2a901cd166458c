"""What the cells of a grid say: numbers and curves of arms, by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.lab.statistics import mean, standard_error
from experiments.mra.cells import slug
from experiments.mra.claims import Numbers
from experiments.mra.course import Row, Scores
from experiments.mra.grid_config import Config
from experiments.mra.scales_config import Panel
from experiments.mra.task_config import Task, world_of


@dataclass(frozen=True, kw_only=True)
class Results:
    """The finished cells of a grid.

    Attributes:
      config: what was asked for.
      made: results by name of the cell.
    """

    config: Config
    made: Mapping[str, Any]

    @property
    def seeds(self) -> range:
        """The seeds of all runs."""
        return self.config.every_seed

    def runs(self, panel: Panel, arm: str, size: str) -> dict[int, Any]:
        """The finished training of each seed that says something of a size."""
        found: dict[int, Any] = {}
        for seed in self.seeds:
            for task in self.config.tasks(panel, arm, seed):
                one = self.made.get(cell_of(task))
                if one is not None and size in _scores(one, "best"):
                    found[seed] = one
        return found

    def numbers(
        self,
        panel: Panel,
        arm: str,
        size: str,
        *,
        state: str = "best",
        role: int | None = None,
    ) -> Numbers:
        """What the arm earns at a size, by seed; over roles the mean."""
        runs = self.runs(panel, arm, size)
        return {
            seed: _of_role(_scores(one, state)[size], role)
            for seed, one in runs.items()
        }

    def every(self, panel: Panel, arm: str) -> list[Any]:
        """All finished trainings of an arm in a panel."""
        names = [
            cell_of(task)
            for seed in self.seeds
            for task in self.config.tasks(panel, arm, seed)
        ]
        return [self.made[name] for name in names if name in self.made]

    def besides(self, panel: Panel, arms: Sequence[str]) -> str:
        """What arms play besides their training episodes, as the end of a sentence."""
        each = [self.config.tasks(panel, arm, self.config.seed)[0] for arm in arms]
        return "".join(task.besides for task in each)

    def metric(self, panel: Panel, arm: str, name: str, row: int) -> Numbers:
        """A metric of a row of the curves, mean over sizes, by seed."""
        made: dict[int, float] = {}
        for seed in self.seeds:
            for task in self.config.tasks(panel, arm, seed):
                one = self.made.get(cell_of(task))
                if one is not None:
                    every = one["rows"][row]["learned"].values()
                    known = [v[name] for v in every if v[name] is not None]
                    made |= {seed: mean(known)} if known else {}
        return made

    def unseen(self, panel: Panel) -> list[str]:
        """Sizes that are scored without learning."""
        every = self.config.scale.unseen[panel.world.partition("(")[0]]
        return [size for size in every if size not in panel.seen]

    def roles(self, world: str) -> list[int | None]:
        """The roles of a world; None where there is one."""
        count = len(world_of(world).role_names)
        return [None] if count == 1 else list(range(count))

    def about(self, world: str, size: str, role: int | None) -> str:
        """A game, and a role in it, in words."""
        where = f"{world} {size}"
        whose = "" if role is None else f", {world_of(world).role_names[role]}"
        return where + whose

    def reference(self, world: str, size: str) -> Mapping[str, Any]:
        """Scores of policies by rule."""
        one = self.made.get(slug(world, (size,), "reference", 0))
        return {} if one is None else {k: v[size] for k, v in one["scores"].items()}

    def known(self, world: str, sizes: Sequence[str]) -> dict[str, Scores]:
        """Scores of policies by rule at some sizes."""
        made: dict[str, dict[str, Any]] = {}
        for size in sizes:
            for name, score in self.reference(world, size).items():
                made.setdefault(name, {})[size] = score
        return dict(made)

    def curves(self, panel: Panel, arm: str, size: str) -> list[Sequence[Row]]:
        """Rows of all seeds."""
        return [one["rows"] for one in self.runs(panel, arm, size).values()]


def cell_of(task: Task) -> str:
    """The name of the cell of a training."""
    return slug(task.world, task.sizes, task.method, task.seed)


def _scores(one: Mapping[str, Any], state: str) -> dict[str, Any]:
    return {**one[state]["scores"], **one[state]["unseen"]}


def _of_role(score: Mapping[str, Sequence[float]], role: int | None) -> float:
    return mean(score["means"]) if role is None else score["means"][role]


def spread(numbers: Numbers) -> str:
    """Mean and standard error over seeds."""
    values = list(numbers.values())
    if not values:
        return "-"
    error = standard_error(values)
    text = f"{mean(values):.2f}"
    return text if error is None else f"{text} ± {error:.2f}"
