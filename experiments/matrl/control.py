"""MATRL, its ablations and controls on MuJoCo robots moved by several agents.

Example: metaspiel matrl_control --tasks hopper --methods il matrl \
    --seeds 2 --out runs/control

The tasks of Figures 4c and 8 of the MATRL paper (Wen et al.): Hopper with three agents,
Ant and Swimmer with two. Each agent has a part of the robot's torques, sees its whole
state and learns from the whole reward. The robots are Gymnasium's v5; the paper used
v2, so returns do not compare with its curves, for which it gives no numbers. Needs the
extra: pip install .[mujoco]

Settings are those of the paper's Table 5. Its coefficients of entropy and KL, .05 and
.01, are used with 100 on the policy's loss, so they are .0005 and .0001 here (the
authors' code has .001 for KL). The critic's loss is the paper's squared error, without
the authors' clip of a value's change at .1: returns are in the hundreds here, and such
a critic cannot follow them. target_kl is that of the authors' code, lambda is what ran
there. A batch of 4000 steps is played by four
robots for 1000 steps each: every iteration begins new episodes, and these are whole.
An episode that only the time limit ends is worth what the critic says
(--no-bootstrap-limits for 0, as in the authors' code). One iteration takes 1 to 2 CPU
seconds on Hopper and Swimmer, 3 on Ant.

Writes summary.json, curves.npz, table.md, plots, report.html and cells/ with metrics
and checkpoints. A killed run goes on with --out FOLDER --resume, which also extends one
by tasks, methods, seeds or iterations.
"""

import sys
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import claim, record
from experiments.lab.page import Answer, main
from metaspiel import files

if TYPE_CHECKING:
    pass
from experiments.matrl.control_config import Config, check, random_returns


def run(config: Config) -> dict[str, Any]:
    """Trains what is missing, judges and reports; returns the summary."""
    cells = check(config)
    from experiments.matrl import cells as _cells
    from experiments.matrl import control_numbers as judged
    from experiments.matrl import control_report as report

    with claim(config.run, "matrl_control") as folder:
        record(folder, config)
        silent = config.run.silent
        faults = _cells.train(cells, folder, config.run.jobs, silent)
        random = {
            task: random_returns(config, task, config.random_episodes)
            for task in config.tasks
        }
        curves = judged.read(cells, folder)
        summary = judged.summarise(config, curves, random)
        files.write_json(folder / "summary.json", summary)
        files.write_text(folder / "table.md", report.text(summary) + "\n")
        report.save_curves(folder / "curves.npz", curves)
        report.write(folder, config, curves, summary)
    if (fault := _cells.complaint(faults, folder)) is not None:
        raise fault
    return summary


def page(config: Config) -> Answer:
    """Runs and prints the tables."""
    from experiments.matrl.control_report import text

    summary = run(config)
    return Answer(summary=summary, text=text(summary))


if __name__ == "__main__":
    sys.exit(main(page, Config))
