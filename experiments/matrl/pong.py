"""MATRL against independent learners in Pong, by cross-play of their checkpoints.

Example: metaspiel matrl_pong --out runs/pong

After Figure 5a of the MATRL paper (Wen et al.). Every method trains two agents by
self-play, once a seed, and keeps checkpoints. Then

- every checkpoint of the first method plays every checkpoint of the second of the same
  seed, each method as agent 0 in half of the games (the score matrix);
- the final agents of all methods and seeds play one another (the league), which says
  how often a method wins, and gives the game in which one chooses a method: its
  equilibrium and its alpha-rank;
- every checkpoint plays against random play and, in mini_pong, against a script that
  follows the ball.

A game's score is half the difference of both agents' returns: in mini_pong the points
of the first side less those of the second, from -3 to 3. Two final agents of a run are
two networks; a method is judged by both.

The default game is metaspiel.games.mini_pong, which needs no ROM and no pixels: the
paper's is the Atari game, with --game "atari_pong" after pip install .[atari] (about
2,000 steps a second, so hours for the paper's 0.2 million frames; what agents see of it
is in metaspiel.games.atari). Settings are those of the paper's Table 6, whose
coefficients of entropy and KL, .05 and .01, go with 10 on the policy's loss, so they
are .005 and .001 here; the number of steps is ours. lambda is what ran in the authors'
code, which also clips a value's change at .1 and lets an agent rest; a bound of the
meta-game's ratios (.1) is in their configuration, but their code never reads it. The
paper plays 20 games a pair; the default is 200.

Writes summary.json, scores.npz, table.md, plots, report.html, cells/ with metrics and
checkpoints, and matches/. A killed run goes on with --out FOLDER --resume, which also
adds methods and seeds.
"""

import sys

from experiments.lab.folder import claim, record
from experiments.lab.page import Answer, main
from experiments.matrl.cells import Cell, check, complaint, conclude, train
from experiments.matrl.pong_config import Config, check_game
from experiments.matrl.pong_matches import played
from experiments.matrl.pong_report import write
from experiments.matrl.pong_results import summarise


def plan(config: Config) -> list[Cell]:
    """Every run, seed by seed.

    Raises:
      UserError: the game cannot be played, or a run cannot begin.
    """
    check_game(config.game)
    cells = [
        Cell(
            label=method,
            game=config.game,
            method=method,
            settings=config.learner,
            seed=config.seed + number,
            iterations=config.iterations,
            keep=config.iterations // config.checkpoints,
        )
        for number in range(config.seeds)
        for method in config.methods
    ]
    check(cells)
    return cells


def page(config: Config) -> Answer:
    """Trains and plays what is missing, judges and reports."""
    cells = plan(config)
    with claim(config.run, "matrl_pong") as folder:
        record(folder, config)
        failures = train(cells, folder, config.run.jobs, config.run.silent)
        if (fault := complaint(failures, folder)) is not None:
            raise fault
        scores = played(config, cells, folder)
        summary = summarise(config, scores, cells, folder=folder)
        write(folder, config, summary, scores=scores)
        return conclude(folder, summary.record, failures)


if __name__ == "__main__":
    sys.exit(main(page, Config))
