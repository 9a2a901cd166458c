"""Offline: a meta-strategy for Bargaining from episodes that you recorded.

Here they are made up by a simple rule; yours would be read from your own files.
"""

import numpy as np
import torch

from metaspiel.games import bargaining_rules as rules
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.mlp import MLP
from metaspiel.learn.settings import DDQN
from offline.coffee import Approach, setup
from offline.dynamics import train
from offline.model import ModelSimulator
from offline.record import replay
from offline.settings import Training
from offline.starts import starts
from psro import InProcess, run, start

torch.set_num_threads(1)
rng = np.random.default_rng(0)
episodes = 80

# What an episode is: who moves first, the pool, what items are worth to each player...
first = rng.integers(2, size=episodes)
pools = rules.pools()[rng.integers(len(rules.pools()), size=episodes)]
valuations = np.full((episodes, 2, 3), 1.0) + rng.dirichlet(
    np.ones(3), size=(episodes, 2)
) * rng.uniform(2, 7, size=(episodes, 2, 1))

# ...and the actions in order: offers are numbered 0 to 107, 108 accepts.
actions = []
for pool in pools:
    fits = np.flatnonzero((rules.offers() <= pool).all(axis=1))
    offers = rng.choice(fits, size=rng.integers(1, rules.ROUNDS))
    actions.append([*offers.tolist(), rules.ACCEPT])

# Replayed through the rules of the game: a wrong episode is refused with its number.
data = replay(Bargaining(), first, pools, valuations, actions, behaviour="mine")
ensemble = train([data], seeds=[0], training=Training(steps=100))  # published: 10,000
model = ModelSimulator(learned=ensemble, starts=starts([data]))
offline = setup(
    model,
    MLP.of(model),
    Approach("coffee"),
    exploration="r2d",
    settings=DDQN.budget(1000),  # published: 200,000 decisions a response
    executor=InProcess(),
    seed=0,
    episodes=50,
)
for state in run(offline, start(offline), iterations=1):
    mine, theirs = state.train.marginals
    print(f"iteration {state.iteration}: {state.population.sizes[0]} policies")
    print("meta-strategy", mine.round(3), "after", data.trajectories, "episodes")
