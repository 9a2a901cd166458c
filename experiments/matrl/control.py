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
there; a bound of the meta-game's ratios (.1, Ant .2) is in their configuration, but
their code never reads it. A batch of 4000 steps is played by four robots for 1000 steps
each: every iteration begins new episodes, and these are whole. An episode that only the
time limit ends is worth what the critic says (--learner.ppo.no-bootstrap-limits for 0,
as in the authors' code). One iteration takes 1 to 2 CPU seconds on Hopper and Swimmer,
3 on Ant.

Writes summary.json, curves.npz, table.md, plots, report.html and cells/ with metrics
and checkpoints. A killed run goes on with --out FOLDER --resume, which also extends one
by tasks, methods, seeds or iterations.
"""

import sys

import numpy as np

from experiments.lab.folder import claim
from experiments.lab.page import Answer, main
from experiments.matrl.cells import Cell, check, perform
from experiments.matrl.control_config import Config
from experiments.matrl.control_report import write


def plan(config: Config) -> list[Cell]:
    """Every cell, seed by seed: a run that is cut short has some of everything.

    Raises:
      UserError: a cell cannot begin, or the extra ``mujoco`` is not installed.
    """
    games = {task: config.game(task) for task in config.tasks}
    cells = [
        Cell(
            label=f"{task} {method}",
            game=games[task].name,
            method=method,
            settings=config.learner,
            seed=config.seed + number,
            iterations=config.iterations,
        )
        for number in range(config.seeds)
        for task in config.tasks
        for method in config.methods
    ]
    check(cells)
    for game in games.values():
        game.start(np.zeros((1, game.draws)))
    return cells


def page(config: Config) -> Answer:
    """Trains what is missing, judges and reports."""
    cells = plan(config)
    with claim(config.run, "matrl_control") as folder:
        return perform(config, cells, folder, write)


if __name__ == "__main__":
    sys.exit(main(page, Config))
