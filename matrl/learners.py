"""Every learner of Markov games by the name of its method: one interface for all.

What a learner calls is imported when it is called: names cost no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from matrl.methods import METHODS, Method
from metaspiel.games.markov import MarkovGame


@dataclass(frozen=True, kw_only=True)
class Learner:
    """What trains agents; settings and states are of its own classes.

    Attributes:
      start: a state from game, settings and seed; it has an ``iteration``.
      step: the next state and a row of metrics, from game, settings and state.
      save: writes a state to a folder.
      load: reads it.
      pure: a state is still good after a step from it has failed.
    """

    start: Callable[[MarkovGame, Any, int], Any]
    step: Callable[[MarkovGame, Any, Any], tuple[Any, dict[str, Any]]]
    save: Callable[[Any, Path], None]
    load: Callable[[Path], Any]
    pure: bool


def _later(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported when the function is called."""

    def called(*args: Any) -> Any:
        return getattr(import_module(module), name)(*args)

    return called


def _gated(method: Method) -> Learner:
    def step(game: MarkovGame, settings: Any, state: Any) -> Any:
        from matrl import loop

        return loop.step(game, method, settings, state)

    return Learner(
        start=_later("matrl.loop", "start"),
        step=step,
        save=_later("matrl.checkpoint", "save"),
        load=_later("matrl.checkpoint", "load"),
        pure=True,
    )


def _replayed(module: str) -> Learner:
    return Learner(
        start=_later(module, "start"),
        step=_later(module, "step"),
        save=_later(module, "save"),
        load=_later(module, "load"),
        pure=False,
    )


LEARNERS = {
    **{name: _gated(method) for name, method in METHODS.items()},
    **dict.fromkeys(("vdn", "qmix", "qtran"), _replayed("metaspiel.learn.mixing")),
    "maddpg": _replayed("metaspiel.learn.maddpg"),
}
"""MATRL's methods and controls, and learners from a replay."""
