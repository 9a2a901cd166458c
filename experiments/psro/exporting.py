"""A run as the bytes of files that others read."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy import ndarray

from experiments.lab.frames import columns
from experiments.lab.report import comma_separated
from experiments.psro.stored import StoredRun
from metaspiel import files
from metaspiel.nfg.gambit import written
from metaspiel.nfg.simplex import marginals

Made = tuple[str, bytes]
"""What a file holds, in words, and its bytes."""


def policies(run: StoredRun) -> Made:
    """Behaviours where the tree fits, else weights; how often each is played."""
    arrays: dict[str, ndarray] = {"joint": run.played}
    for player, uids in enumerate(run.population.uids):
        arrays[f"uids_{player}"] = np.array(uids)
        arrays[f"weights_{player}"] = marginals(run.played)[player]
    if run.fits:
        arrays |= _behaviours(run)
        what = "behaviours of all policies and of each player's mixture"
    else:
        for player, pool in enumerate(run.networks.pools):
            arrays[f"network_{player}"] = pool.weights
            arrays[f"plays_{player}"] = np.array(pool.plays)
        what = f"weights of all policies, each of a {run.networks.network}"
    return what, files.npz(arrays, compressed=True)


def _behaviours(run: StoredRun) -> dict[str, ndarray]:
    """Information states, their actions, and what each policy does there."""
    mixture, arrays = run.mixture, dict[str, ndarray]()
    for player, tree in enumerate(mixture.form.trees):
        own = marginals(run.played)[player]
        arrays |= {
            f"information_states_{player}": np.array(tree.names),
            f"first_{player}": tree.first,
            f"actions_{player}": tree.action,
            f"parent_{player}": tree.parent,
            f"behaviours_{player}": np.stack(
                [tree.behaviour(plan) for plan in mixture.plans[player]]
            ),
            f"mixture_{player}": mixture.behaviour(player, own),
        }
    return arrays


def gambit(run: StoredRun) -> Made:
    """The meta-game in Gambit's format."""
    name = f"meta-game of {run.arena.name}, iteration {run.state.iteration}"
    return "meta-game, for Gambit", written(run.meta_game, name).encode()


def array(run: StoredRun) -> Made:
    """The meta-game's payoffs."""
    payoffs = run.meta_game.payoffs
    return f"meta-game, payoffs of shape {list(payoffs.shape)}", files.npy(payoffs)


def metrics(run: StoredRun) -> Made:
    """The rows of metrics; what is nested has a column for each part."""
    rows = [columns(row) for row in run.metrics]
    return f"{len(rows)} rows of metrics", comma_separated(rows).encode()


WRITERS: Mapping[str, Callable[[StoredRun], Made]] = {
    ".npz": policies,
    ".nfg": gambit,
    ".npy": array,
    ".csv": metrics,
}
"""What a file's ending asks for."""
