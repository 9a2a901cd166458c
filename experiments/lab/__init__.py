"""Shared parts of all pages: command line, run folder, work, verdicts, report.

``options``, ``page`` and ``process`` are the command line, ``folder``, ``lock``,
``metrics`` and ``checkpoints`` the run folder; ``work``, ``watch`` and ``grid`` do
pieces of work; ``statistics``, ``estimates``, ``censoring``, ``ranks`` and ``verdict``
judge, ``report`` and ``charts`` show. ``alternatives`` reads specs that stand for
several.
"""

__all__ = [
    "alternatives",
    "censoring",
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
    "ranks",
    "report",
    "statistics",
    "verdict",
    "watch",
    "work",
]
