"""Sums over pairs of rectified differences, of which attention over entities is made.

The hidden layer for entity j as i sees it is ``relu(A_j - P_i)``: places enter relative
to the observer, and the layer is linear before its units. What is made of the pairs is
a derivative of ``sum_zji g_zji v_zi . relu(A_j - P_i)``. Pairs are many, so they are
made for one entity j at a time, which stays in the cache, and made again on the way
back. Situations are last, where vector instructions work on them; there should be no
more at once than the cache holds.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_relu_back = torch.ops.aten.threshold_backward.grad_input
Slope = Callable[[int, Tensor], None]


def weighted(
    a: Float[Tensor, "H N R"], p: Float[Tensor, "H I R"], g: Float[Tensor, "Z N I R"]
) -> Float[Tensor, "Z J I R"]:
    """Hidden layers summed with weights: ``sum_j g_zji relu(A_j - P_i)``.

    A last unit that is always 1, as a bias in the layer after it needs, is summed too.
    """
    return _Weighted.apply(a, p, g)


def dots(
    a: Float[Tensor, "H N R"], p: Float[Tensor, "H I R"], v: Float[Tensor, "Z H I R"]
) -> Float[Tensor, "Z N I R"]:
    """Products with hidden layers: ``v_zi . relu(A_j - P_i)``."""
    return _Dots.apply(a, p, v)


def products(
    a: Float[Tensor, "H N R"], p: Float[Tensor, "H I R"], v: Float[Tensor, "Z H"]
) -> Float[Tensor, "Z N I R"]:
    """Products with hidden layers that are the same everywhere."""
    return _Products.apply(a, p, v)


def mixed(
    h: Float[Tensor, "F N R"], g: Float[Tensor, "N I R"]
) -> Float[Tensor, "F I R"]:
    """Vectors of entities summed with weights: ``sum_j g_ji h_j``."""
    return _Mixed.apply(h, g)


class _Weighted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, p: Tensor, g: Tensor) -> Tensor:
        ctx.save_for_backward(a, p, g)
        return _weighted(a, p, g)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor | None, ...]:
        a, p, g = ctx.saved_tensors
        of_layers, of_g = any(ctx.needs_input_grad[:2]), ctx.needs_input_grad[2]
        slopes = (
            _by_layers(a, p, _outer(g, back, len(p))) if of_layers else (None, None)
        )
        return *slopes, _dots(a, p, back).add_(back[:, None, -1]) if of_g else None


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, p: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(a, p, v)
        return _dots(a, p, v)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor | None, ...]:
        a, p, v = ctx.saved_tensors
        of_layers, of_v = any(ctx.needs_input_grad[:2]), ctx.needs_input_grad[2]
        slopes = (
            _by_layers(a, p, _outer(back, v, len(p))) if of_layers else (None, None)
        )
        return *slopes, _weighted(a, p, back)[:, :-1] if of_v else None


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, p: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(a, p, v)
        out = a.new_empty(len(v), a.shape[1], *p.shape[1:])
        for j, pairs in _pairs(a, p):
            out[:, j] = (v @ pairs.relu_().flatten(1)).view(len(v), *p.shape[1:])
        return out

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor, ...]:
        a, p, v = ctx.saved_tensors
        of_v = torch.zeros_like(v)
        for j, pairs in _pairs(a, p):
            of_v.addmm_(back[:, j].flatten(1), pairs.relu_().flatten(1).T)

        def slope(j: int, out: Tensor) -> None:
            torch.mm(v.T, back[:, j].flatten(1), out=out.view(len(out), -1))

        return *_by_layers(a, p, slope), of_v


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, g: Tensor) -> Tensor:
        ctx.save_for_backward(h, g)
        out = h.new_zeros(len(h), *g.shape[1:])
        for j in range(len(g)):
            out.addcmul_(h[:, j, None], g[j])
        return out

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor | None, ...]:
        h, g = ctx.saved_tensors
        of_h, of_g = torch.empty_like(h), None
        for j in range(len(g)):
            torch.sum(back * g[j], 1, out=of_h[:, j])
        if ctx.needs_input_grad[1]:
            of_g = torch.stack([(back * h[:, j, None]).sum(0) for j in range(len(g))])
        return of_h, of_g


def _pairs(a: Tensor, p: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Every j and its ``A_j - P_i`` for all i, in a buffer that the next one takes."""
    pairs = torch.empty_like(p, memory_format=torch.contiguous_format)
    for j, one in enumerate(a[:, :, None].unbind(1)):
        yield j, torch.sub(one, p, out=pairs)


def _weighted(a: Tensor, p: Tensor, g: Tensor) -> Tensor:
    units = len(p)
    out = a.new_empty(len(g), units + 1, *p.shape[1:])
    torch.sum(g, 1, out=out[:, units])
    sums, weights = [one[:units].zero_() for one in out], [one.unbind(0) for one in g]
    for j, pairs in _pairs(a, p):
        hidden = pairs.relu_()
        for total, weight in zip(sums, weights, strict=True):
            total.addcmul_(hidden, weight[j])
    return out


def _dots(a: Tensor, p: Tensor, v: Tensor) -> Tensor:
    out = a.new_empty(len(v), a.shape[1], *p.shape[1:])
    vectors = [one[: len(p)] for one in v]
    product = torch.empty_like(p)
    for j, pairs in _pairs(a, p):
        hidden = pairs.relu_()
        for vector, made in zip(vectors, out, strict=True):
            torch.mul(hidden, vector, out=product)
            torch.sum(product, 0, out=made[j])
    return out


def _outer(g: Tensor, v: Tensor, units: int) -> Slope:
    """Derivatives by hidden layers: ``sum_z g_zji v_zi``."""
    vectors, weights = [one[:units] for one in v], [one.unbind(0) for one in g]

    def slope(j: int, out: Tensor) -> None:
        torch.mul(vectors[0], weights[0][j], out=out)
        for vector, weight in zip(vectors[1:], weights[1:], strict=True):
            out.addcmul_(vector, weight[j])

    return slope


def _by_layers(a: Tensor, p: Tensor, slope: Slope) -> tuple[Tensor, Tensor]:
    """Derivatives by both layers, from those by the hidden layers of pairs."""
    of_a, of_p = torch.empty_like(a), torch.zeros_like(p)
    back = torch.empty_like(p, memory_format=torch.contiguous_format)
    for (j, pairs), total in zip(_pairs(a, p), of_a.unbind(1), strict=True):
        slope(j, back)
        _relu_back(back, pairs, 0, grad_input=back)
        of_p.sub_(back)
        torch.sum(back, 1, out=total)
    return of_a, of_p
