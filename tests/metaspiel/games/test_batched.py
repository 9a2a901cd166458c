"""Any OpenSpiel game as a simulator, held against OpenSpiel itself."""

import pickle
from dataclasses import replace

import numpy as np
import pyspiel
import pytest
import torch
from episodes import everywhere, pick, play

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.chance import event_numbers
from metaspiel.games.openspiel import load
from metaspiel.games.simulator import Simulator
from metaspiel.learn import evaluate
from metaspiel.learn.evaluate import Matches, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.learn.tasks import Task
from metaspiel.nfg.errors import UserError

GAMES = [
    "kuhn_poker",
    "leduc_poker",
    "bargaining",
    "kuhn_poker(players=3)",
    "matrix_pd",  # simultaneous
    "goofspiel(num_cards=3,imp_info=True)",  # simultaneous, with chance
    "tic_tac_toe",
]


def uniforms(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, 1)))


def same(one, two, where=slice(None)):
    """Whether two positions show the same."""
    parts = ("mover", "done", "inputs", "legal", "returns", "penalty")
    return all(
        torch.equal(getattr(one, part)[where], getattr(two, part)[where])
        for part in parts
    )


@pytest.mark.parametrize("name", GAMES)
def test_episodes_are_openspiels(name):
    simulator, game = OpenSpielSimulator(name), load(name)
    assert isinstance(simulator, Simulator)
    position = simulator.start(uniforms(1, 2, 5))
    rng, moves = np.random.default_rng(2), 0
    mirror = {}
    for s, b in np.ndindex(2, 5):  # replay what chance did
        mirror[s, b] = game.new_initial_state()
        catch_up(mirror[s, b], simulator.history(position, s, b))
    while not position.done.all():
        for (s, b), state in mirror.items():
            matches(simulator, position, s, b, state)
        action = pick(position, rng)
        old, position = position, simulator.step(position, action, everywhere(position))
        moves += 1
        for (s, b), state in mirror.items():
            if not old.done[s, b]:
                state.apply_action(int(action[s, b]))
                catch_up(state, simulator.history(position, s, b))
    for (s, b), state in mirror.items():
        matches(simulator, position, s, b, state)
        assert state.is_terminal()
    assert moves <= simulator.longest


def catch_up(state, history):
    """Applies the chance events that a longer history has."""
    while state.is_chance_node():
        state.apply_action(history[len(state.history())])


def matches(simulator, position, s, b, state):
    assert bool(position.done[s, b]) == state.is_terminal()
    assert position.inputs.shape[2:] == (simulator.inputs,)
    if state.is_terminal():
        assert position.returns[s, b].tolist() == pytest.approx(state.returns())
        assert not position.legal[s, b].any() and not position.inputs[s, b].any()
        return
    player = state.current_player()
    assert position.mover[s, b] == player
    assert position.legal[s, b].nonzero()[:, 0].tolist() == state.legal_actions()
    sees_information_states = simulator.reads == "information state"
    tensor = (
        state.information_state_tensor
        if sees_information_states
        else state.observation_tensor
    )
    assert np.allclose(position.inputs[s, b].numpy(), tensor(player))
    assert not position.returns[s, b].any()


def test_it_says_what_the_inputs_are():
    assert OpenSpielSimulator("kuhn_poker").reads == "information state"
    assert OpenSpielSimulator("backgammon").reads == "observation"


@pytest.mark.parametrize("name", ["leduc_poker", "kuhn_poker(players=3)"])
def test_the_same_number_meets_the_same_chance(name):
    simulator = OpenSpielSimulator(name)
    numbers = uniforms(3, 1, 40).expand(2, -1, -1)
    position = play(simulator, simulator.start(numbers), np.random.default_rng(4))[-1]
    game = load(name)
    cards = np.empty((2, 40), dtype=object)
    for at in np.ndindex(2, 40):
        state, cards[at] = game.new_initial_state(), []
        for action in simulator.history(position, *at):
            if state.is_chance_node():
                cards[at].append(action)
            state.apply_action(action)
    for one, two in zip(*cards, strict=True):  # one may have ended earlier
        shared = min(len(one), len(two))
        assert one[:shared] == two[:shared]
    assert len({tuple(dealt) for dealt in cards[0]}) > 10


def test_later_chance_events_have_the_numbers_of_their_counters():
    starts = np.append(np.random.default_rng(0).random(500), [0.0, 1 - 2**-53])
    events = np.arange(len(starts)) % 50
    streams = [
        np.random.Philox(key=int(start * 2**53), counter=event)
        for start, event in zip(starts, events.tolist(), strict=True)
    ]
    drawn = np.array([np.random.Generator(one).random() for one in streams])
    expected = np.where(events == 0, starts, drawn)
    assert np.array_equal(event_numbers(starts, events), expected)


