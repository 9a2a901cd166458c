"""Sizes and lengths of the grid's runs, by budget."""

from collections.abc import Mapping
from dataclasses import dataclass

from mra.settings import BUDGETS, Budget

SMALL = "resource(discs=3,steps=5)"
"""The world in which one agent learns against the others."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Games of an output.

    Attributes:
      world: by name.
      sizes: that are learned together.
      shown: of them, where not all are; an arm that learns alone learns these.
    """

    world: str
    sizes: tuple[str, ...]
    shown: tuple[str, ...] = ()

    @property
    def seen(self) -> tuple[str, ...]:
        """The sizes that are shown."""
        return self.shown or self.sizes


@dataclass(frozen=True, kw_only=True)
class Target:
    """A game that agents of a panel adapt to."""

    source: Panel
    world: str
    size: str


Sizes = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The sizes and lengths of a budget.

    Attributes:
      budget: how all arms learn.
      treasure: sizes of figures 2a and 3a, learned together.
      resource: of the main comparison, and of figure 7.
      second: of figure 2b.
      wide: of figures 3b, 5 and 9.
      nested: of figure 8.
      pacman: of figure 2c and the tables.
      shown: sizes that figures 2a, 2b and 2c show.
      adapted: sizes that figures 4a, 4b and 4c adapt to.
      unseen: sizes that are scored without learning, by world.
      turns: of a game, in each run, by world; they are shared out between its games, so
        that all arms play as many episodes in total.
      looks: measurements of a run.
      episodes: of a size in a measurement.
      tests: of a size in the tests at the end.
      rounds: of an adaptation.
      deviations: rounds and restarts of an agent that learns against the others.
    """

    budget: Budget
    treasure: Sizes
    resource: Sizes
    second: Sizes
    wide: Sizes
    nested: tuple[Sizes, ...]
    pacman: Sizes
    shown: Sizes
    adapted: Sizes
    unseen: Mapping[str, Sizes]
    turns: Mapping[str, int]
    looks: int
    episodes: int
    tests: int
    rounds: int
    deviations: tuple[int, int]

    @property
    def panels(self) -> dict[str, Panel]:
        """The games of every output, with a letter or number where it has several."""
        wide = Panel(world="resource", sizes=self.wide)
        chase = Panel(world="pacman", sizes=self.pacman, shown=self.shown[2:])
        nested = {
            f"fig8-{len(one)}": Panel(world="resource", sizes=one, shown=self.resource)
            for one in self.nested
        }
        return {
            "main": Panel(world="resource", sizes=self.resource),
            "fig2a": self.dots,
            "fig2b": Panel(world="resource", sizes=self.second, shown=self.shown[1:2]),
            "fig2c": chase,
            "fig3a": Panel(world="treasure", sizes=self.treasure),
            "fig3b": wide,
            "fig5": wide,
            "fig7": Panel(world="resource", sizes=self.resource),
            **nested,
            "fig9": wide,
            "tab1": chase,
            "gain": Panel(world=SMALL, sizes=("2",)),
        }

    @property
    def dots(self) -> Panel:
        """The games of figure 2a, whose agents adapt in figures 4a and 4b."""
        return Panel(world="treasure", sizes=self.treasure, shown=self.shown[:1])

    @property
    def targets(self) -> dict[str, Target]:
        """The games of figure 4."""
        chase, (sparse, large, reverse) = self.panels["fig2c"], self.adapted
        world = "treasure(shaping=false)"
        return {
            "fig4a": Target(source=self.dots, world=world, size=sparse),
            "fig4b": Target(source=self.dots, world="treasure", size=large),
            "fig4c": Target(source=chase, world="pacman", size=reverse),
        }


_THREE = ("treasure", "resource", "pacman")
_TWO_ROLES = ("4,2", "6,3", "8,4")
_NESTED = (("6", "12"), ("6", "9", "12"), ("6", "9", "12", "15"))

SCALES: Mapping[str, Scale] = {
    "tiny": Scale(
        budget=BUDGETS["tiny"],
        treasure=("2", "3"),
        resource=("2", "3"),
        second=("2", "3"),
        wide=("2", "3"),
        nested=(("2", "3"), ("2", "3", "4")),
        pacman=("1,1", "2,2"),
        shown=("3", "3", "2,2"),
        adapted=("3", "4", "1,2"),
        unseen={"treasure": (), "resource": ("4",), "pacman": ()},
        turns={**dict.fromkeys(_THREE, 6), SMALL: 16},
        looks=2,
        episodes=8,
        tests=8,
        rounds=2,
        deviations=(2, 1),
    ),
    "ten-minutes": Scale(
        budget=BUDGETS["ten-minutes"],
        treasure=("3", "6", "12"),
        resource=("6", "9", "12"),
        second=("6", "9", "12"),
        wide=("3", "6", "12"),
        nested=_NESTED,
        pacman=_TWO_ROLES,
        shown=("6", "12", "8,4"),
        adapted=("6", "24", "2,8"),
        unseen={
            "treasure": ("24",),
            "resource": ("3", "4", "9", "15", "18", "24"),
            "pacman": ("2,8",),
        },
        turns={"treasure": 144, "resource": 96, "pacman": 144, SMALL: 384},
        looks=8,
        episodes=256,
        tests=512,
        rounds=40,
        deviations=(60, 3),
    ),
    "paper": Scale(
        budget=BUDGETS["paper"],
        treasure=("3", "6", "12", "24"),
        resource=("6", "9", "12"),
        second=("6", "9", "12", "15"),
        wide=("3", "6", "12", "24"),
        nested=_NESTED,
        pacman=_TWO_ROLES,
        shown=("6", "12", "8,4"),
        adapted=("6", "48", "2,8"),
        unseen={
            "treasure": ("48",),
            "resource": ("3", "4", "9", "15", "18", "24", "30"),
            "pacman": ("2,8",),
        },
        # 12 episodes a turn: 80,028 of each of four games
        turns=dict.fromkeys((*_THREE, SMALL), 26_676),
        looks=50,
        episodes=256,
        tests=1024,
        rounds=6667,
        deviations=(1000, 5),
    ),
}
