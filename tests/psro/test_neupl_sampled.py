"""NeuPL-JPSRO in its sampled form: learned teachers, episodes, estimated payoffs."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from meta_solvers import get
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.recalling import Recalling
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool, chances
from metaspiel.learn.recurrent import Recurrent, shared_by_codes
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.nfg.errors import UserError
from psro import InProcess, Processes, Setup, checkpoint, run, start
from psro.metrics import row
from psro.neupl import (
    Codes,
    Distillation,
    EstimatedEvaluator,
    Head,
    Neural,
    PayoffNetwork,
    States,
    neural_arena,
    sampled_arena,
)
from psro.neupl.distilling import distil
from psro.neupl.lesson import Lesson
from psro.neupl.payoffs import fitted
from psro.neupl.states import Asked, Scout, Seen
from psro.parts import Population, Table
from psro.targets import targets

KUHN = "kuhn_poker"
PPO = PPOResponse(decisions=512, games=32, rounds=8, width=32, minibatch=128)
SMALL = Neural(
    codes=Codes(size=8, width=32),
    distillation=Distillation(
        optimiser="adam", batch=256, steps=300, rate=0.01, tolerance=0.05
    ),
    states=States(own=400, old=200),
    head=Head(width=16),
)
QUICK = Distillation(tolerance=0.05)


def small(**head):
    return replace(SMALL, head=Head(width=16, **head))


def arena_of(settings=PPO, name=KUHN, **more):
    more = {"neural": SMALL, "episodes": 100} | more
    return sampled_arena(OpenSpielSimulator(name), settings, **more)


def setup(arena, seed=0, executor=None):
    oracle, evaluator = arena.parts(seed, executor or InProcess())
    return Setup(
        oracle=oracle,
        evaluator=evaluator,
        solver=get("mgcce"),
        concept="cce",
        seed=seed,
    )


def last(made, iterations):
    return list(run(made, start(made), iterations))[-1]


def same(one, two):
    assert one.population.common.tobytes() == two.population.common.tobytes()
    assert one.table.values.tobytes() == two.table.values.tobytes()
    assert one.population.notes == two.population.notes


def test_the_exact_gap_of_what_the_network_plays_falls():
    settings = replace(PPO, decisions=2000, rate=3e-3)
    neural = replace(SMALL, distillation=replace(SMALL.distillation, tolerance=0.02))
    form = sequence_form(KUHN)
    arena = arena_of(settings, neural=neural, form=form, episodes=200)
    made = setup(arena)
    begun = start(made)
    gaps = [arena.referee.judge(begun.population, begun.train.joint, "cce")[0]]
    for state in run(made, begun, 2):
        joint = state.train.joint
        gaps.append(arena.referee.judge(state.population, joint, "cce")[0])
    assert gaps[0] == pytest.approx(0.917, abs=0.1)  # uniform play, as it is distilled
    assert gaps[-1] < 0.6 * gaps[0]
    notes = row(state, "cce").notes
    assert all(notes["distil_reached"])
    assert [len(own[0]) for own in notes["distil_old_divergence"]] == [2, 2]
    assert max(own[0][-1] for own in notes["distil_new_divergence"]) < 0.05
    assert {m.play for pool in state.population.pools for m in pool} == {"sampled"}
    assert arena.facts["oracle"] == "neupl"
    assert arena.facts["teacher"].startswith("ppo")


def test_resumes_bit_for_bit(tmp_path):
    arena = arena_of(neural=small(prior="half", parts=2))
    made = setup(arena)
    whole = list(run(made, start(made), 2))
    read = checkpoint.load(checkpoint.save(whole[0], tmp_path / "checkpoint"))
    same(list(run(setup(arena), read, 2))[-1], whole[-1])
    assert read.population.common.dtype == np.float32


class Apart(InProcess):
    """Answers each request by itself, as it is after a journey to a worker."""

    def answer(self, work, requests):
        travelled = pickle.loads(pickle.dumps(list(requests)))
        return [super(Apart, self).answer(work, [one])[0] for one in travelled]


def test_no_bit_depends_on_where_requests_are_answered():
    same(last(setup(arena_of()), 1), last(setup(arena_of(), executor=Apart()), 1))


@pytest.mark.slow
def test_workers_change_no_bit():
    here = last(setup(arena_of()), 1)
    with Processes(jobs=2) as executor:
        there = last(setup(arena_of(), executor=executor), 1)
    same(here, there)


def test_a_greedy_teacher_is_distilled_too():
    settings = DDQN(
        decisions=640, games=16, capacity=200, minimum=100, explore_decisions=300
    )
    made = setup(arena_of(settings))
    state = next(run(made, start(made), 2))
    assert {r.play for r in state.responses} == {"greedy"}
    grown = made.oracle.grow(
        state.population, state.responses, np.random.default_rng(0)
    )
    assert grown.sizes == (3, 3)
    realised = made.oracle.student.realised(grown)
    assert {m.play for pool in realised.pools for m in pool} == {"sampled"}
    assert max(grown.notes["distil_error"]) <= 0.05


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_recurrent_networks_have_codes(kind):
    game = Recalling(OpenSpielSimulator(KUHN), 2)
    body = Recurrent.of(game, kind, width=12, units=6)
    network = shared_by_codes(body, 5, "film")
    generator = torch.Generator().manual_seed(0)
    weights = network.initial(generator)
    codes = torch.randn(3, 5, generator=generator)
    x = torch.randn(4, game.inputs, generator=generator)
    state, code = torch.arange(4).repeat(3), torch.arange(3).repeat_interleave(4)
    paired = network.paired(weights, codes, x, state=state, code=code).view(3, 4, -1)
    folded = network.folded(weights, codes)
    plain = torch.stack([body.scores(one, x) for one in folded])
    torch.testing.assert_close(paired, plain, rtol=1e-5, atol=1e-5)


def test_a_recurrent_population_runs_and_is_judged():
    arena = arena_of(
        PPO,
        memory=2,
        network="gru",
        form=sequence_form(KUHN),
    )
    state = last(setup(arena), 1)
    assert state.population.sizes == (2, 2)
    assert 0 < arena.referee.judge(state.population, state.train.joint, "cce")[0] < 2


def test_what_a_response_is_told_and_begins_with():
    """Each switch changes what is learned, and only where it should."""
    plain = setup(arena_of())
    begun = start(plain)
    game = begun.table.game(begun.population, repeats=True)
    asked = targets(game, begun.train.joint, "cce")[:1]
    student, learned = plain.oracle.student, {}
    for name, head in {
        "usual": {},
        "blank": {"blank": True},
        "cold": {"start": "cold"},
        "frozen": {"frozen": True},
        "dirichlet": {"prior": "dirichlet", "parts": 2},
        "fresh": {"persist": False},
    }.items():
        made = replace(plain.oracle, student=replace(student, head=small(**head).head))
        rng = np.random.default_rng(0)
        (response,) = made.respond(begun.population, asked, rng)
        tail = response.policy[student.body.size :]
        moved = not np.array_equal(tail, student._split(begun.population)[1][0])
        assert moved == (name != "blank")  # nothing is learned of a blank summary
        learned[name] = response.policy.tobytes()
        grown = made.grow(begun.population, [response], rng)
        assert np.array_equal(student._split(grown)[1][0], tail)
    assert len(set(learned.values())) == len(learned)


def test_a_frozen_response_is_a_policy_of_the_network():
    made = setup(arena_of(neural=small(frozen=True, heat=1.0)))
    state = next(run(made, start(made), 2))
    student, size = made.oracle.student, made.oracle.student.body.size
    weights, _ = student._split(state.population)
    for response in state.responses:
        body = torch.from_numpy(response.policy[:size])
        theta = torch.from_numpy(weights[response.player])
        # FiLM scales and shifts; the last layer has no code in it.
        head = 32 * 2 + 2
        assert torch.equal(body[-head:], theta[student.body.size - head :][:head])


def test_states_are_those_that_policies_decide_at():
    game = OpenSpielSimulator(KUHN)
    network = MLP.of(game, 8)
    seeds = (torch.Generator().manual_seed(n) for n in range(2))
    weights = np.stack([4 * network.initial(seed).numpy() for seed in seeds])
    pools = (Pool.of(weights, "sampled"), Pool.uniform(network))
    scout = Scout(simulator=game, network=network, executor=InProcess())
    asked = [Asked(player=0, policies=[0, 1], each=300)]
    (visits,) = scout.visits(pools, asked, np.random.default_rng(0))
    counts = np.bincount(visits.policy)
    assert (counts <= 300).all() and (counts > 250).all()
    seen = Seen.of([visits])
    assert len(seen.inputs) <= 6  # three cards, first or third move
    for policy in (0, 1):
        rows = seen.policy == policy
        assert seen.weight[rows].sum() == pytest.approx(1)
    # A state's weight is how often it was visited.
    often = [
        (visits.policy[(visits.inputs == x).all(1)] == 0).sum() / counts[0]
        for x in seen.inputs[seen.state[seen.policy == 0]]
    ]
    np.testing.assert_allclose(seen.weight[seen.policy == 0], often)
    (does,) = seen.behaviour(
        network, pools[0], policies=[1], rows=np.arange(2), device="cpu"
    )
    torch.testing.assert_close(
        torch.from_numpy(does),
        chances(
            network,
            torch.from_numpy(weights[1]),
            "sampled",
            inputs=torch.from_numpy(seen.inputs[seen.state[:2]]),
            legal=torch.from_numpy(seen.legal[seen.state[:2]]),
        ),
    )


def test_batches_learn_what_all_rows_do():
    network = shared_by_codes(MLP(6, 32, 3), 4, "film")
    weights = network.initial(torch.Generator().manual_seed(1)).double().numpy()
    rng = np.random.default_rng(0)
    teacher = rng.dirichlet(np.ones(3), 24)
    lesson = Lesson(
        x=torch.eye(6),
        legal=torch.ones(6, 3, dtype=torch.bool),
        state=torch.arange(6).repeat(4),
        code=torch.arange(4).repeat_interleave(6),
        teacher=torch.from_numpy(teacher).float(),
        new=torch.arange(24) >= 18,
        weight=torch.from_numpy(rng.uniform(0.5, 1, 24)).float(),
    )
    settings = Distillation(
        optimiser="adam", batch=7, steps=1000, rate=0.01, tolerance=0.01
    )

    def learned(steps, seed):  # 24 rows in four batches
        return distil(
            network,
            weights,
            np.eye(4),
            lesson=lesson,
            settings=replace(settings, steps=steps),
            seed=seed,
        )

    made = learned(1000, 0)
    assert made.reached and made.error <= 0.01
    assert made.divergence.max() < 5e-3
    few, again, other = (learned(20, seed).weights.tobytes() for seed in (0, 0, 1))
    assert few == again != other


ESTIMATED = PayoffNetwork(share=0.7, within=1.0, steps=300)


def test_a_realised_gap_is_at_most_the_stored_one_and_twice_eta():
    form = sequence_form(KUHN)
    arena = neural_arena(form, distillation=QUICK, payoffs=ESTIMATED)
    made = setup(arena)
    estimated = 0
    for state in run(made, start(made), 5):
        realised = made.oracle.student.realised(state.population)
        exact = form.tensor(realised.stacked())
        stored, joint = state.table.values[0], state.train.joint
        eta = np.abs(stored - exact).max()
        for player in range(2):
            assert _gap(exact, joint, player) <= (
                _gap(stored, joint, player) + 2 * eta + 1e-12
            )
        notes = state.table.notes
        if notes:
            estimated += notes["payoff_estimated"]
            assert notes["payoff_played"] < 1
            cells = state.table.errors[0, 0] > 0
            assert 0 < cells.sum() == round((1 - notes["payoff_played"]) * cells.size)
            assert state.table.errors.max() == notes["payoff_eta"]
    assert estimated


def _gap(payoffs, joint, player):
    own = payoffs[player]
    co_play = joint.sum(axis=player, keepdims=True)
    return (own * co_play).sum(axis=1 - player).max() - (own * joint).sum()


def test_cells_are_played_where_the_estimate_is_not_good_enough():
    form = sequence_form(KUHN)
    unsure = replace(ESTIMATED, within=1e-9)
    made, plain = (
        setup(neural_arena(form, distillation=QUICK, payoffs=payoffs))
        for payoffs in (unsure, None)
    )
    one, two = last(made, 3), last(plain, 3)
    assert one.table.notes["payoff_played"] == 1.0
    assert not one.table.notes["payoff_estimated"]
    assert two.table.notes == {}
    np.testing.assert_allclose(one.table.values, two.table.values, atol=1e-12)
    assert row(one, "cce").notes["payoff_eta"] == one.table.notes["payoff_eta"]


class Sums:
    """Pays each player a function of both codes, the same for both."""

    ensemble, played = 1, 0

    def fill(self, population, table, rng):
        self.played += int(table.missing.sum())
        one, two = (own[:, 0] for own in population.stacked())
        first = np.sin(one)[:, None] - np.sin(two) * one[:, None]
        values = np.where(table.missing, np.stack([first, first.T])[None], table.values)
        return replace(table, values=values)


def test_estimates_of_a_shared_pool_are_symmetric():
    rng = np.random.default_rng(0)
    population = Population(((), ()), shared=True)
    for code in rng.normal(size=(12, 1)):
        population = population.add(0, code)
    inner = Sums()
    table = EstimatedEvaluator(inner, ESTIMATED).fill(
        population, Table.empty(2).grow(population), rng
    )
    values = table.values[0]
    np.testing.assert_allclose(values[0], values[1].T, atol=1e-12)
    guessed = table.errors[0, 0] > 0
    assert np.array_equal(guessed, guessed.T)
    assert inner.played == 144 - guessed.sum()
    assert table.notes["payoff_played"] == pytest.approx(1 - 23 / 78)
    exact = Sums().fill(population, Table.empty(2).grow(population), rng).values
    assert np.array_equal(exact[0, 0][~guessed], values[0][~guessed])
    assert np.abs(exact - table.values).max() < 0.2 * np.ptp(exact)


def test_a_network_learns_payoffs_that_are_a_function_of_codes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = np.stack([x[:, 0] * x[:, 2], -x[:, 0] * x[:, 2]], axis=1)
    said = fitted(PayoffNetwork(), x[:250], y[:250], asked=x[250:], seed=0)
    assert np.abs(said - y[250:]).mean() < 0.3 * np.abs(y).mean()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: Head(blank=True, frozen=True), "nothing would be learned"),
        (lambda: States(own=0), "own must be at least 2; got 0"),
        (lambda: PayoffNetwork(share=0.0), r"share must be in \(0, 1\]; got 0.0"),
        (lambda: Distillation(batch=8), "batch goes with the optimiser adam"),
        (
            lambda: arena_of(DDQN.budget(100), neural=small(prior="half")),
            "Double DQN learns a plain network",
        ),
        (lambda: arena_of(network="gru"), "reads a memory of past decisions"),
    ],
)
def test_refuses(made, sentence):
    with pytest.raises(UserError, match=sentence):
        made()


def test_refuses_a_population_of_another_network():
    wide = setup(arena_of(neural=replace(SMALL, codes=Codes(size=8, width=16))))
    begun = start(setup(arena_of()))
    with pytest.raises(UserError, match="SampledStudent: the population must have"):
        list(run(wide, begun, 1))


@pytest.mark.slow
def test_three_players_and_a_shared_pool():
    three = last(setup(arena_of(name="kuhn_poker(players=3)")), 2)
    assert three.population.sizes == (3, 3, 3)
    game = "goofspiel(num_cards=3,imp_info=True,points_order=descending)"
    for codes in (SMALL.codes, replace(SMALL.codes, networks="all")):
        state = last(setup(arena_of(name=game, neural=replace(SMALL, codes=codes))), 2)
        assert state.population.shared == OpenSpielSimulator(game).symmetric
    payoffs = PayoffNetwork(share=0.7, within=1.0)
    state = last(setup(arena_of(neural=replace(SMALL, payoffs=payoffs))), 4)
    assert state.table.notes["payoff_estimated"]
    assert (state.table.episodes == 0).any()
