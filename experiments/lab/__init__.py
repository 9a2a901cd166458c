"""What pages share: work and its progress, statistics, charts and reports."""

__all__ = ["charts", "report", "statistics", "watch", "work"]
