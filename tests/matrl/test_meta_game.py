import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matrl.meta_game import MetaGame, choose, estimate, profiles
from meta_solvers.base import Status
from meta_solvers.two_action import TwoActionNash
from metaspiel.learn.ppo import Diverged


def one_state(agents, actions, seed):
    """Payoffs of a one-state game, two policies each, and values of all profiles."""
    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(agents, *(actions,) * agents))
    policies = rng.dirichlet(np.full(actions, 3.0), size=(2, agents))  # now, then
    values = np.empty((agents, *(2,) * agents))
    for moves in np.ndindex(*(2,) * agents):
        expected = payoffs
        for agent in reversed(range(agents)):
            expected = expected @ policies[moves[agent], agent]
        values[(slice(None), *moves)] = expected
    return payoffs, policies, values


def sampled(payoffs, policies, count, seed):
    """Log-ratios and advantages of plays of the present policies."""
    rng = np.random.default_rng(seed)
    agents, actions = policies.shape[1:]
    played = np.stack(
        [rng.choice(actions, count, p=policies[0, i]) for i in range(agents)]
    )
    won = payoffs[(slice(None), *played)]
    logs = np.log(policies[1] / policies[0])
    logs = np.stack([logs[i, played[i]] for i in range(agents)])
    return logs, won - won.mean(1, keepdims=True)


@pytest.mark.parametrize("agents", [2, 3, 4])
def test_entries_become_differences_of_values_as_samples_grow(agents):
    payoffs, policies, values = one_state(agents, 3, agents)
    start = (slice(None), *(0,) * agents)
    true = values - values[start].reshape(-1, *(1,) * agents)
    errors = []
    for count in (1_000, 300_000):
        logs, won = sampled(payoffs, policies, count, 1)
        estimated = estimate(logs.astype(np.float32), won.astype(np.float32))
        errors.append(np.abs(estimated.payoffs - true).max())
        apart = np.abs(estimated.payoffs - true) / np.maximum(estimated.errors, 1e-12)
        moved = np.ones((2,) * agents, bool)
        moved[(0,) * agents] = False
        # Standard errors are of the size of the errors.
        assert apart[:, moved].max() < 5
        assert 0.1 < np.sqrt((apart[:, moved] ** 2).mean()) < 2
        assert (estimated.payoffs[start] == 0).all() and (
            estimated.errors[start] == 0
        ).all()
    assert errors[1] < 0.05 and errors[1] < errors[0] / 2


def test_an_estimate_by_hand():
    logs = np.log(np.array([[2.0, 0.5], [1.0, 3.0]])).astype(np.float32)
    won = np.array([[1.0, -1.0], [2.0, 4.0]], dtype=np.float32)
    estimated = estimate(logs, won)
    # Products of the movers' ratios: agent 0: 2, .5; agent 1: 1, 3; both: 2, 1.5.
    np.testing.assert_allclose(
        estimated.payoffs[0, 1, 0], (1 * 1 + -0.5 * -1) / 2, rtol=1e-6
    )
    np.testing.assert_allclose(
        estimated.payoffs[1, 0, 1], (0 * 2 + 2 * 4) / 2, rtol=1e-6
    )
    np.testing.assert_allclose(
        estimated.payoffs[1, 1, 1], (1 * 2 + 0.5 * 4) / 2, rtol=1e-6
    )
    np.testing.assert_allclose(
        estimated.errors[1, 0, 1], np.std([0.0, 8.0]) / np.sqrt(2), rtol=1e-6
    )
    clipped = estimate(logs, won, clip=0.1)
    np.testing.assert_allclose(
        clipped.payoffs[0, 1, 0], (0.1 * 1 + -0.1 * -1) / 2, rtol=1e-6
    )


def test_profiles_are_in_the_order_of_the_table():
    np.testing.assert_array_equal(profiles(2), [[0, 0], [0, 1], [1, 0], [1, 1]])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(0, 2**31), st.floats(-9, 3))
@example(6, 262144, 0.0)  # a marginal that rounds to 1 + 2e-16
def test_every_choice_is_an_equilibrium_at_any_scale(agents, seed, scale):
    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(agents, *(2,) * agents)) * 10**scale
    payoffs[(slice(None), *(0,) * agents)] = 0
    game = MetaGame(payoffs, np.zeros_like(payoffs))
    choice = choose(game, TwoActionNash("first"), rng)
    assert choice.status is Status.OK and choice.regret <= 1e-9
    value = payoffs
    for agent in range(agents):
        stay = choice.rho[agent]
        assert 0 <= stay <= 1
    # Nobody gains by keeping or moving for certain; computed from the table anew.
    mixed = np.stack([choice.rho, 1 - choice.rho], 1)
    for agent in range(agents):
        value = payoffs[agent]
        for other in reversed(range(agents)):
            if other != agent:
                value = np.tensordot(value, mixed[other], (other, 0))
        size = np.ptp(payoffs[agent])
        assert value.max() - value @ mixed[agent] <= 2e-9 * size


def test_caution_keeps_agents_from_moving_on_noise():
    payoffs = np.zeros((2, 2, 2))
    payoffs[:, 1, 1] = payoffs[0, 1, 0] = payoffs[1, 0, 1] = 0.1
    game = MetaGame(payoffs, np.where(payoffs > 0, 0.08, 0.0))
    rng = np.random.default_rng(0)
    assert (choose(game, TwoActionNash("first"), rng).rho == 0).all()
    assert (choose(game, TwoActionNash("first"), rng, cautious=2.0).rho == 1).all()


def test_several_equilibria_are_counted_and_drawn_from():
    payoffs = np.zeros((2, 2, 2))
    payoffs[:, 0, 1] = payoffs[:, 1, 0] = -1.0  # both move, both stay, or mix
    game = MetaGame(payoffs, np.zeros_like(payoffs))
    rng = np.random.default_rng(0)
    drawn = [choose(game, TwoActionNash("random"), rng) for _ in range(60)]
    assert {one.equilibria for one in drawn} == {3}
    assert {float(one.rho[0]) for one in drawn} == {0.0, 0.5, 1.0}


def test_exploding_ratios_stop_the_run():
    logs = np.zeros((2, 5), dtype=np.float32)
    logs[1, 2] = 20
    won = np.ones((2, 5), dtype=np.float32)
    with pytest.raises(Diverged, match=r"at most 1e\+06; agent 1's .* exp\(20\)"):
        estimate(logs, won)
    logs[1, 2] = np.nan
    with pytest.raises(Diverged, match="agent 1"):
        estimate(logs, won)
