"""The learner: against autograd, in stacks, what it learns and what it refuses."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from responses import task as respond

from metaspiel.games import bargaining_rules as rules
from metaspiel.games.bargaining import Bargaining, sample_valuations
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.learn import products
from metaspiel.learn.ddqn import _Training
from metaspiel.learn.evaluate import Matches, play, pure
from metaspiel.learn.mlp import MLP, Stack
from metaspiel.learn.policies import Bank, Habit, Pool, drawn, sampled
from metaspiel.learn.products import rounds
from metaspiel.learn.random import generators
from metaspiel.learn.replay import Replay
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Task
from metaspiel.learn.turns import Turns
from metaspiel.learn.update import Batches, StackedDDQN
from metaspiel.nfg.errors import UserError

NETWORK = MLP(5, 16, 7)
SMALL = DDQN(decisions=640, games=16, capacity=200, minimum=160, explore_decisions=500)


def batches(shape, seeds, updates=3, batch=8):
    def each(draw):
        made = [torch.Generator().manual_seed(s) for s in seeds]
        return torch.stack([draw(g) for g in made], 1)

    lead = (updates, batch)
    illegal = each(lambda g: torch.rand(*lead, shape.actions, generator=g) < 0.5)
    illegal[..., 0] = False
    return Batches(
        inputs=each(
            lambda g: torch.randn(updates, 2 * batch, shape.inputs, generator=g)
        ),
        action=each(lambda g: torch.randint(shape.actions, lead, generator=g)),
        reward=each(lambda g: torch.randn(lead, generator=g)),
        alive=each(lambda g: 0.99 * (torch.rand(lead, generator=g) < 0.8)).float(),
        illegal=illegal,
    )


def learned(engine, seeds, shape=NETWORK, updates=3, batch=8, made_of="float32"):
    learner = StackedDDQN(
        shape, len(seeds), batch, 1e-3, engine=engine, products=made_of
    )
    nets = [shape.initial(torch.Generator().manual_seed(10 + s)) for s in seeds]
    learner.online.load(torch.stack(nets))
    learner.copy_target()
    losses = learner.learn(batches(shape, seeds, updates, batch))
    return learner, losses


@given(
    inputs=st.integers(1, 9),
    width=st.integers(1, 20),
    actions=st.integers(1, 9),
    stacked=st.integers(1, 3),
    batch=st.integers(1, 9),
)
@settings(max_examples=25, deadline=None)
def test_the_written_update_is_the_gradient(inputs, width, actions, stacked, batch):
    shape, seeds = MLP(inputs, width, actions), range(stacked)
    one, first = learned("written", seeds, shape, 1, batch)
    two, second = learned("autograd", seeds, shape, 1, batch)
    assert torch.allclose(one.gradient.flat, two.gradient.flat, atol=1e-6)
    assert torch.allclose(first, second, rtol=1e-5, atol=1e-6)
    assert one.gradient.flat.abs().max() > 0 or first.max() == 0


def test_many_updates_of_both_engines_agree():
    one, two = (
        learned("written", [0, 1], updates=50),
        learned("autograd", [0, 1], updates=50),
    )
    assert torch.allclose(one[0].online.flat, two[0].online.flat, atol=1e-5)
    assert torch.allclose(one[1], two[1], rtol=1e-4)


def test_adam_is_adam():
    learner, _ = learned("written", [0], updates=1)
    weights = NETWORK.initial(torch.Generator().manual_seed(10)).requires_grad_()
    reference = torch.optim.Adam([weights], lr=1e-3)
    weights.grad = learner.gradient.vectors()[0].clone()
    reference.step()
    assert torch.allclose(weights.detach(), learner.online.vectors()[0], atol=1e-7)


rounded = pytest.mark.skipif(not rounds(), reason="the CPU has no bfloat16 products")


@pytest.mark.parametrize("shape", [NETWORK, MLP(41, 200, 109)])
@pytest.mark.parametrize(
    "made_of", ["float32", pytest.param("bfloat16", marks=rounded)]
)
def test_a_learner_does_not_feel_its_neighbours(shape, made_of):
    given = (shape, 6, 64, made_of)
    alone = learned("written", [3], *given)[0].online.vectors()[0]
    for seeds in ([3, 4], [5, 3, 4], [0, 1, 2, 3, 4, 5, 6, 7]):
        stack = learned("written", seeds, *given)[0].online.vectors()
        assert torch.equal(stack[seeds.index(3)], alone)


@rounded
def test_rounded_products_change_an_update_a_little():
    given = (MLP(41, 200, 109), 6, 64)
    exact, near = (
        learned("written", [3], *given, made_of) for made_of in ("float32", "bfloat16")
    )
    assert not torch.equal(exact[1], near[1])
    assert torch.allclose(exact[1], near[1], rtol=0.05)
    assert torch.backends.mkldnn.matmul.fp32_precision != "bf16"


def test_products_are_what_the_machine_can_multiply(monkeypatch):
    with pytest.raises(UserError, match="must be float32 on a GPU: others are of a CP"):
        DDQN(products="bfloat16", device="cuda")
    monkeypatch.setattr(products, "rounds", lambda: False)
    settings = DDQN(products="bfloat16")  # what was learned elsewhere can be read here
    with pytest.raises(UserError, match="products bfloat16 need a CPU that makes them"):
        settings.check_here("here")


def test_weights_survive_stacking():
    nets = [NETWORK.initial(torch.Generator().manual_seed(s)) for s in range(3)]
    stack = Stack(NETWORK, 3, torch.device("cpu"))
    stack.load(torch.stack(nets))
    assert torch.equal(stack.vectors(), torch.stack(nets))
    x = torch.randn(3, 4, NETWORK.inputs)
    for s, net in enumerate(nets):
        apart = NETWORK.scores(net, x[s]) - stack.values(x)[s]
        assert apart.abs().max() < 1e-6
    assert NETWORK.size == len(nets[0])


def test_fresh_weights_are_truncated_normal():
    net = MLP(400, 300, 50).initial(torch.Generator().manual_seed(0))
    first = net[: 400 * 300] * 20  # deviation 1/sqrt(400) before the cut
    assert float(first.abs().max()) <= 2
    assert float(first.std()) == pytest.approx(0.88, abs=0.01)
    assert torch.equal(net[400 * 300 : 400 * 300 + 300], torch.zeros(300))


def test_replay_keeps_the_newest():
    replay = Replay(2, 10, 1, 2, torch.device("cpu"))
    for step in range(4):
        rows = torch.arange(4.0)[None, :, None] + 4 * step + torch.zeros(2, 4, 1)
        replay.add(
            inputs=rows,
            action=torch.zeros(2, 4, dtype=torch.int64),
            reward=rows[..., 0],
            alive=torch.ones(2, 4),
            later=rows + 1,
            legal=torch.ones(2, 4, 2, dtype=torch.bool),
        )
    assert replay.size == 10
    uniforms = torch.rand(50, 2, 8, dtype=torch.float64)
    sampled = replay.sample(uniforms)
    assert set(sampled.reward.unique().tolist()) == set(range(6, 16))
    assert torch.equal(sampled.inputs[:, :, :8, 0], sampled.reward)
    assert torch.equal(sampled.inputs[:, :, 8:, 0], sampled.reward + 1)
    assert not sampled.illegal.any()


def test_random_choices_have_the_right_chances():
    legal = torch.tensor([[True, False, True, True]]).repeat(30_000, 1)
    uniforms = generators([0], 1)[0]
    u = torch.rand(30_000, dtype=torch.float64, generator=uniforms)
    counts = torch.bincount(drawn(legal, u), minlength=4) / 30_000
    assert torch.allclose(counts, torch.tensor([1, 0, 1, 1]) / 3, atol=0.01)
    scores = torch.tensor([[0.0, 9.0, 1.0, 2.0]]).repeat(30_000, 1)
    counts = torch.bincount(sampled(scores, legal, u), minlength=4) / 30_000
    wanted = torch.tensor([1.0, 0.0, np.e, np.e**2])
    assert torch.allclose(counts, wanted / wanted.sum(), atol=0.01)
    for edge in (0.0, 1 - 2**-53):
        at = torch.full((1,), edge, dtype=torch.float64)
        assert legal[0, drawn(legal[:1], at)].all()
        assert legal[0, sampled(scores[:1], legal[:1], at)].all()


def test_a_bank_plays_each_row_by_its_policy():
    nets = [NETWORK.initial(torch.Generator().manual_seed(s)).numpy() for s in (1, 2)]
    pools = (Pool.of(np.stack(nets[:1])), Pool.of(np.stack(nets[1:])))
    bank = Bank(NETWORK, pools, None, torch.device("cpu"))
    x = torch.randn(60, NETWORK.inputs)
    legal = torch.rand(60, NETWORK.actions) < 0.6
    legal[:, 0] = True
    which = torch.arange(60) % 2
    u = torch.rand(60, 2, dtype=torch.float64)
    action = bank.act(which, x, legal, u)
    for row in range(60):
        scores = NETWORK.scores(torch.as_tensor(nets[row % 2]), x[row : row + 1])
        scores.masked_fill_(~legal[row : row + 1], -torch.inf)
        assert scores[0, action[row]] >= scores.max() - 1e-6
    always = Habit(
        NETWORK, np.zeros(NETWORK.size, np.float32), (np.ones(1), np.zeros(1))
    )
    mixed = Bank(NETWORK, pools, always, torch.device("cpu")).act(which, x, legal, u)
    assert torch.equal(mixed[which == 1], action[which == 1])
    assert (mixed != action)[which == 0].float().mean() > 0.5
    assert legal[torch.arange(60), mixed].all()


def task(simulator, seed, **changes):
    network = MLP.of(simulator, 32)
    net = network.initial(torch.Generator().manual_seed(99)).numpy()
    players = simulator.players
    made = Task(
        simulator=simulator,
        network=network,
        settings=SMALL,
        player=0,
        pools=(Pool.uniform(network) + Pool.of(net[None]),) * players,
        co_play=np.full((2,) * (players - 1), 0.5 ** (players - 1)),
        seed=(seed,),
        scale=5.0,
    )
    return replace(made, **changes)


def test_a_trial_does_not_feel_its_neighbours():
    simulator = Bargaining()
    tasks = [
        task(simulator, 0),
        task(simulator, 1, penalty=2.0, coverage=0.5),
        task(simulator, 2, player=1),
    ]
    whole = train(tasks)
    for one, many in zip(tasks, whole, strict=True):
        (alone,) = train([one])
        assert alone.policy.tobytes() == many.policy.tobytes()
        assert np.array_equal(alone.returns, many.returns)
        assert alone.episodes == many.episodes
    assert whole[0].policy.tobytes() != whole[1].policy.tobytes()


def test_the_reference_engine_trains_alike():
    simulator = Bargaining()
    slow = replace(SMALL, engine="autograd")
    (one,) = train([task(simulator, 0)])
    (two,) = train([task(simulator, 0, settings=slow)])
    assert np.allclose(one.losses, two.losses, rtol=0.05, equal_nan=True)
    assert np.abs(one.policy - two.policy).max() < 0.05


def test_a_decision_is_paid_by_the_first_end_after_it():
    """Rewards, discounts and weights of the transitions, against episodes by hand."""
    simulator = Bargaining()
    tasks = [
        task(simulator, 0, penalty=2.0),
        task(simulator, 1, coverage=1.0),
        task(simulator, 2, player=1, scale=1.0),
    ]
    seen = []

    class Watching(Turns):
        def _settle(self, position, closed):
            before = position
            after, reward, alive = super()._settle(position, closed)
            weight = self.co_players.weight.clone()
            seen.append((before, closed, after, reward, alive, weight))
            return after, reward, alive

    made = [replace(t, settings=replace(SMALL, decisions=160)) for t in tasks]
    with patch("metaspiel.learn.ddqn.Turns", Watching):
        _Training(made).run()
    for before, closed, after, reward, alive, _ in seen[1:]:
        assert not closed.any() and not after.done.any()
        assert (after.mover == torch.tensor([[0], [0], [1]])).all()
        ended = before.done  # by the learner's own move
        own = torch.stack([before.returns[s, :, t.player] for s, t in enumerate(made)])
        scale = torch.tensor([[5.0], [5.0], [1.0]])
        paid = torch.where(ended, own / scale, torch.zeros(()))
        covered = torch.tensor([[False], [True], [False]]).expand_as(ended)
        assert torch.allclose(reward[ended & ~covered], paid[ended & ~covered])
        assert (reward[covered] == 0).all()
        assert (alive[ended] == 0).all()
        assert torch.isin(alive, torch.tensor([0.0, 0.99])).all()
        assert (reward[alive > 0] == 0).all()
    assert any(before.done.any() for before, *_ in seen)
    assert (seen[-1][5][1] == 0).all() and (seen[-1][5][0] == 1).all()


def test_one_co_player_at_most_is_the_uniform_one():
    simulator = OpenSpielSimulator("kuhn_poker(players=3)")
    training = _Training([task(simulator, 0, player=1, coverage=1.0)])
    training.run()
    co_players = training.turns.co_players
    bank, others = co_players.banks[0], co_players.others[0]
    uniform = others == bank.uniform
    assert (uniform.sum(1) == 1).all() and not uniform[:, 1].any()
    assert uniform[:, 0].any() and uniform[:, 2].any()


def test_other_settings_are_trained_apart():
    simulator = Bargaining()
    other = replace(SMALL, rate=1e-3)
    one, two = train([task(simulator, 0), task(simulator, 0, settings=other)])
    (alone,) = train([task(simulator, 0)])
    assert one.policy.tobytes() == alone.policy.tobytes() != two.policy.tobytes()


@pytest.mark.parametrize(
    "game", ["kuhn_poker", "kuhn_poker(players=3)", "leduc_poker", "matrix_rps"]
)
def test_it_plays_any_openspiel_game(game):
    simulator = OpenSpielSimulator(game)
    player = simulator.players - 1
    (one,) = train([task(simulator, 0, player=player)])
    (two,) = train([task(simulator, 0, player=player)])
    assert one.policy.tobytes() == two.policy.tobytes()
    assert np.isfinite(one.policy).all() and one.episodes > 300


def against_uniform(simulator, network, settings, seed, scale):
    """What player 0's response to the uniform policy earns against it."""
    uniform = Pool.uniform(network)
    asked = respond(simulator, network, settings, uniform, seed=(seed,), scale=scale)
    (answer,) = train([asked])
    pools = (Pool.of(answer.policy[None]), uniform)
    profiles = pure(np.array([[0, 0]]), 4000)
    return play(
        [
            Matches(
                simulator=simulator,
                network=network,
                pools=pools,
                profiles=profiles,
                seed=(9,),
            )
        ]
    )[0]


