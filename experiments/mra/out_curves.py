"""Outputs of trainings: the main comparison, and figures 2, 3, 5, 7, 8 and 9."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from experiments.lab.charts import figure, legend, panels
from experiments.lab.report import Picture, Table
from experiments.lab.statistics import mean, standard_error
from experiments.lab.verdict import Claim
from experiments.mra.claims import Gap, judged
from experiments.mra.grid_config import OUTPUTS
from experiments.mra.grid_results import Results, spread
from experiments.mra.pictures import learned_curves, learning_curves
from experiments.mra.scales_config import Panel
from experiments.mra.task_config import by_role, world_of

NEAR = 0.03  # of the myopic reference
_PUBLISHED = {
    "fig2": "MRA is best although it plays 1/|M| of the episodes in the game",
    "fig3": "MRA is at least as good as all",
    "fig5": "MRA is best, also at unseen sizes",
    "fig7": "all three work, option is best",
    "fig8": "a clear gain from three games on",
    "fig9": "information rises, cross entropy falls below log 4",
}


def claims(results: Results, output: str) -> list[Claim]:
    """The claims of an output, each kind corrected by itself."""
    kinds = _KINDS.get(output, (_against,))
    made: list[Claim] = []
    for kind in kinds:
        made += judged(list(kind(results, output)))
    return made


def _panels(results: Results, output: str) -> list[Panel]:
    return list(results.config.panels(output).values())


def _near(results: Results, output: str) -> Iterator[Gap]:
    """MRA comes near what a policy by rule earns, at every size."""
    for panel in _panels(results, output):
        for size in panel.seen:
            known = results.reference(panel.world, size).get("myopic")
            ours = results.numbers(panel, "mra", size)
            if known is None or not ours:
                continue
            bar = (1 - NEAR) * mean(known["means"])
            text = "mra at its best checkpoint is within 3 % of the myopic reference"
            yield Gap(
                about=f"{panel.world} {size}",
                text=text,
                ours=ours,
                theirs=dict.fromkeys(ours, bar),
            )


def _against(results: Results, output: str) -> Iterator[Gap]:
    """MRA is above every other arm, at every size and role that is shown."""
    for panel in _panels(results, output):
        yield from _beside(results, output, panel, panel.seen)


def _unseen(results: Results, output: str) -> Iterator[Gap]:
    """So it is at sizes that were not learned."""
    for panel in _panels(results, output):
        yield from _beside(results, output, panel, results.unseen(panel))


def _beside(
    results: Results, output: str, panel: Panel, sizes: Sequence[str]
) -> Iterator[Gap]:
    for arm in results.config.compared(output):
        for size in sizes if arm != "mra" else ():
            for role in results.roles(panel.world):
                ours = results.numbers(panel, "mra", size, role=role)
                theirs = results.numbers(panel, arm, size, role=role)
                if ours and theirs:
                    yield Gap(
                        about=results.about(panel.world, size, role),
                        text=f"mra earns more than {arm}",
                        ours=ours,
                        theirs=theirs,
                        published=_PUBLISHED.get(output, ""),
                    )


def _kept(results: Results, output: str) -> Iterator[Gap]:
    """Returns do not fall after their peak."""
    for panel in _panels(results, output):
        for arm in results.config.compared(output):
            for size in panel.seen:
                last = results.numbers(panel, arm, size, state="last")
                best = results.numbers(panel, arm, size)
                if last:
                    yield Gap(
                        about=results.about(panel.world, size, None),
                        text=f"{arm} at the end earns more than 97 % of its best",
                        ours=last,
                        theirs={seed: (1 - NEAR) * one for seed, one in best.items()},
                    )


def _ends(results: Results, output: str) -> Iterator[Gap]:
    """Graphs that learn less from information end higher than MRA's."""
    for panel in _panels(results, output):
        for arm in ("until", "uni-random", "plain"):
            for size in panel.seen if arm in results.config.compared(output) else ():
                ours = results.numbers(panel, arm, size, state="last")
                theirs = results.numbers(panel, "mra", size, state="last")
                if ours and theirs:
                    yield Gap(
                        about=results.about(panel.world, size, None),
                        text=f"{arm} at the end earns more than mra at the end",
                        ours=ours,
                        theirs=theirs,
                    )


def _more_games(results: Results, output: str) -> Iterator[Gap]:
    """More games are better, at the sizes that are shown."""
    for fewer, more in pairwise(_panels(results, output)):
        for size in more.seen:
            ours, theirs = (results.numbers(p, "mra", size) for p in (more, fewer))
            if ours and theirs:
                counts = len(more.sizes), len(fewer.sizes)
                yield Gap(
                    about=results.about(more.world, size, None),
                    text="mra earns more after {} games than after {}".format(*counts),
                    ours=ours,
                    theirs=theirs,
                    published=_PUBLISHED[output],
                )


