"""One of a run's last agents among its best, and one of the best among the last."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from experiments.lab.report import Table
from experiments.mra.agents import Agents
from experiments.mra.courses import TESTING
from experiments.mra.task_config import Task, named
from mra.invading import invade

_PAIRS = (("last", "best"), ("best", "last"))  # invader, residents
Made = Mapping[str, Mapping[str, list[dict[str, Any]]]]


def unlike(both: Mapping[str, Agents]) -> str:
    """Why none of a run's last agents can be put among its best; empty if one can."""
    best, last = both["best"], both["last"]
    if best.sweep == last.sweep:
        return "the best are the last"
    if best.remembers:
        return "agents that remember (RL^2) are not measured so"
    if best.copies != last.copies:
        return "the last have more networks than the best (EPC)"
    return ""


def invasions(task: Task, both: Mapping[str, Agents]) -> Made:
    """What an agent of each role gains among the others, by size.

    Args:
      task: the training.
      both: its best and its last agents; nothing is made where they are ``unlike``.
    """
    if unlike(both):
        return {}
    how = both["best"].how
    made: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for invader, residents in _PAIRS:
        made[f"{invader} among {residents}"] = {
            named(game.sizes): [
                asdict(
                    invade(
                        game,
                        how,
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
    rest = "all others, of every role, gain" if whose else "each of the others gains"
    caption = (
        "What one agent gains among others that learned longer or shorter, beside the "
        f"agent that it replaces, by number of agents{whose}; in brackets what "
        f"{rest} on average. Where both gain, neither training is better for an "
        "agent: it pays to be different"
    )
    return [Table(caption, ["", *sizes], lines)]


def _words(one: Mapping[str, Any]) -> str:
    return f"{one['gain']:+.2f} ± {one['error']:.2f} ({one['others']:+.2f})"
