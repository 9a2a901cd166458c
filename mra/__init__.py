"""MRA: agents that learn in games of several population sizes and carry over to others.

A relational policy has the same weights at every number of agents; latents choose whom
it attends to (Zhang et al., arXiv 2108.12988). ``start`` and ``sweep`` train a
``Method`` of ``METHODS`` in a family of games, ``begin`` and ``adapt`` carry it to a
size that it has not seen, ``measure`` and ``best_mode`` say what it earns there, and
``measure_gain`` what one agent gains that learns alone against the others, and
``invade`` what one earns among others that learned otherwise.

Importing this package loads nothing heavy; torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from mra.adaptation import adapt, begin
    from mra.deviation import Gain, measure_gain
    from mra.invading import Invasion, invade
    from mra.measuring import Modes, best_mode, measure
    from mra.play import Score
    from mra.settings import BUDGETS, DEVIATING, METHODS, Budget, Method, Training
    from mra.state import MRAState
    from mra.train import start, sweep

__all__ = [
    "BUDGETS",
    "DEVIATING",
    "METHODS",
    "Budget",
    "Gain",
    "Invasion",
    "MRAState",
    "Method",
    "Modes",
    "Score",
    "Training",
    "adapt",
    "begin",
    "best_mode",
    "invade",
    "measure",
    "measure_gain",
    "start",
    "sweep",
]
__getattr__, __dir__ = public(__name__)
