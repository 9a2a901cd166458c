"""PSRO with learned responses and sampled payoffs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from meta_solvers import get
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.openspiel import sequence_form
from metaspiel.learn.evaluate import Instances, Matches, play, pure
from metaspiel.learn.mlp import MLP, LeakyMLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError
from psro import checkpoint
from psro.executor import InProcess
from psro.loop import respond, run, start, step
from psro.metrics import gap_error, row
from psro.parts import Population, Table
from psro.rl import LearnedOracle
from psro.sampled import SampledEvaluator, pools_of
from psro.selection import select
from psro.setup import Setup
from psro.targets import played, targets
from psro.together import together

TINY = DDQN(decisions=320, games=16, capacity=100, minimum=100, explore_decisions=200)


def parts(simulator, shared, seed=0, executor=None, settings=TINY, width=16, **more):
    executor, network = executor or InProcess(), MLP.of(simulator, width)
    oracle = LearnedOracle(
        simulator=simulator,
        network=network,
        settings=settings,
        executor=executor,
        shared=shared,
        episodes=200,
        **more,
    )
    evaluator = replace(oracle.evaluator(seed), episodes=100)
    return Setup(
        oracle=oracle, evaluator=evaluator, solver=get("rd"), concept="ne", seed=seed
    )


def last(setup, iterations, final_gap=False):
    return list(run(setup, start(setup), iterations, final_gap))[-1]


def same(one, two):
    assert np.array_equal(one.table.values, two.table.values)
    assert np.array_equal(one.table.errors, two.table.errors)
    assert np.array_equal(one.table.episodes, two.table.episodes)
    assert np.array_equal(one.train.joint, two.train.joint)
    for a, b in zip(one.population.stacked(), two.population.stacked(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_symmetric_game_has_one_pool():
    state = last(parts(Bargaining(), True), 3, final_gap=True)
    assert state.population.sizes == (4, 4)
    values = state.table.values[0]
    assert np.array_equal(values[0], values[1].T)
    assert (state.table.episodes == 100).all() and (
        state.table.errors[..., 0, 0] > 0
    ).all()
    plays = [member.play for member in state.population.pools[0]]
    assert plays == ["uniform", "greedy", "greedy", "greedy"]
    assert [r.player for r in state.responses] == [0, 1]
    assert state.responses[0].policy is state.responses[1].policy
    assert state.responses[0].error > 0
    assert np.array_equal(state.train.joint, state.train.joint.T)
    first, second = state.gaps["ne"]  # sums of the joint by rows and by columns
    assert first == pytest.approx(second, rel=1e-14)


@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_an_asymmetric_joint_in_a_shared_pool(concept):
    """Each player's own target is answered, although player 0 learns for all."""
    setup = parts(Bargaining(), True)
    state = last(setup, 1)
    game = state.table.game(state.population, repeats=False)
    joint = np.array([[0.1, 0.6], [0.0, 0.3]])
    asked = targets(game, joint, concept)
    answers = setup.oracle.respond(state.population, asked, np.random.default_rng(0))
    assert [a.player for a in answers] == [t.player for t in asked]
    for answer, target in zip(answers, asked, strict=True):
        assert answer.gain == pytest.approx(
            target.weight * max(answer.value - target.value, 0)
        )
    assert len({a.policy.tobytes() for a in answers}) == len(
        {t.co_play.round(9).tobytes() for t in asked}
    )
    grown = setup.oracle.grow(state.population, answers, np.random.default_rng(0))
    assert grown.sizes[0] == 2 + len({a.policy.tobytes() for a in answers})


