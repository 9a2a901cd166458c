"""The updates of a round as one CUDA graph.

On a GPU an update is some forty small kernels, and starting them one by one takes
longer than running them. A graph starts all kernels of U updates with one call. Other
numbers come in through tensors that stay where they are.
"""

from dataclasses import fields

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.graphs import Capture, Replay, on_cuda
from metaspiel.learn.update import Batches, StackedDDQN


class Captured:
    """``StackedDDQN.learn`` by replaying graphs, one for each number of updates.

    A graph is recorded when a number of updates first occurs; recording changes nothing
    about the learner. Afterwards the learner's tensors must stay where they are:
    ``copy_target`` and ``Stack.load`` write in place.

    Attributes:
      learner: the learner to update; its engine is "written".
    """

    def __init__(self, learner: StackedDDQN, capture: Capture = on_cuda) -> None:
        self.learner, self._capture = learner, capture
        self._graphs: dict[torch.Size, tuple[Batches, Replay, Tensor]] = {}

    def learn(self, batches: Batches) -> Float32[Tensor, "U S"]:
        """One update a minibatch, in order; the loss of each before its update."""
        size = batches.inputs.shape
        if size not in self._graphs:
            self._graphs[size] = self._record(batches)
        held, replay, losses = self._graphs[size]
        for field in fields(Batches):
            getattr(held, field.name).copy_(getattr(batches, field.name))
        replay()
        return losses.clone()  # the next replay writes over them

    def _record(self, batches: Batches) -> tuple[Batches, Replay, Tensor]:
        """Captures a graph for these sizes and leaves the learner unchanged."""
        held = Batches(**{name: part.clone() for name, part in vars(batches).items()})
        adam = self.learner.adam
        state = (self.learner.online.flat, adam.mean, adam.square, adam.steps)
        before = [tensor.clone() for tensor in state]
        replay, losses = self._capture(lambda: self.learner.learn(held))
        for tensor, old in zip(state, before, strict=True):
            tensor.copy_(old)
        return held, replay, losses
