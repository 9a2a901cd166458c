"""Structured families of random games, generated from their definitions.

After GAMUT (Nudelman, Wortman, Leyton-Brown & Shoham 2004), natively and for any number
of players and actions the definition allows. Each function draws one payoff tensor
``[N, A1, ..., AN]``; actions are numbered from 0 and stand for facilities, candidates,
efforts, claims, times or prices in increasing order.
"""

import itertools

import numpy as np
from numpy import ndarray


def _played(actions: tuple[int, ...]) -> ndarray:
    """``[N, A1, ..., AN]``: which action each player plays in each joint action."""
    return np.indices(actions)


def congestion(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Congestion game: actions use random facilities whose cost grows with load.

    Payoff: minus the costs of the facilities used. Has an exact potential, so a pure
    equilibrium (Rosenthal 1973).
    """
    players, facilities = len(actions), max(2, *actions)
    cost = np.sort(rng.uniform(0, 1, (facilities, players + 1)), axis=1)
    uses = []
    for size in actions:
        chosen = rng.random((size, facilities)) < 0.5
        chosen[np.arange(size), rng.integers(facilities, size=size)] = True
        uses.append(chosen)
    taken = np.stack([use[i] for use, i in zip(uses, _played(actions), strict=True)])
    load = taken.sum(axis=0)  # [A1, ..., AN, facility]
    return -(taken * cost[np.arange(facilities), load]).sum(axis=-1)


def dispersion(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Common payoff: entropy in nats of how the players spread over the actions.

    Draws nothing. Grenager, Powers & Shoham 2002.
    """
    played = _played(actions)
    share = np.stack([(played == a).mean(axis=0) for a in range(max(actions))])
    with np.errstate(divide="ignore"):
        logs = np.where(share > 0, np.log(share), 0.0)
    entropy = -(share * logs).sum(axis=0)
    return np.stack([entropy] * len(actions))


def majority_voting(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Majority voting: the most voted candidate wins, the lowest number in a tie.

    Payoff: the player's utility of the winner, uniform in [-1, 1].
    """
    utility = rng.uniform(-1, 1, (len(actions), max(actions)))
    played = _played(actions)
    votes = np.stack([(played == a).sum(axis=0) for a in range(max(actions))])
    return utility[:, votes.argmax(axis=0)]


def minimum_effort(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Minimum effort: ``a + b * least effort - c * own effort`` with 0 < c < b <= 100.

    Van Huyck, Battalio & Beil 1990.
    """
    base = rng.uniform(-100, 100)
    reward = rng.uniform(1, 100)
    cost = rng.uniform(0.01, 0.99) * reward
    effort = _played(actions) + 1.0
    return base + reward * effort.min(axis=0) - cost * effort


def travellers_dilemma(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Traveller's dilemma: all get the least claim, who made it plus R, others minus R.

    If all claim the same nobody gains or loses. R is uniform in [1, largest claim].
    Basu 1994.
    """
    reward = rng.uniform(1, max(max(actions), 1.5))
    claim = _played(actions) + 1.0
    least = claim.min(axis=0)
    differ = claim.max(axis=0) > least
    return least + np.where(differ, np.where(claim == least, reward, -reward), 0.0)


def war_of_attrition(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """War of attrition: actions are times to give up; the last to stay wins the prize.

    Every player pays for waiting until the second-to-last gives up (or until giving up
    alone); those who tie for last share the prize. Maynard Smith 1974.
    """
    players = len(actions)
    shape = (players,) + (1,) * players
    prize = rng.uniform(100, 1000, players).reshape(shape)
    rate = rng.uniform(1, 100, players).reshape(shape)
    time = _played(actions).astype(np.float64)
    ordered = np.sort(time, axis=0)
    paid = np.minimum(time, ordered[-2])
    last = time == ordered[-1]
    return np.where(last, prize / last.sum(axis=0), 0.0) - rate * paid


def bertrand(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Bertrand: actions are prices; the lowest share a demand that falls with price.

    Payoff of a seller: price times quantity minus a cost that grows with quantity.
    """
    levels = max(actions)
    price = np.sort(rng.uniform(1, 100, levels))
    demand = -np.sort(-rng.uniform(1, 100, levels))
    linear, quadratic = rng.uniform(0, 20), rng.uniform(0, 0.2)
    played = _played(actions)
    least = played.min(axis=0)
    sells = played == least
    quantity = demand[least] / sells.sum(axis=0)
    profit = price[least] * quantity - linear * quantity - quadratic * quantity**2
    return np.where(sells, profit, 0.0)


def grab_the_dollar(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Grab the dollar: who alone grabs first gets the prize; actions are times.

    Those who grab first together get least, those who are late something between:
    random functions of the time with ``alone > late > together``.
    """
    worth = np.sort(rng.uniform(0, 100, (3, max(actions))), axis=0)
    together, late, alone = worth
    played = _played(actions)
    least = played.min(axis=0)
    first = played == least
    only = first.sum(axis=0) == 1
    return np.where(first, np.where(only, alone[least], together[least]), late[least])


def location(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Two shops at fixed places on a street choose prices (Hotelling 1929).

    Street of length l, shops a and b from its ends, unit cost of transport c. A shop
    dearer by more than the walk between them sells nothing, the other sells to all.
    """
    street, cost = rng.uniform(10, 1000), rng.uniform(0.1, 1.0)
    ends = rng.dirichlet(np.ones(3))[:2] * street
    low = rng.uniform(cost, 50.0)
    price = low + _played(actions) * rng.uniform(0.5, 2.0) * street * cost / 10
    gap = cost * (street - ends.sum())
    payoff = np.zeros((2, *actions))
    for own, other in ((0, 1), (1, 0)):
        middle = ends[own] + (street - ends.sum()) / 2
        share = np.clip(middle + (price[other] - price[own]) / (2 * cost), 0, street)
        share = np.where(price[own] > price[other] + gap, 0.0, share)
        share = np.where(price[other] > price[own] + gap, street, share)
        payoff[own] = share * price[own]
    return payoff


def polymatrix(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Polymatrix: sums of a uniform [-1, 1] bimatrix game for every pair."""
    players = len(actions)
    payoff = np.zeros((players, *actions))
    for one, two in itertools.combinations(range(players), 2):
        shape = [1] * players
        shape[one], shape[two] = actions[one], actions[two]
        for player in (one, two):
            payoff[player] += rng.uniform(-1, 1, shape)
    return payoff


def random_graphical(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Graphical game: payoffs depend on own action and those of random neighbours.

    The graph has each edge with probability 1/2, and at least one edge per player;
    payoffs are uniform in [-1, 1]. Kearns, Littman & Singh 2001.
    """
    players = len(actions)
    edge = np.triu(rng.random((players, players)) < 0.5, 1)
    edge |= edge.T
    for player in range(players):
        if not edge[player].any():
            other = (player + 1 + rng.integers(players - 1)) % players
            edge[player, other] = edge[other, player] = True
    payoff = np.zeros((players, *actions))
    for player in range(players):
        near = edge[player] | (np.arange(players) == player)
        shape = np.where(near, actions, 1)
        payoff[player] += rng.uniform(-1, 1, shape)
    return payoff