def test_errors_of_a_symmetric_profile_are_of_its_mean():
    simulator = Bargaining()
    network = MLP.of(simulator, 16)
    uniform = Pool.uniform(network)
    population = Population(((), ()), shared=True).add(
        0, uniform.weights[0], play="uniform"
    )
    evaluator = SampledEvaluator(
        simulator=simulator, network=network, executor=InProcess(), episodes=500
    )
    table = evaluator.fill(
        population, Table.empty(2).grow(population), np.random.default_rng(0)
    )
    profile = pure(np.zeros((1, 2), dtype=np.int64), 500)
    match = Matches(
        simulator=simulator,
        network=network,
        pools=(uniform, uniform),
        profiles=profile,
        seed=(0, 7),
    )
    paid = play([match])[0].outcomes[0, :, 0].mean(axis=1)
    wanted = paid.std(ddof=1) / np.sqrt(500)
    assert table.errors[0, 0, 0, 0] == pytest.approx(wanted, rel=1e-4)


def test_three_players_with_pools_of_their_own():
    state = last(parts(OpenSpielSimulator("kuhn_poker(players=3)"), False), 2)
    assert state.population.sizes == (3, 3, 3)
    assert state.table.values.shape == (1, 3, 3, 3, 3)
    assert np.isfinite(state.table.values).all()
    assert np.allclose(state.table.values.sum(axis=1), 0, atol=1e-6)


def test_payoffs_agree_with_exact_ones():
    """Kuhn poker: networks as tables of behaviour in the sequence form."""
    simulator = OpenSpielSimulator("kuhn_poker")
    form = sequence_form("kuhn_poker")
    network = MLP.of(simulator, 16)
    evaluator = SampledEvaluator(
        simulator=simulator,
        network=network,
        executor=InProcess(),
        episodes=4000,
        seed=3,
    )
    (zero,), population = Pool.uniform(network).weights, Population(((), ()))
    for player in (0, 1):
        population = population.add(player, zero, play="uniform")
    rng = np.random.default_rng(0)
    table = evaluator.fill(population, Table.empty(2).grow(population), rng)
    exact = form.tensor([tree.plan(tree.uniform())[None] for tree in form.trees])
    apart = np.abs(table.values[0] - exact)
    assert (apart <= 4.5 * table.errors[0] + 1e-12).all()
    assert table.errors.max() < 0.03


def test_only_new_profiles_are_played_and_on_the_same_episodes():
    class Counting(InProcess):
        cells = 0

        def answer(self, work, requests):
            if work.__name__ == "play" and requests[0].profiles.shape[1] == 100:
                Counting.cells += sum(len(r.profiles) for r in requests)
            return super().answer(work, requests)

    setup = parts(Bargaining(), True, executor=Counting())
    states = [start(setup)]
    counts = [Counting.cells]
    for state in run(setup, states[0], 3):
        states.append(state)
        counts.append(Counting.cells)
    assert np.diff([0, *counts]).tolist() == [1, 2, 3, 4]
    before, after = states[-2].table, states[-1].table
    assert np.array_equal(after.values[:, :, :3, :3], before.values)
    again = setup.evaluator.fill(
        states[-1].population,
        Table.empty(2).grow(states[-1].population),
        np.random.default_rng(1),
    )
    assert np.allclose(again.values, after.values, atol=1e-12)


def test_resumed_bit_for_bit(tmp_path):
    setup = parts(Bargaining(), True, penalty=0.0, coverage=0.5, anneal=2)
    whole = last(setup, 3)
    for final_gap in (False, True):
        checkpoint.save(last(setup, 1, final_gap), tmp_path)
        loaded = checkpoint.latest(tmp_path)
        if final_gap:
            assert loaded.responses[0].error > 0
        else:
            assert loaded.responses is None and loaded.gaps == {"ne": None}
        same(list(run(setup, loaded, 3))[-1], whole)