def test_it_finds_the_best_response_in_kuhn_poker():
    """Against uniform play player 0's best response earns 1/2."""
    simulator = OpenSpielSimulator("kuhn_poker")
    settings = replace(
        SMALL, decisions=6000, capacity=3000, rate=1e-3, explore_decisions=3000
    )
    score = against_uniform(simulator, MLP.of(simulator, 32), settings, 0, scale=2.0)
    assert score.mean[0, 0, 0] == pytest.approx(
        0.5, abs=4 * score.error[0, 0, 0] + 0.02
    )


def value_against_uniform(pool, valuation, first, discount):
    """Exactly: the uniform player looks at nothing but which offers are legal.

    At every turn one either accepts what stands, or asks for everything, which is
    accepted with probability 1 / (offers + 1), and sees another random offer.
    """
    legal = rules.offers()[(rules.offers() <= pool).all(1)]
    gain, top, count = (pool - legal) @ valuation, pool @ valuation, len(legal)
    value = 0.0
    for made in range(10 - first, -1, -2):
        ask = 0.0
        if made < 10:
            ask = (discount ** (made + 1) * top + count * value) / (count + 1)
        value = np.maximum(discount**made * gain, ask).mean() if made else ask
    return value


def test_a_response_to_uniform_bargaining_earns_what_it_can():
    draw = generators([5], 1)[0]
    u = torch.rand(2000, 4, generator=draw, dtype=torch.float64)
    valuations = sample_valuations(u).double().numpy()
    pools = rules.pools()[np.arange(2000) % 31]
    best = np.mean(
        [
            value_against_uniform(pool, valuation, i // 31 % 2, 0.99)
            for i, (pool, valuation) in enumerate(zip(pools, valuations, strict=True))
        ]
    )
    assert best == pytest.approx(13.0, abs=0.3)
    simulator = Bargaining()
    settings = DDQN(
        decisions=8000, capacity=2000, minimum=2000, explore_decisions=5000, rate=3e-4
    )
    score = against_uniform(simulator, MLP.of(simulator), settings, 3, scale=5.0)
    assert 0.75 * best < score.mean[0, 0, 0] < best + 4 * score.error[0, 0, 0]


def test_episodes_are_common_to_all_profiles():
    simulator = Bargaining()
    network = MLP.of(simulator)
    net = network.initial(torch.Generator().manual_seed(0)).numpy()
    pool = Pool.uniform(network) + Pool.of(net[None])
    cells = np.array([[0, 0], [1, 0], [0, 0], [1, 1]])
    match = Matches(
        simulator=simulator,
        network=network,
        pools=(pool, pool),
        profiles=pure(cells, 300),
        seed=(4,),
    )
    score = play([match])[0]
    assert np.array_equal(score.outcomes[0], score.outcomes[2])
    assert not np.array_equal(score.outcomes[0], score.outcomes[1])
    assert np.allclose(score.mean[0], score.outcomes[:, :, 0].mean(1), atol=1e-5)
    small = play([replace(match, rows=300)])[0]
    assert np.array_equal(small.outcomes[0], score.outcomes[0])
    error = score.outcomes[1, :, 0, 0].std(ddof=1) / np.sqrt(300)
    assert score.error[0, 1, 0] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"decisions": 0}, "decisions must be a whole number of at least 1; got 0"),
        ({"rate": float("nan")}, r"rate must be a number in \[0, 1\]; got nan"),
        ({"discount": -0.1}, r"discount must be a number in \[0, 1\]; got -0.1"),
        ({"minimum": 60_000}, "capacity must be at least games and minimum"),
        (
            {"games": 64, "capacity": 50, "minimum": 50},
            "capacity must be at least games",
        ),
        ({"decisions": 1000}, "or nothing is learned; got 50000"),
    ],
)
def test_impossible_settings_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        DDQN(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"penalty": -1.0}, "penalty must be at least 0"),
        ({"coverage": 3.0}, r"coverage in \[0, 1\]"),
        ({"scale": 0.0}, "scale positive"),
        ({"co_play": np.array([1.0, np.nan])}, "must be a distribution of shape"),
        ({"co_play": np.ones(3) / 3}, "got shape"),
        ({"player": 2}, "players 0 to 1"),
    ],
)
def test_impossible_tasks_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        task(Bargaining(), 0, **changes)


