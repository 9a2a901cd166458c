"""Which of the paper's claims on small games hold, judged from a run's numbers."""

from collections.abc import Iterator, Sequence

from experiments.lab import report
from experiments.lab.statistics import apart
from experiments.lab.verdict import LEVEL, Claim, Verdict, within
from experiments.matrl.matrix_config import Config
from experiments.matrl.matrix_results import COMPARED, Paired, Result, Summary, title

_RIVALS = ("iga", "iga-matched", "la", "la-projected", "random-rho", "matrl-wo-br")


def claims(config: Config, summary: Summary) -> list[Claim]:
    """Every claim that the run can judge."""
    made = [one for kind in config.classes for one in _controlled(summary, kind)]
    made += [_pure(summary), *_pure_by_agents(summary)]
    made += [_rotation(summary), _pennies(config, summary)]
    for kind in config.classes if config.sweep else ():
        if 1.0 in config.sweep:
            made.append(_robust(summary, kind))
        made += [_open(summary, kind), _best(summary, kind)]
    return made


def _controlled(summary: Summary, kind: str) -> Iterator[Claim]:
    """MATRL against rules and controls on the same games of a class."""
    label = summary.result(kind, "iga-beta").label
    pairs = {rival: summary.pair(kind, rival) for rival in COMPARED}
    judged = {
        "iga": (
            "MATRL converges sooner than IGA, each at the paper's step",
            _published(summary, kind, "iga"),
            (_earlier(pairs["iga"]), ""),
        ),
        "iga-beta": (
            f"and that is the meta-game's doing, not the step's ({label})",
            "no such control",
            _step_size(pairs["iga-beta"], pairs["iga"]),
        ),
        "la-beta": (
            "MATRL beats IGA-LA (here: with MATRL's steps)",
            _published(summary, kind, "la"),
            _look_ahead(pairs["la-beta"]),
        ),
        "random-rho": (
            "the equilibrium matters (against a random gate)",
            "no such control",
            _gate(pairs["random-rho"]),
        ),
    }
    for rival, (text, published, (verdict, remark)) in judged.items():
        yield Claim(
            text=f"{title(kind)}: {text}",
            published=published,
            evidence=_evidence(summary, kind, rival),
            verdict=verdict,
            remark=remark,
        )


def _published(summary: Summary, kind: str, rival: str) -> str:
    papers = [summary.result(kind, key).paper for key in ("matrl", rival)]
    return " against ".join(f"{p[0]:g} % / {p[1]:g}" for p in papers if p is not None)


def _earlier(pair: Paired) -> Verdict:
    """Whether MATRL is sooner, beyond chance; it fails where MATRL is later."""
    if pair.low is None or pair.high is None:
        return Verdict.UNDECIDED
    return within(-pair.high, -pair.low)


def _rates(pair: Paired) -> str:
    """What the games say of which only one rule converged."""
    if pair.p_holm is None or pair.p_holm >= LEVEL:
        return "no difference in rates"
    return "more games" if pair.only_matrl > pair.only_other else "fewer games"


def _evidence(summary: Summary, kind: str, rival: str) -> str:
    pair = summary.pair(kind, rival)
    rates = [summary.result(kind, key).first for key in ("matrl", rival)]
    both = [f"{one.rate:.1f} % / {report.number(one.steps)}" for one in rates]
    difference = f"{pair.difference:.1f} steps"
    if pair.low is not None:
        difference += f" {report.span(pair.low, pair.high)}"
    return (
        f"{' against '.join(both)}; paired {difference}; "
        f"only MATRL {pair.only_matrl}, only the other {pair.only_other} games"
    )


def _step_size(pair: Paired, whole: Paired) -> tuple[Verdict, str]:
    """How much of the saving is left against IGA with the best response's step.

    The ends of its interval are the least ratio and the greatest that the intervals of
    both differences allow.
    """
    verdict = _earlier(pair)
    if verdict is not Verdict.HOLDS or pair.low is None or pair.high is None:
        return verdict, ""
    if whole.low is None or whole.high is None or whole.high >= 0:
        return Verdict.UNDECIDED, "no saving against IGA is shown"
    share = 100 * pair.difference / whole.difference
    low, high = 100 * pair.high / whole.low, 100 * pair.low / whole.high
    left, verdict = f"{share:.0f} % of the saving is left", within(low, high, 50)
    if verdict is Verdict.FAILS:
        return verdict, f"{left}, mostly it is the longer step"
    between = f", perhaps {low:.0f} to {high:.0f} %"
    return verdict, left if verdict is Verdict.HOLDS else left + between


def _look_ahead(pair: Paired) -> tuple[Verdict, str]:
    verdict, rates = _earlier(pair), _rates(pair)
    if rates == "fewer games":
        more = "look-ahead converges in more games"
        if verdict is Verdict.HOLDS:
            return Verdict.UNDECIDED, f"sooner, but {more}"
        return Verdict.FAILS, more
    if verdict is Verdict.HOLDS:
        return verdict, ""
    mixed = rates == "more games"
    return Verdict.UNDECIDED if mixed else verdict, f"{rates}, not sooner"


def _gate(pair: Paired) -> tuple[Verdict, str]:
    """What steps and rates say together; undecided where they contradict each other."""
    verdict, rates = _earlier(pair), _rates(pair)
    words = {Verdict.HOLDS: "sooner", Verdict.FAILS: "later"}
    by_rate = {"more games": Verdict.HOLDS, "fewer games": Verdict.FAILS}
    shown = {verdict, by_rate.get(rates, Verdict.UNDECIDED)} - {Verdict.UNDECIDED}
    both = shown.pop() if len(shown) == 1 else Verdict.UNDECIDED
    return both, f"{words.get(verdict, 'not sooner')}, {rates}"