class Trainings(InProcess):
    """Counts the responses that are learned."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def answer(self, work, requests):
        if work is train:
            self.count += len(requests)
        return super().answer(work, requests)


@pytest.mark.parametrize("shared", [True, False])
def test_only_responses_that_may_join_are_learned(shared):
    """k iterations of N players take k * N trainings, those of a shared pool k."""
    game = Bargaining() if shared else OpenSpielSimulator("kuhn_poker(players=3)")
    counted = Trainings()
    setup = parts(game, shared, executor=counted)
    setup = replace(setup, evaluation=get("uniform"), measured=("ne", "cce", "ce"))
    each = 1 if shared else 3
    first = start(setup)
    assert counted.count == 0
    assert first.responses is None and first.gap("ne") is None
    for state in run(setup, first, 3):
        done = min(state.iteration + 1, 3)  # the last state is not responded to
        assert counted.count == done * each
        assert (state.responses is None) == (state.iteration == 3)
        assert state.gaps["cce"] is state.gaps["ce"] is state.evaluation_gaps is None
        made = row(state, "ne")
        assert made.gap == state.gap("ne")
        assert (made.gap_error is None) == (state.iteration == 3)
        assert made.gaps["cce"] is made.gaps["ce"] is made.eval_gap is None
    answered = respond(setup, state)
    assert counted.count == 4 * each
    assert answered.gap("ne") >= 0 and respond(setup, answered) is answered
    step(setup, answered)
    assert counted.count == 4 * each


def test_the_error_of_a_gap_counts_responses_payoffs_and_weights():
    shared = next(run(parts(Bargaining(), True), start(parts(Bargaining(), True)), 2))
    game = shared.table.game(shared.population, repeats=False)
    joint = played(shared.train.joint, "ne")
    table = (shared.table.errors[0] * joint).sum()
    one, two = shared.responses
    assert one.policy is two.policy and one.error > 0 and table > 0
    both = np.hypot(2 * one.error, table)  # one estimate that both seats share
    assert gap_error(shared, game, "ne") == pytest.approx(both)

    setup = parts(OpenSpielSimulator("kuhn_poker"), False)
    setup = replace(setup, concept="ce", solver=get("rdirichlet"))
    state = respond(setup, step(setup, start(setup)))
    game = state.table.game(state.population, repeats=False)
    weights = [t.weight for t in targets(game, state.train.joint, "ce")]
    assert min(weights) < 1
    earned = sum(
        (w * r.error) ** 2 for w, r in zip(weights, state.responses, strict=True)
    )
    table = (state.table.errors[0] * state.train.joint).sum()
    assert gap_error(state, game, "ce") == pytest.approx(np.sqrt(earned + table**2))
    assert gap_error(replace(state, responses=None), game, "ce") is None


def test_the_last_gap_is_the_one_that_going_on_would_have_measured():
    setup = parts(Bargaining(), True)
    alone = last(setup, 1, final_gap=True)
    within = next(run(setup, start(setup), 2))
    assert alone.gaps["ne"].tobytes() == within.gaps["ne"].tobytes()
    assert alone.evaluation_gaps is alone.gaps["ne"]
    for one, two in zip(alone.responses, within.responses, strict=True):
        assert one.policy.tobytes() == two.policy.tobytes()


def test_trials_together_are_trials_alone():
    def trial(seed):
        return lambda executor: last(parts(Bargaining(), True, seed, executor), 2)

    batches = []

    class Watching(InProcess):
        def answer(self, work, requests):
            batches.append((work.__name__, len(requests)))
            return super().answer(work, requests)

    finals = together([trial(s) for s in range(3)], Watching())
    assert ("train", 3) in batches
    for seed, state in enumerate(finals):
        same(state, trial(seed)(InProcess()))


def test_all_instances_are_exact():
    """OpenSpiel's bargaining: every instance once, against many random episodes."""
    simulator = OpenSpielSimulator("bargaining")
    network = MLP.of(simulator, 16)
    net = network.initial(torch.Generator().manual_seed(1)).numpy()
    population = Population(((), ()))
    for player in (0, 1):
        population = population.add(player, np.zeros_like(net), play="uniform")
        population = population.add(player, net, play="greedy")
        population = population.add(player, net, play="sampled")
    listed = Instances.of(simulator)
    assert listed.weights.sum() == pytest.approx(1)
    tables = [
        SampledEvaluator(
            simulator=simulator,
            network=network,
            executor=InProcess(),
            episodes=300,
            seed=seed,
            instances=instances,
        ).fill(population, Table.empty(2).grow(population), np.random.default_rng(0))
        for seed, instances in ((0, listed), (1, listed), (2, None))
    ]
    one, two, sampled = tables
    assert one.episodes.tolist() == [[300] * 3, [300, 0, 300], [300] * 3]
    assert np.array_equal(one.values[..., 1, 1], two.values[..., 1, 1])
    assert (one.errors[..., 1, 1] == 0).all()
    assert (one.errors[..., 2, 2] > 0).all()
    apart = np.abs(one.values - sampled.values)[..., 1, 1]
    assert (apart <= 4.5 * sampled.errors[..., 1, 1] + 1e-9).all()
    with pytest.raises(UserError, match="finitely many outcomes"):
        Instances.of(Bargaining())


