"""Proximal policy optimisation for N agents at once, each on its own (IPPO).

Agents have networks of their own (or one, tied), stacked on one axis; an update of all
of them is one batched product per layer. Schulman et al. 2017; the details follow the
independent learners of MATRL (Wen et al.), corrected: every update sees the whole
batch, and entropy and KL divergence are the true ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.games.markov import MarkovGame
from metaspiel.learn.actors import Policies
from metaspiel.learn.agents import Agents, Trainable
from metaspiel.learn.batches import Batch, pooled, prepare
from metaspiel.learn.markov_settings import PPO as PPO
from metaspiel.learn.markov_settings import whole_episodes as whole_episodes
from metaspiel.learn.mlp import LeakyMLP
from metaspiel.learn.random import stream
from metaspiel.learn.rollout import Rollout, collect
from metaspiel.learn.students import Students
from metaspiel.nfg.errors import UserError


class Diverged(UserError):
    """An error: learning gave numbers that are not finite or left the trust region."""


def students(game: MarkovGame, settings: PPO) -> Students:
    """The networks that these settings ask for in this game."""
    return Students.of(game, settings.width, settings.share)


def experience(
    game: MarkovGame,
    settings: PPO,
    who: Students,
    agents: Agents,
    rng: np.random.Generator,
) -> tuple[Rollout, Batch]:
    """Plays one batch and prepares it for learning."""
    steps = settings.batch // settings.envs
    played = collect(
        game,
        who.policies,
        agents.actor.weights,
        envs=settings.envs,
        steps=steps,
        rng=rng,
        numbered=who.numbered,
    )
    with torch.no_grad():
        old = who.policies.at(agents.actor.weights, played.seen)
        values = who.critics.stacked(agents.critic.weights, played.seen)[:, :, 0]
    batch = prepare(
        played,
        old,
        values,
        reward=settings.reward,
        gamma=settings.gamma,
        lam=settings.lam,
        value_target=settings.value_target,
        bootstrap_limits=settings.bootstrap_limits,
    )
    return played, batch


def lesson(settings: PPO, batch: Batch) -> Batch:
    """The samples that updates use: all, unless ``rows`` says otherwise."""
    if not settings.rows:
        return batch
    return batch.part(torch.arange(settings.rows) * settings.envs)


@dataclass(frozen=True)
class Improved:
    """Outcome of the actors' gradient steps.

    Attributes:
      kl: estimated divergence of each agent from the policy that played, at the last
        look.
      steps: taken by each agent.
    """

    kl: tuple[float, ...]
    steps: tuple[int, ...]


def improve(
    settings: PPO,
    policies: Policies,
    actor: Trainable,
    batch: Batch,
    steps: int,
    rate: float,
    weights: Float32[Tensor, "N M"] | None = None,
) -> tuple[Trainable, Improved]:
    """Gradient steps of the actors on the clipped objective; returns new actors.

    ``-mean w min(r A, clip(r) A) - c_H entropy + c_KL KL(old || new)``, with r the
    ratio to the policy that played.

    Args:
      settings: clip, coefficients, and when to rest.
      policies: policies of the actors.
      actor: the actors to begin with.
      batch: the samples to learn from.
      steps: Adam steps, at most; an agent past its ``target_kl`` rests.
      rate: Adam's learning rate.
      weights: w, of each agent's samples; 1 if absent.

    Raises:
      Diverged: a loss or a weight is not finite.
    """
    new = actor.copy()
    count = len(new.weights)
    before, up, down, taken_at = _pooled(batch, weights)
    taken, resting = [0] * count, [False] * count
    estimate = [0.0] * count
    for _ in range(steps):
        leaf = new.weights.detach().requires_grad_()
        now = policies.at(leaf, batch.seen)
        log_ratio = batch.table(now) - before
        estimate = (-(log_ratio.detach() * taken_at).sum(1)).tolist()
        far = [kl > 1.5 * settings.target_kl for kl in estimate]
        if settings.share:
            far = [any(far)] * count
        resting = [a or b for a, b in zip(resting, far, strict=True)]
        who = [i for i in range(count) if not resting[i]]
        if not who:
            break
        ratio = log_ratio.exp()
        gain = ratio.clamp_max(1 + settings.clip) * up
        gain = gain + ratio.clamp_min(1 - settings.clip) * down
        regular = settings.kl * batch.old.kl(now) - settings.entropy * now.entropy()
        loss = (regular * batch.share).sum(1) - gain.sum(1)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        _require_finite(loss.detach(), "actor's loss")
        if settings.share:
            gradient = gradient.mean(0, keepdim=True).expand_as(gradient).contiguous()
        new.adam(gradient, who, rate)
        for i in who:
            taken[i] += 1
    _require_finite(new.weights, "policy")
    return new, Improved(tuple(estimate), tuple(taken))


def _pooled(
    batch: Batch, weights: Float32[Tensor, "N M"] | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log-probability, gains above and below 0 and share of the samples, by cell."""
    before, cells = batch.table(batch.old), batch.cells
    gains = batch.advantage if weights is None else weights * batch.advantage
    # min(r A, clip(r) A) has one form where A > 0 and another where A < 0.
    up, down, taken_at = (
        pooled(part, cells, before.shape[1])
        for part in (gains.clamp_min(0), gains.clamp_max(0), torch.ones_like(gains))
    )
    return before, up, down, taken_at


