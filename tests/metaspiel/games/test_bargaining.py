"""The generalised Bargaining game: as arrays and as tables of rules.

Reference numbers are those of an independent simulation of 4e5 episodes, rounded as
they are written here; tolerances are half the last digit and 4.5 standard errors.
"""

import itertools
import pickle

import numpy as np
import pyspiel
import pytest
import torch
from episodes import everywhere, pick, play

from metaspiel.games import bargaining_rules
from metaspiel.games.bargaining import (
    Bargaining,
    observations,
    sample_valuations,
    state,
    vectors,
)
from metaspiel.games.bargaining_rules import ACCEPT, LONGEST
from metaspiel.games.simulator import Simulator
from metaspiel.nfg.errors import UserError

MANY = 60_000


def uniforms(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, 10)))


def act(game, position, *actions):
    """The same actions in every episode."""
    for action in actions:
        chosen = torch.full(position.done.shape, action)
        position = game.step(position, chosen, everywhere(position))
    return position


def same(one, two, where=slice(None)):
    return all(
        torch.equal(getattr(one, part)[where], getattr(two, part)[where])
        for part in one.__dataclass_fields__
    )


def action_of(*offer):
    return bargaining_rules.offers().tolist().index(list(offer))


@pytest.fixture(scope="module")
def random_play():
    """Many episodes of uniform play: positions, undiscounted."""
    game = Bargaining(discount=1.0)
    return play(game, game.start(uniforms(0, 1, MANY)), np.random.default_rng(1))


# ---- rules ----


def test_offers_and_pools():
    cube = itertools.product(range(6), repeat=3)
    offers = [list(o) for o in cube if sum(o) <= 7]
    assert bargaining_rules.offers().tolist() == offers == sorted(offers)
    assert len(offers) == ACCEPT
    pools = bargaining_rules.pools()
    assert np.bincount(pools.sum(1))[5:].tolist() == [6, 10, 15]
    assert pools.min() == 1 and len(np.unique(pools, axis=0)) == 31
    legal = bargaining_rules.legal_actions(pools, np.zeros(31))
    counts = legal.sum(1)
    assert (counts.min(), counts.max()) == (16, 36)
    assert counts.mean() == pytest.approx(25.5, abs=0.05)
    assert legal.any(0).sum() == 96
    assert not legal[:, ACCEPT].any()
    after = bargaining_rules.legal_actions(pools, np.full(31, 3))
    assert after[:, ACCEPT].all() and (after[:, :ACCEPT] == legal[:, :ACCEPT]).all()


def test_vectors():
    assert vectors()[:ACCEPT].tolist() == bargaining_rules.offers().tolist()
    assert vectors()[ACCEPT].tolist() == [-1, -1, -1]


# ---- distribution of instances ----


def test_valuations_are_those_of_rejection():
    rng = np.random.default_rng(3)
    box = rng.uniform(1, 8, (600_000, 3))
    box = box[(box.sum(1) >= 5) & (box.sum(1) <= 10)][:80_000]
    assert len(box) == 80_000
    drawn = (
        sample_valuations(torch.from_numpy(rng.random((80_000, 4)))).double().numpy()
    )
    assert drawn.min() >= 1 and drawn.sum(1).min() > 5 - 1e-5
    assert drawn.sum(1).max() < 10 + 1e-5
    critical = 1.95 * np.sqrt(2 / 80_000)  # Kolmogorov-Smirnov, level .001
    for weights in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, -1, 0], [2, 1, -1]):
        one, two = np.sort(box @ weights), np.sort(drawn @ weights)
        both = np.concatenate([one, two])
        ranks = [np.searchsorted(sample, both, "right") for sample in (one, two)]
        assert np.abs(ranks[0] - ranks[1]).max() / 80_000 < critical, weights


