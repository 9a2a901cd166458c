"""Pictures: gaps, forgetting, transfer, learning curves."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from experiments.lab.charts import learning
from experiments.lab.marks import Axis, Chart, Panel, Picture, Rule, Series
from experiments.neupl_learned import flag_results, kuhn_results, transfer_results
from experiments.neupl_learned.kuhn import Result as Kuhn
from experiments.neupl_learned.study import Study
from experiments.neupl_learned.transfer import Result

_SEEDS = "The mean over seeds, and each of them as a thin line."


def pictures(studies: Sequence[Study]) -> list[Picture]:
    """Pictures of what there is."""
    made = []
    for study in studies:
        games = [game for game in study.sizes if study.made[game]]
        if not games:
            continue
        if study.name == "learned_kuhn":
            made += [_gaps(study, games), _ages(study, games)]
        elif study.name == "transfer":
            made.append(_transfer(study, games))
        elif study.name in ("flag", "openspiel_flag"):
            made.append(_curves(study, games))
    return made


def _panels(
    games: Sequence[str],
    series: Callable[[str], Sequence[Series]],
    *,
    x: Axis,
    y: Axis,
    rules: Sequence[Rule] = (),
) -> Chart:
    """A panel a game."""
    panels = [
        Panel(title=game, x=x, y=y, series=series(game), rules=rules) for game in games
    ]
    return Chart(panels=panels)


def _gaps(study: Study, games: Sequence[str]) -> Picture:
    return Picture(
        name="learned_gaps",
        title="Gap by iteration",
        caption=f"Of what is played. {_SEEDS}",
        chart=_panels(
            games,
            partial(_runs, study, lambda one: [row.gap for row in one.judged]),
            x=Axis(label="iteration"),
            y=Axis(label="exact full-game CCE gap", scale="log"),
        ),
    )


def _ages(study: Study, games: Sequence[str]) -> Picture:
    return Picture(
        name="learned_forgetting",
        title="Forgetting by age",
        caption="Mean divergence of codes from what they played when they were new, at "
        f"all information states; 'age' counts iterations. {_SEEDS}",
        chart=_panels(
            games,
            partial(
                _runs,
                study,
                lambda one: one.forgetting[1:],
                but="separate",  # never changes
            ),
            x=Axis(label="age of a code"),
            y=Axis(label="divergence (nats)", scale="log"),
        ),
    )


def _runs(
    study: Study, read: Callable[[Kuhn], Sequence[float]], game: str, *, but: str = ""
) -> list[Series]:
    """What is read off each run of a game, by variant, ``but`` one."""
    made: list[Series] = []
    for name, runs in kuhn_results.runs_of(study, game).items():
        if name != but:
            values = np.array([read(one) for one in runs.values()])
            steps = list(range(1, values.shape[1] + 1))
            made += learning(name, steps, values)
    return made


def _transfer(study: Study, games: Sequence[str]) -> Picture:
    def series(game: str) -> list[Series]:
        runs, made = transfer_results.runs_of(study, game), []
        budgets = next(iter(runs.values())).budgets
        for name in ("warm", "cold"):
            shares = [_shares(one, name) for one in runs.values()]
            means = [own.mean(0) for own in shares if len(own)]
            if means:
                made += learning(name, budgets, np.array(means))
        return made

    x, y = Axis(label="decisions", scale="log2"), Axis(label="share of the best gain")
    rule = Rule(name="", y=0.9, dash="solid")
    return Picture(
        name="learned_transfer",
        title="Warm and cold responses",
        caption="Share of the best response's gain (exact, or without a tree the "
        "better end) after so many decisions; means over probes, each seed a thin "
        "line. A line at .9.",
        chart=_panels(games, series, x=x, y=y, rules=[rule]),
    )


def _shares(one: Result, name: str) -> np.ndarray:
    """Gains of all probes with something to gain, over the best ones."""
    shares = []
    for probe in one.probes:
        best = probe.best
        best = max(probe.warm[-1], probe.cold[-1]) if best is None else best
        if best >= transfer_results.LEAST:
            shares.append(np.array(getattr(probe, name)) / best)
    return np.array(shares)


def _curves(study: Study, games: Sequence[str]) -> Picture:
    def series(game: str) -> list[Series]:
        runs, made = flag_results.runs_of(study, game), []
        for name in flag_results.METHODS:
            curves = [getattr(one, name).curves for one in runs.values()]
            means = np.array([np.nanmean(np.array(own, float), 0) for own in curves])
            share = (np.arange(means.shape[1]) + 1) / means.shape[1]
            made += learning(name, share.tolist(), means)
        return made

    x, y = Axis(label="share of the training"), Axis(label="payoff an episode")
    return Picture(
        name=f"{study.name}_curves",
        title=f"Learning curves of {study.name}",
        caption="Payoff of a learner in training, mean over all players and "
        "iterations; each seed a thin line.",
        chart=_panels(games, series, x=x, y=y),
    )
