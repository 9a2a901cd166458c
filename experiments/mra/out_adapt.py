"""Figure 4: trained agents that adapt to a new game, beside learning from scratch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lab.report import Picture, Table
from experiments.lab.verdict import Claim
from experiments.mra.cells import slug
from experiments.mra.claims import Gap, Numbers, judged
from experiments.mra.course import Row
from experiments.mra.grid_config import OUTPUTS
from experiments.mra.grid_results import Results, spread
from experiments.mra.pictures import learning_curves
from experiments.mra.scales_config import Target
from experiments.mra.task_config import by_role, crowd, world_of

_PUBLISHED = "MRA adapts faster, and ends higher"


def _targets(results: Results, output: str) -> dict[str, Target]:
    every = results.config.scale.targets
    return {f"{output}{one}": every[f"{output}{one}"] for one in OUTPUTS[output].panels}


def _runs(results: Results, output: str, target: Target) -> dict[str, dict[int, Any]]:
    """Finished adaptations by arm, and by seed."""
    made: dict[str, dict[int, Any]] = {}
    for arm, scratch in results.config.adapted(output):
        begin, label = ("scratch", f"{arm} from scratch") if scratch else ("adapt", arm)
        for seed in results.seeds:
            cell = f"{begin}-{slug(target.world, (target.size,), arm, seed)}"
            if cell in results.made:
                made.setdefault(label, {})[seed] = results.made[cell]
    return made


def _numbers(
    runs: dict[int, Any], size: str, role: int | None, *, end: bool
) -> Numbers:
    """The score at the end, or its mean over the whole curve."""
    made = {}
    for seed, one in runs.items():
        every = [_of(row, size, role) for row in one["rows"]]
        made[seed] = every[-1] if end else float(np.mean(every))
    return made


def _of(row: Row, size: str, role: int | None) -> float:
    means = row["scores"][size]["means"]
    return float(np.mean(means) if role is None else means[role])


def claims(results: Results, output: str) -> list[Claim]:
    """MRA that adapts is above every other arm: over the curve, and at its end."""
    gaps: dict[bool, list[Gap]] = {False: [], True: []}
    for target in _targets(results, output).values():
        runs = _runs(results, output, target)
        for label in runs:
            if label == "mra" or "mra" not in runs:
                continue
            for role in results.roles(target.world):
                about = results.about(target.world, target.size, role)
                for end in gaps:
                    when = "at the end" if end else "over the whole curve"
                    ours, theirs = (
                        _numbers(runs[one], target.size, role, end=end)
                        for one in ("mra", label)
                    )
                    text = f"adapted mra earns more than {label} {when}"
                    gaps[end].append(
                        Gap(
                            text=text,
                            about=about,
                            ours=ours,
                            theirs=theirs,
                            published=_PUBLISHED,
                        )
                    )
    return [*judged(gaps[False]), *judged(gaps[True])]


def tables(results: Results, output: str) -> list[Table]:
    """Scores at the begin, over the curve and at the end, one table a target."""
    made = []
    for name, target in _targets(results, output).items():
        lines: list[list[Any]] = []
        size, roles = target.size, results.roles(target.world)
        names = world_of(target.world).role_names
        for label, runs in _runs(results, output, target).items():
            first = {
                seed: {**one, "rows": one["rows"][:1]} for seed, one in runs.items()
            }
            shown = [
                " / ".join(spread(_numbers(own, size, r, end=end)) for r in roles)
                for own, end in ((first, True), (runs, False), (runs, True))
            ]
            spent = [one["rows"][-1]["seconds"] for one in runs.values()]
            episodes = sorted({one["episodes"] for one in runs.values()})
            lines.append([label, len(runs), episodes, float(np.mean(spent)), *shown])
        known = results.reference(target.world, size)
        for policy, score in known.items():
            value = " / ".join(f"{m:.2f}" for m in score["means"])
            lines.append([policy, "-", "-", "-", value, value, value])
        head = ["arm", "runs", "episodes", "CPU s", "begin", "mean of the curve", "end"]
        source = target.source
        before = [a for a, scratch in results.config.adapted(output) if not scratch]
        caption = (
            f"{OUTPUTS[output].title}, {name}: {target.world} with "
            f"{crowd(size, names)}, "
            f"after {source.world} at {' '.join(source.sizes)}; mean over seeds and "
            f"its error{by_role(names)}{results.besides(source, before)}"
        )
        made.append(Table(caption, head, lines))
    return made


def pictures(results: Results, output: str, plots: Path) -> list[Picture]:
    """Adaptation curves, one picture a target."""
    made = []
    for name, target in _targets(results, output).items():
        runs: dict[str, Sequence[Sequence[Row]]] = {
            label: [one["rows"] for one in own.values()]
            for label, own in _runs(results, output, target).items()
        }
        if runs:
            known = results.known(target.world, [target.size])
            title = f"{OUTPUTS[output].title}: {name}, {target.world}"
            roles = world_of(target.world).role_names
            made.append(
                learning_curves(plots, runs, known, roles=roles, name=name, title=title)
            )
    return made
