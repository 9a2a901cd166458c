"""NeuPL-JPSRO: one conditional network as the whole population (Liu et al. 2024).

A population's members are codes of a few numbers, and ``Population.common`` holds the
weights that turn them into policies. ``NeuralOracle`` asks a teacher for best responses
and has a student distil them; ``RealisedEvaluator`` plays what the student learned. To
the loop they are an oracle and an evaluator like any other:

>>> from metaspiel.games.openspiel import sequence_form
>>> from psro.neupl import neural_arena
>>> arena = neural_arena(sequence_form("kuhn_poker"))
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from psro.neupl.arena import neural_arena, sampled_arena
    from psro.neupl.distilling import distil
    from psro.neupl.exact import ExactStudent
    from psro.neupl.oracle import NeuralOracle, RealisedEvaluator, Student
    from psro.neupl.payoffs import EstimatedEvaluator
    from psro.neupl.sampled import SampledStudent
    from psro.neupl.settings import (
        Codes,
        Distillation,
        Head,
        Neural,
        PayoffNetwork,
        States,
    )

__all__ = [
    "Codes",
    "Distillation",
    "EstimatedEvaluator",
    "ExactStudent",
    "Head",
    "Neural",
    "NeuralOracle",
    "PayoffNetwork",
    "RealisedEvaluator",
    "SampledStudent",
    "States",
    "Student",
    "distil",
    "neural_arena",
    "sampled_arena",
]
__getattr__, __dir__ = public(__name__)
