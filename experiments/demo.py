"""The demo: three meta-solvers, swapped by name, in PSRO on three OpenSpiel games.

Example: metaspiel demo

A small metaspiel compare: five seeds of every pair, curves with bands, tests and ranks
in one report.html. All its flags are those of that page.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.compare import config as compare
from experiments.compare.__main__ import page as run
from experiments.lab.options import Flat, Parallel
from experiments.lab.page import Answer, main
from experiments.lab.trust import SolverSpecs

GAMES = (
    "kuhn_poker(players=3)",
    "sheriff(item_penalty=1.0,item_value=5.0,max_bribe=2,max_items=10,num_rounds=2,"
    "sheriff_penalty=1.0)",
    "leduc_poker",
)


@dataclass(frozen=True, kw_only=True)
class Config(compare.Config):
    """Fields of the demo."""

    games: tuple[str, ...] = GAMES
    """Games: two of poker, and one of bargaining (Farina et al. 2019)."""
    solvers: tuple[SolverSpecs, ...] = ("mgcce", "mwcce", "prd")
    """Meta-solvers that are responded to."""
    iterations: int | None = 25
    """Iterations of every run."""
    run: Flat[Parallel] = Parallel(jobs=2)


def page(config: Config) -> Answer:
    """Plays every pair with every seed, then compares; it ends with the report."""
    answer = run(config)
    folder = answer.summary["folder"]
    text = answer.text.removesuffix(f"-> {folder}")
    return replace(answer, text=f"{text}-> {Path(folder) / 'report.html'}")


if __name__ == "__main__":
    sys.exit(main(page, Config))