def _informed(results: Results, output: str) -> Iterator[Gap]:
    """Information rises, more than without its term; cross entropy falls."""
    for panel in _panels(results, output):
        last = results.metric(panel, "mra", "information", -1)
        for text, theirs in (
            ("information rises", results.metric(panel, "mra", "information", 1)),
            (
                "information is above that of a graph that learns nothing",
                results.metric(panel, "uni-random", "information", -1),
            ),
        ):
            if last and theirs:
                yield Gap(
                    about=panel.world,
                    text=text,
                    ours=last,
                    theirs=theirs,
                    published=_PUBLISHED[output],
                )
        entropy = results.metric(panel, "mra", "cross_entropy", -1)
        if entropy:
            yield Gap(
                about=panel.world,
                text=f"cross entropy is below log {len(panel.sizes)}",
                ours=dict.fromkeys(entropy, math.log(len(panel.sizes))),
                theirs=entropy,
                published=_PUBLISHED[output],
            )


def tables(results: Results, output: str) -> list[Table]:
    """The tables of an output: one a panel."""
    made = []
    for name, panel in results.config.panels(output).items():
        sizes = [*panel.seen, *results.unseen(panel)]
        rows: list[list[Any]] = []
        for arm in results.config.compared(output):
            row = _row(results, panel, arm, sizes)
            if row is not None:
                rows.append(row)
        for policy, scores in results.known(panel.world, sizes).items():
            shown = [
                " / ".join(f"{m:.2f}" for m in scores[s]["means"])
                if s in scores
                else "-"
                for s in sizes
            ]
            rows.append([policy, "-", "-", "-", *shown])
        head = ["arm", "runs", "episodes", "CPU s", *sizes]
        caption = (
            f"{OUTPUTS[output].title}, {name}: {panel.world}, learned at "
            f"{' '.join(panel.sizes)}; best checkpoint, mean over seeds and its error"
            f"{by_role(world_of(panel.world).role_names)}"
            f"{results.besides(panel, results.config.compared(output))}"
        )
        made.append(Table(caption, head, rows))
    return made


def _row(
    results: Results, panel: Panel, arm: str, sizes: Sequence[str]
) -> list[Any] | None:
    """An arm: episodes in total (the same for all), seconds, scores by size."""
    runs = results.every(panel, arm)
    if not runs:
        return None
    episodes = sorted({one["episodes"] for one in runs})
    spent = mean([one["rows"][-1]["seconds"] for one in runs])
    cells = []
    for size in sizes:
        roles = results.roles(panel.world)
        shown = [spread(results.numbers(panel, arm, size, role=role)) for role in roles]
        cells.append(" / ".join(shown))
    return [arm, len(runs), episodes, spent, *cells]


def pictures(results: Results, output: str, plots: Path) -> list[Picture]:
    """Learning curves of every panel; bars in figure 5, information in figure 9."""
    made = []
    for name, panel in results.config.panels(output).items():
        runs = {
            arm: [one["rows"] for one in results.every(panel, arm)]
            for arm in results.config.compared(output)
        }
        runs = {arm: own for arm, own in runs.items() if own}
        known = results.known(panel.world, [*panel.seen, *results.unseen(panel)])
        title = f"{OUTPUTS[output].title}: {name}, {panel.world}"
        if not runs:
            continue
        if output == "fig9":
            made += learned_curves(plots, runs, name=f"{name}_")
        elif output == "fig5":
            made.append(_bars(results, panel, list(runs), plots / f"{name}.png"))
        else:
            made.append(
                learning_curves(
                    plots,
                    runs,
                    known,
                    roles=world_of(panel.world).role_names,
                    name=name,
                    title=title,
                    sizes=panel.seen,
                )
            )
    return made


def _bars(results: Results, panel: Panel, arms: Sequence[str], png: Path) -> Picture:
    """Scores at sizes that were learned, left, and others, right."""
    every = {"learned": panel.seen, "not learned": results.unseen(panel)}
    drawn, axes = panels(list(every), "agents", "reward")
    for one, sizes in zip(axes, every.values(), strict=True):
        for number, arm in enumerate(arms):
            scores = [
                list(results.numbers(panel, arm, size).values()) for size in sizes
            ]
            places = [k + 0.8 * (number + 0.5) / len(arms) for k in range(len(sizes))]
            heights = [mean(own) if own else 0.0 for own in scores]
            errors = [standard_error(own) or 0.0 for own in scores]
            one.bar(places, heights, 0.8 / len(arms), yerr=errors, label=arm)
        one.set_xticks([k + 0.4 for k in range(len(sizes))], sizes)
        _rules(results, panel, sizes, one)
    legend(drawn, *axes)
    caption = "Without learning there, mean over seeds and its error."
    return figure(drawn, OUTPUTS["fig5"].title, caption, png)


def _rules(results: Results, panel: Panel, sizes: Sequence[str], axes: Axes) -> None:
    """A mark at each size for what policies by rule earn there."""
    for colour, policy in (("black", "nearest"), ("grey", "random")):
        known = results.known(panel.world, sizes).get(policy, {})
        places = [k + 0.4 for k, size in enumerate(sizes) if size in known]
        heights = [mean(known[size]["means"]) for size in sizes if size in known]
        axes.plot(places, heights, "_", color=colour, markersize=24, label=policy)


_KINDS: Mapping[str, tuple[Callable[[Results, str], Iterator[Gap]], ...]] = {
    "main": (_near, _against, _kept, _ends),
    "fig5": (_against, _unseen),
    "fig8": (_more_games,),
    "fig9": (_informed,),
}
