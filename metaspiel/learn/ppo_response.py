"""Best responses by proximal policy optimisation, for S trials at once.

One learner a trial against co-players drawn from their pools, in any batched simulator,
turn-based or not, with any network. The games of all trials are played together (see
``Turns``), and each trial learns by itself, so that its bits do not depend on the
trials beside it. Schulman et al. 2017; advantages: Schulman et al. 2016.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Generator, Tensor

from metaspiel.games.simulator import Position
from metaspiel.learn.gradients import gradients
from metaspiel.learn.mlp import MLP
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import sampled
from metaspiel.learn.random import generators
from metaspiel.learn.settings import PPOResponse
from metaspiel.learn.tasks import Learned, Task
from metaspiel.learn.turns import Turns
from metaspiel.learn.update import Adam
from metaspiel.nfg.errors import UserError

_NEVER = -1e9  # the score of an illegal action: its probability is 0, its logarithm not


@dataclass(frozen=True, eq=False, kw_only=True)
class Decisions:
    """T rounds of decisions in B games of one trial.

    Attributes:
      inputs: what the learner saw; the last round has not been decided.
      legal: what it might do.
      action: what it did.
      reward: what came of it.
      alive: the discount where the episode went on, 0 where it ended.
    """

    inputs: Float32[Tensor, "T_plus_1 B D"]
    legal: Bool[Tensor, "T B A"]
    action: Int64[Tensor, "T B"]
    reward: Float32[Tensor, "T B"]
    alive: Float32[Tensor, "T B"]


def log_chances(
    scores: Float32[Tensor, "R A"], legal: Bool[Tensor, "R A"]
) -> Float32[Tensor, "R A"]:
    """Logarithms of the probabilities of all actions, very low where illegal."""
    return scores.masked_fill(~legal, _NEVER).log_softmax(1)


def advantages(
    values: Float32[Tensor, "T_plus_1 B"],
    reward: Float32[Tensor, "T B"],
    alive: Float32[Tensor, "T B"],
    lam: float,
) -> Float32[Tensor, "T B"]:
    """Generalised advantages; an end within the batch cuts the sum, its end does not.

    ``A_t = delta_t + alive_t lam A_{t+1}``, ``delta_t = r_t + alive_t V_{t+1} - V_t``.
    """
    delta = reward + alive * values[1:] - values[:-1]
    sums = torch.zeros_like(delta)
    following = torch.zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        following = delta[t] + lam * alive[t] * following
        sums[t] = following
    return sums


def objective(
    logs: Float32[Tensor, "R A"],
    action: Int64[Tensor, "R 1"],
    before: Float32[Tensor, " R"],
    *,
    gain: Float32[Tensor, " R"],
    settings: PPOResponse,
) -> tuple[Float32[Tensor, ""], Float32[Tensor, "R A"]]:
    """The clipped loss with its entropy bonus (Eq. 7, 9), and its slopes by the scores.

    Args:
      logs: logarithms of the probabilities now.
      action: what was done.
      before: its logarithm when it was done.
      gain: advantages.
      settings: clip and coefficient of the entropy.
    """
    chances = logs.exp()
    ratio = (logs.gather(1, action)[:, 0] - before).exp()
    free = ratio * gain
    held = ratio.clamp(1 - settings.clip, 1 + settings.clip) * gain
    entropy = -(chances * logs).sum(1)
    kept = torch.minimum(free, held)
    loss = -kept.mean() - settings.entropy * entropy.mean()
    moved = torch.where(free <= held, free, 0.0)[:, None]  # 0 where it is clipped
    slopes = chances * (moved + settings.entropy * (logs + entropy[:, None]))
    slopes.scatter_add_(1, action, -moved)
    return loss, slopes / len(logs)


class Learner:
    """Actor and critic of one trial, and their optimisers.

    Attributes:
      actor: weights of the policy.
      updates: gradient steps so far.
    """

    def __init__(
        self,
        network: Network,
        settings: PPOResponse,
        seed: Generator,
        *,
        initial: Float32[Tensor, " P"] | None,
        device: torch.device,
    ) -> None:
        self.network, self.settings = network, settings
        self.critic_network = MLP(network.inputs, settings.width, 1)
        fresh = network.initial(seed)
        self.actor = (fresh if initial is None else initial.clone()).to(device)
        self.critic = self.critic_network.initial(seed).to(device)
        self._actor_gradient = gradients(network, self.actor)
        self._critic_gradient = gradients(self.critic_network, self.critic)
        self._actor_adam = Adam(len(self.actor), settings.rate, device)
        self._critic_adam = Adam(len(self.critic), settings.rate, device)
        self.updates = 0

    def scores(self, inputs: Float32[Tensor, "R D"]) -> Float32[Tensor, "R A"]:
        """The policy's scores."""
        return self.network.scores(self.actor, inputs)

    def learn(self, seen: Decisions, rate: float, order: Generator) -> float:
        """The gradient steps of a batch; returns the mean loss of the policy.

        Raises:
          UserError: a weight is not finite any more.
        """
        settings = self.settings
        rounds, games = seen.reward.shape
        flat = seen.inputs[:-1].reshape(rounds * games, -1)
        legal = seen.legal.reshape(rounds * games, -1)
        action = seen.action.reshape(-1, 1)
        every = seen.inputs.reshape((rounds + 1) * games, -1)
        values = self._values(self.critic, every).view(rounds + 1, games)
        gained = advantages(values, seen.reward, seen.alive, settings.lam)
        target = (gained + values[:-1]).reshape(-1)
        gain = gained.reshape(-1)
        gain = (gain - gain.mean()) / (gain.std(unbiased=False) + 1e-8)
        before = log_chances(self.scores(flat), legal).gather(1, action)[:, 0]
        self._actor_adam.rate = self._critic_adam.rate = rate
        total, steps = 0.0, 0
        for _ in range(settings.epochs):
            shuffled = torch.randperm(len(flat), generator=order).to(flat.device)
            columns = (p[shuffled] for p in (legal, action, before, gain, target))
            minibatches = (p.split(settings.minibatch) for p in (shuffled, *columns))
            for rows, *decided, worth in zip(*minibatches, strict=True):
                inputs = flat[rows]
                total += self._policy_step(inputs, *decided)
                self._value_step(inputs, worth)
                steps += 1
        self.updates += steps
        if not bool(self.actor.isfinite().all() and self.critic.isfinite().all()):
            raise UserError(
                "PPOResponse: all weights must stay finite; they do not after "
                f"{self.updates} updates (a lower rate helps)"
            )
        return total / steps

    def _policy_step(
        self,
        inputs: Tensor,
        legal: Tensor,
        action: Tensor,
        before: Tensor,
        gain: Tensor,
    ) -> float:
        losses = list[Tensor]()

        def slope(scores: Tensor) -> Tensor:
            logs = log_chances(scores, legal)
            loss, slopes = objective(
                logs, action, before, gain=gain, settings=self.settings
            )
            losses.append(loss)
            return slopes

        whole = self._actor_gradient(inputs, slope)
        self._actor_adam.step(self.actor, self._clipped(whole))
        return float(losses[0])

    def _value_step(self, inputs: Tensor, target: Tensor) -> None:
        def slope(values: Tensor) -> Tensor:
            return (values - target[:, None]) * (2 / len(target))

        whole = self._critic_gradient(inputs, slope)
        self._critic_adam.step(self.critic, self._clipped(whole))

    def _values(self, weights: Tensor, inputs: Tensor) -> Tensor:
        return self.critic_network.scores(weights, inputs)[:, 0]

    def _clipped(self, gradient: Tensor) -> Tensor:
        norm = float(torch.linalg.vector_norm(gradient))
        most = self.settings.clip_norm
        return gradient if norm <= most else gradient * (most / norm)


