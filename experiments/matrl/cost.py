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
from pathlib import Path
from typing import Any

from experiments.lab.folder import claim, piece, record
from experiments.lab.page import Answer, main
from experiments.matrl.cost_config import Config, check


def run(config: Config) -> dict[str, Any]:
    """Measures what is missing; returns the summary."""
    check(config)
    import torch

    from experiments.matrl import cost_measures as _matrl_cost
    from experiments.matrl import cost_report as _matrl_cost_report

    torch.set_num_threads(1)
    with claim(config.run, "matrl_cost") as folder:
        recorded: Any = config
        record(folder, recorded)
        (folder / "parts").mkdir(exist_ok=True)
        rows = []
        for name, work in _matrl_cost.works(config):
            place = folder / "parts" / f"{name}.json"
            row = piece(place, config, work)
            rows.append(row)
            if not config.run.silent:
                print(_matrl_cost_report.line(row), flush=True)
        return _matrl_cost_report.write(folder, config, rows)


def page(config: Config) -> Answer:
    """Runs and says where the results are."""
    summary = run(config)
    table = (Path(summary["folder"]) / "table.md").read_text("utf-8")
    return Answer(summary=summary, text=f"{table}\n-> {summary['folder']}")


if __name__ == "__main__":
    sys.exit(main(page, Config))
