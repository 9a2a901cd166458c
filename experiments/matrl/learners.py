"""What trains a cell, by the name of the method: one interface for all."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from matrl import checkpoint, loop
from matrl.methods import METHODS, Method
from metaspiel.games.markov import MarkovGame


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """What trains a cell. A state has an ``iteration``.

    Attributes:
      start: a state from game, settings and seed.
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


def _gated(method: Method) -> Trainer:
    def step(game: MarkovGame, settings: Any, state: Any) -> Any:
        return loop.step(game, method, settings, state)

    return Trainer(
        start=loop.start,
        step=step,
        save=checkpoint.save,
        load=checkpoint.load,
        pure=True,
    )


def _replayed(name: str) -> Trainer:
    module: Any = import_module(name)
    return Trainer(
        start=module.start,
        step=module.step,
        save=module.save,
        load=module.load,
        pure=False,
    )


LEARNERS: dict[str, Callable[[], Trainer]] = {
    **{name: partial(_gated, method) for name, method in METHODS.items()},
    "vdn": partial(_replayed, "metaspiel.learn.mixing"),
    "qmix": partial(_replayed, "metaspiel.learn.mixing"),
    "qtran": partial(_replayed, "metaspiel.learn.mixing"),
    "maddpg": partial(_replayed, "metaspiel.learn.maddpg"),
}
"""What trains each method; modules of learners from replay are loaded when asked."""