def test_chance_has_its_distribution():
    simulator = OpenSpielSimulator("kuhn_poker(players=3)")  # three chance events
    position = simulator.start(uniforms(5, 1, 6000))
    deals = [tuple(simulator.history(position, 0, b)) for b in range(6000)]
    counts = np.unique(deals, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert np.abs(counts - 250).max() < 4.5 * np.sqrt(250 * 23 / 24)


def test_a_step_leaves_the_old_position_alone():
    simulator = OpenSpielSimulator("leduc_poker")
    for path_seed in range(3):
        position = simulator.start(uniforms(path_seed, 2, 4))
        path = play(simulator, position, np.random.default_rng(path_seed))
        again = play(simulator, position, np.random.default_rng(path_seed))
        assert len(path) == len(again)
        assert all(same(one, two) for one, two in zip(path, again, strict=True))


def test_only_the_episodes_asked_for_are_moved():
    simulator = OpenSpielSimulator("leduc_poker")
    start = simulator.start(uniforms(6, 2, 4))
    where = torch.tensor([[True, False, True, False], [False, False, True, True]])
    action = pick(start, np.random.default_rng(7))
    bad = torch.where(where, action, -5)  # nobody looks at the others' actions
    part, whole = (
        simulator.step(start, bad, where),
        simulator.step(start, action, everywhere(start)),
    )
    assert same(part, whole, where) and same(part, start, ~where)
    assert not same(whole, start, ~where)

    fresh = uniforms(8, 2, 4)
    restarted = simulator.restart(whole, where, fresh)
    assert same(restarted, simulator.start(fresh), where)
    assert same(restarted, whole, ~where)
    assert torch.equal(restarted.uniforms[where], fresh[where])
    assert not restarted.chances[where].eq(0).any()


def test_finished_episodes_stay():
    simulator = OpenSpielSimulator("kuhn_poker")
    end = play(simulator, simulator.start(uniforms(9, 1, 6)), np.random.default_rng(1))
    after = simulator.step(end[-1], torch.zeros(1, 6).long(), everywhere(end[-1]))
    assert same(after, end[-1])
    outcomes = simulator.outcomes(after)
    assert outcomes.shape == (1, 6, 1, 2)
    assert torch.equal(outcomes[:, :, 0], after.returns)


@pytest.mark.parametrize("name", ["kuhn_poker", "matrix_pd"])
def test_trials_do_not_depend_on_each_other(name):
    simulator = OpenSpielSimulator(name)
    numbers = uniforms(10, 3, 4)
    whole, lone = simulator.start(numbers), simulator.start(numbers[1:2])
    assert torch.equal(whole.inputs[1], lone.inputs[0])
    action = pick(whole, np.random.default_rng(1))
    whole = simulator.step(whole, action, everywhere(whole))
    lone = simulator.step(lone, action[1:2], everywhere(lone))
    assert torch.equal(whole.inputs[1], lone.inputs[0])
    assert torch.equal(whole.legal[1], lone.legal[0])


def test_instances_are_all_that_chance_can_do():
    simulator = OpenSpielSimulator("bargaining(max_turns=4)")
    numbers, weights = simulator.instances()
    assert weights.sum() == pytest.approx(1)
    position = simulator.start(numbers[None])
    dealt = [simulator.history(position, 0, b)[0] for b in range(len(weights))]
    root = load(simulator.game).new_initial_state()
    expected = dict(root.chance_outcomes())
    assert dealt == list(expected)
    assert weights.tolist() == pytest.approx(list(expected.values()))

    # First legal action always: exact value against OpenSpiel's tree.
    while not position.done.all():
        first = position.legal.float().argmax(-1)
        position = simulator.step(position, first, everywhere(position))
    assert (position.chances == 1).all()
    mean = (weights[:, None] * position.returns[0]).sum(0)

    def value(state):
        if state.is_terminal():
            return np.array(state.returns())
        if state.is_chance_node():
            return sum(p * value(state.child(o)) for o, p in state.chance_outcomes())
        return value(state.child(state.legal_actions()[0]))

    assert mean.tolist() == pytest.approx(list(value(root)), rel=1e-5)


def test_without_chance_there_is_one_instance():
    numbers, weights = OpenSpielSimulator("tic_tac_toe").instances()
    assert numbers.shape == (1, 1) and weights.tolist() == [1.0]


@pytest.mark.parametrize("name", ["kuhn_poker", "bargaining(prob_end=0.1)"])
def test_instances_need_chance_at_the_root_only(name):
    with pytest.raises(UserError, match="at the root only"):
        OpenSpielSimulator(name).instances()


def test_moves_of_a_round_are_hidden_in_capture_the_flag():
    name = "capture_the_flag(horizon=40)"
    simulator, game = OpenSpielSimulator(name), pyspiel.load_game(name)
    assert simulator.reads == "observation"
    assert (simulator.players, simulator.actions, simulator.inputs) == (2, 5, 179)
    position, rng = simulator.start(uniforms(11, 1, 4)), np.random.default_rng(12)
    for b in range(4):
        first = simulator.start(position.uniforms[:, b : b + 1])
        whole = game.new_initial_state()
        while not first.done.all():
            joint = []
            for player in (0, 1):  # both see the map as it was before the round
                assert first.mover.item() == player and not whole.is_terminal()
                turn, own = np.eye(2)[[player, player]]
                seen = [*turn, *own, *whole.observation_tensor(player)]
                assert first.inputs[0, 0].tolist() == pytest.approx(seen)
                legal = first.legal[0, 0].nonzero()[:, 0].tolist()
                assert legal == whole.legal_actions(player)
                joint.append(pick(first, rng))
                first = simulator.step(first, joint[-1], everywhere(first))
            whole.apply_actions([int(action) for action in joint])
            catch_up(whole, simulator.history(first, 0, 0))
        assert whole.is_terminal()
        assert first.returns[0, 0].tolist() == pytest.approx(whole.returns())


@pytest.mark.parametrize(
    "settings",
    [
        replace(DDQN.budget(600), games=8),
        PPOResponse(decisions=320, games=8, rounds=20, minibatch=40, width=8),
    ],
    ids=lambda learner: learner.name,
)
def test_capture_the_flag_is_learned_and_evaluated(settings):
    simulator = OpenSpielSimulator("capture_the_flag(horizon=12)")
    network = MLP(inputs=simulator.inputs, width=8, actions=simulator.actions)
    anyone = Pool.uniform(network)
    task = Task(
        simulator=simulator,
        network=network,
        settings=settings,
        player=1,
        pools=(anyone, anyone),
        co_play=np.ones(1),
        seed=(0,),
    )
    (learned,) = train([task])
    assert learned.updates and learned.episodes
    match = Matches(
        simulator=simulator,
        network=network,
        pools=(anyone, Pool.of(learned.policy[None], settings.play)),
        profiles=pure(np.zeros((1, 2), dtype=np.int64), 20),
        seed=(1,),
    )
    (scores,) = evaluate.play([match])
    assert scores.mean.sum() == pytest.approx(0) and scores.length.item() <= 24


def test_it_is_a_value():
    simulator = OpenSpielSimulator("leduc_poker", symmetric=True)
    assert (
        pickle.loads(pickle.dumps(simulator))
        == simulator
        != OpenSpielSimulator("leduc_poker")
    )
    assert simulator.symmetric and simulator.name == "leduc_poker"
    assert simulator.together([simulator]) is simulator
    with pytest.raises(UserError, match="one game"):
        simulator.together([OpenSpielSimulator("kuhn_poker")])


def test_it_plays_our_bargaining_game():
    simulator = OpenSpielSimulator("bargaining_generalized(discount=1.0)")
    assert (simulator.inputs, simulator.actions, simulator.longest) == (41, 109, 11)
    end = play(simulator, simulator.start(uniforms(1, 1, 3)), np.random.default_rng(2))
    assert end[-1].done.all()


def test_user_mistakes_are_told():
    with pytest.raises(UserError, match="unknown game"):
        OpenSpielSimulator("kuhn_pokr")
    with pytest.raises(UserError, match="chance"):
        OpenSpielSimulator("negotiation")
    silent = next(
        kind.short_name
        for kind in pyspiel.registered_games()
        if not kind.provides_information_state_tensor
        and not kind.provides_observation_tensor
        and kind.default_loadable
        and kind.dynamics == pyspiel.GameType.Dynamics.SEQUENTIAL
    )
    with pytest.raises(UserError, match="tensor"):
        OpenSpielSimulator(silent)
    simulator = OpenSpielSimulator("kuhn_poker")
    with pytest.raises(UserError, match="1 uniform number"):
        simulator.start(torch.zeros(1, 2, 3).double())
    start = simulator.start(uniforms(1, 1, 2))
    for action in (-1, 2):
        with pytest.raises(UserError, match="legal"):
            simulator.step(start, torch.full((1, 2), action), everywhere(start))
