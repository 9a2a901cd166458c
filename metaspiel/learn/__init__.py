"""Learners of policies: stacked Double DQN and PPO, value mixing and MADDPG.

``responses.train`` answers each ``Task``, a game and its co-players, with what was
``Learned``; ``ppo.train`` trains independent agents in a Markov game, as ``PPO`` says.
``mixing`` and ``maddpg`` train teams from a replay, step by step. Importing this
package loads nothing heavy; torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from metaspiel.learn.markov_settings import MADDPG, PPO, Mixing
    from metaspiel.learn.tasks import Learned, Task

__all__ = ["MADDPG", "PPO", "Learned", "Mixing", "Task"]
__getattr__, __dir__ = public(__name__)
