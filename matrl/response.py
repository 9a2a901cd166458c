"""Aggregation of the agents by the meta-game, and the best response to them."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.actors import Policies
from metaspiel.learn.agents import Trainable
from metaspiel.learn.batches import Batch


def mixed_ratio(
    rho: Float64[ndarray, " N"], ratios: Float32[Tensor, "N M"]
) -> Float32[Tensor, "N M"]:
    """Ratio of the mixture to the policy that played: ``rho + (1 - rho) r``."""
    share = torch.from_numpy(rho).float()[:, None]
    return share + (1 - share) * ratios


def weights(
    rho: Float64[ndarray, " N"], ratios: Float32[Tensor, "N M"], clip: float
) -> Float32[Tensor, "N M"]:
    """Importance weights of samples: the co-players' mixtures to those that played.

    ``w_i = clip(prod_{j != i} (rho_j + (1 - rho_j) r_j), 1 - clip, 1 + clip)``. The
    data come from the policies that played and the response is to the aggregated ones,
    so this is aggregated over played; the paper's equation 6 prints the inverse.

    Args:
      rho: shares of the policies that played.
      ratios: ratios of the trial policies to them.
      clip: c-bar, the largest deviation of a weight from 1.
    """
    mixed = mixed_ratio(rho, ratios)
    agents = len(mixed)
    others = [
        mixed[[j for j in range(agents) if j != i]].prod(0) for i in range(agents)
    ]
    return torch.stack(others).clamp(1 - clip, 1 + clip)


def blend(rho: Float64[ndarray, " N"], now: Trainable, then: Trainable) -> Trainable:
    """Weights and moments averaged as ``rho now + (1 - rho) then``; exact at 0 and 1.

    Adam's count of steps is that of the learner with the larger share.
    """
    share = torch.from_numpy(rho).float()
    weights, mean, square = (
        torch.lerp(two, one, share[:, None])
        for one, two in zip(now.parts[:3], then.parts[:3], strict=True)
    )
    count = torch.where(share > 0.5, now.count, then.count)
    return Trainable(weights, mean, square, count)


def draw(
    rho: Float64[ndarray, " N"],
    now: Trainable,
    then: Trainable,
    rng: np.random.Generator,
) -> Trainable:
    """Draws a learner for each agent: ``now`` with probability rho, else ``then``."""
    keeps = (rng.random(len(rho)) < rho).astype(np.float64)
    return blend(keeps, now, then)


def distill(
    rho: Float64[ndarray, " N"],
    policies: Policies,
    start: Trainable,
    now: Trainable,
    then: Trainable,
    batch: Batch,
    steps: int,
    rate: float,
) -> Trainable:
    """Actors trained to imitate the mixture of both policies on the batch.

    Minimises ``rho KL(now || x) + (1 - rho) KL(then || x)``, which differs from the
    divergence of the mixture from x by a constant. Only agents with a share strictly
    between 0 and 1 move. The optimiser is the fit's own; ``start`` keeps its moments.

    Args:
      rho: shares of ``now``.
      policies: policies of the agents.
      start: the actors to begin with.
      now: the present actors, one component of the mixture.
      then: the trial actors, the other component.
      batch: source of observations, weighted by how often they were seen.
      steps: Adam steps.
      rate: Adam's learning rate.
    """
    who = [i for i, share in enumerate(rho) if 0 < share < 1]
    new = Trainable.fresh(start.weights.clone())
    if not who:
        return start
    share = torch.from_numpy(rho).float()[:, None]
    with torch.no_grad():
        one = policies.at(now.weights, batch.seen)
        two = policies.at(then.weights, batch.seen)
    for _ in range(steps):
        leaf = new.weights.detach().requires_grad_()
        fit = policies.at(leaf, batch.seen)
        apart = share * one.kl(fit) + (1 - share) * two.kl(fit)
        (gradient,) = torch.autograd.grad((apart * batch.share).sum(), leaf)
        new.adam(gradient, who, rate)
    return replace(start.copy(), weights=new.weights)
