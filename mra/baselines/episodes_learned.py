"""Gradient steps of recurrent policies on whole episodes, through their time."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.games.entities import Populated, Sight
from mra.heads import drawn
from mra.learning import Learning
from mra.replay import Steps
from mra.update import Lesson, improve


@dataclass(frozen=True, eq=False, kw_only=True)
class Minibatch:
    """E whole episodes of T steps; ``steps`` has them one after the other.

    Attributes:
      steps: the transitions, R = E T.
      whole: states of all times, R = E (T + 1).
      rewards: each agent's own, as they are.
      actions: what was done.
      hidden: the agents' hidden states at the begin.
      before: what was fed back at the begin.
      uniforms: numbers by which next actions and present ones are drawn.
    """

    steps: Steps
    whole: Mapping[str, Tensor]
    rewards: Float32[Tensor, "E T N"]
    actions: Tensor
    hidden: Float32[Tensor, "E N U"]
    before: Float32[Tensor, "E N L"]
    uniforms: Float32[Tensor, "2 R N"]

    @classmethod
    def of(cls, rows: Mapping[str, Tensor], uniforms: Tensor) -> "Minibatch":
        """From rows of a replay."""
        states = {k.partition(".")[2]: v for k, v in rows.items() if "." in k}
        playing, length = rows["playing"], rows["actions"].shape[1]
        return cls(
            steps=Steps(
                before={k: v[:, :-1].flatten(0, 1) for k, v in states.items()},
                after={k: v[:, 1:].flatten(0, 1) for k, v in states.items()},
                actions=rows["actions"].flatten(0, 1),
                rewards=rows["rewards"].flatten(0, 1),
                playing=playing[:, :-1].flatten(0, 1),
                going=playing[:, 1:].flatten(0, 1),
                latents=rows["latents"].repeat_interleave(length, 0),
            ),
            whole={k: v.flatten(0, 1) for k, v in states.items()},
            rewards=rows["rewards"],
            actions=rows["actions"],
            hidden=rows["hidden"],
            before=rows["before"],
            uniforms=uniforms,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Group:
    """A group's part of a minibatch."""

    learning: Learning
    batch: Minibatch
    sight: Sight
    who: slice

    def graph(self, weights: Tensor) -> Float32[Tensor, "R n N"]:
        """Whom its agents attend to at all times."""
        sight, who = self.sight, self.who
        one = torch.zeros(sight.live[:, who].shape, dtype=torch.int64)
        return self.learning.nets.graph.attention(weights, sight, who, one)

    def logits(self, weights: Tensor, graph: Tensor) -> Float32[Tensor, "E T_1 n A"]:
        """Scores of its agents' actions at all times, the last among them."""
        policy, batch, who = self.learning.nets.policy, self.batch, self.who
        seen = policy.embedded(weights, self.sight, who, graph)
        later = policy.extras(batch.actions[:, :, who], batch.rewards[:, :, who])
        before = torch.cat([batch.before[:, None, who], later], 1)
        seen = seen.unflatten(0, before.shape[:2])
        scores: Tensor = policy.along(weights, seen, before, batch.hidden[:, who])
        return scores

    def scores(self, policy: Tensor, phi: Tensor) -> Float32[Tensor, "R n A"]:
        """Scores of actions at the steps, by the weights of policy and graph."""
        return self.split(self.logits(policy, self.graph(phi)))[0]

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of all times, before the steps and after them, as transitions."""
        along = x.view(len(self.batch.rewards), -1, *x.shape[-2:])
        return along[:, :-1].flatten(0, 1), along[:, 1:].flatten(0, 1)


def episode_step(
    learning: Learning,
    game: Populated,
    batch: Minibatch,
    scale: list[tuple[Tensor, Tensor]],
) -> list[float]:
    """One step of every critic, and of every policy with its graph (Equations 8, 10).

    Args:
      learning: what is changed.
      game: what the episodes are of.
      batch: whole episodes.
      scale: mean and deviation of every group's rewards.

    Returns:
      The critics' losses before the step.
    """
    nets, steps = learning.nets, batch.steps
    sight = game.sight(dict(batch.whole))
    later, present = torch.empty_like(steps.actions), torch.empty_like(steps.actions)
    groups, graphs, following = [], [], []
    with torch.no_grad():
        for group, who in enumerate(nets.groups(game)):
            part = _Group(learning=learning, batch=batch, sight=sight, who=who)
            graph = part.graph(learning.weights("graph", group))
            after = part.split(part.logits(learning.delayed["policy"][group], graph))[1]
            now = part.split(part.logits(learning.weights("policy", group), graph))[0]
            later[:, who] = drawn(after, batch.uniforms[0][:, who])
            present[:, who] = drawn(now, batch.uniforms[1][:, who])
            groups.append(part)
            graphs.append(part.split(graph))
            following.append(after)
    return [
        improve(
            learning,
            Lesson(
                group=group,
                who=part.who,
                steps=steps,
                sights=(game.sight(steps.before), game.sight(steps.after)),
                graphs=graphs[group],
                following=following[group],
                actions=(present, later),
                scale=scale[group],
                scores=part.scores,
            ),
            "policy",
            "graph",
        )
        for group, part in enumerate(groups)
    ]
