"""Payoffs for laws that any game must obey, and what they are worth by counting."""

import numpy as np


def drawn(rng):
    """Payoffs of one to three players with one to three actions each; many are tied."""
    shape = tuple(rng.integers(1, 4, rng.integers(1, 4)).tolist())
    return np.round(rng.normal(size=(len(shape), *shape)), 1)


def expected(payoff, profile, player):
    """Expected payoff of each own action, one joint action after the other."""
    rates = np.zeros(payoff.shape[player])
    for joint in np.ndindex(*payoff.shape):
        others = [profile[q][a] for q, a in enumerate(joint) if q != player]
        rates[joint[player]] += np.prod(others) * payoff[joint]
    return rates
