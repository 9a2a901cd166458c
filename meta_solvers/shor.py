"""SHOR: optimistic regret matching with a softmax share that fades as the loop goes on.

``shor`` is what a loop trains against, ``shor_eval`` what is read off its population.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers import ordered
from meta_solvers.base import Answer, AnyGame, MetaSolver, Progress, alone
from meta_solvers.constants import UNSEEN
from metaspiel.nfg.errors import UserError, unknown

Row = Float64[ndarray, " S"]
"""Something of each action, the players one after another."""


@dataclass(frozen=True, kw_only=True)
class Shor(MetaSolver):
    """Hybrid optimistic regret matching with a share of softmax play.

    From uniform play, all players at once: gains over the plain mean of an action's
    payoffs, made optimistic by ``momentum``, with a bonus for actions that are played
    little, are scaled to at most 1 and added to regrets that never fall below 0. A
    player mixes play in proportion to its regrets with a softmax of its payoffs.
    Share, temperature and bonus fall linearly over the first ``over`` iterations of the
    loop. Temperature and bonus are in units of payoff, so that the answer depends on
    the payoffs' unit, unlike that of most solvers here. How often an action is repeated
    is not read. It need not reach an equilibrium: then the status is INACCURATE.

    Attributes:
      steps: in a game where the first player has one action.
      steps_per_policy: more steps for each further action of the first player.
      most_steps: limit of steps.
      mix: share of softmax play.
      final_mix: the share when annealing is over.
      temperature: of the softmax.
      final_temperature: the temperature when annealing is over.
      bonus: what an action that is not played gains in each step.
      final_bonus: the bonus when annealing is over.
      over: iterations that annealing takes, for which the loop must say how far it is;
        None keeps the first values, and needs no loop.
      momentum: weight of the latest change of gains.
      scale: factor of all payoffs.
      iterate: "average" returns the mean profile of all steps, "last" that of the last.
      negligible: gains of at most this are not scaled.
      least_mass: regrets of a player that sum to at most this are none: even play.
    """

    steps: int = 1000
    steps_per_policy: int = 20
    most_steps: int = 5000
    mix: float = 0.3
    final_mix: float = 0.05
    temperature: float = 0.5
    final_temperature: float = 0.01
    bonus: float = 0.05
    final_bonus: float = 0.001
    over: int | None = 75
    momentum: float = 0.5
    scale: float = 1.0
    iterate: Literal["average", "last"] = "average"
    negligible: float = 1e-8
    least_mass: float = 1e-12

    concept: ClassVar = "ne"
    needs_tensor: ClassVar[bool] = False
    maximises: ClassVar[str] = "nothing: optimistic regret matching mixed with softmax"
    source: ClassVar[str] = "SHOR, arXiv 2602.16928"

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}()"
        for field, least in (("steps", 1), ("steps_per_policy", 0), ("most_steps", 1)):
            if getattr(self, field) < least:
                raise UserError(
                    f"{name}: {field} must be at least {least}; got "
                    f"{getattr(self, field)}"
                )
        for field in ("mix", "final_mix"):
            if not 0 <= getattr(self, field) <= 1:
                raise UserError(
                    f"{name}: {field} must be from 0 to 1; got {getattr(self, field)}"
                )
        for field in ("temperature", "final_temperature", "scale"):
            if not 0 < getattr(self, field) < np.inf:
                raise UserError(
                    f"{name}: {field} must be a finite number > 0; got "
                    f"{getattr(self, field)}"
                )
        for field in ("bonus", "final_bonus", "momentum", "negligible", "least_mass"):
            if not 0 <= getattr(self, field) < np.inf:
                raise UserError(
                    f"{name}: {field} must be a finite number >= 0; got "
                    f"{getattr(self, field)}"
                )
        if self.over is not None and self.over < 1:
            raise UserError(f"{name}: over must be at least 1; got {self.over}")
        if self.iterate not in ("average", "last"):
            raise unknown(name, "iterate", self.iterate, ("average", "last"))

    def objection(self, game: AnyGame, progress: Progress | None) -> str | None:
        if self.over is not None and progress is None:
            return (
                "over must be none outside of a loop, which would say how far it is; "
                f"got over={self.over} and no progress"
            )
        return super().objection(game, progress)

    def distribution(self, game: AnyGame, rng: np.random.Generator) -> Answer:
        return self.answer(game, rng, None)

    def answer(
        self, game: AnyGame, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        steps = self.steps + self.steps_per_policy * (game.actions[0] - 1)
        steps = min(steps, self.most_steps)
        now = self.annealed(progress)
        constants = {
            **now,
            "momentum": self.momentum,
            "negligible": self.negligible,
            "least_mass": self.least_mass,
        }
        last, mean = stepped(game, self.scale, steps, constants)
        row = mean if self.iterate == "average" else last
        profile = ordered.split(row, game.actions)
        diagnostics = {"steps": steps, **now, "kernel": ordered.kernel(game)}
        return Answer(alone(game, profile), diagnostics=diagnostics)

    def annealed(self, progress: Progress | None) -> dict[str, float]:
        """Share, temperature and bonus at this progress of the loop."""
        part = 0.0
        if self.over is not None:
            assert progress is not None  # as ``objection`` demands
            part = min(1.0, progress.iteration / self.over)
        return {
            name: first + part * (getattr(self, f"final_{name}") - first)
            for name in ("mix", "temperature", "bonus")
            for first in (getattr(self, name),)
        }


@dataclass(frozen=True, kw_only=True)
class ShorEvaluation(Shor):
    """SHOR as its authors evaluate a population: longer, greedier, the last profile."""

    steps: int = 8000
    steps_per_policy: int = 50
    most_steps: int = 15_000
    mix: float = 0.01
    final_mix: float = 0.01
    temperature: float = 0.001
    final_temperature: float = 0.001
    bonus: float = 0.0
    final_bonus: float = 0.0
    over: int | None = None
    momentum: float = 0.2
    iterate: Literal["average", "last"] = "last"


def stepped(
    game: AnyGame, scale: float, steps: int, constants: dict[str, float]
) -> tuple[Row, Row]:
    """The last profile and the mean one after so many steps.

    Args:
      game: payoffs.
      scale: factor of the payoffs.
      steps: at least 1.
      constants: the fields of ``Shor`` that a step reads, under their names.
    """
    units = np.full(game.players, scale)
    tables = ordered.tables_of(game, lambda own: scale * own.payoffs, units)
    loops = ordered.loops_for(game)
    if loops is None:
        return _stepped(tables, game.actions, steps, **constants)
    row: tuple[Row, Row] = loops.shor(
        ordered.in_a_row(tables, game.actions), steps=steps, **constants
    )
    return row


def _stepped(
    tables: list[ordered.Table],
    actions: tuple[int, ...],
    steps: int,
    *,
    mix: float,
    temperature: float,
    bonus: float,
    momentum: float,
    negligible: float,
    least_mass: float,
) -> tuple[Row, Row]:
    """``stepped`` in numpy, the same bits as the compiled loop."""
    profile = [np.full((1, size), 1.0 / size) for size in actions]
    regrets = [np.zeros((1, size)) for size in actions]
    before, mean = [*regrets], [*regrets]
    for _ in range(steps):
        values = [ordered.deviations(t, profile, p) for p, t in enumerate(tables)]
        for player, value in enumerate(values):
            centred = value - ordered.total(value) / value.shape[1]
            gain = (1.0 + momentum) * centred - momentum * before[player]
            gain = gain + bonus * (1.0 - profile[player])
            before[player], largest = centred, np.abs(gain).max()
            unit = 1.0 / largest if largest > negligible else 1.0
            regrets[player] = np.maximum(regrets[player] + gain * unit, 0.0)
            logs = (value - value.max()) * (1.0 / temperature)
            soft = ordered.exponential(logs, UNSEEN)
            mass = ordered.total(regrets[player])[0]
            some = mass > least_mass
            matched = (1.0 - mix) / (mass if some else value.shape[1])
            own = regrets[player] if some else np.ones_like(value)
            profile[player] = own * matched + soft * (mix / ordered.total(soft))
            mean[player] = mean[player] + profile[player]
    last, summed = np.concatenate(profile, axis=1), np.concatenate(mean, axis=1)
    return last[0], summed[0] / steps
