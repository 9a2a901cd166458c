"""The iteration that MATRL, its ablations and its controls share.

play -> trial step -> meta-game -> gate -> aggregate -> best response
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from matrl.meta_game import Choice, MetaGame, choose, estimate
from matrl.methods import Method, Settings
from matrl.response import blend, distill, draw, weights
from meta_solvers.two_action import TwoActionNash
from metaspiel.games.markov import Judged, MarkovGame
from metaspiel.learn import ppo
from metaspiel.learn.actors import Categorical, Policies
from metaspiel.learn.agents import Agents, Trainable
from metaspiel.learn.batches import Batch
from metaspiel.learn.random import stream
from metaspiel.learn.rollout import Rollout
from metaspiel.learn.students import Students
from metaspiel.nfg.errors import UserError

_GATE, _DRAW = 1, 2  # stages of an iteration that draw numbers of their own


@dataclass(frozen=True, eq=False)
class MATRLRun:
    """The state of a run between two iterations.

    Attributes:
      iteration: iterations done.
      seed: seed of the run.
      agents: the agents that play next.
    """

    iteration: int
    seed: int
    agents: Agents


@dataclass(frozen=True, eq=False)
class Gated:
    """How much of its step each agent keeps, and the meta-game that decided it.

    Attributes:
      rho: share of its present policy that each agent keeps.
      game: the meta-game; None where none was asked.
      choice: the equilibrium chosen; None without a meta-game.
    """

    rho: Float64[ndarray, " N"]
    game: MetaGame | None = None
    choice: Choice | None = None


def start(game: MarkovGame, settings: Settings, seed: int) -> MATRLRun:
    """The state before the first iteration, with untrained agents.

    Raises:
      UserError: agents share one network, which cannot be mixed one by one.
    """
    if settings.ppo.share:
        raise UserError(
            "start(): agents must have networks of their own, since MATRL mixes them "
            "one by one; got share=True (metaspiel.learn.ppo.train trains a shared one)"
        )
    return MATRLRun(0, seed, ppo.students(game, settings.ppo).fresh(seed))


def step(
    game: MarkovGame, method: Method, settings: Settings, state: MATRLRun
) -> tuple[MATRLRun, dict[str, Any]]:
    """Runs one iteration; returns the next state and its metrics as JSON can hold them.

    Of the agents that played: ``returns``, the mean team return of the first episode of
    every environment, ``returns_own`` and ``length``. Of what followed: ``rho``,
    ``meta_payoffs`` and ``meta_errors`` ``[N][2^N]`` (agent 0 slowest),
    ``equilibria``, ``meta_regret`` and ``meta_status`` where there was a meta-game;
    ``exploitability`` of those who played where the game tells it; ``kl`` and
    ``trial_steps`` of each agent; ``weights_clipped``, the share of the response's
    sample weights at their bounds; CPU ``seconds`` of every phase.

    Raises:
      Diverged: numbers are not finite or ratios explode; ``state`` is still good.
    """
    iteration, seconds = state.iteration + 1, _Clock()
    rng = stream(state.seed, iteration)
    students = ppo.students(game, settings.ppo)
    who = students.policies
    played, batch = ppo.experience(
        game, settings.ppo, students, agents=state.agents, rng=rng
    )
    seconds("play")
    now = state.agents.actor
    if settings.moments == "reset":
        now = Trainable.fresh(now.weights)
    learns, judges = _split(settings)
    fit = batch.part(learns)
    trial, facts, critic = _trial(
        method, settings, students, now=now, state=state, fit=fit
    )
    seconds("trial")
    logs = _log_ratios(who, trial, batch) if method.asks else None
    gated = _gate(method, settings, logs, batch=batch, judges=judges, state=state)
    seconds("meta_game")
    rng = stream(state.seed, iteration, _DRAW)
    actor = _aggregate(settings, who, gated.rho, now=now, trial=trial, fit=fit, rng=rng)
    seconds("aggregate")
    row: dict[str, Any] = _metrics(played, facts, gated)
    if method.respond:
        assert logs is not None
        ratios = logs[:, learns].exp()
        weight = weights(gated.rho, ratios, settings.br_clip)
        begin = actor if settings.br_start == "aggregate" else now
        actor, _ = ppo.improve(
            settings.ppo,
            who,
            begin,
            batch=fit,
            steps=settings.br_steps,
            rate=settings.br_rate,
            weights=weight,
        )
        row["weights_clipped"] = float(
            ((weight - 1).abs() >= settings.br_clip).float().mean()
        )
    seconds("response")
    about = {"iteration": iteration, "env_steps": iteration * settings.ppo.batch}
    row = about | row | {"seconds": seconds.spent}
    if isinstance(game, Judged):
        row["exploitability"] = exploitability(game, who, state)
    return MATRLRun(iteration, state.seed, Agents(actor, critic)), row


@torch.no_grad()
def exploitability(game: Judged, who: Policies, state: MATRLRun) -> float:
    """The present policies' distance from an equilibrium (NashConv)."""
    seen = torch.from_numpy(game.situations).expand(game.agents, -1, -1)
    played = who.at(state.agents.actor.weights, seen)
    assert isinstance(played, Categorical)
    return game.exploitability(played.logs.double().softmax(2).numpy())


