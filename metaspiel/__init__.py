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

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from experiments.psro.crossing import cross_play
    from experiments.psro.loading import load_run
    from meta_solvers.base import MetaSolution, MetaSolver, SolverFailed, Status
    from meta_solvers.registry import get, names, register
    from meta_solvers.solving import solve
    from metaspiel.games.openspiel import sequence_form
    from metaspiel.nfg.errors import UserError
    from metaspiel.nfg.game import Game
    from metaspiel.nfg.gaps import Gaps, measure
    from metaspiel.version import __version__
    from psro.exact import ExactEvaluator, ExactOracle
    from psro.loop import run, start, step
    from psro.parts import State
    from psro.setup import Setup

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
    "cross_play",
    "get",
    "load_run",
    "measure",
    "names",
    "register",
    "run",
    "sequence_form",
    "solve",
    "start",
    "step",
]
__getattr__, __dir__ = public(__name__)
