"""Meta-strategy solvers: rules that select a distribution over joint actions.

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
    solve,
)
from meta_solvers.registry import get, names, register
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Gaps, measure

__all__ = [
    "Answer",
    "Game",
    "Gaps",
    "MetaSolution",
    "MetaSolver",
    "Progress",
    "SolverFailed",
    "Status",
    "UserError",
    "get",
    "measure",
    "names",
    "register",
    "solve",
]
