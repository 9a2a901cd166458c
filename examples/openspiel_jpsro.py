"""OpenSpiel's own JPSRO with our meta-solvers, on two-player Kuhn poker."""

import pyspiel
from open_spiel.python.algorithms import jpsro

from psro.openspiel import register_in_jpsro

names = register_in_jpsro("mgcce", "mwcce", prefix="ours_")
print("registered:", *names)
gaps = []


def keep_gap(*state):
    """Called after each iteration; `state[10]` holds the gaps so far."""
    gaps.append(sum(state[10][-1]))
    return state[13]


jpsro.run_loop(
    game=pyspiel.load_game("kuhn_poker"),
    game_name="kuhn_poker",
    iterations=6,
    train_meta_solver="ours_mgcce",
    eval_meta_solver="ours_mwcce",
    callback=keep_gap,
)
print("CCE gap:", *(f"{gap:.3f}" for gap in gaps))
