"""Work that the tests of the lab do; a module, so that worker processes find it."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.lab.work import Outcome, attempt
from metaspiel.nfg.errors import UserError

Asked = tuple[str, Path, str]


def write(asked: Sequence[Asked]) -> list[Outcome]:
    """Writes the name of every piece, or fails as the piece says."""
    outcomes: list[Outcome] = []
    together = "+".join(name for name, _, _ in asked)
    for name, folder, how in asked:

        def act(name: str = name, folder: Path = folder, how: str = how) -> None:
            if how == "user":
                raise UserError(f"{name} must be possible; got nothing")
            if how == "bug":
                raise KeyError(name)
            if how == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "slow":
                time.sleep(0.3)
            (folder / name).write_text(together, "utf-8")

        outcomes += attempt([name], act)
    return outcomes
