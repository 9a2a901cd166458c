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

import json
import sys
from pathlib import Path
from typing import Any

from experiments import _run
from experiments.matrl.cost_config import Config, check


def run(config: Config) -> dict[str, Any]:
    """Measures what is missing; returns the summary."""
    check(config)
    import torch

    from experiments import _folder
    from experiments.matrl import cost_measures as _matrl_cost
    from experiments.matrl import cost_report as _matrl_cost_report

    torch.set_num_threads(1)
    with _run.claim(config.out, "matrl_cost", config.resume) as folder:
        recorded: Any = config
        _folder.record(folder, recorded)
        (folder / "parts").mkdir(exist_ok=True)
        rows = []
        for name, work in _matrl_cost.works(config):
            place = folder / "parts" / f"{name}.json"
            row = _run.piece(place, config, work)
            rows.append(row)
            if not (config.quiet or config.json):
                print(_matrl_cost_report.line(row), flush=True)
        return _matrl_cost_report.write(folder, config, rows)


def page(config: Config) -> None:
    """Runs and says where the results are."""
    summary = run(config)
    if config.json:
        print(json.dumps(_run.spelled(summary)))
    elif not config.quiet:
        folder = Path(summary["folder"])
        print((folder / "table.md").read_text("utf-8"))
        print(f"-> {folder}")


if __name__ == "__main__":
    sys.exit(_run.main(page, Config))
