"""EPC and RL^2: crosses, stages, memory; and what a deviating agent gains."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from populated import PACMAN, RESOURCE, TINY, Pick, run

from metaspiel.learn.random import stream
from metaspiel.nfg.errors import UserError
from mra.baselines import EPC, RL2, epc, rl2
from mra.baselines.trials import Trial
from mra.deviation import measure_gain
from mra.measuring import measure
from mra.settings import METHODS, Method, Training
from mra.train import start

PLAIN = METHODS["plain"]


def test_a_cross_has_both_parents_networks_role_by_role():
    one, other = (start((PACMAN,), PLAIN, TINY, seed) for seed in (1, 2))
    made = epc.crossed(one, other, 2)
    rows = made["learners"]["policy"].weights
    wanted = [s.weights["policy"][role] for role in (0, 1) for s in (one, other)]
    assert torch.equal(rows, torch.stack(wanted))
    assert torch.equal(made["delayed"]["policy"], rows)
    assert made["learners"]["graph"].count.tolist() == [0.0] * 4


def test_a_set_that_is_crossed_with_itself_plays_as_before():
    state = start(RESOURCE[:1], PLAIN, TINY, 1)
    made = epc.crossed(state, state, 1)["learners"]
    twice = {name: one.weights for name, one in made.items()}
    more = {name: one.repeat(2, 1) for name, one in twice.items()}
    for size in (2, 3, 6):
        game = RESOURCE[0].resized((size,))
        one, two, four = (
            measure(game, method, weights, count=8, seed=2, greedy=True)
            for method, weights in (
                (PLAIN, state.weights),
                (replace(PLAIN, copies=2), twice),
                (replace(PLAIN, copies=4), more),
            )
        )
        assert one == two == four


def test_epc_grows_the_crosses_that_earn_most():
    settings = EPC(sweeps=2, evaluations=4)
    state = epc.start(RESOURCE, settings, TINY, 1)
    rows, states = [], [state]
    for _ in range(2):
        state, row = epc.sweep(RESOURCE, settings, TINY, state)
        rows.append(row)
        states.append(state)
    assert [row["stage"] for row in rows] == [0, 1]
    assert [list(row["games"]) for row in rows] == [[game.name] for game in RESOURCE]
    assert [row["evaluations"] for row in rows] == [12, 12 + 24 + 12]
    assert rows[-1]["evaluations"] == settings.comparisons(len(RESOURCE))
    assert state.method == replace(PLAIN, copies=2)
    assert state.best == int(np.argmax(rows[1]["scores"]))
    assert [len(one.weights["policy"]) for one in state.sets] == [2, 2, 2]
    # The last set has not played yet: it is a cross of two of the first stage.
    halves = [tuple(w.tolist()) for w in state.sets[2].weights["policy"]]
    parents = [tuple(one.weights["policy"][0].tolist()) for one in states[1].sets]
    assert set(halves) <= set(parents)
    assert measure(RESOURCE[1], state.method, state.weights, count=2, seed=1)
    with pytest.raises(UserError, match="at most 2 sweeps"):
        epc.sweep(RESOURCE, settings, TINY, state)


def test_epc_refuses_sizes_that_do_not_grow():
    settings = EPC(sweeps=2)
    with pytest.raises(UserError, match="in the order of their numbers of agents"):
        epc.start(RESOURCE[::-1], settings, TINY, 1)
    sizes = [(2, 2), (3, 2), (4, 2)]
    with pytest.raises(UserError, match="must have 4 agents of each role"):
        epc.start([PACMAN.resized(one) for one in sizes], settings, TINY, 1)
    state = epc.start(RESOURCE, settings, TINY, 1)
    with pytest.raises(UserError, match="must have 2 sets, as the settings ask; got 3"):
        epc.sweep(RESOURCE, replace(settings, sets=2), TINY, state)
    with pytest.raises(UserError, match="state must be one of"):
        epc.sweep(RESOURCE[:1], settings, TINY, state)


SMALL = RL2(units=6)


def trial(seed=1):
    nets = rl2.nets_of(SMALL, RESOURCE)
    weights = {
        name: 3 * one
        for name, one in rl2.start(RESOURCE, SMALL, TINY, 1).weights.items()
    }
    return nets, weights, Trial(nets, weights, stream(seed), greedy=True)


def test_what_is_learned_from_is_what_the_agents_knew():
    """Scores along a stored episode choose the actions that were taken."""
    nets, weights, one = trial()
    for game in (*RESOURCE, RESOURCE[0]):
        played = one.play(game, 4)
        states = {name: x.flatten(0, 1) for name, x in played.states.items()}
        sight, who = game.sight(states), slice(0, game.agents)
        zeros = torch.zeros(len(sight.live), game.agents, dtype=torch.int64)
        g = nets.graph.attention(weights["graph"][0], sight, who, zeros)
        policy, theta = nets.policy, weights["policy"][0]
        seen = policy.embedded(theta, sight, who, g).unflatten(0, (4, -1))
        after = policy.extras(played.actions, played.rewards)
        extra = torch.cat([played.before[:, None], after], 1)
        scores = policy.along(theta, seen, extra, played.hidden)
        assert torch.equal(scores[:, :-1].argmax(3), played.actions)


def test_a_memory_lasts_for_a_trial():
    _, _, one = trial()
    first = one.play(RESOURCE[0], 2)
    assert first.hidden.abs().max() == first.before.abs().max() == 0
    second = one.play(RESOURCE[1], 2)
    assert (second.hidden != 0).any(2).all()
    # The fourth agent is new, and has the memory of the first.
    assert torch.equal(second.hidden[:, 3], second.hidden[:, 0])
    assert torch.equal(second.before[:, 3], second.before[:, 0])
    assert torch.equal(second.before[:, :3, :5].argmax(2), first.actions[:, -1])
    assert torch.equal(second.before[:, :3, 5], first.rewards[:, -1])
    assert (second.before[..., 6] == 1).all()


def test_an_episode_that_is_scored_is_no_episode_that_is_remembered(monkeypatch):
    """Its places are drawn apart from those of the episodes before it."""
    state = rl2.start(RESOURCE, SMALL, TINY, 1)
    begun = []
    play = Trial.play

    def watched(trial, game, count):
        played = play(trial, game, count)
        begun.append(played.states["places"][:, 0])
        return played

    monkeypatch.setattr(Trial, "play", watched)
    (game, *_) = RESOURCE
    for seed in (2, 3):
        rl2.measure(game, SMALL, state.weights, count=3, seed=seed, before=(game,))
        before, scored = begun[-2:]
        assert not (before == scored).any()


def test_scores_after_episodes_of_a_trial_are_in_the_same_places():
    state, _ = run(
        lambda s: rl2.sweep(RESOURCE, SMALL, TINY, s),
        rl2.start(RESOURCE, SMALL, TINY, 1),
        2,
    )
    game = RESOURCE[0].resized((5,))
    scores = [
        rl2.measure(game, SMALL, state.weights, count=3, seed=2, before=before)
        for before in ((), (), (game,), RESOURCE)
    ]
    assert scores[0] == scores[1]
    assert [one.episodes for one in scores] == [3] * 4
    with pytest.raises(UserError, match="trained in games that show as much"):
        rl2.measure(game, RL2(units=7), state.weights, count=3, seed=2)


FAST = Training(envs=16, inner=5, minibatch=32, rate=2e-2, soft=0.2, settle=0)


def test_a_deviating_agent_gains_what_the_best_response_does():
    """Whoever picks action 2 is paid 1, whatever the others do."""
    game = Pick(3)
    weights = start((game,), PLAIN, FAST, 1).weights
    kept = {name: one.clone() for name, one in weights.items()}
    gain = measure_gain(
        game, PLAIN, weights, FAST, rounds=6, restarts=2, seed=3, agent=1, count=512
    )
    assert 0.05 < gain.before < 0.6
    assert gain.after == 1.0
    assert gain.gain == pytest.approx(1 - gain.before)
    spread = np.sqrt(gain.before * (1 - gain.before) / 511)
    assert gain.error == pytest.approx(spread, rel=1e-3)
    assert gain.restart == int(np.argmax(gain.seen))
    assert "lower bound" in str(gain)
    assert all(torch.equal(kept[name], one) for name, one in weights.items())


@pytest.mark.parametrize(
    "method", [METHODS["mra"], METHODS["maddpg"], Method(copies=2)]
)
def test_agents_of_all_methods_may_deviate(method):
    game = RESOURCE[0]
    weights = start((game,), method, TINY, 1).weights
    numbers = {"rounds": 1, "restarts": 1, "count": 99}
    gains = [
        measure_gain(game, method, weights, TINY, seed=seed, **numbers)
        for seed in (1, 1, 2)
    ]
    assert gains[0] == gains[1] != gains[2]
    assert gains[0].gain == pytest.approx(gains[0].after - gains[0].before)


def test_impossible_deviations_are_refused():
    weights = start(RESOURCE[:1], PLAIN, TINY, 1).weights

    def gain(game=RESOURCE[0], **changed):
        numbers = {"rounds": 1, "restarts": 1, "seed": 1, "count": 4} | changed
        return measure_gain(game, PLAIN, weights, TINY, **numbers)

    for name, least in (("rounds", 1), ("restarts", 1), ("count", 2)):
        with pytest.raises(UserError, match=f"{name} must be at least {least}; got 0"):
            gain(**{name: 0})
    with pytest.raises(UserError, match="agent must be one of 0 to 2; got 3"):
        gain(agent=3)
    with pytest.raises(UserError, match="must have as many roles"):
        gain(PACMAN)
