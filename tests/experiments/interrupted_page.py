"""A page that is interrupted in the way it is asked for; a script, run by tests."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.lab import interrupts, work
from experiments.lab.folder import claim, record
from experiments.lab.options import Flat, Parallel
from experiments.lab.page import Answer, main
from experiments.lab.watch import carry_out

LONG = 60.0  # seconds; no test waits that long

if __name__ == "__mp_main__":  # a worker that loads this file
    os.kill(os.getpid(), signal.SIGINT)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    how: Literal["workers", "early", "reporting", "dropped"] = "workers"
    run: Flat[Parallel] = Parallel()


class Ends:
    """Is interrupted where the exception cannot be passed on."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def wait(asked: Sequence[Path]) -> list[work.Outcome]:
    """Writes its process, and waits."""
    for place in asked:
        place.with_suffix(".made").write_text(str(os.getpid()), "utf-8")
        place.with_suffix(".made").rename(place)
    time.sleep(LONG)
    return []


def page(config: Config) -> Answer:
    """Is interrupted."""
    if config.how == "early":
        signal.raise_signal(signal.SIGINT)
    with claim(config.run, "cut") as folder:
        record(folder, config)
        if config.how == "workers":
            names = ("one", "two")
            pieces = [work.Piece(name=n, what=folder / n, do=wait) for n in names]
            carry_out(pieces, folder, config.run)
        try:
            Ends() if config.how == "dropped" else signal.raise_signal(signal.SIGINT)
            time.sleep(LONG)
        except KeyboardInterrupt:
            if config.how == "reporting":
                with interrupts.reporting():
                    signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
    return Answer(summary=None, text="not interrupted")


if __name__ == "__main__":
    sys.exit(main(page, Config))
