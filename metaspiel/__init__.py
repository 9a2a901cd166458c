"""metaspiel: meta-strategy solvers and PSRO/JPSRO for OpenSpiel.

>>> import metaspiel
>>> metaspiel.solve(metaspiel.get("mgcce"), [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]).values
array([1., 1.])

This is the door: what most scripts need, by name, loaded when it is first used. The
rooms behind it can be imported as well: ``metaspiel.nfg`` (normal-form games),
``metaspiel.games`` (games that are played), ``metaspiel.learn`` (learners),
``meta_solvers``, ``psro``, ``matrl`` and ``offline``. The command ``metaspiel`` runs
the experiments.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meta_solvers.base import (
        MetaSolution,
        MetaSolver,
        SolverFailed,
        Status,
        solve,
    )
    from meta_solvers.registry import get, names, register
    from metaspiel.games.openspiel import sequence_form
    from metaspiel.nfg.errors import UserError
    from metaspiel.nfg.game import Game
    from metaspiel.nfg.gaps import Gaps, measure
    from psro.exact import ExactEvaluator, ExactOracle
    from psro.loop import run, start, step
    from psro.parts import State
    from psro.setup import Setup

    __version__: str

# Where each public name lives; importing one loads its room and no other.
_ROOMS = {
    "meta_solvers.base": ("MetaSolution", "MetaSolver", "SolverFailed", "Status"),
    "meta_solvers": ("get", "names", "register", "solve"),
    "metaspiel.games.openspiel": ("sequence_form",),
    "metaspiel.nfg.errors": ("UserError",),
    "metaspiel.nfg.game": ("Game",),
    "metaspiel.nfg.gaps": ("Gaps", "measure"),
    "psro.exact": ("ExactEvaluator", "ExactOracle"),
    "psro.loop": ("run", "start", "step"),
    "psro.parts": ("State",),
    "psro.setup": ("Setup",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "ExactEvaluator",
    "ExactOracle",
    "Game",
    "Gaps",
    "MetaSolution",
    "MetaSolver",
    "Setup",
    "SolverFailed",
    "State",
    "Status",
    "UserError",
    "__version__",
    "get",
    "measure",
    "names",
    "register",
    "run",
    "sequence_form",
    "solve",
    "start",
    "step",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        from importlib import metadata

        value: Any = metadata.version("metaspiel")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'metaspiel' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
