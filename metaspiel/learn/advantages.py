"""Generalised advantage estimation and the targets of critics."""

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray


def advantages(
    rewards: Float64[ndarray, "T B N"],
    values: Float64[ndarray, "T B N"],
    after: Float64[ndarray, "T B N"],
    last: Bool[ndarray, "T B"],
    gamma: float,
    lam: float,
) -> Float64[ndarray, "T B N"]:
    """``A_t = sum_k (gamma lam)^k delta_{t+k}`` within each episode.

    ``delta_t = r_t + gamma V_{t+1} - V_t`` (Schulman et al. 2016).

    Args:
      rewards: rewards of each step.
      values: V of the observation before it.
      after: V of the observation after it where it is the last of its episode or of
        the batch (0 where nothing follows); not read elsewhere.
      last: the step is the last of its episode or of the batch.
      gamma: discount factor.
      lam: weight of longer estimates.
    """
    follows = np.concatenate([values[1:], after[-1:]])
    ends = last[:, :, None]
    delta = rewards + gamma * np.where(ends, after, follows) - values
    return _sums(delta, ends, np.zeros_like(after), gamma * lam)


def targets(
    rewards: Float64[ndarray, "T B N"],
    after: Float64[ndarray, "T B N"],
    last: Bool[ndarray, "T B"],
    gamma: float,
) -> Float64[ndarray, "T B N"]:
    """Discounted returns, bootstrapped by ``after`` at the last step."""
    return _sums(rewards, last[:, :, None], after, gamma)


def _sums(each: ndarray, ends: ndarray, after: ndarray, discount: float) -> ndarray:
    """Discounted sums within episodes, bootstrapped by ``after`` at the last step."""
    sums = np.empty_like(each)
    following = np.zeros_like(each[0])
    for t in range(len(each) - 1, -1, -1):
        following = each[t] + discount * np.where(ends[t], after[t], following)
        sums[t] = following
    return sums