class _Clock:
    """CPU seconds since the last call, by phase."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = time.process_time()

    def __call__(self, phase: str) -> None:
        now = time.process_time()
        self.spent[phase], self._last = round(now - self._last, 6), now


def _split(settings: Settings) -> tuple[Int64[Tensor, " m"], Int64[Tensor, " k"]]:
    """Samples for updates, and for the meta-game: the last environments, or all."""
    shape = settings.ppo.batch // settings.ppo.envs, settings.ppo.envs
    samples = torch.arange(settings.ppo.batch).view(shape)
    judges = samples.flatten()
    if settings.held_out:
        cut = settings.ppo.envs - round(settings.held_out * settings.ppo.envs)
        samples, judges = samples[:, :cut], samples[:, cut:].flatten()
    if settings.ppo.rows:
        return samples[: settings.ppo.rows, 0], judges
    return samples.flatten(), judges


def _trial(
    method: Method,
    settings: Settings,
    who: Students,
    now: Trainable,
    state: MATRLRun,
    fit: Batch,
) -> tuple[Trainable, ppo.Improved, Trainable]:
    """Trial step: independent updates of all actors and critics."""
    steps = settings.ppo.steps
    longer = steps + (settings.br_steps if method.longer else 0)
    trial, facts = ppo.improve(
        settings.ppo, who.policies, now, batch=fit, steps=longer, rate=settings.ppo.rate
    )
    critic = ppo.regress(settings.ppo, who.critics, state.agents.critic, fit, steps)
    return trial, facts, critic


@torch.no_grad()
def _log_ratios(
    who: Policies, trial: Trainable, batch: Batch
) -> Float32[Tensor, "N M"]:
    """Log-ratios of the samples' probabilities: trial policies to those that played."""
    return batch.log_ratios(who.at(trial.weights, batch.seen))


def _gate(
    method: Method,
    settings: Settings,
    logs: Float32[Tensor, "N M"] | None,
    batch: Batch,
    judges: Int64[Tensor, " k"],
    state: MATRLRun,
) -> Gated:
    """The share of its present policy that each agent keeps."""
    agents = len(batch.advantage)
    rng = stream(state.seed, state.iteration + 1, _GATE)
    if method.gate == "random":
        return Gated(rng.random(agents))
    if method.gate != "nash":
        return Gated(np.full(agents, float(method.gate == "current")))
    assert logs is not None
    game = estimate(
        logs[:, judges].numpy(),
        batch.advantage[:, judges].numpy(),
        settings.meta_clip,
        settings.most,
    )
    solver = TwoActionNash(settings.select, settings.pure_first)
    choice = choose(game, solver, rng, settings.cautious)
    return Gated(choice.rho, game, choice)


def _aggregate(
    settings: Settings,
    who: Policies,
    rho: Float64[ndarray, " N"],
    now: Trainable,
    trial: Trainable,
    fit: Batch,
    rng: np.random.Generator,
) -> Trainable:
    """Actors that keep shares ``rho`` of their present policies."""
    if settings.aggregate == "mixture":
        return draw(rho, now, trial, rng)
    mean = blend(rho, now, trial)
    if settings.aggregate == "params":
        return mean
    steps, rate = settings.distill_steps, settings.ppo.rate
    return distill(
        rho, who, mean, now=now, then=trial, batch=fit, steps=steps, rate=rate
    )


def _metrics(played: Rollout, facts: ppo.Improved, gated: Gated) -> dict[str, Any]:
    """The metrics of an iteration as JSON can hold them."""
    row: dict[str, Any] = {
        "returns": float(played.returns.sum(1).mean()),
        "returns_own": played.returns.mean(0).tolist(),
        "length": float(played.lengths.mean()),
        "observations": played.seen.shape[1],
        "kl": list(facts.kl),
        "trial_steps": list(facts.steps),
        "rho": gated.rho.tolist(),
    }
    if gated.game is not None and gated.choice is not None:
        agents = len(gated.rho)
        row |= {
            "equilibria": gated.choice.equilibria,
            "meta_regret": gated.choice.regret,
            "meta_status": gated.choice.status.name,
            "meta_payoffs": gated.game.payoffs.reshape(agents, -1).tolist(),
            "meta_errors": gated.game.errors.reshape(agents, -1).tolist(),
        }
    return row
