import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from metaspiel import files
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.recalling import Recalling
from metaspiel.games.simulator import Simulator
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import drawn
from metaspiel.nfg.errors import UserError
from offline import dynamics, ensemble, fidelity, model, record, tables
from offline.settings import Training
from offline.starts import starts

GAME = Bargaining()
SHORT = Training(steps=40, width=32)
OWN = Training(steps=20, width=16, norm="dimension", members_share_batches=False)


@pytest.fixture(scope="module")
def sets():
    sizes = (60, 40, 60, 80)
    return [record.collect(GAME, n, seed) for seed, n in enumerate(sizes)]


@pytest.fixture(scope="module")
def trained(sets):
    """A model that knows the rules roughly."""
    data = record.collect(GAME, 400, 9)
    learned = dynamics.train([data], [0], Training(steps=1500, width=64, rate=2e-3))
    return model.ModelSimulator(learned=learned, starts=starts([data])), data


def play(simulator, trials, episodes, moves, seed=5):
    """Uniform play with restarts; every trial has a generator of its own."""
    sources = [torch.Generator().manual_seed(seed + s) for s in range(trials)]

    def draw(*shape):
        kind = torch.float64
        rows = [torch.rand(*shape, generator=one, dtype=kind) for one in sources]
        return torch.stack(rows)

    position = simulator.start(draw(episodes, 1))
    seen = [position]
    for _ in range(moves):
        action = drawn(position.legal, draw(episodes))
        position = simulator.step(position, action, ~position.done)
        seen.append(position)
        position = simulator.restart(position, position.done, draw(episodes, 1))
    return seen


def autograd_step(shape, vector, x, target, slope):
    """Gradient of half the slope-weighted square error, by torch."""
    leaf = vector.clone().requires_grad_()
    error = shape.scores(leaf, x) - target
    (gradient,) = torch.autograd.grad((slope * error**2 / 2).sum(), leaf)
    return gradient