def _pure(summary: Summary) -> Claim:
    counted = summary.meta_games
    total = sum(one.meta_games for one in counted)
    pure = sum(one.pure * one.meta_games for one in counted if one.pure is not None)
    share = pure / max(total, 1)
    verdict = Verdict.HOLDS if share == 100 else Verdict.FAILS
    return Claim(
        text="Remark 2: the meta-game always has a pure equilibrium",
        published="stated for any number of players",
        evidence=f"{share:.3f} % of {total} meta-games at all step sizes",
        verdict=verdict if total else Verdict.NOT_TESTED,
        remark="for two players" if total else "no meta-games",
    )


def _pure_by_agents(summary: Summary) -> Iterator[Claim]:
    """Remark 2 on random meta-games of more agents than it is proved for."""
    for one in summary.pure:
        all_have = one.pure == 100
        yield Claim(
            text=f"Remark 2 with {one.agents} agents, on random meta-games",
            published="stated for any number of players",
            evidence=f"a pure equilibrium in {one.pure:.2f} % [{one.low:.2f}, "
            f"{one.high:.2f}] of {one.meta_games}",
            verdict=Verdict.HOLDS if all_have else Verdict.FAILS,
            remark="",
        )


def _rotation(summary: Summary) -> Claim:
    steps = {one.method: one.steps for one in summary.rotation}
    names = {"eg": "extra-gradient", "la": "look-ahead", "matrl": "MATRL"}
    names |= {"matrl-wo-br": "w/o BR", "gd": "gradient descent"}
    words = [f"{name} {steps[key] or '> 1000'}" for key, name in names.items()]
    ours = steps["matrl"]
    rivals = [step for key in ("eg", "la") if (step := steps[key]) is not None]
    best = ours is not None and all(ours < step for step in rivals)
    return Claim(
        text="Figure 3: MATRL is the fastest on the rotational game",
        published="fastest curve",
        evidence="steps to norm .01 at one rate: " + ", ".join(words),
        verdict=Verdict.HOLDS if best else Verdict.FAILS,
        remark="" if best else "at one rate",
    )


def _pennies(config: Config, summary: Summary) -> Claim:
    steps_of: dict[str, list[int | None]] = {}
    for one in summary.pennies:
        if one.step is not None:
            steps_of.setdefault(one.label, []).append(one.stays)
    text = "; ".join(
        f"{label} " + ", ".join("never" if s is None else str(s) for s in steps)
        for label, steps in steps_of.items()
    )
    ours, circling = steps_of["MATRL"], {*steps_of["IGA"]} == {None}
    holds = circling and None not in ours
    same = ours == steps_of["IGA-LA"]
    return Claim(
        text="matching pennies: MATRL converges where IGA circles",
        published="drawn in Figure 7, no number",
        evidence="steps until it stays at .02, .03, .1 of "
        f"{config.pennies_steps}: {text}",
        verdict=Verdict.HOLDS if holds else Verdict.FAILS,
        remark="look-ahead takes the same steps" if same else "",
    )


def _more_stay(text: str, results: Sequence[Result], evidence: Sequence[str]) -> Claim:
    """Whether MATRL's interval, the first, is above those of all rivals."""
    ours, *rivals = results
    below = [one for one in rivals if one.stays.rate_high < ours.stays.rate_low]
    above = [one for one in rivals if one.stays.rate_low > ours.stays.rate_high]
    verdict = Verdict.FAILS if above else Verdict.UNDECIDED
    remarks = [
        f"{word} {'; '.join(one.label for one in some)}"
        for word, some in (("above", below), ("below", above))
        if some
    ]
    remark = f"MATRL is {' and '.join(remarks)}" if remarks else ""
    everyone = len(below) == len(rivals)
    return Claim(
        text=text,
        published="not tried",
        evidence="; ".join(evidence),
        verdict=Verdict.HOLDS if everyone else verdict,
        remark="against every control" if everyone else remark,
    )


def _stays(one: Result) -> str:
    return f"{one.label} {one.stays.rate:.1f} %"


def _robust(summary: Summary, kind: str) -> Claim:
    keys = ("matrl", *_RIVALS)
    at = [one for key in keys for one in summary.swept(kind, key) if one.step == 1]
    text = "(ours): with step 1 for all, MATRL stays converged more often"
    return _more_stay(f"{title(kind)} {text}", at, list(map(_stays, at)))


def _best(summary: Summary, kind: str) -> Claim:
    best = [
        max(summary.swept(kind, key), key=lambda one: one.stays.rate)
        for key in ("matrl", *_RIVALS)
    ]
    return _more_stay(
        f"{title(kind)} (ours): with everyone at its best step of the sweep, MATRL "
        "stays converged more often",
        best,
        [f"{_stays(one)} (step {one.step:g})" for one in best],
    )


def _open(summary: Summary, kind: str) -> Claim:
    """Where MATRL differs from its gate left open, which is look-ahead."""
    differ = []
    pairs = zip(
        *(summary.swept(kind, k) for k in ("matrl", "la-projected")), strict=True
    )
    for one, two in pairs:
        ours, theirs = (
            (rule.stays.rate_low, rule.stays.rate_high) for rule in (one, two)
        )
        if apart(ours, theirs):
            rates = f"{one.stays.rate:.1f} % against {two.stays.rate:.1f} %"
            differ.append(f"step {one.step:g}: {rates}")
    return Claim(
        text=f"{title(kind)} (ours): the gate changes how many games stay, compared "
        "with always switching (projected look-ahead)",
        published="no such control",
        evidence="; ".join(differ) or "intervals overlap at every step",
        verdict=Verdict.HOLDS if differ else Verdict.UNDECIDED,
        remark="at these steps only" if differ else "",
    )
