"""Shared parts of all pages: command line, run folder, work, verdicts, report.

``options``, ``page`` and ``process`` are the command line, ``folder``, ``lock``,
``metrics`` and ``checkpoints`` the run folder; ``work``, ``watch`` and ``grid`` do
pieces of work; ``statistics``, ``estimates`` and ``verdict`` judge, ``report`` and
``charts`` show.
"""

__all__ = [
    "charts",
    "checkpoints",
    "estimates",
    "folder",
    "grid",
    "lock",
    "metrics",
    "options",
    "page",
    "process",
    "report",
    "statistics",
    "verdict",
    "watch",
    "work",
]
