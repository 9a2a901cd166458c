"""One of a run's last agents among its best, and one of the best among the last."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.lab.report import Table
from experiments.mra.agents import read
from experiments.mra.courses import TESTING
from experiments.mra.task_config import Task, named
from mra.invading import invade

_PAIRS = (("last", "best"), ("best", "last"))  # invader, residents
Made = Mapping[str, Mapping[str, list[dict[str, Any]]]]


def invasions(task: Task, folder: Path) -> Made:
    """What an agent of each role gains among the others, by size.

    Empty where both are the same, where agents remember (those of RL^2), and where the
    last have more networks than the best (EPC).
    """
    both = {
        name: read(folder / f"{name}.safetensors", task.games)
        for name in ("best", "last")
    }
    best, last = both["best"], both["last"]
    if best.sweep == last.sweep or best.remembers or best.copies != last.copies:
        return {}
    made: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for invader, residents in _PAIRS:
        made[f"{invader} among {residents}"] = {
            named(game.sizes): [
                asdict(
                    invade(
                        game,
                        best.how,
                        both[residents].state.weights,
                        both[invader].state.weights,
                        count=task.episodes,
                        seed=TESTING + task.seed,
                        agent=who.start,
                    )
                )
                for who in game.layout.groups
            ]
            for game in task.games
        }
    return made


def invasion_table(made: Made, roles: tuple[str, ...]) -> list[Table]:
    """The gains, if there are any."""
    if not made:
        return []
    sizes = list(next(iter(made.values())))
    lines = [
        [f"one of the {name}", *(" / ".join(map(_words, one[s])) for s in sizes)]
        for name, one in made.items()
    ]
    whose = f" ({' / '.join(roles)})" if len(roles) > 1 else ""
    caption = (
        "What one agent gains among others that learned longer or shorter, beside the "
        f"agent that it replaces, by number of agents{whose}; in brackets each of the "
        "others. Where both gain, neither training is better for an agent: it pays to "
        "be different"
    )
    return [Table(caption, ["", *sizes], lines)]


def _words(one: Mapping[str, Any]) -> str:
    return f"{one['gain']:+.2f} ± {one['error']:.2f} ({one['others']:+.2f})"
