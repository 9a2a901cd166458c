"""What a run of training came to, from the metrics that ``step`` gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

_POINTS = 50  # of a curve at most; iterations beyond are averaged in blocks


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Team returns by block of iterations, with Student's interval over runs."""

    steps: list[float]
    mean: list[float]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, kw_only=True)
class History:
    """What a run came to, or means over runs; None where a method has no such thing.

    ``final`` is the mean team return of the last iterations, ``own`` that of each
    agent, ``length`` that of episodes; ``average`` is of all iterations, ``best`` of
    the blocks of iterations. ``rho`` is the share of its present policy that an agent
    keeps, ``rho_inside`` the share of iterations in which that of some agent is in
    (0, 1), ``rho_any`` above 0. ``equilibria`` are found in a meta-game, ``several`` is
    the share of those with more than one, ``meta_regret`` the largest of all runs and
    ``approximate`` the number of inexact ones in all of them.
    """

    final: float | None = None
    own: list[float] | None = None
    length: float | None = None
    average: float | None = None
    best: float | None = None
    cpu_seconds: float | None = None
    curve: Curve | None = None
    rho: float | None = None
    rho_inside: float | None = None
    rho_any: float | None = None
    rho_curve: list[float] | None = None
    equilibria: float | None = None
    several: float | None = None
    meta_regret: float | None = None
    approximate: int | None = None

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], last: int) -> "History":
        """What one run came to, from the metrics of its iterations.

        Args:
          rows: of its iterations, at least one.
          last: iterations at the end that make up its final return.
        """
        end = rows[-last:]
        returns = [row["returns"] for row in rows]
        ends, means = blocks(returns)
        steps = (ends * rows[0]["env_steps"]).tolist()
        facts = cls(
            final=float(np.mean(returns[-last:])),
            own=np.mean([row["returns_own"] for row in end], 0).tolist(),
            length=float(np.mean([row["length"] for row in end])),
            average=float(np.mean(returns)),
            best=float(np.max(means)),
            cpu_seconds=float(sum(sum(row["seconds"].values()) for row in rows)),
            curve=Curve(steps=steps, mean=means.tolist()),
        )
        if "rho" in rows[0]:
            rho = np.array([row["rho"] for row in rows], dtype=float)
            facts = replace(
                facts,
                rho=float(rho.mean()),
                rho_inside=float(((rho > 0) & (rho < 1)).any(1).mean()),
                rho_any=float((rho > 0).any(1).mean()),
                rho_curve=blocks(rho.mean(1).tolist())[1].tolist(),
            )
        if "equilibria" in rows[0]:
            count = np.array([row["equilibria"] for row in rows])
            facts = replace(
                facts,
                equilibria=float(count.mean()),
                several=float((count > 1).mean()),
                meta_regret=float(max(row["meta_regret"] for row in rows)),
                approximate=sum(row["meta_status"] != "OK" for row in rows),
            )
        return facts


def blocks(values: Sequence[float]) -> tuple[Float64[ndarray, " P"], ...]:
    """Means of blocks of iterations, and the last iteration of each block."""
    size = max(1, -(-len(values) // _POINTS))
    starts = range(0, len(values), size)
    means = [float(np.mean(values[at : at + size])) for at in starts]
    ends = [min(at + size, len(values)) for at in starts]
    return np.array(ends, dtype=float), np.array(means)
