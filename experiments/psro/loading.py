"""Runs of PSRO from their folders."""

from dataclasses import replace
from pathlib import Path

from experiments.lab.page import of_run
from experiments.psro.checkpoint import latest
from experiments.psro.config import Config
from experiments.psro.stored import StoredRun
from metaspiel.nfg.errors import UserError

_PAGES = ("psro", "neupl")  # the same page but for its usual oracle
_TRIAL = "trial_"


def load_run(folder: Path | str, *, trust: bool = False) -> StoredRun:
    """A run of ``metaspiel psro`` from its folder.

    Args:
      folder: of the run; of several trials that of one, ``runs/x/trial_0``.
      trust: let what the folder says import code, or join a cluster.

    Raises:
      UserError: there is no run, it is damaged, of another page or version, or it must
        be trusted.
    """
    return opened(Path(folder), trusted=trust, allowing="trust=True")


def opened(folder: Path, *, trusted: bool, allowing: str = "--trust") -> StoredRun:
    """As ``load_run``; ``allowing`` is what the user says to trust the folder."""
    where = "load_run()"
    if not (folder / "checkpoint").is_dir() and (folder / f"{_TRIAL}0").is_dir():
        raise UserError(
            f"{where}: of several trials one must be named, such as "
            f"'{folder / (_TRIAL + '0')}'; got '{folder}'"
        )
    number = folder.name.removeprefix(_TRIAL)
    one = folder.name != number and number.isdigit()
    one = one and (folder / "checkpoint").is_dir()
    one = one and not (folder / "config.json").exists()
    config = of_run(
        Config,
        folder.parent if one else folder,
        where,
        pages=_PAGES,
        trusted=trusted,
        allowing=allowing,
    )
    config = replace(config, seed=config.seed + (int(number) if one else 0))
    return StoredRun(folder=folder, config=config, begun=latest(config, folder))
