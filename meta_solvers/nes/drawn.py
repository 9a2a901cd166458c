"""The games of ``Games`` drawn by torch, on the device that trains."""

import math

import torch
from torch import Tensor

from meta_solvers.exact.problem import Concept, Problem, normalise
from meta_solvers.nes.architecture import Selects
from meta_solvers.nes.data import Games


def generator(device: torch.device, seed: int, step: int) -> torch.Generator:
    """Randomness of one step of a training, whatever came before."""
    mixed = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9) % 2**63
    return torch.Generator(device).manual_seed(mixed)


def drawn(
    games: Games,
    batch: int,
    actions: tuple[int, ...],
    random: torch.Generator,
    *,
    concept: Concept = "cce",
    selects: Selects = "entropy",
) -> Problem:
    """B problems of one size as ``Games.draw`` has them, in float32."""
    shape = (batch, len(actions), *actions)
    count, device = math.prod(actions), random.device
    mass = torch.full((batch, *actions), 1.0 / count, device=device)
    if games.naive:
        payoffs = 2 * torch.rand(shape, generator=random, device=device) - 1
    else:
        normal = torch.randn(shape, generator=random, device=device)
        payoffs, _ = normalise(normal, mass)
        if games.related > 0:
            payoffs, _ = normalise(_related(payoffs, games.related, random), mass)
    base, epsilon = torch.log(mass), torch.zeros(shape[:2], device=device)
    if selects == "any":
        base = _targets(base, random) + _welfare(payoffs, random)
        wide = _uniform((batch, 1), random) < 0.5
        epsilon = wide * 0.5 * _uniform(shape[:2], random)
    real = torch.zeros((*shape[:2], max(actions)), device=device)
    for p, n in enumerate(actions):
        real[:, p, :n] = 1.0
    none = torch.zeros_like(epsilon)
    return Problem(
        concept=concept,
        payoffs=payoffs,
        base=base,
        epsilon=epsilon,
        width=none,
        softness=none,
        real=real,
    )


def _uniform(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=random, device=random.device)


def _logarithmic(
    low: float, high: float, shape: tuple[int, ...], random: torch.Generator
) -> Tensor:
    """Log-uniform between two numbers."""
    wide = math.log(high) - math.log(low)
    return torch.exp(math.log(low) + wide * _uniform(shape, random))


def _related(payoffs: Tensor, share: float, random: torch.Generator) -> Tensor:
    """As ``Games`` has it: everybody's payoffs correlated with those of the first."""
    wide = (payoffs.shape[0], *[1] * (payoffs.ndim - 1))
    kind, some = _uniform(wide, random), 2 * _uniform(wide, random) - 1
    same = torch.where(kind < share / 2, torch.ones_like(some), some)
    link = torch.where(kind < share / 3, -torch.ones_like(some), same)
    other = link * payoffs[:, :1] + torch.sqrt(1 - link * link) * payoffs[:, 1:]
    joined = torch.cat([payoffs[:, :1], other], 1)
    return torch.where(kind < share, joined, payoffs)


def _targets(base: Tensor, random: torch.Generator) -> Tensor:
    batch, count = base.shape[0], base[0].numel()
    kind = _uniform((batch, 1), random)
    power = _logarithmic(0.01, 1.0, (batch, 1), random)
    # ln Gamma(c) variables, c <= 1, without underflow: ln G(c + 1) + ln(U) / c.
    logs = torch._standard_gamma((power + 1).expand(batch, count), random)
    drawn_ = _uniform((batch, count), random).clamp(min=1e-30)
    logs = torch.log(logs) + torch.log(drawn_) / power
    rest = _logarithmic(1e-4, 0.3, (batch, 1), random)
    chosen = (count * _uniform((batch, 1), random)).long().clamp(max=count - 1)
    pure = torch.log(rest / max(count - 1, 1)).expand(batch, count)
    pure = pure.scatter(1, chosen, torch.log1p(-rest))
    logs = torch.where(kind < 0.8, logs, pure)
    logs = torch.where(kind < 0.4, torch.zeros_like(logs), logs)
    logs = (logs - logs.amax(1, keepdim=True)).clamp(min=-20.0)
    return torch.log_softmax(logs, 1).reshape(base.shape)


def _welfare(payoffs: Tensor, random: torch.Generator) -> Tensor:
    shape = (payoffs.shape[0], *[1] * (payoffs.ndim - 2))
    kind, total = _uniform(shape, random), payoffs.sum(1)
    other = torch.randn(total.shape, generator=random, device=random.device)
    other = other - other.mean(tuple(range(1, total.ndim)), keepdim=True)
    weight = _logarithmic(0.1, 5.0, shape, random)
    chosen = torch.where(kind < 0.7, total, other) * weight
    return torch.where(kind < 0.4, torch.zeros_like(chosen), chosen)
