"""Gradients through a maximum-entropy CCE: ours beside cvxpylayers with moreau.

Example: metaspiel speed_gradients --sizes 4x4 8x8

The games are L2-invariant. A solver answers a batch of games and then differentiates a
random linear function of the joints with respect to all payoffs; both are timed, after
a call of each that is not. Each gradient is compared with central differences of
the exact solver on one game. The extra is "moreau"; without it only our row has
numbers.

Writes cells.json, table.md and report.html, and a file a cell that --resume does not
run again.
"""

import sys
from dataclasses import asdict, dataclass
from functools import partial

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import Flat, Resumable, each_once, least, shape
from experiments.lab.page import Answer, main
from experiments.speed.measuring import answer
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    solvers: tuple[str, ...] = ("equilibrium", "cvxpylayers")
    """Solvers to time."""
    sizes: tuple[str, ...] = ("4x4", "8x8")
    """Action counts, as 4x4 or 3x3x3."""
    batch: int = 32
    """Games of a call."""
    repeats: int = 3
    """Calls, whose median time counts."""
    seed: int = 0
    """Seed of the games and of the function that is differentiated."""
    run: Flat[Resumable] = Resumable()


def page(config: Config) -> Answer:
    """Runs what is missing and prints the table."""
    from experiments.speed.gradient_cells import SOLVERS, Cell, measured, outcome

    each_once(config, solvers=SOLVERS, sizes=None)
    least(config, batch=1, repeats=1, seed=0)
    for text in config.sizes:
        if len(shape(text)) < 2 or min(shape(text)) < 2:
            raise UserError(
                "--sizes: a game must have at least two players with at least two "
                f"actions each; got '{text}'"
            )
    with claim(config.run, "speed_gradients") as folder:
        record(folder, config)
        pairs = [(name, size) for size in config.sizes for name in config.solvers]
        plan = {"batch": config.batch, "repeats": config.repeats, "seed": config.seed}
        works = {f"{s}-{n}": partial(measured, n, s, **plan) for n, s in pairs}
        results, faults = fill(works, folder, config)
        cells = [Cell(**one) for one in results.values()]
        absent = {one.name: one.fault or "failed" for one in faults if one.user}
        cells += [
            Cell(solver=name, size=size, games=0, note=absent[f"{size}-{name}"])
            for name, size in pairs
            if f"{size}-{name}" in absent
        ]
        return answer(
            folder,
            "Gradients through a maximum-entropy CCE",
            [
                "ms: CPU milliseconds a game, the joint and its gradient",
                "off exact: largest total variation to our interior point",
                "off differences: largest error of the gradient beside central "
                "differences on one game",
            ],
            [asdict(cell) for cell in cells],
            said=[outcome(cells)],
            faults=[fault for fault in faults if not fault.user],
            cells=[asdict(cell) for cell in cells],
        )


if __name__ == "__main__":
    sys.exit(main(page, Config))
