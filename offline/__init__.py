"""Offline game solving: recorded play and a learned model stand for the simulator.

``collect`` records a ``Dataset``, ``train`` fits an ``Ensemble`` of dynamics to it, a
``ModelSimulator`` plays in that, and ``setup`` makes the PSRO loop of it (COffeE-PSRO
and OEF; Nguyen & Wellman 2026). ``regrets`` judges what came out in the true game,
``clone`` imitates the behaviour in the data.

Importing this package loads nothing heavy; torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from offline.baselines import Cloning, clone
    from offline.coffee import Approach, setup
    from offline.data import Dataset
    from offline.dynamics import train
    from offline.ensemble import Ensemble, Training
    from offline.model import ModelSimulator
    from offline.profiles import behaviour, profile
    from offline.record import collect, replay, verify
    from offline.regret import Judge, Regret, regrets
    from offline.starts import Starts

__all__ = [
    "Approach",
    "Cloning",
    "Dataset",
    "Ensemble",
    "Judge",
    "ModelSimulator",
    "Regret",
    "Starts",
    "Training",
    "behaviour",
    "clone",
    "collect",
    "profile",
    "regrets",
    "replay",
    "setup",
    "train",
    "verify",
]
__getattr__, __dir__ = public(__name__)
