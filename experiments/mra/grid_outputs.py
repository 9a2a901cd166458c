"""Claims, tables and pictures of each output of the grid."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from experiments.lab.report import Picture, Table
from experiments.lab.verdict import Claim, counted
from experiments.mra import out_adapt, out_cross, out_curves, out_gain
from experiments.mra.grid_config import Config
from experiments.mra.grid_results import Results

_ROOM: Mapping[str, ModuleType] = {
    "fig4": out_adapt,
    "tab1": out_cross,
    "gain": out_gain,
}


def claims(results: Results, output: str) -> list[Claim]:
    """The claims of an output."""
    made: list[Claim] = _ROOM.get(output, out_curves).claims(results, output)
    return made


def tables(results: Results, output: str) -> list[Table]:
    """The tables of an output."""
    made: list[Table] = _ROOM.get(output, out_curves).tables(results, output)
    return made


def pictures(results: Results, output: str, plots: Path) -> list[Picture]:
    """The pictures of an output."""
    room = _ROOM.get(output, out_curves)
    made: list[Picture] = room.pictures(results, output, plots)
    return made


def lead(config: Config, judged: Sequence[Claim]) -> list[str]:
    """What a reader must know first."""
    scale = config.scale
    said = counted(judged) if judged else "none is tested here"
    return [
        f"Claims: {said}.",
        f"Budget {config.budget}; seeds {config.seed} to {config.every_seed[-1]}. "
        "All arms of an output play as many "
        "episodes in total: an arm that learns alone in one game has the turns of all "
        "(captions say which play more, to compare sets, and learn nothing from it). "
        "Scores are rewards an agent and episode (the authors log them a step), of the "
        f"best agents, on {scale.tests} episodes that chose nothing; "
        f"{scale.episodes} others choose. Intervals are Student's 95 %, over seeds, of "
        "differences of the same seed.",
    ]
