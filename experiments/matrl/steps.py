"""How large a step sampled learners bear, with and without the meta-game.

Example: metaspiel matrl_steps --seeds 10 --jobs 2 --out runs/steps

Every method learns a game of conflict (matching pennies by default, whose distance from
equilibrium is known exactly) with every rate of Adam and every clip. Nothing else holds
steps back: no entropy bonus, no stop on divergence, and the best response's weights are
not clipped unless --learner.br-clip says so. Trial step and best response take equal
steps. Methods are those of matrl_grid and two of ours: matrl-held-out judges by
environments that the trial step has not seen and lowers moved profiles by two standard
errors; matrl-distill fits the mixture of both policies instead of averaging weights.

Exploitability is measured where the game tells it, else returns; the mean over the
second half of a run. Writes cells/, summary.json, table.md, plots/steps.png and
report.html; a killed run goes on with --out FOLDER --resume, to the same bits.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.matrl.steps_config import Config


def page(config: Config) -> Answer:
    """Trains what is missing and reports; faults are told at the end."""
    from experiments.matrl.steps_run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
