"""The gradient of a training step, computed as it comes or replayed as a CUDA graph."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from meta_solvers.exact.problem import Problem
from meta_solvers.nes.network import Network
from meta_solvers.nes.recipe import Recipe
from metaspiel.graphs import Capture, Replay, on_cuda

Descents = Callable[[Problem], Tensor]  # leaves gradients, returns the loss


class Eager:
    """Gradients of the mean dual of a batch, op by op."""

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.network, self.recipe = network, recipe

    def __call__(self, problem: Problem) -> Tensor:
        """Leaves the gradient in the weights, and returns the last point's loss."""
        for parameter in self.network.parameters():
            parameter.grad = None
        return self.add(problem)

    def add(self, problem: Problem) -> Tensor:
        """Adds the gradient to the weights'."""
        values = [p.value for p in self.network.path(problem, unpadded=True)]
        if self.recipe.tamed:
            none = torch.logsumexp(problem.base.flatten(1), 1)
            values = [tame(value, none) for value in values]
        last = values[-1].mean()
        loss = last
        for value in values[:-1]:
            loss = loss + self.recipe.deep * value.mean()
        loss.backward()
        return last.detach()


def tame(value: Tensor, none: Tensor) -> Tensor:
    """Losses ``[B]`` whose excess over ``none``, that of duals 0, is a logarithm.

    Large duals that do not fit each other make losses of 1e4, and a batch's gradient
    would be that of the one game that has them.
    """
    excess = value - none
    return none + torch.where(excess > 0, torch.log1p(excess.clamp(min=0)), excess)


class Graphs:
    """The same as CUDA graphs, one for each size of batch: starting kernels is free.

    A graph is recorded when its size first occurs, so sizes should be few
    (``Games.shapes``). The weights' gradients stay where they are.
    """

    def __init__(
        self, network: Network, recipe: Recipe, capture: Capture | None = None
    ) -> None:
        self._eager = Eager(network, recipe)
        if capture is None:
            capture = partial(on_cuda, pool=torch.cuda.graph_pool_handle())
        self._capture = capture
        self._graphs: dict[torch.Size, tuple[Problem, Replay, Tensor]] = {}
        self._gradients = []
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
            self._gradients.append(parameter.grad)

    def __call__(self, problem: Problem) -> Tensor:
        """Leaves the gradient in the weights, and returns the last point's loss."""
        size = problem.payoffs.shape
        if size not in self._graphs:
            self._graphs[size] = self._record(problem)
        held, replay, loss = self._graphs[size]
        for name, given in vars(problem).items():
            if name != "concept":
                getattr(held, name).copy_(given)
        replay()
        return loss.clone()  # the next replay writes over it

    def _record(self, problem: Problem) -> tuple[Problem, Replay, Tensor]:
        parts = {n: x.clone() for n, x in vars(problem).items() if n != "concept"}
        held = Problem(concept=problem.concept, **parts)

        def work() -> Tensor:
            torch._foreach_zero_(self._gradients)
            return self._eager.add(held)

        return held, *self._capture(work)
