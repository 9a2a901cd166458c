"""Gradient steps without a reward: on information, and on guessing the game."""

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.games.entities import Populated
from mra import losses
from mra.heads import facts_of
from mra.replay import Steps
from mra.update import Learning


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
