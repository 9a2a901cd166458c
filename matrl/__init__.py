"""Multi-agent trust region learning: a meta-game in front of every step (MATRL).

Independent learners take a trial step; a two-action meta-game, keep the policy or take
the step, is solved for an equilibrium, which decides what each agent keeps (Wen et al.,
"A Game-Theoretic Approach to Multi-Agent Trust Region Optimization"). ``start`` and
``step`` run a ``Method`` of ``METHODS`` on any Markov game; ``race`` follows its rules
of learning through many 2 x 2 games at once, and ``count_meta_games`` looks at what
they solve on the way. ``Arena`` and ``League`` play trained agents against each other.

Importing this package loads nothing heavy; torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from matrl.counts import MetaGameCounts, count_meta_games
    from matrl.crossplay import Arena, League
    from matrl.dynamics import IGA, MATRL, LookAhead, Race, WoLF, race
    from matrl.loop import MATRLRun, exploitability, start, step
    from matrl.matrix_games import Games
    from matrl.meta_game import MetaGame
    from matrl.methods import METHODS, Method, Settings, method

__all__ = [
    "IGA",
    "MATRL",
    "METHODS",
    "Arena",
    "Games",
    "League",
    "LookAhead",
    "MATRLRun",
    "MetaGame",
    "MetaGameCounts",
    "Method",
    "Race",
    "Settings",
    "WoLF",
    "count_meta_games",
    "exploitability",
    "method",
    "race",
    "start",
    "step",
]
__getattr__, __dir__ = public(__name__)
