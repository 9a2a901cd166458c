"""Baselines of MRA that are no ``Method`` of its loop: EPC and RL^2.

Both have the networks, losses, replay and budget of METHODS["plain"], and ``start``,
``sweep``, ``save`` and ``load`` like ``mra.train`` and ``mra.state``.
"""

__all__ = ["epc", "rl2"]
