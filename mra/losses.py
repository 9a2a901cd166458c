"""Losses of MRA for the agents of one group; equations of arXiv 2108.12988.

Every function is pure: weights and a minibatch in, one number to differentiate out.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


def masked_mean(
    values: Float[Tensor, "R n"], counted: Bool[Tensor, "R n"]
) -> Float[Tensor, ""]:
    """The mean over agents that take part; 0 where nobody does."""
    weight = counted.float()
    return (values * weight).sum() / weight.sum().clamp_min(1)


def target(
    rewards: Float[Tensor, "R n"],
    going: Bool[Tensor, "R n"],
    *,
    logits: Float[Tensor, "R n A"],
    values: Float[Tensor, "R n A"],
    gamma: float,
    entropy: float,
) -> Float[Tensor, "R n"]:
    """What a critic learns (Equation 8): reward and soft value of what follows.

    The own next action is summed over rather than drawn: the same expectation with
    less variance.

    Args:
      rewards: of the steps.
      going: who takes part after them.
      logits: the delayed policy's, after the steps.
      values: the delayed critic's, of all own next actions.
      gamma: discount a step.
      entropy: lambda; the paper has 0, its code 1/30.
    """
    logs = logits.log_softmax(2)
    value = (logs.exp() * (values - entropy * logs)).sum(2)
    return rewards + gamma * going * value


def critic_loss(
    values: Float[Tensor, "R n A"],
    actions: Int64[Tensor, "R n"],
    targets: Float[Tensor, "R n"],
    playing: Bool[Tensor, "R n"],
) -> Float[Tensor, ""]:
    """Mean squared error of the values of what was done (Equation 8)."""
    taken = values.gather(2, actions[..., None])[..., 0]
    return masked_mean((taken - targets).square(), playing)


def policy_loss(
    logits: Float[Tensor, "R n A"],
    values: Float[Tensor, "R n A"],
    playing: Bool[Tensor, "R n"],
    entropy: float,
) -> Float[Tensor, ""]:
    """Loss whose gradient is the counterfactual policy gradient (Equations 9 and 10).

    All own actions are summed over, each weighted by its advantage over what the policy
    earns on average while the others do what they do (Foerster et al. 2018).
    """
    logs = logits.log_softmax(2)
    chance = logs.exp()
    with torch.no_grad():
        advantage = values - (chance * values).sum(2, keepdim=True)
        weight = advantage - entropy * logs
    return masked_mean(-(chance * weight).sum(2), playing)


def information(
    logits: Float[Tensor, "R n Z A"], prior: Float[Tensor, " Z"]
) -> Float[Tensor, "R n"]:
    """Mutual information of latent and action, in nats (Equation 11), exactly.

    Between 0 and the logarithm of the smaller number of latents and actions.

    Args:
      logits: of the policy under every latent.
      prior: logarithms of the latents' chances.
    """
    logs = logits.log_softmax(3)
    mixed = (logs + prior[:, None]).logsumexp(2, keepdim=True)
    apart = (logs.exp() * (logs - mixed)).sum(3)
    return (prior.exp() * apart).sum(2)


def guess_loss(
    guessed: Float[Tensor, "R Z M"], prior: Float[Tensor, " Z"], game: int
) -> Float[Tensor, ""]:
    """Cross entropy of the guessed game (Equation 13), summed over latents exactly."""
    return -(prior.exp() * guessed[:, :, game]).sum(1).mean()
