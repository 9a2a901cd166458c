"""MATRL, its ablations and its controls in grid worlds (MATRL, Figures 4a and 4b).

Example: metaspiel matrl_grid --seeds 5 --jobs 2 --out runs/grid
Example: metaspiel matrl_grid --games switch2 --methods il matrl --seeds 2

Every method is trained on every task with every seed; runs of one number begin with the
same networks and the same first episodes, so methods are compared pair by pair. Tasks:
checkers (each agent learns from its own reward), checkers-team (from the sum), switch2,
switch3 and switch4, by --rules; with -legacy or -modern after the name by those. Any
other world goes by its name in metaspiel.games.worlds, such as
"switch(agents=3,sight=joint)".

Methods: il (independent PPO), il-la, matrl, matrl-wo-br, the controls il-matched (as
many steps as MATRL) and random-rho; il-six-rows is il whose updates see six samples, as
those of the authors' independent learner did; vdn, qmix, qtran and maddpg learn from a
replay and are measured without exploration.

Writes cells/ (metrics and a checkpoint of every run), summary.json, table.md, plots and
report.html. A killed run goes on with --out FOLDER --resume, to the same bits; it may
then ask for more tasks, methods or seeds. Where learning diverges the other runs go on,
the report says so, and the page ends with exit code 2 and one sentence.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import claim, record, stored
from experiments.lab.page import Answer, main

if TYPE_CHECKING:
    from experiments.matrl.cells import Failure
from experiments.matrl.grid_config import Config, check


def widened(folder: Path, config: Config) -> Config:
    """The configuration with all that earlier runs of the folder were asked for."""
    place = folder / "config.json"
    if not place.is_file():
        return config
    before = stored(folder)
    lists: dict[str, Any] = {
        name: tuple(dict.fromkeys([*before[name], *getattr(config, name)]))
        for name in ("games", "methods")
    }
    return replace(config, seeds=max(before["seeds"], config.seeds), **lists)


def run(config: Config) -> "tuple[Path, dict[str, Any], list[Failure]]":
    """Trains what is missing and reports: the folder, the summary, the faults.

    Raises:
      UserError: something is impossible.
    """
    check(config)
    from experiments.matrl import cells as _cells
    from experiments.matrl import grid_report as _matrl_grid_report

    with claim(config.run, "matrl_grid") as folder:
        config = widened(folder, config)
        cells = check(config)
        recorded: Any = config
        record(folder, recorded)
        silent = config.run.silent
        faults = _cells.train_timed(cells, folder, config.run.jobs, silent)
        summary = _matrl_grid_report.write(folder, config, cells, faults)
    return folder, summary, faults


def page(config: Config) -> Answer:
    """Runs, and prints the tables or the summary; faults are told at the end."""
    from experiments.matrl.cells import conclude

    return conclude(*run(config))


if __name__ == "__main__":
    sys.exit(main(page, Config))
