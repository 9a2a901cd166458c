"""Pictures: gaps, forgetting, transfer, learning curves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.lab.charts import figure, learning, legend, panels
from experiments.lab.report import Picture
from experiments.neupl_learned import flag_results, kuhn_results, transfer_results
from experiments.neupl_learned.study import Study
from experiments.neupl_learned.transfer import Result

_SEEN = 1e-5  # divergences below are drawn here


def pictures(plots: Path, studies: Sequence[Study]) -> list[Picture]:
    """Pictures of what there is."""
    made = []
    for study in studies:
        games = [game for game in study.sizes if study.made[game]]
        if not games:
            continue
        if study.name == "learned_kuhn":
            made += [_gaps(plots, study, games), _ages(plots, study, games)]
        elif study.name == "transfer":
            made.append(_transfer(plots, study, games))
        elif study.name in ("flag", "openspiel_flag"):
            made.append(_curves(plots, study, games))
    return made


def _gaps(plots: Path, study: Study, games: Sequence[str]) -> Picture:
    drawn, every = panels(games, "iteration", "exact full-game CCE gap")
    for axes, game in zip(every, games, strict=True):
        axes.set_yscale("log")
        for name, runs in kuhn_results.runs_of(study, game).items():
            gaps = np.array([[row.gap for row in one.judged] for one in runs.values()])
            axes.plot(range(1, gaps.shape[1] + 1), gaps.mean(0), marker=".", label=name)
    legend(drawn, *every)
    caption = "Means over seeds, of what is played."
    return figure(drawn, "Gap by iteration", caption, plots / "learned_gaps.png")


def _ages(plots: Path, study: Study, games: Sequence[str]) -> Picture:
    drawn, every = panels(games, "age of a code", "divergence (nats)")
    for axes, game in zip(every, games, strict=True):
        axes.set_yscale("log")
        for name, runs in kuhn_results.runs_of(study, game).items():
            if name == "separate":  # never changes
                continue
            ages = np.array([one.forgetting[1:] for one in runs.values()])
            means = np.maximum(ages.mean(0), _SEEN)
            axes.plot(range(1, len(means) + 1), means, marker=".", label=name)
    legend(drawn, *every)
    return figure(
        drawn,
        "Forgetting by age",
        "Mean divergence of codes from what they played when they were new, at all "
        "information states; 'age' counts iterations.",
        plots / "learned_forgetting.png",
    )


def _transfer(plots: Path, study: Study, games: Sequence[str]) -> Picture:
    drawn, every = panels(games, "decisions", "share of the best gain")
    for axes, game in zip(every, games, strict=True):
        axes.set_xscale("log", base=2)
        runs = transfer_results.runs_of(study, game)
        budgets = next(iter(runs.values())).budgets
        for name in ("warm", "cold"):
            shares = [_shares(one, name) for one in runs.values()]
            means = [own.mean(0) for own in shares if len(own)]
            if means:
                learning(axes, budgets, np.array(means), label=name)
        axes.axhline(0.9, color="grey", linewidth=0.7)
    legend(drawn, *every)
    return figure(
        drawn,
        "Warm and cold responses",
        "Share of the best response's gain (exact, or without a tree the better "
        "end) after so many decisions; means over probes, each seed a thin line.",
        plots / "learned_transfer.png",
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


def _curves(plots: Path, study: Study, games: Sequence[str]) -> Picture:
    drawn, every = panels(games, "share of the training", "payoff an episode")
    for axes, game in zip(every, games, strict=True):
        runs = flag_results.runs_of(study, game)
        for name in flag_results.METHODS:
            curves = [getattr(one, name).curves for one in runs.values()]
            means = np.array([np.nanmean(np.array(own, float), 0) for own in curves])
            share = (np.arange(means.shape[1]) + 1) / means.shape[1]
            learning(axes, share.tolist(), means, label=name)
    legend(drawn, *every)
    return figure(
        drawn,
        f"Learning curves of {study.name}",
        "Payoff of a learner in training, mean over all players and iterations; each "
        "seed a thin line.",
        plots / f"{study.name}_curves.png",
    )
