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
from meta_solvers.nes.features import (
    MORE,
    PLAIN,
    features,
    heard,
    pack,
    remembered,
    typical,
    unpack,
)
from meta_solvers.nes.layers import (
    PayoffLinear,
    RealActions,
    action_pools,
    normal_,
    standard,
    swap_pools,
    unit,
)
from meta_solvers.nes.newton import newton

LEAST, MOST = -12.0, 13.0  # logarithm of a dual over its typical size


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
        self.blocks = nn.ModuleList(Block(a, pools) for _ in range(a.unrolled))

    def forward(self, problem: Problem, blocks: int | None = None) -> Tensor:
        """Duals ``[B, m]``, in the order of ``Dual``, after the first ``blocks``."""
        return self.path(problem, blocks)[-1].alpha

    def path(
        self, problem: Problem, blocks: int | None = None, unpadded: bool = False
    ) -> list[Point]:
        """The point after the feed-forward part and after every block.

        ``unpadded``: all actions are known to be real.
        """
        dual = Dual(problem)
        real = [problem.real[:, p, :n] for p, n in enumerate(problem.actions)]
        actions = RealActions(tuple(real), unpadded)
        mask = pack(dual, dual.mask)[..., None]
        size = typical(problem, mask)
        x = self._inputs(problem)
        for layer in self.payoff:
            x = self._bend(layer(x, actions), [actions.joint()] * len(x))
        h = self._to_dual(x, actions, problem) * mask
        for mix in self.dual:
            h = self._bend([mix(h, mask)], [mask])[0] * mask
        log = self.first(h)[..., 0]
        points, step = [self._at(dual, log, size)], torch.zeros_like(log)
        tried = self._tried(problem)
        for block in self.blocks[:blocks]:
            point = points[-1]
            seen = features(dual, point, log, size, mask)
            if self.architecture.memory:
                before = points[max(len(points) - 2, 0)]
                more = remembered(dual, point, before, log, step)
                seen = torch.cat([seen, more * mask], -1)
            others = None
            if self.architecture.hears:
                others = heard(dual, point.sigma, said(h, mask))
            h, y = block(h, seen, mask, others)
            steps = self._steps(dual, point, y)
            moved = (log + steps).clamp(LEAST, MOST)
            best = moved[0] if tried is None else self._best(tried, moved, size)
            log, step = best, best - log
            points.append(self._at(dual, log, size))
        return points

    def _steps(self, dual: Dual, point: Point, y: Tensor) -> Tensor:
        """Steps of the logarithms that a block's outputs ask for, ``[T, B, ...]``."""
        step = 4 * torch.tanh(y[..., 0] / 4)
        tries = [step, step / 2, 2 * step] if self.architecture.tries else [step]
        if self.architecture.rounds:
            n = self._newton(dual, point, y)
            both = [step + n, step + n / 2, step + 2 * n, n, step]
            tries = both if self.architecture.tries else both[:1]
        return torch.stack(tries)

    def _tried(self, problem: Problem) -> Dual | None:
        """The dual of every game as often as a block has steps to choose from."""
        a = self.architecture
        if not (a.tries and a.unrolled):
            return None
        place = torch.arange(problem.batch, device=problem.payoffs.device)
        return Dual(problem.take(place.repeat(5 if a.rounds else 3)))

    def _best(self, tried: Dual, moved: Tensor, size: Tensor) -> Tensor:
        """The logarithms, of T ``[T, B, ...]``, at which a game's dual is least."""
        count, batch = moved.shape[:2]
        with torch.no_grad():
            wide = size.repeat(count, *[1] * (size.ndim - 1))
            values = self._at(tried, moved.flatten(0, 1), wide).value
            best = values.reshape(count, batch).argmin(0)
            best = best.reshape(batch, *[1] * (size.ndim - 1))
        chosen = moved[0]
        for place in range(1, count):
            chosen = torch.where(best == place, moved[place], chosen)
        return chosen

    def _newton(self, dual: Dual, point: Point, y: Tensor) -> Tensor:
        """A Newton step of the logarithms, with the ridge and push of a block."""
        still = Point(**{name: part.detach() for name, part in vars(point).items()})
        ridge = torch.exp((3 * y[..., 1] - 5).clamp(-10, 5))
        pull = still.alpha * still.slack
        ridge = unpack(dual, ridge) + pull.clamp(min=0)
        rhs = unpack(dual, y[..., 2] * 0.1) - pull
        solved = pack(dual, newton(dual, still, rhs, ridge, self.architecture.rounds))
        return 4 * torch.tanh(solved / 4)

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
            normal_(linear.weight, std=(inputs * pools) ** -0.5)

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

    def __init__(self, a: Architecture, pools: int) -> None:
        super().__init__()
        inputs = a.dual + PLAIN + (MORE if a.memory else 0)
        self.mix = Mix(inputs, pools, a.hidden)
        self.steps = 3 if a.rounds else 1
        self.out = nn.Linear(a.hidden, a.dual + self.steps)
        normal_(self.out.weight, std=0.3 * a.hidden**-0.5)
        nn.init.zeros_(self.out.bias)
        if a.hears:
            # Of the action recommended and, for CE, of the one to deviate to.
            ears = [
                nn.Linear(a.dual, a.hidden, bias=False)
                for _ in range(1 if a.concept == "cce" else 2)
            ]
            for ear in ears:
                normal_(ear.weight, std=inputs**-0.5)
            self.ears = nn.ModuleList(ears)

    def forward(
        self, h: Tensor, seen: Tensor, mask: Tensor, others: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """New hidden duals, and what their step is made of."""
        y = self.mix(torch.cat([h, seen], -1), mask)
        if others is not None:
            for place, ear in enumerate(self.ears):
                what = ear(others)
                y = y + (what if y.ndim == what.ndim else what.unsqueeze(2 + place))
        y = self.out(unit(torch.relu_(y)))
        return unit(h + y[..., self.steps :]) * mask, y[..., : self.steps]


def said(h: Tensor, mask: Tensor) -> Tensor:
    """Hidden duals by recommended action, ``[B, N, A, C]``."""
    if h.ndim == 4:
        return h
    return h.sum(2) * mask.sum(2).clamp(min=1).rsqrt()


def parameters(network: nn.Module) -> int:
    """The number of weights of a network."""
    return sum(math.prod(p.shape) for p in network.parameters())
