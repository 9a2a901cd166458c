"""PSRO and JPSRO with any meta-solver: exact on tabular games, learned elsewhere.

Example: python -m experiments.psro --game kuhn_poker --players 3 --solver mgcce
         python -m experiments.psro --game bargaining --oracle ddqn --solver rd

Writes a run folder: config, environment, one row of metrics an iteration, a checkpoint
that a killed run resumes from bit for bit, the meta-game, plots and report.html.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.psro.config import Config
from experiments.psro.summary import rounded, shown
from metaspiel.nfg.errors import UserError


def page(config: Config) -> Answer:
    """Runs and says where the results are."""
    from experiments.psro.run import run

    summary = run(config)
    if summary["failed"]:
        fault = UserError(
            f"the run ended early, and what it had is in '{summary['folder']}': "
            f"{summary['stopped']}"
        )
        return Answer(summary=summary, fault=fault)
    itself = summary["played"] == "the game itself"
    text = (
        f"{'' if itself else 'of ' + summary['played'] + ': '}"
        f"gap {shown(summary['gap'], '.6g')}  "
        f"value sum {rounded(summary['value_sum'], '.6g')}  "
        f"cpu {summary['cpu_seconds']:.2f} s  -> {summary['folder']}"
    )
    return Answer(summary=summary, text=text)


if __name__ == "__main__":
    sys.exit(main(page, Config))
