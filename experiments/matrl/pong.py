"""MATRL against independent learners in Pong, by cross-play of their checkpoints.

Example: metaspiel matrl_pong --out runs/pong

After Figure 5a of the MATRL paper (Wen et al.). Every method trains two agents by
self-play, once a seed, and keeps checkpoints. In the score matrix every checkpoint of
the first method plays every one of the second of the same seed, on either side. In the
league the final agents of all methods and seeds play one another, which also gives the
game in which one chooses a method: its equilibrium and its alpha-rank. Every checkpoint
plays against random play and, in mini_pong, a script that follows the ball.

A game's score is half the difference of both agents' returns: in mini_pong the points
of the first side less those of the second, from -3 to 3. Two final agents of a run are
two networks; a method is judged by both.

The default game is metaspiel.games.mini_pong, which needs no ROM and no pixels: the
paper's is the Atari game, with --game "atari_pong" after pip install .[atari] (0.2
million steps, its number of frames, take some 4 CPU minutes a run, a game .4 s; what
agents see of it is in metaspiel.games.atari). Settings are those of the paper's Table
6, whose coefficients of entropy and KL, .05 and .01, go with 10 on the policy's loss,
so they are .005 and .001 here; the number of steps is ours. lambda is what ran in the
authors' code, which also clips a value's change at .1, lets an agent rest, and never
reads its bound of the meta-game's ratios (.1). The paper plays 20 games a pair; we play
200.

Writes summary.json, scores.npz, table.md, plots, report.html, cells/ with metrics and
checkpoints, and matches/. A killed run goes on with --out FOLDER --resume, which also
adds methods and seeds.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.matrl.pong_config import Config


def page(config: Config) -> Answer:
    """Trains and plays what is missing, judges and reports."""
    from experiments.matrl.pong_run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
