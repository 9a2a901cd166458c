"""Meta-strategy solvers: rules that select a distribution over joint actions.

``solve`` is the one front door; ``get`` and ``names`` know every solver by name. A
solver of your own is a frozen dataclass that inherits ``MetaSolver``; ``register``
gives it a name.

>>> import numpy as np
>>> from meta_solvers import solve
>>> solution = solve("mgcce", np.array([[[3, 0], [5, 1]], [[3, 5], [0, 1]]]))
>>> solution.status.name
'OK'

Importing this package loads numpy and nothing heavier.
"""

from meta_solvers.base import (
    Answer,
    MetaSolution,
    MetaSolver,
    Progress,
    SolverFailed,
    Status,
    fact,
    failure,
)
from meta_solvers.deviation import DeviationRatings, deviation_ratings
from meta_solvers.registry import get, names, register
from meta_solvers.solving import solve
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Gaps, measure

__all__ = [
    "Answer",
    "DeviationRatings",
    "Game",
    "Gaps",
    "MetaSolution",
    "MetaSolver",
    "Progress",
    "SolverFailed",
    "Status",
    "UserError",
    "deviation_ratings",
    "fact",
    "failure",
    "get",
    "measure",
    "names",
    "register",
    "solve",
]
