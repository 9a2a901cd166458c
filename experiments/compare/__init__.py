"""Meta-solvers side by side: games, solvers and seeds crossed, judged over seeds."""

from experiments.compare.frames import frame

__all__ = ["frame"]
