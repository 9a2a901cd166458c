"""Figures 1, 3 and 4 of the Neural Equilibrium Solver's paper, with our networks.

Example: metaspiel nes_figures --figure 1

1: the equilibria of three 2x2 games in the plane of payoffs, and which of them each
selection criterion takes: exactly, and by the network. In 2x2 games CE and CCE agree.
3: solver gap (half the absolute difference to the exact joint) against training steps,
by (a) selection criterion, (b) shape, (c) concept, (d) ablation, for the unrolled
network and the paper's feed-forward one. Some 18 minutes of CPU time by default.
4: a network on classes of games, most of which it never saw: worst, mean and best
gaps, and the exact solver's.

After Marris et al., "Turbocharging Solution Concepts", NeurIPS 2022. Writes table.md,
report.html, plots, result.json, and a file a cell that --resume does not run again
(trainings go on from their last checkpoint).
"""

import sys

from experiments.lab.folder import claim, record
from experiments.lab.page import Answer, main
from experiments.lab.report import Opening, publish
from experiments.nes.figures_config import Config, check
from metaspiel import files

TITLES = {
    1: "Figure 1: equilibria selected in three 2x2 games",
    3: "Figure 3: solver gap against training steps",
    4: "Figure 4: one network on classes of games",
}


def page(config: Config) -> Answer:
    """Runs one figure and prints its tables."""
    from experiments.nes.classes import classes
    from experiments.nes.curves import learning
    from experiments.nes.selections import three_games

    check(config)
    make = {1: three_games, 3: learning, 4: classes}[config.figure]
    with claim(config.run, f"nes_figure{config.figure}") as folder:
        record(folder, config)
        result = make(config, folder)
        files.write_json(folder / "result.json", result.record)
        ran = ["After Marris et al., NeurIPS 2022; payoffs have mean 0 and variance 1."]
        if config.figure != 3:
            ran.append(f"Weights: {config.network or 'the shipped ones'}.")
        text = publish(
            folder,
            title=TITLES[config.figure],
            opening=Opening(ran=ran, result=[result.result], sure=[result.sure]),
            tables=result.tables,
            figures=result.drawings,
        )
    return Answer(summary=result.record, text="\n" + text.rstrip())


if __name__ == "__main__":
    sys.exit(main(page, Config))
