"""What ``experiments.speed.learner`` measures of sampled payoffs."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy import ndarray

from experiments.speed.our_learner import GAMES, PAPER, Row, fresh, task, timed
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.ddqn import train
from metaspiel.learn.evaluate import Matches, Scores, play, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from psro.executor import InProcess
from psro.parts import Population, Table
from psro.rl import SampledEvaluator
from psro.setup import Stage

ENTRY = 1000  # episodes of an entry that is compared
# Every second network makes a few updates and learns to accept: short episodes as well.
LIGHT = replace(
    PAPER, decisions=640, minimum=64, rate=1e-3, explore_last=1.0, explore_decisions=0
)


def entries(
    policies: int, episodes: int, seed: int, theirs: bool, few: int
) -> list[Row]:
    """A whole symmetric empirical game, one row more of it, and OpenSpiel's entries.

    Args:
      policies: of a shared pool, every second one lightly trained.
      episodes: of each entry.
      seed: of all randomness.
      theirs: whether OpenSpiel's are measured.
      few: episodes that it plays.
    """
    sim = Bargaining()
    network = MLP.of(sim)
    vectors = fresh(network, policies, seed)
    asked = partial(task, sim, network, LIGHT, Pool.uniform(network))
    tasks = [asked(seed + p) for p in range(0, policies, 2)]
    vectors[::2] = [learned.policy for learned in train(tasks)]
    population = Population(((),) * 2, shared=True)
    for vector in vectors:
        population = population.add(0, vector, play="greedy")
    table = Table.empty(2).grow(population)
    evaluator = SampledEvaluator(
        simulator=sim,
        network=network,
        executor=InProcess(),
        episodes=episodes,
        seed=seed,
    )
    whole = timed(lambda: evaluator.fill(population, table, np.random.default_rng(0)))
    first, last = np.triu_indices(policies)
    cells = np.stack([first, last], 1).astype(np.int64)
    row = cells[last == policies - 1]
    single = timed(lambda: _play(vectors, row, episodes, seed))
    length = float(_play(vectors, cells, 20, seed + 1).length.mean())
    decision = whole / (len(cells) * episodes * length)
    full = (policies, episodes) == (40, 1000)
    name = f"{policies}x{policies} symmetric game, {len(cells)} entries of {episodes}"
    rows = [
        Row(
            part="payoffs",
            what=f"{name} episodes",
            value=whole,
            unit="CPU s",
            goal="at most 20 s" * full,
            met=whole <= 20 if full else None,
            note=f"{length:.1f} decisions an episode",
        ),
        Row(part="payoffs", what="a decision in it", value=1e6 * decision, unit="us"),
        Row(
            part="payoffs",
            what=f"one more row of {policies} entries",
            value=single,
            unit="CPU s",
        ),
    ]
    if theirs:
        pair = _play(vectors, cells[1:2], ENTRY, seed + 2)
        rows += _theirs(vectors, pair, decision, few, seed)
    return rows


def _play(vectors: ndarray, cells: ndarray, episodes: int, seed: int) -> Scores:
    game = Bargaining()
    match = Matches(
        simulator=game,
        network=MLP.of(game),
        pools=(Pool.of(vectors),) * 2,
        profiles=pure(cells, episodes),
        seed=(seed, int(Stage.EPISODES)),
    )
    return play([match])[0]


def _theirs(
    vectors: ndarray, pair: Scores, decision: float, few: int, seed: int
) -> list[Row]:
    """The first two policies, greedy, on OpenSpiel's environment."""
    from experiments.speed import openspiel_dqn as _dqn

    length, rows = float(pair.length[0]), []
    mine = ENTRY * length * decision
    for game, text in GAMES.items():
        env = _dqn.environment(game, seed)
        network = MLP.of(Bargaining())
        agents = [_dqn.agent(env, p, PAPER, p) for p in (0, 1)]
        note = f"from {few} episodes, at {length:.1f} decisions each"
        same = game == "bargaining_generalized"
        for p, agent in enumerate(agents) if same else ():
            _dqn.load(agent, network, vectors[p])
        seconds, decisions, mean = _dqn.play(env, agents, few)
        if same:
            note += f"; payoffs {_text(mean)}, ours {_text(pair.mean[0, 0])}"
        theirs = ENTRY * length * seconds / decisions
        rows += [
            Row(
                part="openspiel",
                what=f"entry of {ENTRY} episodes, {text}",
                value=theirs,
                unit="CPU s",
                note=note,
            ),
            Row(
                part="openspiel",
                what=f"ours is faster than that entry, {text}",
                value=theirs / mine,
                unit="x",
                goal="at least 40x",
                met=theirs >= 40 * mine,
            ),
        ]
    return rows


def _text(values: ndarray) -> str:
    return " and ".join(f"{value:.2f}" for value in values)
