"""Gradient steps of a group of agents, in place, on what ``losses`` says."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from metaspiel.games.entities import Populated, Sight
from mra import losses
from mra.heads import drawn, facts_of
from mra.learning import Learning
from mra.replay import Episodes, Steps


@torch.no_grad()
def graphs(
    learning: Learning, game: Populated, sight: Sight, latents: Int64[Tensor, "R N"]
) -> list[Float32[Tensor, "R _ N"]]:
    """Whom the agents of every group attend to."""
    return [
        learning.nets.graph.attention(
            learning.weights("graph", group), sight, who, latents[:, who]
        )
        for group, who in enumerate(learning.nets.groups(game))
    ]


@torch.no_grad()
def choices(
    learning: Learning,
    game: Populated,
    sight: Sight,
    *,
    graphs: list[Float32[Tensor, "R _ N"]],
    policies: Float32[Tensor, "G P"],
    uniforms: Float32[Tensor, "R N"],
) -> tuple[list[Float32[Tensor, "R _ A"]], Int64[Tensor, "R N"]]:
    """Scores of everybody's actions by group, and a joint action drawn from them."""
    logits, joint = [], torch.empty(uniforms.shape, dtype=torch.int64)
    for group, who in enumerate(learning.nets.groups(game)):
        scores = learning.nets.policy.logits(policies[group], sight, who, graphs[group])
        joint[:, who] = drawn(scores, uniforms[:, who])
        logits.append(scores)
    return logits, joint


def reward_steps(
    learning: Learning,
    game: Populated,
    replay: Episodes,
    *,
    count: int,
    rng: np.random.Generator,
    graph_too: bool,
) -> list[float]:
    """So many steps of every critic and policy, each on a minibatch of its own.

    Returns:
      The critics' losses before each step.
    """
    training = learning.training
    scale = replay.scales(learning.nets.groups(game), training.rewards)
    errors: list[float] = []
    for _ in range(count):
        sample = replay.sample(rng.random(training.minibatch))
        numbers = rng.random((2, training.minibatch, game.agents))
        errors += reward_step(
            learning,
            game,
            sample,
            uniforms=torch.from_numpy(numbers).float(),
            scale=scale,
            graph_too=graph_too,
        )
    return errors


def reward_step(
    learning: Learning,
    game: Populated,
    steps: Steps,
    *,
    uniforms: Float32[Tensor, "2 R N"],
    scale: list[tuple[Tensor, Tensor]],
    graph_too: bool,
) -> list[float]:
    """One step of every critic and policy (Equations 8, 9; 10 with ``graph_too``).

    Args:
      learning: what is changed.
      game: what the transitions are of.
      steps: a minibatch.
      uniforms: numbers by which next actions and present ones are drawn.
      scale: mean and deviation of every group's rewards.
      graph_too: the graph learns from the policy's gradient.

    Returns:
      The critics' losses before the step.
    """
    now, then = game.sight(steps.before), game.sight(steps.after)
    graph_now = graphs(learning, game, now, steps.latents)
    graph_then = graphs(learning, game, then, steps.latents)
    logits, later = choices(
        learning,
        game,
        then,
        graphs=graph_then,
        policies=learning.delayed["policy"],
        uniforms=uniforms[0],
    )
    _, present = choices(
        learning,
        game,
        now,
        graphs=graph_now,
        policies=learning.learners["policy"].weights,
        uniforms=uniforms[1],
    )
    parts = ("policy", "graph") if graph_too else ("policy",)
    return [
        improve(
            learning,
            Lesson(
                group=group,
                who=who,
                steps=steps,
                sights=(now, then),
                graphs=(graph_now[group], graph_then[group]),
                following=logits[group],
                actions=(present, later),
                scale=scale[group],
                scores=_scores(learning, now, who, graph_now[group], steps),
            ),
            *parts,
        )
        for group, who in learning.learners_of(game)
    ]


def _scores(
    learning: Learning, sight: Sight, who: slice, graph: Tensor, steps: Steps
) -> Callable[..., Tensor]:
    """A group's scores of present actions, by the weights of policy and graph."""
    nets = learning.nets

    def scores(policy: Tensor, phi: Tensor | None = None) -> Tensor:
        attended = graph
        if phi is not None:
            attended = nets.graph.attention(phi, sight, who, steps.latents[:, who])
        made: Tensor = nets.policy.logits(policy, sight, who, attended)
        return made

    return scores


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesson:
    """What a group learns from in a gradient step on rewards.

    Attributes:
      group: its number.
      who: its agents.
      steps: a minibatch.
      sights: what all agents see before the steps and after them.
      graphs: whom the group attends to, then.
      following: the delayed policy's scores of its actions after the steps.
      actions: everybody's, drawn by the policies before and by the delayed ones after.
      scale: mean and deviation of its rewards.
      scores: of its actions before the steps, by the weights of what learns.
    """

    group: int
    who: slice
    steps: Steps
    sights: tuple[Sight, Sight]
    graphs: tuple[Float32[Tensor, "R n N"], Float32[Tensor, "R n N"]]
    following: Float32[Tensor, "R n A"]
    actions: tuple[Int64[Tensor, "R N"], Int64[Tensor, "R N"]]
    scale: tuple[Tensor, Tensor]
    scores: Callable[..., Tensor]


