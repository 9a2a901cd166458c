"""Intervals between members, and how far they must be stretched."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metaspiel.games.bargaining import Bargaining
from metaspiel.nfg.errors import UserError
from offline import dynamics, ensemble, fidelity, model, record, tables
from offline.intervals import stretch, told
from offline.predict import Predictor
from offline.settings import Training
from offline.starts import starts

GAME = Bargaining()
SHORT = Training(steps=300, width=32, rate=1e-3)
CALIBRATED = replace(SHORT, calibrate=0.8)


@pytest.fixture(scope="module")
def data():
    return record.collect(GAME, 400, 3)


def test_what_is_told_by_hand():
    members = np.array([[2.0, 9.0, 5.0, 11.0], [4.0, 10.0, 5.0, 13.0]])
    true = np.array([1.0, 9.5, 6.0, 14.0])
    said = told(members, true)
    assert said["coverage"] == 0.25
    assert said["slope"] == pytest.approx((3 + 9.5 * 9.5 + 30 + 168) / (true @ true))
    assert said["bias_low"] == 2.0
    assert said["bias_middle"] == -0.5
    assert said["bias_high"] == -2.0
    nothing = told(np.zeros((2, 0)), np.zeros(0))
    assert all(np.isnan(value) for value in nothing.values())


@given(
    seed=st.integers(0, 2**31),
    episodes=st.integers(30, 200),
    each=st.integers(1, 4),
    share=st.sampled_from([0.5, 0.55, 0.8, 0.9]),
)
def test_stretched_intervals_hold_their_share_of_groups(seed, episodes, each, share):
    rng = np.random.default_rng(seed)
    groups = np.repeat(rng.permutation(episodes) + 7, each)
    members, true = rng.normal(size=(4, len(groups))), 3 * rng.normal(size=len(groups))
    factor = stretch(members, true, share, groups)
    held = inside(members, true, factor * (1 + 1e-9)).reshape(episodes, each).all(1)
    assert share <= held.mean() <= share + 2 / episodes


def inside(members, true, factor):
    mean = members.mean(0)
    far = mean + factor * (members - mean)
    return (far.min(0) <= true) & (true <= far.max(0))


def test_new_groups_are_held_as_often_as_asked():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(2000), 2)
    members, true = rng.normal(size=(4, 4000)), rng.normal(size=4000) + 2
    factor = stretch(members[:, :1000], true[:1000], 0.9, groups[:1000])
    held = inside(members[:, 1000:], true[1000:], factor).reshape(-1, 2).all(1)
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    assert told(members, true)["coverage"] < 0.4


def test_few_episodes_hold_as_often_as_asked():
    """Four payoffs an episode that are all equally wrong are one payoff."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(4000):
        wrong = np.abs(rng.normal(size=10))
        members = np.array([[-1.0] * 36, [1.0] * 36])
        groups = np.repeat(np.arange(9), 4)
        held += wrong[9] <= stretch(members, np.repeat(wrong[:9], 4), 0.9, groups)
    assert held / 4000 == pytest.approx(0.9, abs=0.02)


def test_what_cannot_be_told_or_stretched_is_refused(data):
    eight, nine = np.arange(8), np.arange(9)
    with pytest.raises(
        UserError, match=r"share of 0.9 .* at least 9 held-out .* got 8"
    ):
        stretch(np.zeros((2, 8)), np.zeros(8), 0.9, eight)
    members = np.array([[0.0] * 9, [2.0] * 9])
    assert stretch(members, np.arange(9.0), 0.9, nine) == 7.0
    for same, why in ((0.0, "members must differ"), (np.nan, "must be finite")):
        with pytest.raises(UserError, match=why):
            stretch(np.full((2, 9), same), np.arange(9.0), 0.9, nine)
    few = record.collect(GAME, 100, 0)
    with pytest.raises(UserError, match="held-out episodes with a deal; got"):
        dynamics.train([few], [0], replace(CALIBRATED, calibrate=0.99))
    for changes in ({"calibrate": 1.0}, {"held_out": -0.1}):
        with pytest.raises(UserError, match=next(iter(changes))):
            replace(SHORT, **changes)
    with pytest.raises(UserError, match="calibrate needs at least 2 members"):
        replace(CALIBRATED, members=1)


