"""Runs that exist against each other."""

from collections.abc import Sequence

from experiments.psro.stored import StoredRun
from metaspiel.nfg.errors import UserError
from psro.crossplay import CrossPlay, Entry, exactly


def cross_play(
    runs: Sequence[StoredRun],
    *,
    members: bool = False,
    episodes: int = 1000,
    seed: int = 0,
) -> CrossPlay:
    """What each seat of a game gets, by the run that plays there.

    Exact where the tree of the game fits; elsewhere means of episodes, with errors.

    Args:
      runs: of one game, as ``load_run`` gives them.
      members: every profile of the runs' single policies as well.
      episodes: of each payoff that is sampled.
      seed: of these episodes.

    Raises:
      UserError: there are no runs, they are of several games, or their policies do not
        see the same.
    """
    where = "cross_play()"
    if not runs or not all(isinstance(run, StoredRun) for run in runs):
        raise UserError(f"{where}: runs must be one or more, each from load_run()")
    if episodes < 2:
        raise UserError(f"{where}: episodes must be at least 2; got {episodes}")
    entries = [Entry(name=run.name, joint=run.cells) for run in runs]
    if all(run.fits for run in runs):
        first = runs[0].mixture.form
        for run in runs:
            if run.mixture.form.fingerprint != first.fingerprint:
                raise UserError(
                    f"{where}: runs must be of one game; got '{first.name}' of "
                    f"'{runs[0].folder}' and '{run.mixture.form.name}' of "
                    f"'{run.folder}'"
                )
        plans = [run.mixture.plans for run in runs]
        return exactly(first, entries, plans, members=members)
    for run in runs:
        if run.arena.network is None:
            other = next(other for other in runs if not other.fits)
            raise UserError(
                f"{where}: exact policies meet others in the tree of a game, which "
                f"must fit; '{run.folder}' has exact ones, and '{other.folder}' plays "
                f"'{other.arena.name}', whose tree is not at hand"
            )
    from psro.sampled_crossplay import by_playing

    return by_playing(
        entries,
        [run.networks for run in runs],
        members=members,
        episodes=episodes,
        seed=seed,
    )
