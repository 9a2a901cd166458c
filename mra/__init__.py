"""MRA: agents that learn in games of several population sizes and carry over to others.

A relational policy has the same weights at every number of agents; latents choose whom
it attends to (Zhang et al., arXiv 2108.12988). ``start`` and ``sweep`` train a
``Method`` of ``METHODS`` in a family of games, ``begin`` and ``adapt`` carry it to a
size that it has not seen, ``measure`` and ``best_mode`` say what it earns there.

Importing this package loads nothing heavy; torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from mra.adapt import adapt, begin
    from mra.measure import Modes, best_mode, measure
    from mra.play import Score
    from mra.settings import BUDGETS, METHODS, Budget, Method, Training
    from mra.state import MRAState
    from mra.train import start, sweep

__all__ = [
    "BUDGETS",
    "METHODS",
    "Budget",
    "MRAState",
    "Method",
    "Modes",
    "Score",
    "Training",
    "adapt",
    "begin",
    "best_mode",
    "measure",
    "start",
    "sweep",
]
__getattr__, __dir__ = public(__name__)
