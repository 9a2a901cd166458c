"""The paper's claims on grid worlds, judged by the runs."""

from collections.abc import Sequence

from experiments.lab.report import percent, span
from experiments.lab.verdict import LEVEL, Claim, Verdict, within
from experiments.matrl.grid_results import MethodLine, Pair, TaskResult, pair

MEETS = 0.05  # mean rho from which the meta-game is said to hold steps back


def claims(tasks: Sequence[TaskResult], compared: Sequence[Pair]) -> list[Claim]:
    """Which of the paper's claims these runs bear out, by the rules in each claim."""
    judged = [_better(one) for one in compared]
    for task in tasks:
        methods = task.finished
        for name, value in task.plan.published:
            if name in methods:
                judged.append(_published(task.plan.name, methods[name], value))
        if "il" in methods and "il-six-rows" in methods:
            judged.append(_six(task.plan.name, methods["il"], methods["il-six-rows"]))
        if "matrl" in methods:
            judged.append(_gate(task.plan.name, methods["matrl"]))
    return judged


def _better(one: Pair) -> Claim:
    verdict, remark = within(one.low, one.high), ""
    if one.low is None:
        verdict = Verdict.UNDECIDED if one.n else Verdict.NOT_TESTED
        remark = "fewer than two pairs of runs"
    elif one.p_holm is not None and one.p_holm >= LEVEL:
        if verdict != Verdict.UNDECIDED:
            remark = f"{verdict} before correction only"
        verdict = Verdict.UNDECIDED
    facts = "no pairs"
    if one.difference is not None:
        facts = f"difference {one.difference:+.2f} {span(one.low, one.high, 2)}"
        facts += f", n = {one.n}"
    if one.same:
        facts += f", {one.same} of them the same number"
    if one.p is not None:
        facts += f", p {one.p:.2g}, corrected {one.p_holm:.2g}"
        facts += f"; intervals of the two {'apart' if one.apart else 'overlap'}"
    return Claim(
        text=f"{one.first} ends above {one.second}",
        about=one.task,
        verdict=verdict,
        remark=remark,
        evidence=facts,
    )


def _published(task: str, line: MethodLine, value: float) -> Claim:
    """Whether the figure's final return lies in our interval."""
    verdict, remark = Verdict.UNDECIDED, "one run"
    if line.low is not None and line.high is not None:
        verdict, remark = Verdict.HOLDS, ""
        if not line.low <= value <= line.high:
            verdict = Verdict.FAILS
            remark = f"ours is {'higher' if line.low > value else 'lower'}"
    return Claim(
        text=f"{line.method} ends at {value:g}, as the figure shows",
        about=task,
        verdict=verdict,
        remark=remark,
        evidence=f"ours {_final(line)}, n = {line.n}",
    )


def _six(task: str, whole: MethodLine, six: MethodLine) -> Claim:
    """Whether updates on six samples explain a low independent learner."""
    compared = pair(task, whole, six)
    return Claim(
        text="il is held down by updates that see six samples (not of the paper)",
        about=task,
        verdict=within(compared.low, compared.high),
        remark="fewer than two pairs of runs" if compared.low is None else "",
        evidence=f"six samples {_final(six)}, all of them {_final(whole)}",
    )


def _final(line: MethodLine) -> str:
    return f"{line.mean.final:.2f} {span(line.low, line.high, 2)}"


def _gate(task: str, line: MethodLine) -> Claim:
    """Whether the meta-game keeps anything of the trial step back."""
    facts = line.mean
    held = facts.rho is not None and facts.rho >= MEETS
    return Claim(
        text=f"the meta-game holds steps back (mean rho at least {MEETS:g})",
        about=task,
        verdict=Verdict.HOLDS if held else Verdict.FAILS,
        remark="" if held else "it lets nearly every step pass",
        evidence=f"mean rho {facts.rho:.3f}; above 0 for some agent in "
        f"{percent(facts.rho_any)} of iterations, inside (0, 1) in "
        f"{percent(facts.rho_inside)}; {facts.equilibria:.2f} equilibria found on "
        f"average, several in {percent(facts.several)}",
    )
