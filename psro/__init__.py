"""Policy-space response oracles: grow pools of policies until nobody gains.

Each iteration fills the payoff table of all profiles, asks a meta-solver for a
distribution over them, and adds responses to it (PSRO; JPSRO where the distribution is
correlated). ``Setup`` holds the parts, ``start``, ``step`` and ``run`` go from
``State`` to ``State``, and ``until`` goes on until a ``Stop``:

>>> from meta_solvers import get
>>> from metaspiel.games.openspiel import sequence_form
>>> from psro import ExactEvaluator, ExactOracle, Setup, run, start
>>> form = sequence_form("kuhn_poker")
>>> setup = Setup(
...     oracle=ExactOracle(form),
...     evaluator=ExactEvaluator(form),
...     solver=get("mgcce"),
...     concept="cce",
... )
>>> [state.iteration for state in run(setup, start(setup), iterations=2)]
[1, 2]

``exact_arena`` and ``learned_arena`` give a game the oracle and the evaluator it needs.
Importing this package loads nothing heavy; torch comes with the learned oracle.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from psro.arena import Arena, exact_arena, learned_arena
    from psro.bots import BotEvaluator, BotOracle
    from psro.cluster import Ray
    from psro.exact import ExactEvaluator, ExactOracle
    from psro.executor import Executor, InProcess
    from psro.ground import Ground
    from psro.implicit import ImplicitEvaluator
    from psro.loop import respond, run, start, step
    from psro.own_parts import EVALUATORS, ORACLES
    from psro.parts import (
        Member,
        Population,
        Reaches,
        Response,
        State,
        Table,
        Target,
    )
    from psro.rl import LearnedOracle
    from psro.sampled import SampledEvaluator
    from psro.setup import Evaluator, InTree, Oracle, Setup, Stage
    from psro.stopping import Stop, until
    from psro.workers import Processes

__all__ = [
    "EVALUATORS",
    "ORACLES",
    "Arena",
    "BotEvaluator",
    "BotOracle",
    "Evaluator",
    "ExactEvaluator",
    "ExactOracle",
    "Executor",
    "Ground",
    "ImplicitEvaluator",
    "InProcess",
    "InTree",
    "LearnedOracle",
    "Member",
    "Oracle",
    "Population",
    "Processes",
    "Ray",
    "Reaches",
    "Response",
    "SampledEvaluator",
    "Setup",
    "Stage",
    "State",
    "Stop",
    "Table",
    "Target",
    "exact_arena",
    "learned_arena",
    "respond",
    "run",
    "start",
    "step",
    "until",
]
__getattr__, __dir__ = public(__name__)
