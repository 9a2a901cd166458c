"""What one agent gains that learns alone, before and after the training of all."""

from typing import Any

from experiments.lab.marks import Picture
from experiments.lab.report import Table
from experiments.lab.verdict import Claim
from experiments.mra.cells import slug
from experiments.mra.claims import Gap, Numbers, judged
from experiments.mra.grid_config import OUTPUTS
from experiments.mra.grid_results import Results, spread

_WHEN = ("untrained", "best", "last")
_WHAT = ("before", "after", "gain", "steady")


def _numbers(
    results: Results, output: str, arm: str, when: str, what: str = "gain"
) -> Numbers:
    """The gain of each seed, or another number of it."""
    (panel,) = results.config.panels(output).values()
    made = {}
    for seed in results.seeds:
        (task,) = results.config.tasks(panel, arm, seed)
        name = f"gain-{slug(task.world, task.sizes, task.method, seed)}"
        if name in results.made:
            made[seed] = results.made[name][when][what]
    return made


def claims(results: Results, output: str) -> list[Claim]:
    """What an agent gains after the training of all is above 0."""
    gaps = []
    for arm in results.config.compared(output):
        for when in _WHEN:
            gain = _numbers(results, output, arm, when)
            gaps.append(
                Gap(
                    about=f"{arm}, {when}",
                    text="an agent gains by learning alone: this is no equilibrium",
                    ours=gain,
                    theirs=dict.fromkeys(gain, 0.0),
                    bound=True,
                )
            )
    return judged([gap for gap in gaps if gap.ours])


def tables(results: Results, output: str) -> list[Table]:
    """Rewards and gains of all arms, against untrained and trained agents."""
    lines: list[list[Any]] = []
    for arm in results.config.compared(output):
        for when in _WHEN:
            numbers = [_numbers(results, output, arm, when, what) for what in _WHAT]
            if numbers[0]:
                lines.append([arm, when, len(numbers[0]), *map(spread, numbers)])
    (panel,) = results.config.panels(output).values()
    caption = (
        f"{OUTPUTS[output].title}: {panel.world} with {panel.sizes[0]} agents; reward "
        "an episode, mean over seeds and its error. The gain is a lower bound of what "
        "a best response gains; part of it is steadiness: what an agent gains by "
        "taking its own likeliest actions"
    )
    head = ["arm", "agents", "runs", "reward", "after learning", "gain", "steadiness"]
    return [Table(caption, head, lines)] if lines else []


def pictures(results: Results, output: str) -> list[Picture]:
    """None: this is a table."""
    return []
