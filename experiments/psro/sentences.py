"""What a run of PSRO amounts to, in words anyone in the field understands."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.lab.report import Opening
from experiments.psro.summary import (
    Summary,
    gap_name,
    gap_value,
    mean_of,
    rounded,
    shown,
)
from experiments.psro_parts.config import EXACT
from psro.metrics import Row


def algorithm(concept: str, oracle: str) -> str:
    """The name of what ran, as the literature has it: "JPSRO(CCE)", "PSRO(NE)".

    One network for all policies makes it NeuPL (Liu et al. 2022, 2024).
    """
    joint = "" if concept == "ne" else "J"
    name = f"NeuPL-{joint}PSRO" if oracle == "neupl" else f"{joint}PSRO"
    return f"{name}({concept.upper()})"


def title(summary: Mapping[str, Any]) -> str:
    """The head of a report."""
    name = algorithm(summary["concept"], summary["oracle"])
    return f"{name} on {summary['game']}, meta-solver {summary['solver']}"


def opening(summary: Summary, rows: Sequence[Row]) -> Opening:
    """What was run in a trial, what came out, and how sure that is."""
    facts, last, kind = summary.flat, summary.last, summary.gap_is
    gap = gap_value(kind, last.gap, last.gap_error) + _before(kind, rows)
    best = min((r.gap for r in rows if r.gap is not None), default=None)
    result = [
        f"{_capital(gap_name(kind, summary.concept))}: {gap}{_exactly(summary)}.",
        f"Expected payoffs sum to {rounded(last.value_sum, '.5g')} "
        f"({summary.eval_solver}: {rounded(last.eval_value_sum, '.5g')}); the "
        f"populations hold {_count(last.unique_policies)} policies.",
    ]
    least = last.population_exploitability
    if least is not None:
        result.append(
            f"Population exploitability {shown(least, '.3g')}: no mixtures of the "
            "populations are less exploitable (NashConv / 2)."
        )
    if best is not None and last.gap is not None and best < last.gap:
        at = next(row.iteration for row in rows if row.gap == best)
        result.append(
            f"The least gap of all iterations was {shown(best, '.3g')}, after {at}."
        )
    sure = [meaning(kind, summary.concept) + refereed(last.exact_gap)]
    sure.append(
        f"One run, with seed {summary.seed}: another seed may end elsewhere. The "
        f"meta-solver's last answer: {last.status}."
    )
    return Opening(
        ran=[
            f"{algorithm(summary.concept, facts['oracle'])}, {last.iteration} "
            f"iterations on {_where(facts)}; responses: {facts['oracle']}; meta-solver "
            f"{summary.solver}{_judge(facts)}.",
            *([f"It ended by: {summary.stopped}."] if summary.stopped else []),
        ],
        result=result,
        sure=[*sure, *facts["caveats"]],
    )


def opening_of_trials(summary: Mapping[str, Any]) -> Opening:
    """The same of all trials together."""
    trials, kind = summary["trials"], summary["gap_is"]
    exact = refereed(*(one["exact_gap"] for one in trials))
    least = [one["gap"] for one in trials if one["gap"] is not None]
    gap = f"{_capital(gap_name(kind, summary['concept']))} at the end"
    spread = f" between {min(least):.3g} and {max(least):.3g}." if least else ""
    means = f"Means are +- their standard error over {len(trials)} trials."
    if summary["interrupted"]:
        result = ["Trials were interrupted, or not begun: there are no means."]
        result[0] += f" Gaps so far lie{spread}" if least else ""
        means = "Trials that were cut at different iterations rank nothing."
    else:
        result = [f"{gap}, a mean over trials: {mean_of(summary, 'gap')}."]
        result[0] += f" It lies{spread}" if least else ""
        if summary["exact_gap"] is not None:
            result.append(f"The exact gap: {mean_of(summary, 'exact_gap')}.")
        result.append(f"Expected payoffs sum to {mean_of(summary, 'value_sum')}.")
    if failed := sum(one["failed"] for one in trials):
        result.append(f"{failed} of {len(trials)} trials ended early, by a failure.")
    name = algorithm(summary["concept"], summary["oracle"])
    return Opening(
        ran=[
            f"{name} on {_where(summary)}, trials of their own seeds "
            f"({', '.join(str(one['seed']) for one in trials)}); meta-solver "
            f"{summary['solver']}{_judge(summary)}."
        ],
        result=result,
        sure=[
            meaning(kind, summary["concept"]) + exact,
            means,
            *summary["caveats"],
        ],
    )


def _before(kind: str, rows: Sequence[Row]) -> str:
    """The last gap that was measured, where that is not one of the last iteration."""
    known = [row for row in rows if row.gap is not None]
    if not known or known[-1] is rows[-1]:
        return ""
    text = gap_value(kind, known[-1].gap, known[-1].gap_error)
    return f" after the last iteration ({text} after {known[-1].iteration})"


def _where(facts: Mapping[str, Any]) -> str:
    """The game, and what is played of it."""
    if facts["played"] == "the game itself":
        return str(facts["game"])
    return f"{facts['played']} of {facts['game']}"


def _judge(facts: Mapping[str, Any]) -> str:
    """The second meta-solver, where it is another one."""
    if facts["eval_solver"] == facts["solver"]:
        return ""
    return f", evaluation by {facts['eval_solver']}"


def _count(policies: Sequence[int]) -> str:
    return f"{sum(policies)} ({' + '.join(map(str, policies))})"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _exactly(summary: Summary) -> str:
    """What is exact of the gaps, for the lead; nothing of a run without a referee."""
    last = summary.last
    if summary.gap_is == EXACT:
        return f" (evaluation solver: {shown(last.eval_gap, '.3g')})"
    if last.exact_gap is None:
        return ""
    return (
        f", the exact one {last.exact_gap:.3g} (evaluation solver: "
        f"{shown(last.exact_eval_gap, '.3g')})"
    )


def meaning(kind: str, concept: str) -> str:
    """What a gap is, in words."""
    if kind == EXACT:
        return (
            "The gap is exact: the sum over players of what a best response over all "
            "policies of the game gains against the meta-strategy; 0 is an exact "
            f"{concept.upper()}."
        )
    return (
        "The gap is the sum over players of what learned responses gained against the "
        "meta-strategy in sampled episodes, +- at most its standard error. It "
        "estimates a lower bound, which noise pushes up, and 0 says that nothing was "
        "learned to gain, not that nothing can be gained."
    )


def refereed(*exact_gaps: float | None) -> str:
    """What lines of a referee are, in words; nothing where there is none."""
    if all(gap is None for gap in exact_gaps):
        return ""
    return (
        " Lines called exact are a referee's: what exact best responses over all "
        "policies of the game gain."
    )
