"""PSRO and JPSRO with any meta-solver: exact on tabular games, learned elsewhere.

Example: metaspiel psro --game kuhn_poker --players 3 --solver mgcce
         metaspiel psro --game bargaining --oracle ddqn --solver rd

Writes a run folder: config, environment, one row of metrics an iteration, a checkpoint
that a killed run resumes from bit for bit, the meta-game, plots and report.html.
"""

import sys

from experiments.lab.ending import NotOK
from experiments.lab.page import Answer, main
from experiments.psro.config import Config
from experiments.psro.summary import outcome


def page(config: Config) -> Answer:
    """Runs and says where the results are."""
    from experiments.psro.run import run

    summary = run(config)
    if summary["failed"]:
        fault = NotOK(
            f"the run ended early, and what it had is in '{summary['folder']}': "
            f"{summary['stopped']}"
        )
        return Answer(summary=summary, fault=fault)
    return Answer(summary=summary, text=f"{outcome(summary)}  -> {summary['folder']}")


if __name__ == "__main__":
    sys.exit(main(page, Config))
