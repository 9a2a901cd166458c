"""Multi-agent trust region learning (MATRL): a meta-game decides on every step.

Independent learners take a trial step; a two-action meta-game, keep the policy or take
the step, is solved for an equilibrium, which decides what each agent keeps (Wen et al.,
"A Game-Theoretic Approach to Multi-Agent Trust Region Optimization"). ``start`` and
``step`` run a ``Method`` of ``METHODS`` on any Markov game; ``race`` follows its rules
of learning through many 2 x 2 games at once, and ``count_meta_games`` looks at what
they solve on the way. ``LEARNERS`` has learners from a replay as well, behind one
interface; ``Arena`` and ``League`` play trained agents against each other, and
``time_iterations`` measures what a method costs. ``History`` is what a run came to.

Importing this package loads nothing heavy; torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from matrl.counts import MetaGameCounts, count_meta_games
    from matrl.crossplay import Arena, League
    from matrl.dynamics import IGA, MATRL, LookAhead, Race, WoLF, race
    from matrl.history import History
    from matrl.learners import LEARNERS, Learner
    from matrl.loop import MATRLRun, exploitability, start, step
    from matrl.matrix_games import Games
    from matrl.meta_game import MetaGame
    from matrl.methods import METHODS, Method, Settings, method
    from matrl.timing import MethodTime, SolvingTime, time_iterations, time_solving

__all__ = [
    "IGA",
    "LEARNERS",
    "MATRL",
    "METHODS",
    "Arena",
    "Games",
    "History",
    "League",
    "Learner",
    "LookAhead",
    "MATRLRun",
    "MetaGame",
    "MetaGameCounts",
    "Method",
    "MethodTime",
    "Race",
    "Settings",
    "SolvingTime",
    "WoLF",
    "count_meta_games",
    "exploitability",
    "method",
    "race",
    "start",
    "step",
    "time_iterations",
    "time_solving",
]
__getattr__, __dir__ = public(__name__)
