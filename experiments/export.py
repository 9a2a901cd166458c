"""Writes what a run has made as files for others: policies, meta-game, metrics.

Example: metaspiel export runs/a --to policies.npz metrics.csv
         metaspiel export runs/a --to game.nfg game.npy

The ending says what is written: .npz the policies and how often they are played, .nfg
(Gambit) and .npy the meta-game, .csv the rows of metrics. No file is replaced.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from experiments.lab.options import Flat, Printing
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.errors import UserError

_ENDINGS = ".npz, .nfg, .npy, .csv"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of an export."""

    first = "folder"
    folder: Path | None = None
    """Run folder; of a run of several trials that of one, runs/x/trial_0."""
    to: tuple[Path, ...] = ()
    """Files to write, each with its ending: .npz, .nfg, .npy or .csv."""
    run: Flat[Printing] = Printing()


def page(config: Config) -> Answer:
    """Writes the files; all are asked for soundly before one is written."""
    from experiments.psro.exporting import WRITERS, check_new
    from experiments.psro.loading import opened

    if config.folder is None:
        raise UserError("--folder must name a run folder; got none")
    if not config.to:
        raise UserError(f"--to must name files that end in {_ENDINGS}; got none")
    for number, place in enumerate(config.to):
        if place.suffix.lower() not in WRITERS:
            raise UserError(f"--to: a file must end in {_ENDINGS}; got '{place}'")
        check_new(place, config.to[:number])
    run = opened(config.folder, trusted=config.run.trust)
    made = [WRITERS[place.suffix.lower()](run) for place in config.to]
    for place, (_, data) in zip(config.to, made, strict=True):
        files.write_bytes(place, data)
    lines = [
        f"{what}  -> {place}" for place, (what, _) in zip(config.to, made, strict=True)
    ]
    summary = {str(p): what for p, (what, _) in zip(config.to, made, strict=True)}
    return Answer(summary=summary, text="\n".join(lines))


if __name__ == "__main__":
    sys.exit(main(page, Config))
