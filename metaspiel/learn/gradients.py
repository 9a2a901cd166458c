"""Gradients by the weights of a network, from the slopes of a loss by its scores."""

from collections.abc import Callable

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.learn.mlp import MLP, layers
from metaspiel.learn.nets import Network

_relu_back = torch.ops.aten.threshold_backward
Slope = Callable[[Float32[Tensor, "R A"]], Float32[Tensor, "R A"]]


Gradient = Callable[[Float32[Tensor, "R D"], Slope], Float32[Tensor, " P"]]


def gradients(network: Network, weights: Float32[Tensor, " P"]) -> Gradient:
    """What takes the gradient of a loss by a weight vector, for rows of inputs.

    It takes the inputs, and a function from the scores to the derivatives of the loss
    by them. The weights may be changed in place between its calls; each call may write
    over the gradient of the one before.

    That of an ``MLP`` is written out, which takes a third of the time of automatic
    differentiation; others are differentiated.

    Args:
      network: turns weights and inputs into scores.
      weights: where the gradients are taken.
    """
    if isinstance(network, MLP):
        return _written(network, weights)
    return _differentiated(network, weights)


def _differentiated(network: Network, weights: Tensor) -> Gradient:
    def take(x: Tensor, slope: Slope) -> Tensor:
        with torch.enable_grad():
            leaf = weights.detach().requires_grad_()
            scores = network.scores(leaf, x)
            back = slope(scores.detach())
            (whole,) = torch.autograd.grad(scores, leaf, back)
        return whole

    return take


def _written(network: MLP, weights: Tensor) -> Gradient:
    w1, b1, w2, b2, w3, b3 = layers(network, weights)
    whole = torch.empty_like(weights)
    g1, c1, g2, c2, g3, c3 = layers(network, whole)

    def take(x: Tensor, slope: Slope) -> Tensor:
        first = torch.addmm(b1, x, w1).relu_()
        second = torch.addmm(b2, first, w2).relu_()
        back = slope(torch.addmm(b3, second, w3.T))
        torch.mm(back.T, second, out=g3)
        torch.sum(back, 0, keepdim=True, out=c3)
        back = _relu_back(back @ w3, second, 0)
        torch.mm(first.T, back, out=g2)
        torch.sum(back, 0, keepdim=True, out=c2)
        back = _relu_back(back @ w2.T, first, 0)
        torch.mm(x.T, back, out=g1)
        torch.sum(back, 0, keepdim=True, out=c1)
        return whole

    return take