def test_misfits_are_refused():
    short = Pool.of(np.zeros((1, 3), np.float32))
    with pytest.raises(UserError, match="weights of MLP"):
        Bank(NETWORK, (short,), None, device=torch.device("cpu"))
    weights = np.zeros(NETWORK.size, np.float32)
    with pytest.raises(UserError, match=r"chances must be in \[0, 1\]"):
        Habit(NETWORK, weights, (np.array([1.5]),))
    with pytest.raises(UserError, match=f"the {NETWORK.size} weights of MLP"):
        Habit(NETWORK, weights[1:], (np.array([0.5]),))
    game, network = Bargaining(), MLP.of(Bargaining(), 16)
    pools = (Pool.uniform(network),) * 2
    with pytest.raises(UserError, match="at least 2 episodes"):
        Matches(
            simulator=game,
            network=network,
            pools=pools,
            profiles=np.zeros((1, 1, 2), np.int64),
            seed=(0,),
        )
    for wrong in ([1, 0], [0, -1], [0, 0, 0]):
        with pytest.raises(UserError, match="a policy number for each player"):
            Matches(
                simulator=game,
                network=network,
                pools=pools,
                profiles=pure(np.array([wrong]), 2),
                seed=(0,),
            )
    with pytest.raises(UserError, match="the network must have 41 inputs and 109"):
        Matches(
            simulator=game,
            network=MLP(41, 16, 9),
            pools=pools,
            profiles=pure(np.zeros((1, 2), int), 2),
            seed=(0,),
        )
    for chances, other in (((2, 0), network), ((1, 1), MLP(40, 16, 109))):
        zero = np.zeros(other.size, np.float32)
        habit = Habit(other, zero, tuple(np.ones(count) for count in chances))
        with pytest.raises(UserError, match="chances for pools of"):
            Bank(network, pools, habit, device=torch.device("cpu"))
    with pytest.raises(UserError, match="whole numbers of at least 1; got 5, 0, 7"):
        MLP(5, 0, 7)
