"""The Neural Equilibrium Solver's network: a game in, the duals of its (C)CE out.

Payoff layers, a payoff-to-dual layer and dual layers as in Marris et al. 2022 (section
4.3), on the complete relative bases of ``layers``; then, beyond the paper, ``unrolled``
blocks that see what the duals so far do (allowed minus expected gain of every
deviation, its variance, the duals themselves) and move them: dual descent with a
learned preconditioner. ``unrolled=0`` is the paper's feed-forward network.
"""

import itertools
import math

import torch
from torch import Tensor, nn

from meta_solvers.exact.dual import Dual, Point
from meta_solvers.exact.problem import Problem
from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.layers import (
    PayoffLinear,
    RealActions,
    action_pools,
    standard,
    swap_pools,
    unit,
)

LEAST, MOST = -12.0, 13.0  # logarithm of a dual over its typical size
FEATURES = 11


class Network(nn.Module):
    """Duals of a batch of problems: trained in float32, asked in float64."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        channels = (1 if a.selects == "entropy" else 4, *a.payoff)
        pairs = itertools.pairwise(channels)
        self.payoff = nn.ModuleList(
            PayoffLinear(a.players, i, o, False) for i, o in pairs
        )
        self.encode = PayoffLinear(a.players, channels[-1], a.dual, True)
        if a.concept == "ce":
            self.told = PayoffLinear(a.players, channels[-1], a.dual, True)
        pools = 3 if a.concept == "cce" else 8
        self.dual = nn.ModuleList(
            Mix(a.dual, pools, a.dual) for _ in range(a.dual_layers)
        )
        self.first = nn.Linear(a.dual, 1)
        nn.init.zeros_(self.first.weight)
        nn.init.constant_(self.first.bias, -1.5)  # most deviations do not bind
        self.blocks = nn.ModuleList(
            Block(a.dual, pools, a.hidden) for _ in range(a.unrolled)
        )

    def forward(self, problem: Problem, blocks: int | None = None) -> Tensor:
        """Duals ``[B, m]``, in the order of ``Dual``, after the first ``blocks``."""
        return self.path(problem, blocks)[-1].alpha

    def path(self, problem: Problem, blocks: int | None = None) -> list[Point]:
        """The point after the feed-forward part and after every block."""
        dual = Dual(problem)
        real = [problem.real[:, p, :n] for p, n in enumerate(problem.actions)]
        actions, mask = RealActions(tuple(real)), pack(dual, dual.mask)[..., None]
        size = typical(problem, mask)
        x = self._inputs(problem)
        for layer in self.payoff:
            x = self._bend(layer(x, actions), [actions.joint()] * len(x))
        h = self._to_dual(x, actions, problem) * mask
        for mix in self.dual:
            h = self._bend([mix(h, mask)], [mask])[0] * mask
        log = self.first(h)[..., 0]
        points = [self._at(dual, log, size)]
        for block in self.blocks[:blocks]:
            seen = features(dual, points[-1], log, size, mask)
            h, step = block(h, seen, mask)
            log = (log + step).clamp(LEAST, MOST)
            points.append(self._at(dual, log, size))
        return points

    def _bend(self, x: list[Tensor], mask: list[Tensor]) -> list[Tensor]:
        if not self.architecture.linear:
            x = [torch.relu_(y) for y in x]
        if self.architecture.norm == "standard":
            return standard(x, mask)
        return [unit(y) for y in x]

    @staticmethod
    def _at(dual: Dual, log: Tensor, size: Tensor) -> Point:
        return dual.at(unpack(dual, torch.exp(log) * size) * dual.mask)

    def _inputs(self, problem: Problem) -> list[Tensor]:
        """Channels of each player's payoff tensor."""
        payoffs = [
            problem.payoffs[:, p, ..., None] for p in range(len(problem.actions))
        ]
        if self.architecture.selects == "entropy":
            return payoffs
        finite = torch.isfinite(problem.base)
        real = finite.to(problem.base.dtype)
        axes = tuple(range(1, real.ndim))
        count = real.sum(axes, keepdim=True)
        base = torch.where(finite, problem.base, 0.0)
        centred = (base - base.sum(axes, keepdim=True) / count) * real
        flat = problem.base.flatten(1)
        share = torch.softmax(flat, 1).reshape(base.shape) * count - real
        extra = [torch.asinh(centred), torch.asinh(share)]
        width = [1] * (real.ndim - 1)
        return [
            torch.stack(
                [
                    y[..., 0],
                    *extra,
                    real * problem.epsilon[:, p].reshape(-1, *width),
                ],
                -1,
            )
            for p, y in enumerate(payoffs)
        ]

    def _to_dual(
        self, x: list[Tensor], actions: RealActions, problem: Problem
    ) -> Tensor:
        width = problem.real.shape[2]

        def stacked(vectors: list[Tensor]) -> Tensor:
            pads = [(0, 0, 0, width - v.shape[1]) for v in vectors]
            both = zip(vectors, pads, strict=True)
            return torch.stack([nn.functional.pad(v, p) for v, p in both], 1)

        played = stacked(self.encode(x, actions))
        if self.architecture.concept == "cce":
            return unit(played if self.architecture.linear else torch.relu(played))
        recommended = stacked(self.told(x, actions))
        total = played[:, :, :, None] + recommended[:, :, None]
        if not self.architecture.linear:
            both = (
                torch.relu(played)[:, :, :, None] * torch.relu(recommended)[:, :, None]
            )
            total = total + both
        return unit(total)


class Mix(nn.Module):
    """A linear map of duals to duals on the complete basis."""

    def __init__(self, inputs: int, pools: int, outputs: int) -> None:
        super().__init__()
        self.pools = pools
        self.direct = nn.Linear(inputs, outputs)
        self.pooled = nn.ModuleList(
            nn.Linear(inputs, outputs, bias=False) for _ in range(pools - 1)
        )
        for linear in (self.direct, *self.pooled):
            nn.init.normal_(linear.weight, std=(inputs * pools) ** -0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """A linear map of the channels C of ``[B, N, A, C]`` or ``[B, N, A, A, C]``."""
        pools = action_pools(x, mask) if self.pools == 3 else swap_pools(x, mask)
        # Small pools are added up before they are broadcast.
        small = [linear(p) for linear, p in zip(self.pooled, pools, strict=True)]
        small.sort(key=torch.Tensor.numel)
        total = small[0]
        for one in small[1:]:
            total = total + one
        return self.direct(x) + total


class Block(nn.Module):
    """One learned step of dual descent."""

    def __init__(self, dual: int, pools: int, hidden: int) -> None:
        super().__init__()
        self.mix = Mix(dual + FEATURES, pools, hidden)
        self.out = nn.Linear(hidden, dual + 1)
        nn.init.normal_(self.out.weight, std=0.3 * hidden**-0.5)
        nn.init.zeros_(self.out.bias)

    def forward(self, h: Tensor, seen: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """New hidden duals and the step of their logarithm."""
        inputs = torch.cat([h, seen], -1)
        y = self.out(unit(torch.relu_(self.mix(inputs, mask))))
        return unit(h + y[..., 1:]) * mask, 4 * torch.tanh(y[..., 0] / 4)


def asinh(x: Tensor) -> Tensor:
    """``torch.asinh`` from vectorised parts: several times faster on CPU."""
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


def parameters(network: nn.Module) -> int:
    """The number of weights of a network."""
    return sum(math.prod(p.shape) for p in network.parameters())
