"""What an iteration of MATRL costs, and where the time goes (MATRL, Figure 5b).

Example: metaspiel matrl_cost --out runs/cost

All times are CPU seconds of one process with one thread.

iteration: every method takes one iteration from the same state, in turn, so that the
load of the machine hits all alike; the independent learner's leads on to the next
round. Medians over rounds, by phase: play, trial step, meta-game, aggregation,
response. The ratio to the independent learner is the median of the rounds' ratios.

simulator: environment steps a second with random actions, at 40 environments (and one,
and a thousand), beside those of ma-gym.

nash: solving a two-action game with random payoffs and estimating the meta-game from
2000 samples, by number of agents, beside the CMA-ES that the authors solve it with.

Writes parts/ (one file a measurement; with --out FOLDER --resume those that are there
are kept), summary.json, table.md, a plot and report.html.
"""

import sys

import torch

from experiments.lab.folder import claim, piece, record
from experiments.lab.page import Answer, main
from experiments.matrl import cost_measures as measures
from experiments.matrl import cost_report as report
from experiments.matrl.cost_config import Config
from matrl import loop
from metaspiel.games.worlds import load


def page(config: Config) -> Answer:
    """Measures what is missing, and says where the results are."""
    for game in map(load, config.games):
        loop.start(game, config.settings(game), config.seed)
    torch.set_num_threads(1)
    with claim(config.run, "matrl_cost") as folder:
        record(folder, config)
        (folder / "parts").mkdir(exist_ok=True)
        costs = []
        for name, measure in measures.works(config):
            place = folder / "parts" / f"{name}.json"
            costs.append(measures.read(piece(place, config, measure)))
            config.run.say(report.line(costs[-1]))
        summary = report.write(folder, config, costs)
    table = (folder / "table.md").read_text("utf-8")
    return Answer(summary=summary, text=f"{table}\n-> {folder}")


if __name__ == "__main__":
    sys.exit(main(page, Config))