def regress(
    settings: PPO, network: LeakyMLP, critic: Trainable, batch: Batch, steps: int
) -> Trainable:
    """Gradient steps of the critics towards their targets; returns new critics.

    ``mean max((V - R)^2, (V_old + clip(V - V_old) - R)^2)``.

    Raises:
      Diverged: a loss or a weight is not finite.
    """
    new = critic.copy()
    everyone = list(range(len(new.weights)))
    for _ in range(steps):
        leaf = new.weights.detach().requires_grad_()
        value = network.stacked(leaf, batch.seen)[:, :, 0].gather(1, batch.index)
        moved = (value - batch.value_old).clamp(
            -settings.value_clip, settings.value_clip
        )
        error = (value - batch.target).square()
        held = (batch.value_old + moved - batch.target).square()
        loss = torch.maximum(error, held).mean(1)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        _require_finite(loss.detach(), "critic's loss")
        if settings.share:
            gradient = gradient.mean(0, keepdim=True).expand_as(gradient).contiguous()
        new.adam(gradient, everyone, settings.rate)
    _require_finite(new.weights, "critic")
    return new


def _require_finite(numbers: Tensor, what: str) -> None:
    fine = numbers.isfinite().reshape(len(numbers), -1).all(1)
    if not bool(fine.all()):
        agent = int((~fine).nonzero()[0, 0])
        raise Diverged(
            f"PPO: the {what} of every agent must be finite; agent {agent}'s is not"
        )


def update(
    settings: PPO, who: Students, agents: Agents, batch: Batch
) -> tuple[Agents, Improved]:
    """Updates actors and critics from the batch of one iteration."""
    seen = lesson(settings, batch)
    actor, facts = improve(
        settings,
        who.policies,
        agents.actor,
        batch=seen,
        steps=settings.steps,
        rate=settings.rate,
    )
    critic = regress(settings, who.critics, agents.critic, seen, settings.steps)
    return Agents(actor, critic), facts


def train(
    game: MarkovGame, settings: PPO, seed: int, iterations: int
) -> Iterator[tuple[Agents, dict[str, Any]]]:
    """Independent PPO: the agents after each iteration, and its mean team return.

    Raises:
      Diverged: a loss or a weight is not finite.
    """
    who = students(game, settings)
    agents = who.fresh(seed)
    for iteration in range(1, iterations + 1):
        rng = stream(seed, iteration)
        played, batch = experience(game, settings, who, agents=agents, rng=rng)
        agents, _ = update(settings, who, agents, batch)
        yield (
            agents,
            {
                "iteration": iteration,
                "env_steps": iteration * settings.batch,
                "returns": float(played.returns.sum(1).mean()),
            },
        )
