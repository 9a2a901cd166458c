"""How large a step sampled learners bear, with and without the meta-game.

Example: metaspiel matrl_steps --seeds 10 --jobs 2 --out runs/steps

Every method learns a game of conflict (matching pennies by default, whose distance from
equilibrium is known exactly) with every rate of Adam and every clip. Nothing else holds
steps back: no entropy bonus, no stop on divergence, and the best response's weights are
not clipped unless --br-clip says so. Trial step and best response take equal steps.

Methods are those of matrl_grid and two of ours: matrl-held-out judges by environments
that the trial step has not seen and lowers moved profiles by two standard errors;
matrl-distill fits the mixture of both policies instead of averaging their weights.

Measured: exploitability, where the game tells it, else returns; the mean over the
second half of a run. Writes cells/, summary.json, table.md, plots/steps.png and
report.html; a killed run goes on with --out FOLDER --resume, to the same bits.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import claim, record
from experiments.lab.page import Answer, main

if TYPE_CHECKING:
    from experiments.matrl.cells import Failure
from experiments.matrl.steps_config import Config, check


def run(config: Config) -> "tuple[Path, dict[str, Any], list[Failure]]":
    """Trains what is missing and reports: the folder, the summary, the faults.

    Raises:
      UserError: something is impossible.
    """
    cells = check(config)
    from experiments.matrl import cells as _cells
    from experiments.matrl import steps_report as _matrl_steps_report

    with claim(config.run, "matrl_steps") as folder:
        recorded: Any = config
        record(folder, recorded)
        silent = config.run.silent
        faults = _cells.train_timed(cells, folder, config.run.jobs, silent)
        summary = _matrl_steps_report.write(folder, config, cells, faults)
    return folder, summary, faults


def page(config: Config) -> Answer:
    """Runs, and prints the tables or the summary; faults are told at the end."""
    from experiments.matrl.cells import conclude

    return conclude(*run(config))


if __name__ == "__main__":
    sys.exit(main(page, Config))
