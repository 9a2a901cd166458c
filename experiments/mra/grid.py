"""MRA beside its variants and baselines: the paper's figures and tables, with claims.

Example: metaspiel mra grid --jobs 2 --out runs/mra_grid
Example: metaspiel mra grid --outputs fig2 fig3 fig4 --seeds 4 --out runs/mra_figures
Example: metaspiel mra grid --outputs main fig2 fig3 --budget paper --plan

Arms: mra, uni (uniform latents), uni-random (the graph learns nothing), both (the graph
learns from information and reward), until (from information, up to a bound), together
(agents of a role share a latent), concat and bilinear (other graph networks),
paper-input (concatenated landmarks), plain (attention to all, no latents), deepsets
(mean instead of attention), reptile, epc, rl2; and, alone in each game with the turns
of all games together, single (mra), maddpg (networks of their own), maddpg-shared and
maac.

Writes cells/ (a result a run), runs/ (curves and agents), summary.json, table.md, plots
and report.html. A killed run goes on with --out FOLDER --resume, to the same bits; it
may then ask for more outputs, arms or seeds: what is finished is kept.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.mra.grid_config import Config


def page(config: Config) -> Answer:
    """Runs what is missing and reports; faults are told at the end."""
    from experiments.mra.grid_run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