def learn(tasks: Sequence[Task]) -> list[Learned]:
    """Learns all responses; the tasks have one game and one settings."""
    settings = tasks[0].settings
    assert isinstance(settings, PPOResponse)  # ``responses.train`` sees to it
    device = torch.device(settings.device)
    made = [generators(t.seed, 3) for t in tasks]
    learners = [
        Learner(
            task.trained,
            settings,
            of_trial[0],
            initial=None if task.initial is None else torch.from_numpy(task.initial),
            device=device,
        )
        for task, of_trial in zip(tasks, made, strict=True)
    ]
    turns = Turns(
        tasks,
        [g[1] for g in made],
        games=settings.games,
        discount=settings.gamma,
        device=device,
    )
    position, answers = turns.begin(), dict[int, Learned]()
    losses = [list[float]() for _ in tasks]
    spent, decisions = [0.0] * len(tasks), 0
    while len(answers) < len(tasks):
        seen, position = _played(turns, position, learners)
        turns.mark()
        decisions += settings.games * settings.rounds
        episodes = turns.episodes.long().tolist()
        for s, learner in enumerate(learners):
            if s in answers:  # a budget in episodes ends at another time for each
                continue
            rate = settings.rate * (1 - spent[s] if settings.anneal else 1)
            losses[s].append(learner.learn(seen[s], rate, made[s][2]))
            spent[s] = settings.spent(decisions, episodes[s])
            if spent[s] >= 1:
                answers[s] = Learned(
                    policy=learner.actor.cpu().numpy().copy(),
                    returns=turns.returns[s],
                    losses=np.array(losses[s]),
                    episodes=episodes[s],
                    updates=learner.updates,
                )
    return [answers[s] for s in range(len(tasks))]


def _played(
    turns: Turns, position: Position, learners: Sequence[Learner]
) -> tuple[list[Decisions], Position]:
    """A batch of decisions of every learner, and the position after it."""
    settings, trials = learners[0].settings, range(len(learners))
    inputs, legal, action = [position.inputs], list[Tensor](), list[Tensor]()
    reward, alive = list[Tensor](), list[Tensor]()
    for _ in range(settings.rounds):
        uniforms = turns.uniforms(trials, 1)[..., 0]
        chosen = [
            sampled(learner.scores(seen), allowed, u)
            for learner, seen, allowed, u in zip(
                learners, position.inputs, position.legal, uniforms, strict=True
            )
        ]
        legal.append(position.legal)
        action.append(torch.stack(chosen))
        position, paid, goes_on = turns.step(position, action[-1])
        inputs.append(position.inputs)
        reward.append(paid)
        alive.append(goes_on)
    columns = (torch.stack(part, 1) for part in (inputs, legal, action, reward, alive))
    batches = [
        Decisions(inputs=i, legal=m, action=a, reward=r, alive=g)
        for i, m, a, r, g in zip(*columns, strict=True)
    ]
    return batches, position
