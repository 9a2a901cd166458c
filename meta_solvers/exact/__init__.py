"""Exact maximum-entropy and related CE and CCE: an interior point in the dual.

``equilibria`` solves batches of games of one shape or of several, in numpy or torch;
``equilibrium`` is a (C)CE as a differentiable function of the game. By name they are
the solvers of ``meta_solvers.convex``, e.g. ``mecce``. Importing this package loads
nothing heavy; torch comes with ``equilibrium``.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from meta_solvers.exact.batch import Equilibria, equilibria
    from meta_solvers.exact.implicit import equilibrium

__all__ = [
    "Equilibria",
    "equilibria",
    "equilibrium",
]
__getattr__, __dir__ = public(__name__)
