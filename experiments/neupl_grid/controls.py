"""Controls: all codes learning at once, and a distillation state by state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from meta_solvers import MetaSolver, solve
from metaspiel.games.sequence import SequenceForm
from metaspiel.learn.recurrent import Shared
from metaspiel.nfg.game import Game
from psro.exact import ExactOracle
from psro.neupl import Distillation, ExactStudent, NeuralOracle
from psro.neupl.distilling import Distilled
from psro.neupl.lesson import Lesson
from psro.parts import Population, Response
from psro.targets import targets

NAIVE_STEPS, NAIVE_RATE = 400, 3e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class Concurrent(NeuralOracle):
    """An oracle whose codes all learn at once, as in the original NeuPL (2022).

    Code k answers the meta-strategy of the codes below it. In every iteration one code
    is added to each pool, the answers of all codes are found anew against what the
    network plays now, and all are learned together; nothing holds them where they were.

    Attributes:
      student: as of ``NeuralOracle``, an exact one.
      form: the game.
      solver: the meta-solver of the codes below each code.
      teacher: finds best responses.
    """

    teacher: ExactOracle
    student: ExactStudent
    form: SequenceForm
    solver: MetaSolver

    def grow(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """All codes, and one more a pool, taught their answers of the moment."""
        realised = self.student.realised(population)
        plans = realised.stacked()
        tensor = self.form.tensor(plans)
        taught = [[own[0]] for own in self._first()]
        for below in range(1, population.sizes[0] + 1):
            answers = self._answers(realised, tensor, below=below, rng=rng)
            for player, plan in enumerate(answers):
                taught[player].append(plan)
        return self.student.taught(population, taught, rng)

    def _first(self) -> list[list[Float64[ndarray, " S"]]]:
        """What the first codes play, whatever happens."""
        return [[tree.plan(tree.uniform())] for tree in self.form.trees]

    def _answers(
        self,
        realised: Population,
        tensor: Float64[ndarray, "N *K"],
        *,
        below: int,
        rng: Generator,
    ) -> list[Float64[ndarray, " _"]]:
        """Best responses of all players to the first codes' meta-strategy."""
        cut = (slice(None), *(slice(below) for _ in realised.pools))
        game = Game(tensor[cut].copy())
        solution = solve(self.solver, game, np.random.default_rng(0), throw=False)
        few = replace(realised, pools=tuple(pool[:below] for pool in realised.pools))
        asked = targets(game, solution.require().joint, "cce")
        return [r.policy for r in self.teacher.respond(few, asked, rng)]


def naive(
    network: Shared,
    weights: Float64[ndarray, " P"],
    codes: Float64[ndarray, "K d"],
    *,
    lesson: Lesson,
    settings: Distillation,
    seed: int = 0,
) -> Distilled:
    """Distils with a loop over information states and a fixed number of Adam steps.

    The baseline of speed: what one writes first. The rate falls linearly.
    """
    theta = torch.from_numpy(weights).clone().requires_grad_()
    nu = torch.from_numpy(codes).clone().requires_grad_()
    adam = torch.optim.Adam([theta, nu], lr=NAIVE_RATE)
    rows_of = [(lesson.state == i).nonzero()[:, 0] for i in range(len(lesson.x))]
    new = lesson.new
    share = torch.where(new, 1.0 / max(1, int(new.sum())), 0.0)
    share[~new] = 1.0 / max(1, int((~new).sum()))
    apart = torch.zeros(len(new))
    for step in range(NAIVE_STEPS):
        adam.param_groups[0]["lr"] = NAIVE_RATE * (1 - step / NAIVE_STEPS)
        adam.zero_grad()
        loss = torch.zeros((), dtype=lesson.x.dtype)
        for state, rows in enumerate(rows_of):
            scores = network.paired(
                theta,
                nu,
                lesson.x[state : state + 1],
                state=torch.zeros(len(rows), dtype=torch.int64),
                code=lesson.code[rows],
            )
            logs = scores.masked_fill(~lesson.legal[state], -1e30).log_softmax(1)
            loss = loss - (share[rows] * (lesson.teacher[rows] * logs).sum(1)).sum()
            off = (logs.detach().exp() - lesson.teacher[rows]).abs()
            apart[rows] = off.amax(1).float()
        loss.backward()
        adam.step()
    return Distilled(
        weights=theta.detach().numpy().copy(),
        codes=nu.detach().numpy().copy(),
        error=float(apart.max()),
        new_error=float(apart[new].max()) if bool(new.any()) else 0.0,
        divergence=np.zeros(len(codes)),
        steps=NAIVE_STEPS,
        reached=bool(apart.max() <= settings.tolerance),
    )
