"""What ``speed_learner`` measures of sampled payoffs."""

from functools import partial

import numpy as np
from numpy import ndarray

from experiments.speed.measuring import timed
from experiments.speed.our_learner import GAMES, Plan, Row, row, task
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.evaluate import Matches, Scores, play, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.speed import fresh
from psro.executor import InProcess
from psro.parts import Population, Table
from psro.sampled import SampledEvaluator
from psro.setup import Stage

ENTRY = 1000  # episodes of an entry that is compared
# Every second network makes a few updates and learns to accept: short episodes as well.
LIGHT = DDQN(
    decisions=640, minimum=64, rate=1e-3, explore_last=1.0, explore_decisions=0
)


def entries(plan: Plan) -> list[Row]:
    """A whole symmetric empirical game, one row more of it, and OpenSpiel's entries."""
    sim, policies, episodes = Bargaining(), plan.policies, plan.episodes
    network = MLP.of(sim)
    vectors = fresh(network, policies, plan.seed)
    asked = partial(task, sim, network, LIGHT, opponents=Pool.uniform(network))
    tasks = [asked(seed=plan.seed + p) for p in range(0, policies, 2)]
    vectors[::2] = [learned.policy for learned in train(tasks)]
    population = Population(((),) * 2, shared=True)
    for vector in vectors:
        population = population.add(0, vector, play="greedy")
    evaluator = SampledEvaluator(
        simulator=sim,
        network=network,
        executor=InProcess(),
        episodes=episodes,
        seed=plan.seed,
    )
    rng, table = np.random.default_rng(0), Table.empty(2).grow(population)
    whole, _ = timed(lambda: evaluator.fill(population, table, rng))
    first, last = np.triu_indices(policies)
    cells = np.stack([first, last], 1).astype(np.int64)
    newest = cells[last == policies - 1]
    single, _ = timed(lambda: _play(vectors, newest, episodes, seed=plan.seed))
    length = float(_play(vectors, cells, 20, seed=plan.seed + 1).length.mean())
    decision = whole / (len(cells) * episodes * length)
    name = f"{policies}x{policies} symmetric game, {len(cells)} entries of {episodes}"
    goal = 20 if (policies, episodes) == (40, 1000) else None
    note = f"{length:.1f} decisions an episode"
    line = partial(row, "payoffs")
    rows = [
        line(f"{name} episodes", whole, unit="CPU s", most=goal, note=note),
        line("a decision in it", 1e6 * decision, unit="us"),
        line(f"one more row of {policies} entries", single, unit="CPU s"),
    ]
    if plan.theirs:
        pair = _play(vectors, cells[1:2], ENTRY, seed=plan.seed + 2)
        rows += _theirs(plan, vectors, pair, decision)
    return rows


def _play(vectors: ndarray, cells: ndarray, episodes: int, *, seed: int) -> Scores:
    game = Bargaining()
    match = Matches(
        simulator=game,
        network=MLP.of(game),
        pools=(Pool.of(vectors),) * 2,
        profiles=pure(cells, episodes),
        seed=(seed, int(Stage.EPISODES)),
    )
    return play([match])[0]


def _theirs(plan: Plan, vectors: ndarray, pair: Scores, decision: float) -> list[Row]:
    """The first two policies, greedy, on OpenSpiel's environment."""
    from experiments.speed import openspiel_dqn

    length, network = float(pair.length[0]), MLP.of(Bargaining())
    rows, line = [], partial(row, "openspiel")
    for game, text in GAMES.items():
        env = openspiel_dqn.environment(game, plan.seed)
        agents = [openspiel_dqn.agent(env, p, plan.settings, p) for p in (0, 1)]
        same = game == "bargaining_generalized"
        for agent, vector in zip(agents, vectors, strict=False) if same else ():
            openspiel_dqn.load(agent, network, vector)
        play = partial(openspiel_dqn.play, env, agents, plan.few)
        seconds, (decisions, mean) = timed(play)
        note = f"from {plan.few} episodes, at {length:.1f} decisions each"
        if same:
            note += f"; payoffs {_text(mean)}, ours {_text(pair.mean[0, 0])}"
        once, faster = seconds / decisions, f"ours is faster than that entry, {text}"
        entry = f"entry of {ENTRY} episodes, {text}"
        rows += [
            line(entry, ENTRY * length * once, unit="CPU s", note=note),
            line(faster, once / decision, unit="x", least=40),
        ]
    return rows


def _text(values: ndarray) -> str:
    return " and ".join(f"{value:.2f}" for value in values)
