"""The average of a solver's answer with the loop's last meta-strategies."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from meta_solvers.base import Answer, AnyGame, Progress, alone, fact
from meta_solvers.wrap import AroundOne, check_tolerance, record, solve_inside
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint, marginals


@dataclass(frozen=True)
class AverageOfLast(AroundOne):
    """The mean of the latest answers: that of the solver inside, and those before.

    Those before are the meta-strategies that the loop responded to, so that beside
    ``--solver shor`` the evaluation ``average(shor):last=9`` is the mean of the last
    nine targets, this iteration's included. As the meta-solver that is responded to it
    averages with its own earlier answers. Policies that came later have no weight in
    earlier answers. Players act independently in the mean of independent play; of a
    solver of correlated play joints are averaged. In a first iteration, and outside of
    a loop, there is nothing to average with.

    The mean is no equilibrium, so none is promised; ``inner`` is held to its own
    promise before it is averaged.

    Attributes:
      inner: the solver whose answer is averaged.
      last: how many answers, this one included; fewer where there are fewer.
      tolerance: gap allowed to ``inner``, as in ``solve``.
    """

    last: int = 9
    tolerance: float = 1e-6

    uses_past: ClassVar[bool] = True
    maximises: ClassVar[str] = "what the wrapped solver does, averaged over iterations"
    source: ClassVar[str] = "this library"

    @fact
    def needs_tensor(self) -> bool:
        return self.inner.needs_tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tolerance(self, self.tolerance)
        if self.last < 1:
            raise UserError(
                f"AverageOfLast(): last must be at least 1; got {self.last}"
            )

    def objection(self, game: AnyGame, progress: Progress | None) -> str | None:
        for joint in () if progress is None else progress.past:
            fits = joint.ndim == game.players
            if not (fits and np.all(np.array(joint.shape) <= game.actions)):
                return (
                    "joints of the past must have at most as many actions as the game, "
                    f"{list(game.actions)}; got {list(joint.shape)}"
                )
        return self.inner.objection(game, progress)

    def answer(
        self, game: AnyGame, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        solution = solve_inside(
            self.inner, game, rng, tolerance=self.tolerance, progress=progress
        )
        before = () if progress is None else progress.past
        before = before[max(0, len(before) + 1 - self.last) :]
        joints = [*(widened(joint, game.actions) for joint in before), solution.joint]
        mean: Joint
        if self.inner.concept == "ne":
            each = zip(*map(marginals, joints), strict=True)
            mean = alone(game, [np.mean(own, axis=0) for own in each])
        elif isinstance(game, ImplicitGame):
            mean = Products.together(joints, [1.0 / len(joints)] * len(joints))
        else:
            mean = np.mean(joints, axis=0)
        facts = {"averaged": len(joints), "inner": record(solution)}
        return Answer(mean, solution.status, 0.0, facts, warm=solution.warm)


def widened(joint: Any, actions: tuple[int, ...]) -> Any:
    """A joint over the first actions of each player, over all of them."""
    if isinstance(joint, Products):
        return joint.widened(actions)
    more = zip(joint.shape, actions, strict=True)
    return np.pad(joint, [(0, size - old) for old, size in more])
