"""The gradient of a training step, computed as it comes or replayed as a CUDA graph."""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from meta_solvers.exact.problem import Problem
from meta_solvers.nes.network import Network
from meta_solvers.nes.recipe import Recipe

Descents = Callable[[Problem], Tensor]  # leaves gradients, returns the loss
_WARM = 2  # steps before a capture, in which libraries choose and allocate


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
        points = self.network.path(problem, unpadded=True)
        last = points[-1].value.mean()
        loss = last
        for point in points[:-1]:
            loss = loss + self.recipe.deep * point.value.mean()
        loss.backward()
        return last.detach()


class Graphs:
    """The same by CUDA graphs, one for each shape of batch: launches cost nothing.

    The kernels are those of ``Eager``. Shapes should be few (``Games.shapes``): each is
    captured when it first comes.
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.eager = Eager(network, recipe)
        self.pool = torch.cuda.graph_pool_handle()
        self.captured: dict[tuple[int, ...], _Captured] = {}
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)

    def __call__(self, problem: Problem) -> Tensor:
        """Leaves the gradient in the weights, and returns the last point's loss."""
        shape = tuple(problem.payoffs.shape)
        if shape not in self.captured:
            self.captured[shape] = self._capture(problem)
        one = self.captured[shape]
        for name, still in one.inputs.items():
            still.copy_(getattr(problem, name))
        one.graph.replay()
        return one.loss.clone()

    def _capture(self, problem: Problem) -> "_Captured":
        names = [f.name for f in fields(problem) if f.name != "concept"]
        inputs = {name: getattr(problem, name).clone() for name in names}
        still = Problem(concept=problem.concept, **inputs)
        weights = self.eager.network.parameters()
        gradients = [p.grad for p in weights if p.grad is not None]

        def step() -> Tensor:
            torch._foreach_zero_(gradients)
            return self.eager.add(still)

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            loss = step()
        return _Captured(inputs, graph, loss)


class _Captured:
    """One graph, its inputs and its output."""

    def __init__(
        self, inputs: dict[str, Tensor], graph: torch.cuda.CUDAGraph, loss: Tensor
    ) -> None:
        self.inputs, self.graph, self.loss = inputs, graph, loss
