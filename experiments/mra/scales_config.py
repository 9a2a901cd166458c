"""Sizes and lengths of the grid's runs, by budget."""

from collections.abc import Mapping
from dataclasses import dataclass

from mra.settings import BUDGETS, Training

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


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The sizes of a budget.

    Attributes:
      training: how all arms learn.
      turns: of a game, in each run, by world; they are shared out between its games, so
        that all arms play as many episodes in total.
      looks: measurements of a run.
      episodes: of a size in a measurement.
      tests: of a size in the tests at the end.
      rounds: of an adaptation.
      deviations: rounds and restarts of an agent that learns against the others.
      panels: by output, and a letter where it has several.
      targets: of figure 4.
      unseen: sizes that are scored without learning, by world.
    """

    training: Training
    turns: Mapping[str, int]
    looks: int
    episodes: int
    tests: int
    rounds: int
    deviations: tuple[int, int]
    panels: Mapping[str, Panel]
    targets: Mapping[str, Target]
    unseen: Mapping[str, tuple[str, ...]]


def _scale(
    name: str,
    *,
    treasure: tuple[str, ...],
    resource: tuple[str, ...],
    wide: tuple[str, ...],
    nested: tuple[tuple[str, ...], ...],
    pacman: tuple[str, ...],
    shown: tuple[str, str, str],
    targets: tuple[str, str, str],
    more: Mapping[str, object],
) -> Scale:
    """A scale from the sizes of its worlds.

    Args:
      name: of the budget.
      treasure: sizes of figures 2a and 3.
      resource: of the main comparison.
      wide: of figures 3, 5 and 9, in the world of resources.
      nested: of figure 8.
      pacman: of figure 2c and the tables.
      shown: sizes of figures 2a, 2b and 2c.
      targets: of figures 4a, 4b and 4c.
      more: the other fields.
    """
    known = dict(more)
    second = known.pop("fig2b", resource)
    dots = Panel(world="treasure", sizes=treasure, shown=(shown[0],))
    chase = Panel(world="pacman", sizes=pacman, shown=(shown[2],))
    panels = {
        "main": Panel(world="resource", sizes=resource),
        "fig2a": dots,
        "fig2b": Panel(world="resource", sizes=second, shown=(shown[1],)),  # type: ignore[arg-type]
        "fig2c": chase,
        "fig3a": Panel(world="treasure", sizes=treasure),
        "fig3b": Panel(world="resource", sizes=wide),
        "fig5": Panel(world="resource", sizes=wide),
        "fig7": Panel(world="resource", sizes=resource),
        **{
            f"fig8-{len(one)}": Panel(world="resource", sizes=one, shown=resource)
            for one in nested
        },
        "fig9": Panel(world="resource", sizes=wide),
        "tab1": chase,
        "gain": Panel(world=SMALL, sizes=("2",)),
    }
    every = {
        "fig4a": Target(source=dots, world="treasure(shaping=false)", size=targets[0]),
        "fig4b": Target(source=dots, world="treasure", size=targets[1]),
        "fig4c": Target(source=chase, world="pacman", size=targets[2]),
    }
    training = BUDGETS[name].training
    return Scale(training=training, panels=panels, targets=every, **known)  # type: ignore[arg-type]


SCALES: Mapping[str, Scale] = {
    "tiny": _scale(
        "tiny",
        treasure=("2", "3"),
        resource=("2", "3"),
        wide=("2", "3"),
        nested=(("2", "3"), ("2", "3", "4")),
        pacman=("1,1", "2,2"),
        shown=("3", "3", "2,2"),
        targets=("3", "4", "1,2"),
        more={
            "turns": {"treasure": 6, "resource": 6, "pacman": 6, SMALL: 16},
            "deviations": (2, 1),
            "looks": 2,
            "episodes": 8,
            "tests": 8,
            "rounds": 2,
            "unseen": {"treasure": (), "resource": ("4",), "pacman": ()},
        },
    ),
    "ten-minutes": _scale(
        "ten-minutes",
        treasure=("3", "6", "12"),
        resource=("6", "9", "12"),
        wide=("3", "6", "12"),
        nested=(("6", "12"), ("6", "9", "12"), ("6", "9", "12", "15")),
        pacman=("4,2", "6,3", "8,4"),
        shown=("6", "12", "8,4"),
        targets=("6", "24", "2,8"),
        more={
            "turns": {"treasure": 288, "resource": 96, "pacman": 288, SMALL: 384},
            "deviations": (60, 3),
            "looks": 8,
            "episodes": 256,
            "tests": 512,
            "rounds": 40,
            "unseen": {
                "treasure": ("24",),
                "resource": ("3", "4", "9", "15", "18", "24"),
                "pacman": ("2,8",),
            },
        },
    ),
    "paper": _scale(
        "paper",
        treasure=("3", "6", "12", "24"),
        resource=("6", "9", "12"),
        wide=("3", "6", "12", "24"),
        nested=(("6", "12"), ("6", "9", "12"), ("6", "9", "12", "15")),
        pacman=("4,2", "6,3", "8,4"),
        shown=("6", "12", "8,4"),
        targets=("6", "48", "2,8"),
        more={
            "fig2b": ("6", "9", "12", "15"),
            # 12 episodes a turn: 80,028 of each of four games
            "turns": {
                **dict.fromkeys(("treasure", "resource", "pacman"), 26_676),
                SMALL: 26_676,
            },
            "deviations": (1000, 5),
            "looks": 50,
            "episodes": 256,
            "tests": 1024,
            "rounds": 6667,
            "unseen": {
                "treasure": ("48",),
                "resource": ("3", "4", "9", "15", "18", "24", "30"),
                "pacman": ("2,8",),
            },
        },
    ),
}