def asked(data, at=40):
    rows, last = np.arange(at), data.length[:at] - 1
    state = torch.from_numpy(data.states[rows, last])[None]
    action = torch.from_numpy(data.action[rows, last])[None]
    return state, action, torch.ones(1, at, dtype=torch.bool)


def test_calibration_stretches_bounds_and_leaves_means_and_u(data):
    held_in, _ = data.split(CALIBRATED.held_out, 5)
    plain = dynamics.train([held_in], [5], SHORT)
    learned = dynamics.train([data], [5], CALIBRATED)
    assert torch.equal(plain.g, learned.g) and torch.equal(plain.f, learned.f)
    factor = float(learned.scales.reach)
    assert factor > 1.5
    narrow, wide = Predictor(plain), Predictor(learned)
    few, many = (one.payoffs(*asked(data)) for one in (narrow, wide))
    torch.testing.assert_close(many.mean(2), few.mean(2), atol=1e-4, rtol=1e-4)
    spread = many.amax(2) - many.amin(2)
    wanted = factor * (few.amax(2) - few.amin(2))
    torch.testing.assert_close(spread, wanted, atol=1e-3, rtol=1e-3)
    u, same = wide.disagreement(many), narrow.disagreement(few)
    torch.testing.assert_close(u, same, atol=1e-4, rtol=1e-4)


def test_calibrated_intervals_hold_fresh_payoffs(data):
    fresh = record.collect(GAME, 600, 77)
    coverage = {}
    for training in (SHORT, CALIBRATED):
        learned = dynamics.train([data], [1], training)
        simulator = model.ModelSimulator(learned=learned, starts=starts([data]))
        coverage[training.calibrate] = fidelity.one_step(simulator, fresh)["coverage"]
    assert coverage[0.0] < 0.6 < 0.68 < coverage[0.8]


@pytest.mark.parametrize("kind", ["entries", "products"])
def test_reward_networks_read_what_they_are_given(data, kind, tmp_path):
    training = replace(SHORT, reward_inputs=kind, steps=10)
    scales = tables.scales_of(data, training)
    rows = tables.tables_of(data, scales, training).ends
    rows_last, last = np.arange(len(data.length)), data.length - 1
    vectors = data.vectors[data.action[rows_last, last]]
    both = np.concatenate([data.states[rows_last, last], vectors], 1)
    mean, sd = scales.entries[0].numpy()
    x = (both - mean) / sd
    np.testing.assert_allclose(rows[:, :18], x, atol=1e-5)
    assert rows.shape[1] == (18 if kind == "entries" else 18 + 171) + 2
    if kind == "products":  # the first block of products is entry 0 times all
        np.testing.assert_allclose(rows[:, 18:36], x[:, :1] * x, atol=1e-4)
        np.testing.assert_allclose(rows[:, 188], x[:, 17] ** 2, atol=1e-4)
    learned = dynamics.train([data, data], [0, 1], training)
    alone = dynamics.train([data], [1], training)
    assert torch.equal(learned.g[1], alone.g[0])
    if kind == "entries":  # as large as without, so the same draws follow
        shared = dynamics.train([data], [1], replace(SHORT, steps=10))
        assert torch.equal(shared.f, alone.f) and torch.equal(shared.h, alone.h)
    place = tmp_path / "m.safetensors"
    ensemble.save(alone, place)
    assert ensemble.same(ensemble.load(place), alone)


def test_products_know_unseen_deals_better(data):
    fresh = record.collect(GAME, 600, 78)
    errors = {}
    for kind in ("shared", "products"):
        training = Training(steps=1500, width=64, rate=1e-3, reward_inputs=kind)
        learned = dynamics.train([data], [1], training)
        simulator = model.ModelSimulator(learned=learned, starts=starts([data]))
        errors[kind] = fidelity.one_step(simulator, fresh)["payoff_error_deals"]
    assert errors["products"] < 0.8 * errors["shared"]
