"""Training a Neural Equilibrium Solver: no labels, fresh games at every step.

Example: metaspiel nes_train --recipe.steps 3000 --out runs/nes

The run folder holds the two newest checkpoints (--resume goes on from the last, and a
run that was stopped is bit for bit the run that was not), metrics.jsonl (loss, and the
distance to the exact solution at several sizes), weights.safetensors (what the solver
loads: ``neural_equilibria(..., network="weights.safetensors")``), a plot and
report.html.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.nes.train_config import Config


def page(config: Config) -> Answer:
    """Trains, and answers with the last evaluation."""
    from experiments.nes.training import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
