"""Experiments: one page each, run as ``metaspiel PAGE``.

``contents`` knows the pages; ``lab`` is what they share, and a wing (``matrl``) holds
the pages on one system.
"""

import os

# Before numpy is imported anywhere: one thread a process (two on a busy two-core
# machine were measured to be a hundred times slower), and no display.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

__all__ = ["contents"]