def improve(learning: Learning, lesson: Lesson, *parts: str) -> float:
    """A step of a group's critic, then of its ``parts``; returns the critic's loss."""
    nets, training, steps = learning.nets, learning.training, lesson.steps
    group, who = lesson.group, lesson.who
    (now, then), (graph, later_graph) = lesson.sights, lesson.graphs
    present, later = lesson.actions
    middle, spread = lesson.scale
    with torch.no_grad():
        following = nets.critic.values(
            learning.delayed["critic"][group], then, who, later_graph, later
        )
        targets = losses.target(
            (steps.rewards[:, who] - middle) / spread,
            steps.going[:, who],
            logits=lesson.following,
            values=following,
            gamma=training.gamma,
            entropy=training.entropy,
        )

    def critic(weights: Tensor) -> Tensor:
        values, penalty = nets.critic.assessed(weights, now, who, graph, steps.actions)
        taken, playing = steps.actions[:, who], steps.playing[:, who]
        error: Tensor = losses.critic_loss(values, taken, targets, playing)
        return error + penalty

    error = learning.descend(
        group, critic, "critic", rate=training.critic_rate, clip=training.clip
    )
    with torch.no_grad():
        weights = learning.weights("critic", group)
        values = nets.critic.values(weights, now, who, graph, present)

    def policy(*weights: Tensor) -> Tensor:
        logits, playing = lesson.scores(*weights), steps.playing[:, who]
        return losses.policy_loss(logits, values, playing, training.entropy)

    if learning.learners["critic"].count[group] > training.settle:
        learning.descend(group, policy, *parts)
    learning.follow(group)
    return error


def information_step(
    learning: Learning,
    game: Populated,
    steps: Steps,
    *,
    priors: list[Float32[Tensor, " Z"]],
    until: float,
) -> list[float]:
    """One ascent of every graph on the mutual information (Equation 11).

    Args:
      learning: what is changed.
      game: what the transitions are of.
      steps: a minibatch.
      priors: logarithms of the latents' chances, of every group.
      until: information above which the graph does not learn; 0 only measures.

    Returns:
      The information before the step, in nats.
    """
    nets, training, sight = learning.nets, learning.training, game.sight(steps.before)
    shared_nats = []
    for group, who in enumerate(nets.groups(game)):

        def loss(phi: Tensor, group: int = group, who: slice = who) -> Tensor:
            heads = nets.graph.attentions(phi, sight, who)
            policy = learning.delayed["policy"][group]
            logits = nets.policy.logits(policy, sight, who, heads)
            shared = losses.information(logits, priors[group])
            return -losses.masked_mean(shared, steps.playing[:, who])

        value = learning.descend(
            group,
            loss,
            "graph",
            rate=training.graph_rate,
            decay=0.0,
            floor=-until if until else float("inf"),
        )
        shared_nats.append(-value)
    return shared_nats


def guess_step(
    learning: Learning, game: Populated, steps: Steps, number: int
) -> tuple[float, float]:
    """One step of priors and classifiers (Equation 13); the graph stays as it is.

    Args:
      learning: what is changed.
      game: what the transitions are of.
      steps: a minibatch.
      number: which of the games it is.

    Returns:
      The cross entropies before the step, in nats, means over groups: of who sees
      graphs, and of who counts agents.
    """
    nets, sight = learning.nets, game.sight(steps.before)
    sizes = torch.tensor(game.sizes) / 10

    def count(weights: Tensor) -> Tensor:
        return -nets.counter.scores(weights, sizes).log_softmax(0)[number]

    seeing, counting = [], []
    for group, who in enumerate(nets.groups(game)):
        with torch.no_grad():
            heads = nets.graph.attentions(learning.weights("graph", group), sight, who)
            far = torch.cdist(sight.places[:, who], sight.places)
            facts = facts_of(heads, far)

        def see(
            prior: Tensor, xi: Tensor, facts: Tensor = facts, who: slice = who
        ) -> Tensor:
            guessed = nets.classifier.log_probabilities(
                xi, facts, steps.playing[:, who]
            )
            logs = nets.prior.log_probabilities(prior, game.sizes)
            return losses.guess_loss(guessed, logs, number)

        seeing.append(learning.descend(group, see, "prior", "classifier"))
        counting.append(learning.descend(group, count, "counter"))
    return sum(seeing) / len(seeing), sum(counting) / len(counting)
