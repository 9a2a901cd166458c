"""Claims, tables and pictures of each output of the grid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.lab.report import Picture, Table
from experiments.lab.statistics import mean
from experiments.lab.verdict import Claim, counted
from experiments.mra.claims import Gap, judged
from experiments.mra.grid_config import OUTPUTS, Config, Panel
from experiments.mra.grid_results import Results, spread
from experiments.mra.pictures import learned_curves, learning_curves

NEAR = 0.03  # of the myopic reference
_BEST = "MRA is best although it plays 1/|M| of the episodes in the game"


def claims(results: Results, output: str) -> list[Claim]:
    """The claims of an output, corrected over them."""
    panels = results.config.panels(output).values()
    kinds = [_against]
    if output == "main":
        kinds = [_near, _against, _kept]
    made: list[Claim] = []
    for kind in kinds:
        made += judged(
            [gap for panel in panels for gap in kind(results, output, panel)]
        )
    return made


def _near(results: Results, output: str, panel: Panel) -> list[Gap]:
    """MRA comes near what a policy by rule earns, at every size."""
    made = []
    for size in panel.seen:
        known = results.reference(panel.world, size).get("myopic")
        ours = results.numbers(panel, "mra", size)
        if known is None or not ours:
            continue
        bar = (1 - NEAR) * mean(known["means"])
        made.append(
            Gap(
                about=f"{panel.world} {size}",
                text="mra at its best checkpoint is within 3 % of the myopic reference",
                ours=ours,
                theirs=dict.fromkeys(ours, bar),
            )
        )
    return made


def _against(results: Results, output: str, panel: Panel) -> list[Gap]:
    """MRA is above every other arm, at every size and role that is shown."""
    arms = [arm for arm in results.config.compared(output) if arm != "mra"]
    made = []
    for arm in arms if output != "tab1" else ():
        for size in panel.seen:
            for role in results.roles(size):
                ours = results.numbers(panel, "mra", size, role=role)
                theirs = results.numbers(panel, arm, size, role=role)
                if ours and theirs:
                    made.append(
                        Gap(
                            about=_about(panel, size, role),
                            text=f"mra earns more than {arm}",
                            ours=ours,
                            theirs=theirs,
                            published=_BEST if output == "fig2" else "",
                        )
                    )
    return made


def _kept(results: Results, output: str, panel: Panel) -> list[Gap]:
    """Returns do not fall after their peak."""
    made = []
    for arm in results.config.compared(output):
        for size in panel.seen:
            last = results.numbers(panel, arm, size, state="last")
            best = results.numbers(panel, arm, size)
            if last:
                made.append(
                    Gap(
                        about=_about(panel, size, None),
                        text=f"{arm} at the end earns more than 97 % of its best",
                        ours=last,
                        theirs={seed: (1 - NEAR) * one for seed, one in best.items()},
                    )
                )
    return made


def _about(panel: Panel, size: str, role: int | None) -> str:
    where = f"{panel.world} {size}"
    return where if role is None else f"{where}, role {role}"


def tables(results: Results, output: str) -> list[Table]:
    """The tables of an output: one a panel."""
    made = []
    for name, panel in results.config.panels(output).items():
        unseen = results.config.scale.unseen[panel.world]
        sizes = list(dict.fromkeys([*panel.seen, *unseen]))
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
        roles = results.roles(size)
        shown = [spread(results.numbers(panel, arm, size, role=role)) for role in roles]
        cells.append(" / ".join(shown))
    return [arm, len(runs), episodes, spent, *cells]


def pictures(results: Results, output: str, plots: Path) -> list[Picture]:
    """Learning curves of every panel; information and cross entropy in figure 9."""
    made = []
    for name, panel in results.config.panels(output).items():
        runs = {
            arm: [one["rows"] for one in results.every(panel, arm)]
            for arm in results.config.compared(output)
        }
        runs = {arm: own for arm, own in runs.items() if own}
        if not runs:
            continue
        if output == "fig9":
            made += learned_curves(plots, runs, name=f"{name}_")
            continue
        made.append(
            learning_curves(
                plots,
                runs,
                results.known(panel.world, panel.seen),
                name=name,
                title=f"{OUTPUTS[output].title}: {name}",
                sizes=panel.seen,
            )
        )
    return made


def lead(config: Config, judged: Sequence[Claim]) -> list[str]:
    """What a reader must know first."""
    scale = config.scale
    said = counted(judged) if judged else "none is tested here"
    return [
        f"Claims: {said}.",
        f"Budget {config.budget}; seeds {config.seed} to "
        f"{config.seed + config.seeds - 1}. All arms of an output play as many "
        "episodes in total: an arm that learns alone in one game has the turns of all. "
        "Scores are rewards an agent and episode (the authors log them a step), of the "
        f"best agents, on {scale.tests} episodes that chose nothing; "
        f"{scale.episodes} others choose. Intervals are Student's 95 %, over seeds, of "
        "differences of the same seed.",
    ]
