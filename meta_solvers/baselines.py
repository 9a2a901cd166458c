"""Baselines: uniform, last policy, random joint, random Dirichlet."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from meta_solvers.base import Answer, AnyGame, MetaSolver, alone
from metaspiel.nfg.game import Game
from metaspiel.nfg.implicit import ImplicitGame


@dataclass(frozen=True)
class Uniform(MetaSolver):
    """Uniform over each player's actions, weighted by its repeats."""

    needs_tensor: ClassVar[bool] = False
    maximises: ClassVar[str] = "nothing: uniform play"
    source: ClassVar[str] = "Heinrich et al. 2015"

    def distribution(self, game: AnyGame, rng: np.random.Generator) -> Answer:
        if isinstance(game, ImplicitGame):
            return Answer(game.even())
        return Answer(game.copies / game.copies.sum())


@dataclass(frozen=True)
class Last(MetaSolver):
    """Every player's newest action: PSRO becomes iterated best response."""

    needs_tensor: ClassVar[bool] = False
    maximises: ClassVar[str] = "nothing: the newest policies (iterated best response)"
    source: ClassVar[str] = "Lanctot et al. 2017"

    def distribution(self, game: AnyGame, rng: np.random.Generator) -> Answer:
        return Answer(alone(game, [np.eye(size)[-1] for size in game.actions]))


@dataclass(frozen=True)
class _Random(MetaSolver):
    """What is drawn without a look at the payoffs."""

    stochastic: ClassVar[bool] = True
    source: ClassVar[str] = "Marris et al. 2021"


@dataclass(frozen=True)
class RandomJoint(_Random):
    """One joint action, drawn uniformly."""

    maximises: ClassVar[str] = "nothing: one random joint action"

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        joint = np.zeros(game.actions)
        joint.flat[rng.integers(game.profiles)] = 1.0
        return Answer(joint)


@dataclass(frozen=True)
class RandomDirichlet(_Random):
    """A joint drawn from Dirichlet(1) over joint actions (OpenSpiel's ``rd``)."""

    maximises: ClassVar[str] = "nothing: a random joint, Dirichlet(1)"

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        joint = rng.dirichlet(np.ones(game.profiles))
        return Answer(joint.reshape(game.actions))
