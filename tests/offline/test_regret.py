"""Regret in the true game, cloned behaviour, and COffeE-PSRO as one loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from responses import task

from metaspiel.games.bargaining import Bargaining
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError
from offline.baselines import clone, decisions
from offline.coffee import Approach, setup
from offline.costs import Pace, measure
from offline.dynamics import train as fit
from offline.model import ModelSimulator
from offline.profiles import behaviour, profile
from offline.record import collect, verify
from offline.regret import Judge, regrets
from offline.settings import Cloning, Training
from offline.starts import starts
from psro.executor import InProcess
from psro.loop import run, start

TINY = DDQN(decisions=640, games=32, capacity=200, minimum=200, explore_decisions=500)
JUDGE = Judge(TINY, episodes=400, fresh=600)


@pytest.fixture(scope="module")
def data():
    return collect(Bargaining(), 200, seed=0)


@pytest.fixture(scope="module")
def model(data):
    learned = fit([data], [0], Training(steps=2000, width=100, members=3))
    return ModelSimulator(learned=learned, starts=starts([data]))


def network(simulator):
    return MLP.of(simulator, 24)


def policies(simulator, count):
    """The uniform policy, and networks that have learned nothing."""
    made = network(simulator)
    rows = [
        made.initial(torch.Generator().manual_seed(s)).numpy() for s in range(1, count)
    ]
    return Pool.uniform(made) + Pool.of(np.stack(rows))


def judged(simulator, pools, profiles, judge, seed, imitation=None):
    return regrets(
        simulator,
        network(simulator),
        InProcess(),
        pools=pools,
        profiles=profiles,
        judge=judge,
        seed=seed,
        imitation=imitation,
    )


def test_regret_of_uniform_bargaining():
    simulator = Bargaining()
    pool = policies(simulator, 2)
    sigma = (np.array([1.0, 0.0]),) * 2
    settings = replace(TINY, decisions=6400, capacity=1000, minimum=1000, rate=1e-3)
    judge = Judge(settings, episodes=400, fresh=600)
    one, two = judged(simulator, (pool, pool), [sigma, sigma], judge, (0,))
    assert one.profiles == 2 and one.best[0] == one.best[1]
    assert one.total == pytest.approx(one.per_player.sum())
    assert one.per_player[0] == one.per_player[1] > 1
    assert one.values == pytest.approx([2.7, 2.7], abs=0.6)
    assert abs(one.total - two.total) < 6 * (one.error + two.error) + 2
    (again,) = judged(simulator, (pool, pool), [sigma], judge, (0,))
    assert again.responses[0] == one.responses[0]


def test_players_of_their_own_are_judged_apart():
    simulator = OpenSpielSimulator("kuhn_poker(players=3)")
    pools = (policies(simulator, 2),) * 3
    sigma = (np.array([0.5, 0.5]),) * 3
    (regret,) = judged(simulator, pools, [sigma], JUDGE, (1,))
    assert regret.per_player.shape == (3,) and len(regret.best) == 3
    assert regret.values.sum() == pytest.approx(0, abs=1e-6)
    assert regret.total == pytest.approx(regret.per_player.sum())
    assert regret.total > -3 * regret.error


def test_imitation_changes_who_is_judged(data):
    simulator = Bargaining()
    pool = policies(simulator, 3)
    sigma = (np.array([0.0, 0.5, 0.5]),) * 2
    copied = clone(data, 0, Cloning(steps=200, width=24))
    asked = (simulator, (pool, pool), [sigma], JUDGE, (2,))
    none, whole = (judged(*asked, imitation=(copied, x))[0] for x in (0.0, 1.0))
    (plain,) = judged(*asked)
    assert none.values == pytest.approx(plain.values, abs=1e-9)
    assert none.responses == pytest.approx(plain.responses)
    # Behaviour of uniform data, played by all, is worth about what uniform play is.
    assert whole.values == pytest.approx([2.7, 2.7], abs=1.2)


def test_a_mixture_must_fit_its_pool():
    pool = policies(Bargaining(), 2)
    for wrong in (np.ones(2), np.array([1.0]), np.array([1.5, -0.5])):
        with pytest.raises(UserError, match="must be a distribution over 2 policies"):
            judged(Bargaining(), (pool, pool), [(wrong, wrong)], JUDGE, (0,))
    with pytest.raises(UserError, match="fresh must be at least 2"):
        Judge(fresh=1)


def test_decisions_are_what_players_knew():
    simulator = Bargaining()
    seen = []

    def act(position, chosen, uniforms):
        from offline.record import uniform

        action = uniform(position, chosen, uniforms)
        live = ~position.done[0]
        seen.append(
            (position.inputs[0, live], position.legal[0, live], action[0, live])
        )
        return action

    data = collect(simulator, 30, 1, act=act, mirror="none")
    inputs, legal, action = decisions(data)

    def order(x, a):
        return sorted((*r, int(b)) for r, b in zip(x.tolist(), a, strict=True))

    theirs = [torch.cat([s[i] for s in seen]) for i in range(3)]
    assert order(inputs, action) == order(theirs[0], theirs[2])
    assert int(legal.sum()) == int(theirs[1].sum())


def test_cloning_learns_what_was_done():
    simulator = Bargaining()

    def greedy(position, chosen, uniforms):
        """Takes everything, always: a behaviour that can be learned."""
        last = (
            position.legal.shape[-1]
            - 2
            - position.legal[..., :-1].flip(-1).int().argmax(-1)
        )
        return last

    data = collect(simulator, 200, 3, act=greedy, behaviour="last offer")
    copied = clone(data, 0, Cloning(steps=600, rate=1e-3))
    assert copied.held_out < 0.35 * copied.uniform
    again = clone(data, 0, Cloning(steps=600, rate=1e-3))
    assert again.weights.tobytes() == copied.weights.tobytes()
    uniform = clone(collect(simulator, 400, 3), 0, Cloning(steps=100))
    assert uniform.held_out > 0.95 * uniform.uniform
    with pytest.raises(UserError, match="steps must be positive"):
        Cloning(steps=0)


@pytest.mark.parametrize(
    ("exploration", "name"),
    [
        pytest.param("r2d", "coffee", marks=pytest.mark.slow),
        ("rd", "coffee"),
        ("rd", "oef"),
    ],
)
def test_the_loop_runs_on_a_model(model, name, exploration):
    approach = Approach(name, 2.0, 0.5)
    parts = setup(
        model,
        network(model),
        approach,
        exploration=exploration,
        settings=TINY,
        executor=InProcess(),
        seed=0,
        episodes=60,
    )
    *_, before, state = run(parts, start(parts), 2)
    made = parts
    assert state.table.values.shape == (3, 2, 3, 3)
    game = state.table.game(state.population, repeats=True)
    assert game.members is not None and game.symmetric
    assert (game.lower < game.upper).any()
    assert made.oracle.penalty == (2.0 if name == "coffee" else 0.0)
    assert made.oracle.covering(0) == (0.5 if name == "coffee" else 0.0)
    assert made.oracle.scale == pytest.approx(float(model.learned.scales.reward[0]))
    # What was responded to can be had again from the last state.
    for one in (before, state):
        again = profile(state, one.iteration, exploration, seed=0)
        for mine, theirs in zip(again, one.train.marginals, strict=True):
            assert len(mine) == 3
            np.testing.assert_allclose(mine[: len(theirs)], theirs, atol=1e-5)
    with pytest.raises(UserError, match="must have found as many policies"):
        profile(replace(state, iteration=5), 1, exploration, seed=0)


def test_plain_psro_in_the_game_plays_data_as_a_mixture():
    game = Bargaining()
    finals = []
    for seed in (0, 1):
        parts = setup(
            game,
            network(game),
            Approach("oef"),
            exploration="rd",
            settings=TINY,
            executor=InProcess(),
            seed=seed,
            episodes=40,
        )
        assert parts.oracle.scale == 5.0 and parts.oracle.covering(0) == 0.0
        *_, last = run(parts, start(parts), 1)
        finals.append(last)
    act, mixture = behaviour(finals, network(game))
    assert mixture.shape == (2, 2, 4)
    for number, state in enumerate(finals):
        own = slice(2 * number, 2 * number + 2)
        np.testing.assert_array_equal(mixture[number, 0, own], state.train.marginals[0])
        assert mixture[number].sum() == pytest.approx(2.0)
    drawn = collect(game, 40, 0, act=act, mixture=mixture, behaviour="two runs")
    verify(drawn, game)
    assert not drawn.equals(collect(game, 40, 0))
    assert drawn.equals(replace(drawn, behaviour="somebody else"))


def test_costs_are_those_of_the_parts():
    pace = Pace(1.0, 3.0, 0.5)
    ddqn = replace(TINY, decisions=640, minimum=200)
    assert pace.response(ddqn) == 200 + 440 * 3
    # Two iterations: six profiles and two responses are played.
    assert pace.loop(2, ddqn, 10) == 2 * pace.response(ddqn) + 8 * 10 * 0.5
    speed = measure(
        Bargaining(),
        ddqn=TINY,
        judge=TINY,
        training=Training(width=20, calibrate=0.99),  # more than 100 trajectories tell
        cloning=Cloning(width=20),
        solvers=["rd"],
        policies=1,
    )
    assert speed.game.busy >= speed.game.idle > 0 and speed.model.episode > 0
    assert speed.imitating >= 1 and min(speed.training, speed.cloning) > 0


def test_conservatism_lowers_the_uncertainty_of_what_is_learned(model):
    """With a heavy penalty responses meet less uncertain ends than without."""
    from metaspiel.learn.evaluate import Matches, play, pure
    from metaspiel.learn.responses import train

    settings = DDQN(
        decisions=3200, games=64, capacity=1000, minimum=1000,
        explore_decisions=2000, rate=1e-3,
    )  # fmt: skip
    small = MLP.of(model, 32)
    uniform = Pool.uniform(small)
    met = {}
    for penalty in (0.0, 50.0):
        changes = {"seed": (0,), "penalty": penalty, "scale": 5.0}
        asked = task(model, small, settings, uniform, **changes)
        policy = Pool.of(train([asked])[0].policy[None])
        profiles = pure(np.array([[0, 0]]), 1000)
        match = Matches(
            simulator=model,
            network=small,
            pools=(policy, uniform),
            profiles=profiles,
            seed=(1,),
        )
        met[penalty] = play([match])[0].penalty[0]
    assert met[50.0] < 0.7 * met[0.0]


def test_impossible_approaches_are_refused():
    with pytest.raises(UserError, match="penalty must be at least 0"):
        Approach("coffee", -1.0)
