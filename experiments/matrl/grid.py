"""MATRL, its ablations and its controls in grid worlds (MATRL, Figures 4a and 4b).

Example: metaspiel matrl_grid --seeds 5 --jobs 2 --out runs/grid
Example: metaspiel matrl_grid --games switch2 --methods il matrl --seeds 2

Every method is trained on every task with every seed; runs of one number begin with the
same networks and the same first episodes, so methods are compared pair by pair. Tasks:
checkers (each agent learns from its own reward, or as --learner.ppo.reward says),
checkers-team (from the sum), switch2, switch3 and switch4, by --rules; with -legacy or
-modern after the name by those. Any other world goes by its name in
metaspiel.games.worlds, such as "switch(agents=3,sight=joint)".

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

from experiments.lab.page import Answer, main
from experiments.matrl.grid_config import Config


def page(config: Config) -> Answer:
    """Trains what is missing and reports; faults are told at the end."""
    from experiments.matrl.grid_run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
