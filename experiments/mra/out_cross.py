"""Tables 1 and 2: the two roles of two kinds of training against each other."""

from pathlib import Path
from typing import Any

from experiments.lab.report import Picture, Table
from experiments.lab.statistics import mean
from experiments.lab.verdict import Claim
from experiments.mra.cells import slug
from experiments.mra.claims import Gap, Numbers, judged
from experiments.mra.grid_config import OUTPUTS
from experiments.mra.grid_results import Results, spread
from experiments.mra.task_config import world_of

_ARMS = ("single", "mra")
_PUBLISHED = {
    # By who plays the second role, then who the first one; divided by the largest.
    0: {"single": {"single": 0.78, "mra": 1.00}, "mra": {"single": 0.54, "mra": 0.89}},
    1: {"single": {"single": 0.82, "mra": 0.59}, "mra": {"single": 1.00, "mra": 0.85}},
}


def _made(results: Results, output: str) -> dict[int, Any]:
    """Scores of each seed: by who plays the first role, then who the second."""
    (panel,) = results.config.panels(output).values()
    made = {}
    for seed in results.seeds:
        name = f"cross-{slug(panel.world, panel.seen, '+'.join(_ARMS), seed)}"
        if name in results.made:
            made[seed] = results.made[name]["scores"]
    return made


def _numbers(made: dict[int, Any], first: str, second: str, role: int) -> Numbers:
    return {seed: one[first][second]["means"][role] for seed, one in made.items()}


def _roles(results: Results, output: str) -> tuple[str, ...]:
    (panel,) = results.config.panels(output).values()
    return world_of(panel.world).role_names


def claims(results: Results, output: str) -> list[Claim]:
    """Each role earns more where it was trained by mra, whoever the other role is."""
    made, names, gaps = _made(results, output), _roles(results, output), []
    for role in (0, 1):
        for other in _ARMS:
            ours, theirs = (
                _numbers(made, *((one, other) if role == 0 else (other, one)), role)
                for one in ("mra", "single")
            )
            table = _PUBLISHED[role]
            known = [
                table[other][one] if role == 0 else table[one][other]
                for one in ("mra", "single")
            ]
            gaps.append(
                Gap(
                    about=f"{names[role]} against {names[1 - role]} of {other}",
                    text="those of mra earn more than those of single",
                    ours=ours,
                    theirs=theirs,
                    published=f"{known[0]:.2f} against {known[1]:.2f} (normalised)",
                )
            )
    return judged(gaps) if made else []


def tables(results: Results, output: str) -> list[Table]:
    """Both tables, as they are and divided by their largest entry, as the paper's."""
    made, names, shown = _made(results, output), _roles(results, output), []
    for role in (0, 1) if made else ():
        means = {
            (second, first): _numbers(made, first, second, role)
            for second in _ARMS
            for first in _ARMS
        }
        most = max(mean(list(own.values())) for own in means.values())
        lines = []
        for second in _ARMS:
            row = [f"{names[1]} {second}"]
            for first in _ARMS:
                own = means[second, first]
                share = mean(list(own.values())) / most if most > 0 else None
                known = _PUBLISHED[role][second][first]
                text = "-" if share is None else f"{share:.2f}"
                row.append(f"{spread(own)}; {text} (published {known:.2f})")
            lines.append(row)
        caption = (
            f"{OUTPUTS[output].title}, table {role + 1}: reward of the {names[role]}, "
            "an agent and episode, mean over seeds and its error; then divided by the "
            "largest entry, where that is above 0"
        )
        shown.append(Table(caption, ["", *(f"{names[0]} {a}" for a in _ARMS)], lines))
    return shown


def pictures(results: Results, output: str, plots: Path) -> list[Picture]:
    """None: these are tables."""
    return []
