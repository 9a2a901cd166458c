"""What one agent gains that learns alone, before and after the training of all."""

from pathlib import Path
from typing import Any

from experiments.lab.report import Picture, Table
from experiments.lab.verdict import Claim
from experiments.mra.cells import slug
from experiments.mra.claims import Gap, Numbers, judged
from experiments.mra.grid_config import OUTPUTS
from experiments.mra.grid_results import Results, spread

_WHEN = ("untrained", "best", "last")


def _numbers(results: Results, output: str, arm: str, when: str) -> Numbers:
    """The gain of each seed."""
    (panel,) = results.config.panels(output).values()
    made = {}
    for seed in results.seeds:
        (task,) = results.config.tasks(panel, arm, seed)
        name = f"gain-{slug(task.world, task.sizes, task.method, seed)}"
        if name in results.made:
            made[seed] = results.made[name][when]["gain"]
    return made


def claims(results: Results, output: str) -> list[Claim]:
    """Training makes a deviation worth less; what is left is above 0."""
    gaps = []
    for arm in results.config.compared(output):
        before, after = (
            _numbers(results, output, arm, when) for when in ("untrained", "best")
        )
        if not after:
            continue
        less = "an agent that learns alone gains less after training than before"
        gaps += [
            Gap(about=arm, text=less, ours=before, theirs=after),
            Gap(
                about=arm,
                text="it gains something after training: this is no equilibrium",
                ours=after,
                theirs=dict.fromkeys(after, 0.0),
            ),
        ]
    return judged(gaps)


def tables(results: Results, output: str) -> list[Table]:
    """Gains of all arms."""
    lines: list[list[Any]] = []
    for arm in results.config.compared(output):
        every = [_numbers(results, output, arm, when) for when in _WHEN]
        if every[0]:
            lines.append([arm, len(every[0]), *map(spread, every)])
    (panel,) = results.config.panels(output).values()
    caption = (
        f"{OUTPUTS[output].title}: {panel.world} with {panel.sizes[0]} agents; reward "
        "an episode, a lower bound of what a best response gains, mean over seeds and "
        "its error"
    )
    return [Table(caption, ["arm", "runs", *_WHEN], lines)] if lines else []


def pictures(results: Results, output: str, plots: Path) -> list[Picture]:
    """None: this is a table."""
    return []