def test_moments_of_instances(random_play):
    start = random_play[0]
    values = start.valuations[0].double()
    pool = start.inputs[0, :, 2:5].double()
    root = np.sqrt(MANY)
    # Density of the sum above 3 is 3 s^2 / 335 on [2, 7].
    assert values.sum(-1).mean() == pytest.approx(3 + 0.75 * 2385 / 335, abs=0.02)
    assert values.mean((0, 1)).tolist() == pytest.approx([2.78] * 3, abs=0.03)
    assert values.std() == pytest.approx(1.36, abs=0.02)
    worth = (values * pool[:, None]).sum(-1)
    assert worth.mean() == pytest.approx(17.5, abs=0.05 + 4.5 * 5 / root)
    best = (values.amax(1) * pool).sum(-1)
    assert best.mean() == pytest.approx(22.2, abs=0.05 + 4.5 * float(best.std()) / root)
    counts = torch.bincount(start.pool[0], minlength=31).double()
    assert (counts - MANY / 31).abs().max() < 4.5 * np.sqrt(MANY / 31)
    assert start.mover.double().mean() == pytest.approx(0.5, abs=4.5 * 0.5 / root)
    joint = torch.stack([*values[:, 0].T, *values[:, 1].T, *pool.T, start.mover[0]])
    correlations = torch.corrcoef(joint)
    across = [(i, j) for i in range(10) for j in range(i) if i // 3 != j // 3]
    assert max(abs(correlations[i, j]) for i, j in across) < 4.5 / root


def test_uniform_play_has_the_reference_numbers(random_play):
    end, root = random_play[-1], np.sqrt(MANY)
    deals, lengths = end.inputs[..., 0], sum((~p.done).double() for p in random_play)
    assert deals.mean() == pytest.approx(0.33, abs=0.005 + 4.5 * 0.47 / root)
    assert lengths.mean() == pytest.approx(9.4, abs=0.05 + 4.5 * 2.6 / root)
    assert lengths.max() == LONGEST == len(random_play) - 1
    sd = float(end.returns.std())
    assert sd == pytest.approx(5.05, abs=0.06)
    wanted = pytest.approx([2.8, 2.8], abs=0.05 + 4.5 * sd / root)
    assert end.returns[0].mean(0).tolist() == wanted
    paid = end.returns * (0.99**end.made)[..., None]
    assert paid.std() == pytest.approx(4.81, abs=0.06)
    wanted = pytest.approx([2.7, 2.7], abs=0.05 + 4.5 * sd / root)
    assert paid[0].mean(0).tolist() == wanted
    assert not end.returns[0][deals[0] == 0].any()


# ---- the simulator, by hand ----


def one(discount=0.5, exponent="offers"):
    """Player 1 moves first; pool (1, 2, 3); valuations (1, 2, 3) and (2, 2, 1)."""
    game = Bargaining(discount, exponent)
    pool = bargaining_rules.pools().tolist().index([1, 2, 3])
    values = torch.tensor([[[[1.0, 2.0, 3.0], [2.0, 2.0, 1.0]]]])
    return game, game.deal(torch.tensor([[1]]), torch.tensor([[pool]]), values)


def test_vectors_of_a_position():
    game, start = one()
    assert start.inputs[0, 0].tolist() == [0, 0, 1, 2, 3, 2, 2, 1] + [0] * 33
    middle = act(game, start, action_of(1, 0, 2), action_of(0, 2, 1))
    assert middle.mover.item() == 1
    rest = [1, 0, 2, 0, 2, 1] + [0] * 27
    assert middle.inputs[0, 0].tolist() == [0, 2, 1, 2, 3, 2, 2, 1, *rest]
    assert state(middle)[0, 0].tolist() == [0, 2, 1, 2, 3, 1, 2, 3, 0, 2, 1, 2, 2, 1, 1]
    seen = observations(middle)[0, 0].tolist()
    assert seen[0] == [0, 2, 1, 2, 3, 1, 2, 3, 0, 2, 1]
    assert seen[1] == [0, 2, 1, 2, 3, 2, 2, 1, 0, 2, 1]
    assert middle.legal.sum() == 2 * 3 * 4 + 1
    end = act(game, middle, ACCEPT)
    assert end.done.all() and not end.legal.any()
    assert state(end)[0, 0, :2].tolist() == [1, 2]


@pytest.mark.parametrize(("exponent", "t"), [("offers", 2), ("offers_before", 1)])
def test_a_deal_pays_the_last_proposer_its_offer(exponent, t):
    game, start = one(exponent=exponent)
    end = act(game, start, action_of(1, 0, 2), action_of(0, 2, 1), ACCEPT)
    # Player 0 takes (0, 2, 1), worth 7 to it; (1, 0, 2) is left, worth 4 to player 1.
    assert end.returns[0, 0].tolist() == [7 * 0.5**t, 4 * 0.5**t]
    assert game.outcomes(end)[0, 0].tolist() == [end.returns[0, 0].tolist()]
    after = act(game, end, ACCEPT)
    assert same(after, end)


def test_the_tenth_offer_can_be_accepted_the_eleventh_ends_the_game():
    game, start = one(discount=1.0)
    tenth = act(game, start, *[action_of(1, 2, 3)] * 10)
    assert not tenth.done.any() and tenth.legal[..., ACCEPT].all()
    assert act(game, tenth, ACCEPT).returns[0, 0].tolist() == [14, 0]
    end = act(game, tenth, action_of(0, 0, 0))
    assert end.done.all() and end.made.item() == 11 and not end.returns.any()


def test_payoffs_are_those_of_the_rules(random_play):
    end = random_play[-1]
    deals = end.inputs[0, :, 0] == 1
    proposer = 1 - end.mover[0]
    parts = (end.inputs[0, :, 2:5], end.valuations[0], end.last[0], proposer)
    paid = bargaining_rules.deal(*(part[deals].numpy() for part in parts))
    assert np.allclose(end.returns[0, deals].numpy(), paid, rtol=1e-5)
    assert bargaining_rules.factor(0.9, "offers", np.array([1, 3])).tolist() == [
        pytest.approx(0.9),
        pytest.approx(0.729),
    ]
    assert bargaining_rules.factor(0.9, "offers_before", np.array(1)) == 1.0


def test_legal_masks_are_those_of_the_rules(random_play):
    for position in random_play[:: len(random_play) // 3]:
        live = ~position.done
        pool, made = position.inputs[..., 2:5][live], position.made[live]
        legal = bargaining_rules.legal_actions(pool.numpy(), made.numpy())
        assert (position.legal[live].numpy() == legal).all()


# ---- the simulator as a simulator ----


def test_it_is_a_simulator_and_a_value():
    game = Bargaining(0.9, "offers_before")
    assert isinstance(game, Simulator)
    assert pickle.loads(pickle.dumps(game)) == game != Bargaining()
    assert (game.players, game.actions, game.inputs) == (2, 109, 41)
    assert (game.longest, game.symmetric, game.ensemble) == (11, True, 1)
    loaded = pyspiel.load_game(game.name).get_parameters()
    assert loaded == {"discount": 0.9, "exponent": "offers_before"}
    assert game.together([Bargaining(0.9, "offers_before")]) == game
    with pytest.raises(UserError, match="one game"):
        game.together([Bargaining()])


def test_exchanging_the_players_changes_nothing():
    game, numbers = Bargaining(), uniforms(4, 1, 300)
    here = game.start(numbers)
    there = game.deal(1 - here.mover, here.pool, here.valuations.flip(-2))
    rng = np.random.default_rng(5)
    while not here.done.all():
        assert torch.equal(here.inputs, there.inputs)
        assert torch.equal(here.legal, there.legal)
        assert torch.equal(here.mover, 1 - there.mover)
        action = pick(here, rng)
        here, there = act_each(game, here, action), act_each(game, there, action)
    assert torch.equal(here.returns, there.returns.flip(-1))
    assert here.returns.any()


def act_each(game, position, action):
    return game.step(position, action, everywhere(position))


def test_only_the_episodes_asked_for_are_moved():
    game, rng = Bargaining(), np.random.default_rng(6)
    position = play(game, game.start(uniforms(7, 2, 50)), rng)[4]
    where = torch.from_numpy(rng.random((2, 50)) < 0.5)
    action = pick(position, rng)
    untouched = [getattr(position, f).clone() for f in position.__dataclass_fields__]
    bad = torch.where(where, action, -7)  # nobody looks at the others' actions
    part, whole = game.step(position, bad, where), act_each(game, position, action)
    for name, before in zip(position.__dataclass_fields__, untouched, strict=True):
        assert torch.equal(getattr(position, name), before)
    assert same(part, whole, where) and same(part, position, ~where)
    assert not same(whole, position, ~where)
    still = game.step(game.start(uniforms(7, 2, 50)), bad, torch.zeros_like(where))
    assert same(still, game.start(uniforms(7, 2, 50)))

    fresh = uniforms(8, 2, 50)
    restarted = game.restart(whole, where, fresh)
    assert same(restarted, game.start(fresh), where)
    assert same(restarted, whole, ~where)


def test_trials_do_not_depend_on_each_other():
    game, numbers = Bargaining(), uniforms(9, 3, 20)
    whole, lone = game.start(numbers), game.start(numbers[1:2])
    rng = np.random.default_rng(10)
    for _ in range(LONGEST):
        action = pick(whole, rng)
        whole, lone = act_each(game, whole, action), act_each(game, lone, action[1:2])
        for name in whole.__dataclass_fields__:
            assert torch.equal(getattr(whole, name)[1], getattr(lone, name)[0])


def test_nothing_depends_on_the_data():
    """Tensors without data play a whole episode, as a captured graph would."""
    game = Bargaining()
    position = game.start(torch.zeros(2, 3, 10, dtype=torch.float64, device="meta"))
    position = act_each(game, position, position.made)
    position = game.restart(position, position.done, uniforms(0, 2, 3).to("meta"))
    assert position.inputs.device.type == "meta"
    assert state(position).shape == (2, 3, 15)
    assert observations(position).shape == (2, 3, 2, 11)


@pytest.mark.parametrize("discount", [0.0, -1.0, 1.5, float("nan")])
def test_impossible_discounts(discount):
    with pytest.raises(UserError, match="discount"):
        Bargaining(discount)


def test_too_few_numbers():
    with pytest.raises(UserError, match="10 uniform numbers"):
        Bargaining().start(torch.zeros(1, 1, 4).double())