def test_gradients_are_those_of_autograd():
    shape = MLP(6, 8, 5)
    generators = [torch.Generator().manual_seed(s) for s in range(2)]
    training = Training(batch=7, width=8)
    fit = dynamics._Fit(shape, generators, 2, training, torch.device("cpu"))
    before = fit.net.vectors().clone()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 7, 6, generator=generator)
    target = torch.randn(4, 7, 5, generator=generator)
    slope = torch.rand(5, generator=generator)
    fit.step(x, target, slope)
    for k, gradient in enumerate(fit.grad.vectors()):
        wanted = autograd_step(shape, before[k], x[k], target[k], slope)
        torch.testing.assert_close(gradient, wanted, atol=1e-6, rtol=1e-5)
    # The first step of Adam moves every weight by the rate, against its gradient.
    moved = fit.net.vectors() - before
    steep = fit.grad.vectors().abs() > 1e-4
    wanted = -training.rate * fit.grad.vectors().sign()
    torch.testing.assert_close(moved[steep], wanted[steep], atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("training", [SHORT, OWN], ids=["shared", "own"])
def test_a_trial_does_not_depend_on_the_trials_beside_it(sets, training):
    alone = [dynamics.train([sets[s]], [s], training) for s in (0, 3)]
    for trials in (2, 4):
        many = dynamics.train(sets[:trials], list(range(trials)), training)
        assert ensemble.same(ensemble.only(many, 0), alone[0])
    assert ensemble.same(ensemble.only(many, 3), alone[1])
    assert not torch.equal(many.f[0], many.f[2])


def test_members_differ_as_they_should(sets):
    data = sets[0]
    shared = tables.pools_of(data, 0, SHORT)
    assert len(shared.moves) == len(shared.ends) == 1
    own = tables.pools_of(data, 0, OWN)
    assert len(own.moves) == 5 and len(own.ends) == 4
    chosen = np.bincount(own.ends[0], minlength=60)
    assert np.array_equal(chosen[::2], chosen[1::2])  # mirrors stay together
    assert chosen.sum() == 60 and (chosen == 0).any()
    assert len(own.moves[0]) == data.length[own.ends[0]].sum()
    assert not np.array_equal(own.ends[0], own.ends[1])
    learned = dynamics.train([data], [0], Training(steps=1, width=8))
    assert not torch.equal(learned.f[0, 0], learned.f[0, 1])


def test_rows_are_what_the_networks_should_learn(sets):
    data = sets[1]
    scales = tables.scales_of(data, SHORT)
    rows = tables.tables_of(data, scales, SHORT)
    played = np.arange(11) < data.length[:, None]
    mean, sd = (part.numpy() for part in scales.state[0])
    assert np.allclose(mean, data.states[played].mean(), atol=1e-5)
    assert np.allclose(sd, data.states[played].std(), atol=1e-5)
    states = rows.moves[:, :15] * sd + mean
    assert np.allclose(states, data.states[played], atol=1e-5)
    after = states + rows.moves[:, 18:33] * sd
    last = tables.last_moves(data)
    assert np.allclose(after[last], -1, atol=1e-5)
    follows = np.flatnonzero(~last)
    assert np.allclose(after[follows], states[follows + 1], atol=1e-5)
    assert np.array_equal(rows.moves[:, 55:] == 1, data.legal[played])
    mean, sd = (part.numpy() for part in scales.observation[0])
    seen = rows.moves[:, 33:55].reshape(-1, 2, 11) * sd + mean
    assert np.allclose(seen, data.observations[played], atol=1e-5)
    pays = rows.ends[:, 18:] * float(scales.reward[0])
    assert np.allclose(pays, data.returns, atol=1e-5)
    assert abs(float(scales.reward[0]) - data.returns.std()) < 1e-4


def test_the_authors_error_divides_by_another_deviation(sets):
    wrong = Training(reward_scale_bug=True)
    right_rows, wrong_rows = (
        tables.tables_of(sets[0], tables.scales_of(sets[0], t), t).ends
        for t in (SHORT, wrong)
    )
    ratio = wrong_rows[:, 18:].sum() / right_rows[:, 18:].sum()
    every = np.zeros((sets[0].length.sum(), 2))
    every[: len(sets[0].returns)] = sets[0].returns
    assert ratio == pytest.approx(sets[0].returns.std() / every.std(), rel=1e-4)


def test_entries_that_never_vary_are_only_centred(sets):
    scales = tables.scales_of(sets[0], OWN)
    assert scales.state[0, 1, 0] == 1  # agreed, before any move
    assert len(scales.state[0, 1].unique()) > 5


def test_an_ensemble_survives_its_file(sets, tmp_path):
    learned = dynamics.train(sets[:2], [0, 1], OWN)
    ensemble.save(learned, tmp_path / "m.safetensors")
    assert ensemble.same(ensemble.load(tmp_path / "m.safetensors"), learned)
    (tmp_path / "no").write_bytes(b"nothing")
    for name in ("no", "missing"):
        with pytest.raises(UserError, match="must be a whole safetensors file"):
            ensemble.load(tmp_path / name)


def test_a_damaged_file_of_an_ensemble_is_refused(sets, tmp_path):
    learned = dynamics.train(sets[:1], [0], Training(steps=1, width=8))
    place = tmp_path / "m.safetensors"
    ensemble.save(learned, place)
    about, arrays = files.read_arrays(place)

    def refused(sentence, header, **changes):
        files.write_arrays(place, arrays | changes, header)
        with pytest.raises(UserError, match=sentence):
            ensemble.load(place)

    refused("the format must be 3", {})
    refused("must have 'game'", {k: v for k, v in about.items() if k != "game"})
    for changes in (
        {"sizes": about["sizes"] | {"players": "2"}},
        {"sizes": {"players": 2}},
        {"sizes": [2]},
        {"training": about["training"] | {"depth": 3}},
        {"training": about["training"] | {"members": 0}},
        {"training": about["training"] | {"width": 8.5}},
        {"game": 3},
        {"symmetric": "yes"},
    ):
        refused("its header must be readable", about | changes)
    refused("'f' must be float32 of shape", about, f=arrays["f"][..., :-1])
    refused("'g' must be float32 of shape", about, g=arrays["g"].astype(float))
    del arrays["scales.reward"]
    refused("must hold 'scales.reward'; it is missing", about)
    save_file({"f": torch.zeros(1)}, place, {"facts": "[1]"})
    with pytest.raises(UserError, match="its facts are no object"):
        ensemble.load(place)
    save_file({"f": torch.zeros(1)}, place, {"about": json.dumps(about)})
    with pytest.raises(UserError, match="written by an earlier metaspiel"):
        ensemble.load(place)


def test_constant_payoffs_are_refused(sets):
    nothing = replace(sets[0], returns=np.zeros_like(sets[0].returns))
    for bug in (False, True):
        training = Training(steps=1, width=8, reward_scale_bug=bug)
        with pytest.raises(UserError, match=r"payoffs must vary .* 60 trajectories"):
            dynamics.train([nothing], [0], training)


def test_impossible_training_is_refused(sets):
    with pytest.raises(UserError, match="steps must be positive; got 0"):
        Training(steps=0)
    with pytest.raises(UserError, match="one seed for each; got 2 data sets"):
        dynamics.train(sets[:2], [0], SHORT)
    other = record.collect(Bargaining(discount=0.5), 4, 0)
    with pytest.raises(UserError, match="all data sets must be of one game; number 1"):
        dynamics.train([sets[0], other], [0, 1], SHORT)


def test_the_model_is_a_simulator_and_a_value(sets):
    learned = dynamics.train(sets[:2], [0, 1], SHORT)
    both = model.ModelSimulator(learned=learned, starts=starts(sets[:2]))
    assert isinstance(both, Simulator)
    play(both, 2, 3, 1)  # the stacked networks are made and not pickled
    again = pickle.loads(pickle.dumps(both))
    assert again == both and hash(again) == hash(both)
    assert again != both.trial(0)
    joined = both.trial(0).together([both.trial(1)])
    assert joined == both
    apart = model.ModelSimulator(
        learned=both.trial(1).learned, starts=starts(sets[1:2]), history="actual"
    )
    with pytest.raises(UserError, match="must have the same switches"):
        both.trial(0).together([apart])
    with pytest.raises(UserError, match="one data set for each model"):
        model.ModelSimulator(learned=learned, starts=starts(sets[:1]))
    with pytest.raises(UserError, match="uniform numbers for 2 trials; got 1"):
        both.start(torch.zeros(1, 4, 1, dtype=torch.float64))


def test_players_in_a_model_can_remember(sets):
    learned = dynamics.train(sets[:2], [0, 1], SHORT)
    both = model.ModelSimulator(learned=learned, starts=starts(sets[:2]))
    one, two = (Recalling(both.trial(s), 2) for s in (0, 1))
    joined = one.together([two])
    assert joined == Recalling(both, 2) and joined.ensemble == both.ensemble > 1
    begun = joined.start(torch.full((2, 3, 1), 0.4).double())
    again = joined.step(begun, begun.legal.int().argmax(-1), ~begun.done)
    outcomes = joined.outcomes(again)
    assert torch.equal(outcomes, both.outcomes(again.game))
    assert outcomes.shape == (2, 3, joined.ensemble, 2)
    assert not torch.equal(again.inputs, begun.inputs)


@pytest.mark.parametrize("trials", [1, 2])
def test_an_episode_does_not_depend_on_the_trials_beside_it(sets, trials):
    learned = dynamics.train(sets, list(range(4)), SHORT)
    every = model.ModelSimulator(learned=learned, starts=starts(sets))
    few = every.trial(0)
    if trials == 2:
        few = few.together([every.trial(1)])
    for one, many in zip(play(few, trials, 8, 25), play(every, 4, 8, 25), strict=True):
        for name, value in vars(one).items():
            assert torch.equal(value, getattr(many, name)[:trials]), name


def test_episodes_begin_where_trajectories_began(trained):
    simulator, data = trained
    uniforms = (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    position = simulator.start(uniforms[None, :, None])
    assert np.array_equal(position.state[0].numpy(), data.states[:, 0])
    assert np.array_equal(position.legal[0].numpy(), data.legal[:, 0])
    assert np.array_equal(position.mover[0].numpy(), data.mover[:, 0])
    own = data.observations[np.arange(400), 0, data.mover[:, 0]]
    assert np.array_equal(position.inputs[0, :, :8].numpy(), own[:, :8])
    assert not position.inputs[..., 8:].any()


def test_a_step_is_that_of_the_specification(trained):
    """One member at a time, one episode at a time, with plain networks."""
    simulator, _ = trained
    learned, scales = simulator.learned, simulator.learned.scales
    net_f, net_g, net_h = learned.networks
    positions = play(simulator, 1, 6, 12)
    checked = 0
    for old in positions[:12]:
        action = drawn(old.legal, torch.full(old.mover.shape, 0.99).double())
        new = simulator.step(old, action, torch.ones_like(old.done))
        for b in torch.nonzero(~old.done[0])[:, 0].tolist():
            state, vector = old.state[0, b], learned.vectors[action[0, b]]
            norm = (state - scales.state[0, 0]) / scales.state[0, 1]
            vector = (vector - scales.action[0, 0]) / scales.action[0, 1]
            x = torch.cat([norm, vector])[None]
            each = [
                state + scales.state[0, 1] * net_f.scores(f, x)[0] for f in learned.f[0]
            ]
            after = torch.stack(each).mean(0)
            fired = bool((after + 1).abs().mean() < 0.5)
            pays = [net_g.scores(g, x)[0] * scales.reward[0] for g in learned.g[0]]
            pays = torch.stack(pays) * fired
            u = (pays - pays.mean(0)).abs().mean(1).max()
            norm = (after - scales.state[0, 0]) / scales.state[0, 1]
            out = net_h.scores(learned.h[0], norm[None])[0]
            mover = 1 - int(old.mover[0, b])
            seen = out[:22].reshape(2, 11)[mover]
            seen = seen * scales.observation[0, 1] + scales.observation[0, 0]
            steps = int(old.steps[0, b]) + 1
            close = dict(atol=2e-4, rtol=1e-4)
            torch.testing.assert_close(new.state[0, b], after, **close)
            torch.testing.assert_close(new.returns[0, b], pays.mean(0), **close)
            torch.testing.assert_close(new.penalty[0, b], u, **close)
            torch.testing.assert_close(simulator.outcomes(new)[0, b], pays, **close)
            assert bool(new.fired[0, b]) == fired
            assert bool(new.done[0, b]) == (fired or steps == 11)
            assert int(new.mover[0, b]) == mover
            inputs = old.inputs[0, b].clone()
            inputs[:8] = seen[:8]
            inputs[8 + 3 * (steps - 1) : 8 + 3 * steps] = seen[8:]
            torch.testing.assert_close(new.inputs[0, b], inputs, **close)
            if not new.done[0, b]:
                assert torch.equal(new.legal[0, b], out[22:] > 0.5)
            else:
                assert not new.legal[0, b].any()
            checked += 1
    assert checked > 50


def test_only_the_asked_episodes_move(trained):
    simulator, _ = trained
    old = play(simulator, 1, 4, 2)[-1]
    where = torch.tensor([[True, False, True, False]])
    action = drawn(old.legal, torch.zeros(1, 4, dtype=torch.float64))
    new = simulator.step(old, action, where)
    moves = where & ~old.done
    assert torch.equal(new.steps, old.steps + moves)
    for name in vars(old):
        assert torch.equal(getattr(new, name)[~moves], getattr(old, name)[~moves])
    over = play(simulator, 1, 64, 11)
    done = next(p for p in over if p.done.any())
    again = simulator.step(
        done, torch.zeros_like(done.mover), torch.ones_like(done.done)
    )
    assert torch.equal(again.state[done.done], done.state[done.done])


def test_an_empty_mask_becomes_all_actions_and_is_counted(trained):
    simulator, data = trained
    deaf = replace(simulator.learned, h=torch.zeros_like(simulator.learned.h))
    deaf = model.ModelSimulator(learned=deaf, starts=starts([data]))
    position = play(deaf, 1, 8, 1)[-1]
    assert torch.equal(position.emptied, (~position.done).long())
    assert torch.equal(position.legal.all(2), ~position.done)


def test_switches_of_the_model_do_what_they_say(trained):
    simulator, _ = trained
    learned, begin = simulator.learned, simulator.starts
    uniforms = torch.rand(1, 5, 1, dtype=torch.float64, generator=torch.Generator())
    actual = model.ModelSimulator(learned=learned, starts=begin, history="actual")
    position = actual.start(uniforms)
    action = drawn(position.legal, torch.full((1, 5), 0.7).double())
    asked = torch.ones_like(position.done)
    new = actual.step(position, action, asked)
    assert torch.equal(new.inputs[..., 8:11], learned.vectors[action])
    predicted = simulator.step(position, action, asked)
    assert torch.equal(new.inputs[..., :8], predicted.inputs[..., :8])
    assert not torch.equal(new.inputs, predicted.inputs)
    rounded = model.ModelSimulator(learned=learned, starts=begin, round_state=True)
    state = rounded.step(position, action, asked).state
    assert torch.equal(state, predicted.state.round())
    pays = torch.tensor([[1.0, 0.0], [3.0, 1.0], [2.0, 2.0]])[None, None]
    assert float(simulator.predictor.disagreement(pays)) == pytest.approx(1.0)
    pairwise = model.ModelSimulator(
        learned=learned, starts=begin, uncertainty="pairwise"
    )
    assert float(pairwise.predictor.disagreement(pays)) == pytest.approx(1.5)


def test_fidelity_tells_what_it_says(trained):
    simulator, data = trained
    fresh = record.collect(GAME, 400, 77)
    known, new = (fidelity.one_step(simulator, d) for d in (data, fresh))
    assert known["hits"] > 0.9 and known["false_alarms"] < 0.05
    assert known["mask_precision"] > 0.9 and known["mask_recall"] > 0.9
    assert known["state_error"] < new["state_error"] < 0.3
    assert known["payoff_error_deals"] < new["payoff_error_deals"]
    assert known["u_deals"] < new["u_deals"]
    assert known["deals"] + known["no_deals"] == 400
    assert 0.8 < known["slope"] < 1.1
    paying = torch.from_numpy(data.paying.copy())
    (model_play,) = fidelity.roll_outs(simulator, paying, 300, 0)
    (true_play,) = fidelity.roll_outs(GAME, paying, 3000, 0)
    assert abs(model_play["length"] - true_play["length"]) < 1
    assert abs(true_play["deals"] - 0.33) < 0.04
    assert true_play["cut"] == pytest.approx(1 - true_play["deals"])
    with pytest.raises(UserError, match="the data must be of"):
        fidelity.one_step(simulator, record.collect(Bargaining(0.5), 4, 0))


def test_payoffs_do_not_depend_on_which_others_are_asked_for(trained):
    simulator, data = trained
    predictor = simulator.predictor
    made = tables.moves_made(data)
    state = torch.from_numpy(data.states[made])[None, :256]
    action = torch.from_numpy(data.action[made])[None, :256]
    every = predictor.payoffs(state, action, torch.ones(1, 256, dtype=torch.bool))
    assert every.abs().amin((2, 3)).min() > 0
    for count in (0, 1, 2, 3, 9, 100, 255):
        order = torch.randperm(256, generator=torch.Generator().manual_seed(count))
        asked = (order < count)[None]
        some = predictor.payoffs(state, action, asked)
        torch.testing.assert_close(some[asked], every[asked])
        assert not some[~asked].any()


@pytest.mark.slow
def test_the_papers_settings_give_the_known_figures():
    data = record.collect(GAME, 1000, 0)
    fresh = record.collect(GAME, 2000, 10**6)
    learned = dynamics.train([data], [1])
    simulator = model.ModelSimulator(learned=learned, starts=starts([data]))
    known, new = (fidelity.one_step(simulator, d) for d in (data, fresh))
    assert new["hits"] > 0.95 and new["false_alarms"] < 0.001
    assert min(new["mask_precision"], new["mask_recall"]) > 0.995
    assert new["state_error"] < 0.04 and new["state_error_worst"] < 0.08
    assert known["payoff_error_deals"] < 0.15 and 1.8 < new["payoff_error_deals"] < 2.6
    assert new["u_deals"] > 4 * known["u_deals"]
    assert known["slope"] == pytest.approx(1, abs=0.01)
    paying = torch.from_numpy(data.paying.copy())
    (played,) = fidelity.roll_outs(simulator, paying, 4000, 0)
    assert abs(played["length"] - 9.4) < 0.2 and abs(played["deals"] - 0.34) < 0.03
    bug = dynamics.train([data], [1], Training(reward_scale_bug=True))
    wrong = model.ModelSimulator(learned=bug, starts=starts([data]))
    assert fidelity.one_step(wrong, data)["slope"] == pytest.approx(2.67, abs=0.1)