def test_a_policy_played_otherwise_is_another_policy(tmp_path):
    setup = parts(Bargaining(), True)
    state = last(setup, 1, final_gap=True)
    (_, learned), _ = state.population.pools
    assert state.population.find(0, learned.policy, "greedy") == 1
    assert state.population.find(0, learned.policy, "sampled") is None
    grown = state.population.add(0, learned.policy, play="sampled")
    assert [m.play for m in grown.pools[1]] == ["uniform", "greedy", "sampled"]
    assert [m.repeats for m in grown.pools[1]] == [1, 1, 1]
    checkpoint.save(replace(state, population=grown), tmp_path)
    loaded = checkpoint.latest(tmp_path)
    assert [m.play for m in loaded.population.pools[0]] == [
        m.play for m in grown.pools[0]
    ]
    assert {r.play for r in loaded.responses} == {"greedy"}
    again = [replace(r, policy=learned.policy) for r in state.responses]
    rng = np.random.default_rng(0)
    assert select("all_novel", state.population, again, [0], rng) == []
    other = [replace(r, play="sampled") for r in again]
    assert len(select("all_novel", state.population, other, [0], rng)) == 1
    with pytest.raises(UserError, match="play"):
        pools_of(Population(((), ())).add(0, learned.policy).add(1, learned.policy))


def test_coverage_falls_to_nothing():
    oracle = parts(Bargaining(), True, coverage=0.4).oracle
    assert [round(oracle.covering(t), 3) for t in (0, 1, 5, 10, 11)] == [
        0.4, 0.36, 0.2, 0.0, 0.0,
    ]  # fmt: skip
    kept = parts(Bargaining(), True, coverage=0.4, anneal=0).oracle
    assert kept.covering(30) == 0.4


@pytest.mark.slow
def test_online_psro_lowers_the_regret_of_uniform_play():
    """A slice of what the README shows: learned gains shrink, values rise."""
    settings = DDQN(
        decisions=4000,
        capacity=1000,
        minimum=1000,
        explore_decisions=3000,
        rate=5e-4,
    )
    setup = parts(Bargaining(), True, settings=settings, width=64)
    first = respond(setup, start(setup))
    final = list(run(setup, first, 4, final_gap=True))[-1]
    assert first.gaps["ne"].sum() > 12
    assert final.gaps["ne"].sum() < 0.6 * first.gaps["ne"].sum()
    assert final.train.values.sum() > 2 * first.train.values.sum()


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="needs a symmetric game"):
        parts(OpenSpielSimulator("kuhn_poker"), True)
    with pytest.raises(UserError, match=r"coverage in \[0, 1\]"):
        parts(Bargaining(), False, coverage=1.5)
    game = Bargaining()
    leaky = LeakyMLP(game.inputs, 8, game.actions)
    with pytest.raises(UserError, match=r"LearnedOracle\(\): .* must be an MLP"):
        LearnedOracle(
            simulator=game, network=leaky, settings=TINY, executor=InProcess()
        )
