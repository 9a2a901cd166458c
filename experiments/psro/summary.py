"""What a PSRO run amounts to: of each trial, and of all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.psro_parts.config import EXACT
from psro.metrics import Row

# Of what ``Summary.flat`` gives, what is read again.
SHAPE: Mapping[str, Any] = {
    **dict.fromkeys(("game", "solver", "eval_solver", "concept"), str),
    **dict.fromkeys(("gap", "eval_gap", "meta_gap"), float | None),
    **dict.fromkeys(("exact_gap", "exact_value_sum", "exact_eval_gap"), float | None),
    **dict.fromkeys(("value_sum", "eval_value_sum", "cpu_seconds"), float),
    "unique_policies": list[int],
    **dict.fromkeys(("seed", "iterations"), int),
    "stopped": str | None,
    "failed": bool,
}
_NUMBERS = (
    "gap", "gap_per_player", "values", "value_sum", "eval_gap", "eval_values",
    "eval_value_sum", "policies", "unique_policies", "support", "status",
    "eval_status", "meta_gap", "gap_error", "exact_gap", "exact_value_sum",
    "exact_eval_gap", "population_exploitability",
)  # fmt: skip
_MEANS = (
    "gap", "value_sum", "eval_gap", "eval_value_sum", "exact_gap", "exact_value_sum",
    "exact_eval_gap", "cpu_seconds",
)  # fmt: skip


def gap_name(kind: str, concept: str = "") -> str:
    """What a gap is called wherever it is shown: "gap" alone is exact."""
    name = f"{concept.upper()} gap".strip()
    return name if kind == EXACT else f"{name} ({kind})"


def gap_value(kind: str, gap: float | None, error: float | None) -> str:
    """A gap as text; a learned one with its standard error."""
    if gap is None or kind == EXACT:
        return shown(gap, ".3g")
    return f"{gap:.3g} +- {shown(error, '.2g')}"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a trial amounts to.

    Attributes:
      last: its last row of metrics.
      stopped: why it ended.
      failed: that was an error.
      interrupted: it did not end: this is as far as its checkpoint.
      cpu_seconds_of: what these were counted of.
      gap_is: whether its gaps are exact or learned.
      facts: about its game and oracle.
      game_values: what each player gets in every equilibrium, where that is known.
    """

    game: str
    solver: str
    eval_solver: str
    concept: str
    seed: int
    selection: str
    last: Row
    stopped: str | None
    failed: bool
    interrupted: bool
    cpu_seconds_of: str
    gap_is: str
    facts: Mapping[str, Any]
    game_values: Sequence[float] | None = None

    @property
    def flat(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "game": self.game,
            "solver": self.solver,
            "eval_solver": self.eval_solver,
            "concept": self.concept,
            "seed": self.seed,
            "iterations": self.last.iteration,
            "stopped": self.stopped,
            "gap_is": self.gap_is,
            **{name: getattr(self.last, name) for name in _NUMBERS},
            "cpu_seconds": sum(self.last.cpu_seconds.values()),
            "cpu_seconds_per_stage": self.last.cpu_seconds,
            "cpu_seconds_of": self.cpu_seconds_of,
            "selection": self.selection,
            "game_values": self.game_values,
            **self.facts,
            "failed": self.failed,
            "interrupted": self.interrupted,
        }


def outcome(summary: Mapping[str, Any]) -> str:
    """A line for people on what a run amounts to; of several trials their means."""
    gap = gap_value(summary["gap_is"], summary["gap"], summary.get("gap_error"))
    sums, head = rounded(summary["value_sum"], ".6g"), ""
    exact = shown(summary["exact_gap"], ".3g")
    if summary["played"] != "the game itself":
        head = f"of {summary['played']}: "
    if "trials" in summary:
        gap, exact = mean_of(summary, "gap"), mean_of(summary, "exact_gap")
        sums = mean_of(summary, "value_sum")
        head += f"mean of {len(summary['trials'])} trials +- standard error: "
    judged = "" if summary["exact_gap"] is None else f"  exact gap {exact}"
    return (
        f"{head}{gap_name(summary['gap_is'])} {gap}{judged}  value sum {sums}  "
        f"cpu {summary['cpu_seconds']:.2f} s"
    )


def mean_of(summary: Mapping[str, Any], name: str) -> str:
    """A mean over trials with its standard error, as text."""
    mean, error = summary[name], summary[f"{name}_standard_error"]
    text = rounded(mean, ".6g")
    return text if mean is None else f"{text} +- {shown(error, '.2g')}"


def together(trials: Sequence[dict[str, Any]], asked: int) -> dict[str, Any]:
    """The summary of all trials: of one its own, of more also their means.

    A mean is None where a trial has no number, or was interrupted: trials cut at other
    iterations have none. Standard errors are over trials.

    Args:
      trials: their summaries; of an interrupted run those that have begun.
      asked: how many trials there were to be.
    """
    if asked == 1:
        return dict(trials[0])
    interrupted = len(trials) < asked or any(one["interrupted"] for one in trials)
    means: dict[str, Any] = {"trials": list(trials)}
    shared = (
        "game", "played", "caveats", "oracle", "solver", "eval_solver", "concept",
        "gap_is",
    )  # fmt: skip
    for name in shared:
        means[name] = trials[0][name]
    for name in _MEANS:
        listed = [one[name] for one in trials]
        mean = error = None
        if None not in listed and not interrupted:
            mean = float(np.mean(listed))
            error = float(np.std(listed, ddof=1) / np.sqrt(len(listed)))
        means |= {name: mean, f"{name}_standard_error": error}
    means["failed"] = any(one["failed"] for one in trials)
    means["interrupted"] = interrupted
    means["stopped"] = [one["stopped"] for one in trials]
    means["seeds"] = [one["seed"] for one in trials]
    return means


def shown(value: float | None, form: str) -> str:
    """A number as text for people; it may not have been measured."""
    return "not measured" if value is None else format(value, form)


def rounded(value: float | None, form: str) -> str:
    """As ``shown``, without rounding noise around zero."""
    return shown(None if value is None else round(value, 12) + 0.0, form)
