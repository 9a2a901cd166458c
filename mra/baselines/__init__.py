"""Baselines of MRA that are no ``Method`` of its loop: EPC and RL^2.

Both have the networks, losses, replay and budget of METHODS["plain"]. The modules
``epc`` and ``rl2`` have ``start``, ``sweep``, ``save`` and ``load`` like ``mra.train``
and ``mra.state``, with the settings here in the place of a method.

Importing this package loads nothing heavy; torch comes with what is used.
"""

from typing import TYPE_CHECKING

from metaspiel.lazy import public

if TYPE_CHECKING:
    from mra.baselines.epc import EPCState
    from mra.baselines.settings import EPC, RL2

__all__ = ["EPC", "RL2", "EPCState"]
__getattr__, __dir__ = public(__name__)
