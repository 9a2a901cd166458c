"""What a block of the Neural Equilibrium Solver's network sees of the duals so far."""

import torch
from torch import Tensor, nn

from meta_solvers.exact.dual import Dual, Point
from meta_solvers.exact.problem import Problem

PLAIN = 11  # features
MORE = 10  # further ones of a network with memory


def asinh(x: Tensor) -> Tensor:
    """``torch.asinh`` from vectorised parts: several times faster on CPU."""
    if x.is_cuda:
        return torch.asinh(x)
    size = x.abs()
    square = size * size
    return torch.copysign(torch.log1p(size + square / (1 + torch.sqrt(square + 1))), x)


def features(
    dual: Dual, point: Point, log: Tensor, size: Tensor, mask: Tensor
) -> Tensor:
    """Inputs of a block by deviation, ``[B, N, A, F]`` or ``[B, N, A, A, F]``."""
    slack = pack(dual, point.slack)
    alpha = torch.exp(log) * size
    variance = pack(dual, dual.diagonal(point.sigma))
    newton = slack / (variance + 1e-6)
    least = torch.where(alone(dual.problem), slack * mask[..., 0], torch.inf)
    least = least.flatten(2).amin(2)
    total = (alpha * mask[..., 0]).flatten(2).sum(2)
    wide = [*least.shape, *[1] * (slack.ndim - 2)]
    count = mask[..., 0].flatten(2).sum(2).clamp(min=1)

    def everywhere(x: Tensor) -> Tensor:
        return x.reshape(wide).expand_as(slack)

    listed = [
        log / 3,
        asinh(slack / 0.1),
        asinh(slack / 0.003) / 3,
        asinh(slack / 1e-4) / 6,
        asinh(newton / (alpha + 0.01 * size)),
        asinh(newton / size),
        torch.log(variance + 1e-6) / 4,
        everywhere(asinh(least / 0.01) / 3),
        everywhere(torch.log(total + 1e-3) / 3),
        everywhere(torch.log(count) / 2 - 1),
        torch.ones_like(slack),
    ]
    return torch.stack(listed, -1) * mask


def remembered(
    dual: Dual, point: Point, before: Point, log: Tensor, step: Tensor
) -> Tensor:
    """What a network with memory sees as well, ``[B, N, A, F]`` or one axis more.

    A recommendation's probability and the gains of those who get it, and what the last
    ``step`` of the logarithms ``log`` (duals over their typical size) changed.
    """
    slack, old = pack(dual, point.slack), pack(dual, before.slack)
    share = shares(dual, point.sigma)
    variance = pack(dual, dual.diagonal(point.sigma))
    to = of = share
    given = torch.ones_like(share)
    if dual.problem.concept == "ce":
        to, of = share[:, :, :, None], share[:, :, None]
        given = of + 1e-9
    given, change = given.expand_as(slack), slack - old
    drop = asinh((point.value - before.value) / 0.01)
    listed = [
        torch.log(of + 1e-9).expand_as(slack) / 5,
        torch.log(to + 1e-9).expand_as(slack) / 5,
        asinh(slack / given / 0.1),
        asinh(slack / given / 0.003) / 3,
        asinh(change / 0.1),
        asinh(change / 0.003) / 3,
        asinh(change / given / 0.1),
        step,
        (log + 0.5 * torch.log(variance / given + 1e-6)) / 4,
        drop.reshape(-1, *[1] * (slack.ndim - 1)).expand_as(slack) / 3,
    ]
    return torch.stack(listed, -1)


def shares(dual: Dual, sigma: Tensor) -> Tensor:
    """Probability that each action is recommended, ``[B, N, A]``, padded."""
    width = max(dual.problem.actions)
    played = [torch.moveaxis(sigma, 1 + p, 1) for p in range(dual.players)]
    sums = [one.reshape(*one.shape[:2], -1).sum(2) for one in played]
    padded = [nn.functional.pad(one, (0, width - one.shape[1])) for one in sums]
    return torch.stack(padded, 1)


def heard(dual: Dual, sigma: Tensor, said: Tensor) -> Tensor:
    """What every action hears of the others' actions that it is recommended with.

    The mean of ``said`` ``[B, N, A, C]`` over the other players' actions, given one's
    own, summed over players.
    """
    width, result = said.shape[2], []
    for q, own in enumerate(dual.problem.actions):
        total = torch.zeros_like(said[:, q, :own])
        for p, size in enumerate(dual.problem.actions):
            if p == q:
                continue
            rest = [1 + i for i in range(dual.players) if i not in (p, q)]
            both = sigma.sum(rest) if rest else sigma
            both = both if q < p else both.transpose(1, 2)
            known = both.sum(2, keepdim=True) + 1e-9
            total = total + (both / known) @ said[:, p, :size]
        result.append(nn.functional.pad(total, (0, 0, 0, width - own)))
    return torch.stack(result, 1) * max(dual.players - 1, 1) ** -0.5


def alone(problem: Problem) -> Tensor:
    """Which entries a game's packed duals have without a batch's padding.

    As many for every player as the player with the most actions has: ``[B, 1, A]`` or,
    for CE, ``[B, 1, A, A]``. Networks have learned to see those of them that stand for
    no deviation as slack 0, but no others.
    """
    some = problem.real.amax(1, keepdim=True) > 0
    return some if problem.concept == "cce" else some[..., None] & some[:, :, None]


def typical(problem: Problem, mask: Tensor) -> Tensor:
    """The typical size of duals, which falls with the number n of actions as n^-0.7."""
    count = problem.real.sum(2).clamp(min=1)
    power = 0.7 if problem.concept == "cce" else 1.0
    return (count**-power).reshape(*count.shape, *[1] * (mask.ndim - 3))


def pack(dual: Dual, alpha: Tensor) -> Tensor:
    """Duals ``[B, m]`` as ``[B, N, A]`` or, for CE, ``[B, N, A, A]``, padded."""
    width = max(dual.problem.actions)
    parts = dual.split(alpha)
    padded = [
        nn.functional.pad(part, [0, width - part.shape[-1]] * (part.ndim - 1))
        for part in parts
    ]
    return torch.stack(padded, 1)


def unpack(dual: Dual, packed: Tensor) -> Tensor:
    """The inverse of ``pack``."""
    parts = []
    for p, size in enumerate(dual.problem.actions):
        part = packed[:, p, :size]
        if dual.problem.concept == "ce":
            part = part[:, :, :size]
        parts.append(part.reshape(part.shape[0], -1))
    return torch.cat(parts, 1)
