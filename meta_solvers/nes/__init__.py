"""The Neural Equilibrium Solver: networks that answer a game with the duals of a (C)CE.

``NeuralEquilibrium`` (by name ``nes``) refines a shipped network's answer until the
game is solved, ``neural_equilibria`` does so for batches, and ``train.train`` makes a
``Network`` of your own, by a ``Recipe``. Importing this package loads nothing heavy;
torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from meta_solvers.nes.data import Games
    from meta_solvers.nes.network import Architecture, Network
    from meta_solvers.nes.recipe import Recipe
    from meta_solvers.nes.solver import NeuralEquilibrium, neural_equilibria

__all__ = [
    "Architecture",
    "Games",
    "Network",
    "NeuralEquilibrium",
    "Recipe",
    "neural_equilibria",
]
__getattr__, __dir__ = public(__name__)
