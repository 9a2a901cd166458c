"""COffeE-PSRO, OEF and OEF-BC on the Bargaining game: one trial, or the regret tables.

Example: metaspiel bargaining
Example: metaspiel bargaining --grid --size reduced --jobs 2 --out runs/grid

Without --grid, one trial of COffeE with R2D on 1000 uniform trajectories, whose last
profile is judged in the true game. With it, approaches x exploration x evaluation
solvers x data sets x trials. --plan says first how long that takes here, and stops.

--size fills in what is not given: "paper" has the published settings (40 iterations,
200,000 decisions a response: hours a trial), "reduced" 10 iterations and 30,000
decisions (minutes a trial; regrets are not comparable with published ones), "tiny" only
tries the machinery out.

Writes a run folder: every unit of work has a file or folder of its own (data sets,
models, checkpoints, judged/*.json, fidelity/*.json), and a report. A killed run goes on
with --out FOLDER --resume; a resumed run may ask for more trials, data sets or solvers,
or for a part of them; the folder remembers all that was ever asked for.
"""

import sys

from experiments.bargaining.config import Config
from experiments.lab.page import Answer, main


def page(config: Config) -> Answer:
    """Runs and says where the results are."""
    from experiments.bargaining.run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
