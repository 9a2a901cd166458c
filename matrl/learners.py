"""Every learner of Markov games by the name of its method: one interface for all."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matrl import checkpoint, loop
from matrl.methods import METHODS, Method
from metaspiel.games.markov import MarkovGame
from metaspiel.learn import maddpg, mixing


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


def _step(method: Method, game: MarkovGame, settings: Any, state: Any) -> Any:
    return loop.step(game, method, settings, state)


def _gated(method: Method) -> Learner:
    return Learner(
        start=loop.start,
        step=partial(_step, method),
        save=checkpoint.save,
        load=checkpoint.load,
        pure=True,
    )


def _replayed(module: Any) -> Learner:
    return Learner(
        start=module.start,
        step=module.step,
        save=module.save,
        load=module.load,
        pure=False,
    )


LEARNERS = {
    **{name: _gated(method) for name, method in METHODS.items()},
    **dict.fromkeys(("vdn", "qmix", "qtran"), _replayed(mixing)),
    "maddpg": _replayed(maddpg),
}
"""MATRL's methods and controls, and learners from a replay."""
