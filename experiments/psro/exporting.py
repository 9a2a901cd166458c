"""A run as the bytes of files that others read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray

from experiments.lab.frames import columns
from experiments.lab.report import comma_separated
from experiments.psro.stored import StoredRun
from metaspiel import files
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.gambit import written
from metaspiel.nfg.game import Game
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint, marginals
from psro.mixture import Mixture
from psro.stored_joints import written as joint_arrays

Made = tuple[str, bytes]
"""What a file holds, in words, and its bytes."""


def check_new(place: Path, others: Sequence[Path] = ()) -> None:
    """Refuses a file that is there already, or is asked for twice.

    Raises:
      UserError: it is, or its folder does not exist.
    """
    if place.exists() or place.is_symlink() or place in others:
        raise UserError(f"--to: '{place}' must be new; it is there already")
    if not place.absolute().parent.is_dir():
        raise UserError(f"--to: the folder of '{place}' must exist; it does not")


def policies(run: StoredRun) -> Made:
    """Behaviours where the tree fits, else weights; how often each is played."""
    uids = run.population.uids
    if run.fits:
        what = "behaviours of all policies and of each player's mixture"
        return what, archive(run.mixture, uids)
    arrays = _weights(run.played, uids)
    for player, pool in enumerate(run.networks.pools):
        arrays[f"network_{player}"] = pool.weights
        arrays[f"plays_{player}"] = np.array(pool.plays)
    what = f"weights of all policies, each of a {run.networks.network}"
    return what, files.npz(arrays, compressed=True)


def archive(mixture: Mixture, uids: Sequence[Sequence[int]]) -> bytes:
    """Information states, their actions, what each policy does there, and how often.

    Args:
      mixture: what is played.
      uids: of each player's policies.
    """
    arrays = _weights(mixture.joint, uids)
    for player, tree in enumerate(mixture.form.trees):
        own = marginals(mixture.joint)[player]
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
    return files.npz(arrays, compressed=True)


def _weights(joint: Joint, uids: Sequence[Sequence[int]]) -> dict[str, ndarray]:
    """How often each profile is played, and each policy of each player."""
    prefix = "joint_" if isinstance(joint, Products) else ""
    arrays = joint_arrays(prefix, joint)
    for player, own in enumerate(uids):
        arrays[f"uids_{player}"] = np.array(own)
        arrays[f"weights_{player}"] = marginals(joint)[player]
    return arrays


def _tensor(run: StoredRun) -> Game:
    """The meta-game, payoffs of all profiles written out.

    Raises:
      UserError: the run is one without them.
    """
    game = run.meta_game
    if not isinstance(game, Game):
        raise UserError(
            "--to: the run must have the payoffs of all profiles; "
            f"'{run.folder}' was begun with --no-tensor"
        )
    return game


def gambit(run: StoredRun) -> Made:
    """The meta-game in Gambit's format."""
    name = f"meta-game of {run.arena.name}, iteration {run.state.iteration}"
    return "meta-game, for Gambit", written(_tensor(run), name).encode()


def array(run: StoredRun) -> Made:
    """The meta-game's payoffs."""
    payoffs = _tensor(run).payoffs
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
