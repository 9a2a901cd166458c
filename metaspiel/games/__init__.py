"""Games that can be played: in sequence form, as simulators, and as Markov games.

``sequence_form`` and ``matrix_game`` read OpenSpiel's games. A ``Simulator`` plays many
episodes of a game at once (``Bargaining``, any OpenSpiel game); ``named_simulator``
makes one from a name, and ``Recalling`` gives its players a memory. A ``MarkovGame``
has several agents that move together; ``metaspiel.games.worlds`` knows them by name.
Importing this package loads nothing heavy; torch and OpenSpiel come with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from metaspiel.games.bargaining import Bargaining
    from metaspiel.games.batched import OpenSpielSimulator
    from metaspiel.games.markov import MarkovGame
    from metaspiel.games.named import named_simulator
    from metaspiel.games.openspiel import matrix_game, sequence_form
    from metaspiel.games.pace import (
        steps_per_second,
        uniform_actions,
        uniform_returns,
    )
    from metaspiel.games.population import population_game
    from metaspiel.games.recalling import Recalling
    from metaspiel.games.sequence import SequenceForm
    from metaspiel.games.simulator import Simulator

__all__ = [
    "Bargaining",
    "MarkovGame",
    "OpenSpielSimulator",
    "Recalling",
    "SequenceForm",
    "Simulator",
    "matrix_game",
    "named_simulator",
    "population_game",
    "sequence_form",
    "steps_per_second",
    "uniform_actions",
    "uniform_returns",
]
__getattr__, __dir__ = public(__name__)
