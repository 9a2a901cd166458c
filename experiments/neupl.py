"""NeuPL-JPSRO: a whole population in one conditional network, beside PSRO's loop.

Example: metaspiel neupl --game "kuhn_poker(players=3)" --iterations 12
Example: metaspiel neupl --game kuhn_poker --teacher ppo --iterations 8 --referee

It is metaspiel psro --oracle neupl, where all flags are explained: every iteration a
teacher's best responses, exact or learned, are distilled into one network, each as a
code of a few numbers, and the earlier codes are kept what they were (Liu et al. 2024).
"""

import sys
from dataclasses import dataclass
from typing import ClassVar

from experiments.lab.page import Answer, main
from experiments.lab.trust import OracleSpec
from experiments.psro import config as psro
from experiments.psro.__main__ import page as run
from experiments.psro_parts import config as parts


@dataclass(frozen=True, kw_only=True)
class Budget(parts.Budget):
    """The words that decide what is not given of a learner's schedule."""

    oracle: OracleSpec = "neupl"


@dataclass(frozen=True, kw_only=True)
class Config(psro.Config):
    """Fields of a run."""

    Deciding: ClassVar[type[parts.Budget]] = Budget

    oracle: OracleSpec = "neupl"
    """One network plays the population; see metaspiel psro --help for the others."""


def page(config: Config) -> Answer:
    """Runs and says where the results are."""
    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
