"""Capture the flag for two teams: every rule by hand, laws, and a slow reference."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from episodes import everywhere, pick, play
from flag_reference import Episode
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.games import named_simulator
from metaspiel.games.capture_the_flag import CaptureTheFlag
from metaspiel.games.simulator import Enumerable, Simulator
from metaspiel.learn.evaluate import Matches, pure
from metaspiel.learn.evaluate import play as played
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Task
from metaspiel.nfg.errors import UserError

WAIT, UP, DOWN, BACK, AHEAD = range(5)
GAMES = st.builds(
    CaptureTheFlag,
    rows=st.integers(3, 8),
    columns=st.sampled_from([5, 7, 9]),
    view=st.integers(1, 3),
    horizon=st.integers(1, 25),
)
SEEDS = st.integers(0, 2**32 - 1)


def uniforms(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, 1)))


def same(one, two, where=slice(None), other=None):
    other = where if other is None else other
    return all(
        torch.equal(getattr(one, part)[where], getattr(two, part)[other])
        for part in one.__dataclass_fields__
    )


class Scene:
    """One episode on the 7 x 7 map, players put where a test wants them."""

    def __init__(self, first=0, horizon=40, **places):
        self.game = CaptureTheFlag(horizon=horizon)
        start = self.game.start(torch.full((1, 1, 1), (first + 0.5) / 8).double())
        cells, flags = start.cells.clone(), start.flags.clone()
        carries = start.carries.clone()
        for name, (row, column) in places.items():
            kind, number = name[0], int(name[1])
            where = cells if kind in "pc" else flags
            where[0, 0, number] = 7 * row + column
            if kind == "c":  # a player that carries the other team's flag
                carries[0, 0, number] = True
                flags[0, 0, 1 - number // 2] = 7 * row + column
        put = replace(start, cells=cells, flags=flags, carries=carries)
        nowhere = torch.zeros_like(put.done)
        self.position = self.game.step(put, put.mover, nowhere)  # shows what was put

    def round(self, *actions):
        for action in actions:
            chosen = torch.full((1, 1), action)
            self.position = self.game.step(
                self.position, chosen, everywhere(self.position)
            )
        return self

    def player(self, number):
        return divmod(int(self.position.cells[0, 0, number]), 7)

    def flag(self, team):
        return divmod(int(self.position.flags[0, 0, team]), 7)

    @property
    def carriers(self):
        return self.position.carries[0, 0].nonzero()[:, 0].tolist()

    @property
    def captures(self):
        return self.position.captures[0, 0].tolist()


# ---- rules, by hand ----


def test_an_episode_begins_at_bases_and_flags_at_home():
    scene = Scene()
    assert [scene.player(p) for p in range(4)] == [(0, 0), (6, 0), (0, 6), (6, 6)]
    assert [scene.flag(team) for team in (0, 1)] == [(3, 1), (3, 5)]
    assert scene.carriers == [] and scene.captures == [0, 0]


def test_both_teams_move_in_their_own_frame():
    scene = Scene(p0=(4, 1), p2=(4, 5)).round(AHEAD, UP, AHEAD, UP)
    assert [scene.player(p) for p in range(4)] == [(4, 2), (5, 0), (4, 4), (5, 6)]
    scene.round(UP, WAIT, DOWN, WAIT).round(BACK, WAIT, BACK, WAIT)
    assert (scene.player(0), scene.player(2)) == ((3, 2), (5, 5))  # (3, 1): own flag


def test_nobody_moves_before_all_have_chosen_and_nobody_is_told():
    one, other = Scene(p0=(4, 2)), Scene(p0=(4, 2))
    for scene, action in ((one, WAIT), (other, UP)):
        scene.round(action)
        assert scene.player(0) == (4, 2) and scene.position.mover.item() == 1
    for _ in range(3):
        assert torch.equal(one.position.inputs, other.position.inputs)
        assert torch.equal(one.position.legal, other.position.legal)
        one.round(WAIT), other.round(WAIT)
    assert (one.player(0), other.player(0)) == ((4, 2), (3, 2))


def test_walls_and_edges_are_not_legal():
    def legal(**places):
        return Scene(**places).position.legal[0, 0].nonzero()[:, 0].tolist()

    assert legal() == [WAIT, DOWN, AHEAD]  # in the corner
    assert legal(p0=(3, 2)) == [WAIT, UP, DOWN, BACK]  # a wall ahead, its flag behind
    assert legal(p0=(2, 3)) == [WAIT, BACK, AHEAD]  # between two walls
    assert legal(p0=(2, 4)) == [WAIT, UP, DOWN, BACK, AHEAD]


def test_a_cell_is_taken_by_who_comes_first():
    for first, winner in ((0, 0), (1, 2), (4, 2), (5, 0)):  # of 0, 2, 1, 3; 2, 0, 3, 1
        scene = Scene(first, p0=(2, 2), p2=(2, 4)).round(AHEAD, WAIT, AHEAD, WAIT)
        cells = {0: (2, 2), 2: (2, 4)} | {winner: (2, 3)}
        assert {p: scene.player(p) for p in (0, 2)} == cells


def test_a_cell_that_was_left_in_time_is_free():
    behind = {"p0": (2, 2), "p1": (2, 1)}
    follows = Scene(0, **behind).round(UP, AHEAD, WAIT, WAIT)
    assert follows.player(1) == (2, 2)
    too_early = Scene(2, **behind).round(UP, AHEAD, WAIT, WAIT)
    assert too_early.player(1) == (2, 1)


def test_the_first_to_act_changes_every_round():
    winners = [
        0,
        2,
        0,
        0,
    ]  # 0, 2, 1, 3, then 2, 1, 3, 0, then 1, 3, 0, 2 and 3, 0, 2, 1
    scene = Scene(p0=(2, 2), p2=(2, 4))
    for winner in winners:
        scene.round(AHEAD, WAIT, AHEAD, WAIT)
        assert scene.player(winner) == (2, 3)
        cells = scene.position.cells.clone()
        cells[0, 0, 0], cells[0, 0, 2] = 7 * 2 + 2, 7 * 2 + 4
        scene.position = replace(scene.position, cells=cells)


def test_enemies_block_each_other_where_nobody_may_tag():
    scene = Scene(p0=(2, 3), p2=(2, 4)).round(WAIT, WAIT, AHEAD, WAIT)
    assert (scene.player(0), scene.player(2)) == ((2, 3), (2, 4))  # the middle
    scene = Scene(p0=(2, 4), p2=(2, 5)).round(AHEAD, WAIT, WAIT, WAIT)
    assert (scene.player(0), scene.player(2)) == ((2, 4), (2, 5))  # the enemy's ground


def test_an_intruder_is_tagged_by_a_move_against_it():
    scene = Scene(p0=(2, 4), p2=(2, 5)).round(WAIT, WAIT, AHEAD, WAIT)
    assert (scene.player(0), scene.player(2)) == ((0, 0), (2, 5))


def test_who_acts_first_gets_away():
    chased = {"p0": (2, 4), "p2": (2, 5)}
    assert Scene(0, **chased).round(UP, WAIT, AHEAD, WAIT).player(0) == (1, 4)
    tagged = Scene(1, **chased).round(UP, WAIT, AHEAD, WAIT)  # 2, 1, 3, 0
    assert tagged.player(0) == (0, 0)


def test_who_is_tagged_before_its_turn_waits():
    scene = Scene(1, p0=(2, 4), p2=(2, 5)).round(DOWN, WAIT, AHEAD, WAIT)
    assert scene.player(0) == (0, 0)


def test_bases_and_the_own_flags_home_are_closed():
    scene = Scene(p0=(5, 0), p2=(1, 1)).round(DOWN, UP, UP, WAIT)
    assert scene.player(0) == (5, 0)  # the teammate's base, though its owner tried up
    scene = Scene(p1=(5, 1), p0=(2, 1), p2=(0, 1))
    scene.round(DOWN, WAIT, AHEAD, WAIT)
    assert scene.player(0) == (2, 1)  # its own flag's home
    assert scene.player(2) == (0, 1)  # an enemy's base


def test_a_flag_is_picked_up_and_carried():
    scene = Scene(p0=(3, 4)).round(AHEAD, WAIT, WAIT, WAIT)
    assert scene.carriers == [0] and scene.flag(1) == (3, 5)
    scene.round(DOWN, WAIT, WAIT, WAIT)
    assert scene.player(0) == scene.flag(1) == (4, 5) and scene.captures == [0, 0]


def test_a_tagged_carrier_drops_the_flag_where_it_was():
    scene = Scene(c0=(2, 4), p2=(2, 5)).round(WAIT, WAIT, AHEAD, WAIT)
    assert scene.carriers == [] and scene.flag(1) == (2, 4)
    taken = Scene(p0=(1, 4), f1=(2, 4)).round(DOWN, WAIT, WAIT, WAIT)
    assert taken.carriers == [0] and taken.flag(1) == (2, 4)


def test_a_flag_that_lies_about_is_sent_home_by_its_own_team():
    scene = Scene(p2=(2, 5), f1=(2, 4)).round(WAIT, WAIT, AHEAD, WAIT)
    assert scene.player(2) == (2, 4) and scene.flag(1) == (3, 5)
    assert scene.carriers == []


def test_a_flag_sent_home_may_fall_to_who_waits_there():
    scene = Scene(1, p0=(3, 5), p2=(2, 5), f1=(2, 4))  # 2, 1, 3, 0
    assert scene.round(WAIT, WAIT, AHEAD, WAIT).carriers == [0]


def test_the_middle_captures_nothing_but_own_ground_does():
    scene = Scene(c0=(2, 4)).round(BACK, WAIT, WAIT, WAIT)
    assert scene.captures == [0, 0] and scene.carriers == [0]
    scene.round(BACK, WAIT, WAIT, WAIT)
    assert scene.captures == [1, 0] and scene.carriers == []
    assert scene.flag(1) == (3, 5) and scene.player(0) == (2, 2)
    theirs = Scene(c3=(2, 3)).round(WAIT, WAIT, WAIT, BACK)
    assert theirs.captures == [0, 1]


def test_both_flags_may_be_under_way():
    scene = Scene(c0=(2, 3), c2=(4, 3)).round(BACK, WAIT, BACK, WAIT)
    assert scene.captures == [1, 1]


@pytest.mark.parametrize("horizon", [1, 3])
def test_the_horizon_ends_it_and_the_lead_is_paid(horizon):
    scene = Scene(horizon=horizon, c0=(2, 3))
    for number in range(horizon):
        assert not scene.position.done.any() and not scene.position.returns.any()
        scene.round(BACK if number == 0 else WAIT, WAIT, WAIT, WAIT)
    end = scene.position
    assert end.done.all() and end.returns[0, 0].tolist() == [1, 1, -1, -1]
    assert not end.legal.any() and not end.inputs.any()
    assert same(scene.round(WAIT).position, end)
    assert torch.equal(scene.game.outcomes(end)[:, :, 0], end.returns)


# ---- what is seen ----


SEEN = {"p0": (2, 1), "p1": (6, 2), "p2": (2, 5)}  # player 0 sees rows 0 to 4


@pytest.mark.parametrize(
    "unseen", [{"p2": (5, 4)}, {"p1": (5, 3)}, {"p3": (0, 4)}, {"f1": (5, 5)}]
)
def test_what_is_out_of_view_is_not_seen(unseen):
    one, other = Scene(**SEEN).position, Scene(**SEEN | unseen).position
    assert torch.equal(one.inputs, other.inputs)
    assert torch.equal(one.legal, other.legal)


@pytest.mark.parametrize(
    "near", [{"p2": (2, 3)}, {"p1": (4, 2)}, {"f1": (1, 2)}, {"c3": (5, 4)}]
)
def test_what_is_in_view_is_seen(near):  # even that the own flag is gone
    one, other = Scene(**SEEN).position, Scene(**SEEN | near).position
    assert (one.inputs != other.inputs).sum() == 1


@given(game=GAMES, seed=SEEDS)
@settings(max_examples=12, deadline=None)
def test_the_reference_plays_the_same(game, seed):
    rng = np.random.default_rng(seed)
    numbers = uniforms(seed, 2, 2)
    position = game.start(numbers)
    slow = {at: Episode(game, float(numbers[at])) for at in np.ndindex(2, 2)}
    for _ in range(game.longest):
        for at, episode in slow.items():
            mover = episode.mover
            assert position.mover[at] == mover
            assert position.legal[at].nonzero()[:, 0].tolist() == episode.legal(mover)
            expected = torch.tensor(episode.inputs(mover))
            assert torch.allclose(position.inputs[at], expected, atol=1e-6)
        action = attack(position, rng)
        for at, episode in slow.items():
            episode.choose(int(action[at]))
        position = game.step(position, action, everywhere(position))
        for at, episode in slow.items():
            assert bool(position.done[at]) == episode.done
            assert position.captures[at].tolist() == episode.captures
            assert position.returns[at].tolist() == episode.returns()
    assert position.done.all()


def attack(position, rng):
    """Random moves, but towards the other side and home again more often than not."""
    carries = position.carries.gather(2, position.mover[..., None])[..., 0]
    wanted = torch.where(carries, BACK, AHEAD)
    eager = torch.from_numpy(rng.random(wanted.shape) < 0.4)
    possible = position.legal.gather(2, wanted[..., None])[..., 0]
    return torch.where(eager & possible, wanted, pick(position, rng))


def test_the_reference_is_compared_where_something_happens():
    game, rng = CaptureTheFlag(), np.random.default_rng(0)
    position = game.start(uniforms(0, 1, 200))
    while not position.done.all():
        position = game.step(position, attack(position, rng), everywhere(position))
    assert (position.captures[0].sum(0) > 50).all()


# ---- laws ----


@given(game=GAMES, seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_teams_play_for_zero_sum_and_teammates_for_the_same(game, seed):
    path = play(game, game.start(uniforms(seed, 1, 5)), np.random.default_rng(seed))
    assert len(path) == game.longest + 1
    returns = path[-1].returns
    assert not (returns[..., 0] + returns[..., 2]).any()
    assert torch.equal(returns[..., ::2], returns[..., 1::2])
    for position in path:  # nobody shares a cell or stands in a wall
        assert (position.cells.sort(-1).values.diff(dim=-1) > 0).all()
        column = position.cells % game.columns
        row = position.cells // game.columns
        assert not ((column == game.columns // 2) & (row % 2 == 1)).any()
        assert (position.carries.reshape(1, 5, 2, 2).sum(-1) <= 1).all()


@given(game=GAMES, seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_an_episode_depends_on_nothing_beside_it(game, seed):
    numbers, rng = uniforms(seed, 2, 3), np.random.default_rng(seed)
    whole, alone = game.start(numbers), game.start(numbers[1:, 2:])
    for _ in range(game.longest):
        action = attack(whole, rng)
        where = torch.from_numpy(rng.random((2, 3)) < 0.8)
        whole = game.step(whole, action, where)
        alone = game.step(alone, action[1:, 2:], where[1:, 2:])
        assert same(whole, alone, np.s_[1:, 2:], np.s_[:])


@given(game=GAMES, seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_the_teams_are_each_other_in_the_mirror(game, seed):
    rng = np.random.default_rng(seed)
    one = torch.from_numpy(rng.random((1, 2, 1)))
    here, there = game.start(one), game.start((one + 0.5) % 1)  # the other ring
    for _ in range(game.horizon):
        seen, actions = [], []
        for _ in range(4):
            seen.append(here.inputs)
            actions.append(attack(here, rng))
            here = game.step(here, actions[-1], everywhere(here))
        for counterpart in (2, 3, 0, 1):
            assert torch.equal(there.inputs, seen[counterpart])
            there = game.step(there, actions[counterpart], everywhere(there))
        assert torch.equal(here.captures, there.captures.flip(-1))
    assert here.done.all() and torch.equal(here.returns, -there.returns)


def test_only_the_episodes_asked_for_are_moved():
    game, rng = CaptureTheFlag(), np.random.default_rng(6)
    position = play(game, game.start(uniforms(7, 2, 50)), rng)[43]
    where = torch.from_numpy(rng.random((2, 50)) < 0.5)
    action = pick(position, rng)
    before = [getattr(position, f).clone() for f in position.__dataclass_fields__]
    bad = torch.where(where, action, -7)  # nobody looks at the others' actions
    part = game.step(position, bad, where)
    whole = game.step(position, action, everywhere(position))
    for name, kept in zip(position.__dataclass_fields__, before, strict=True):
        assert torch.equal(getattr(position, name), kept)
    assert same(part, whole, where) and same(part, position, ~where)
    fresh = uniforms(8, 2, 50)
    restarted = game.restart(whole, where, fresh)
    assert same(restarted, game.start(fresh), where)
    assert same(restarted, whole, ~where)


def test_nothing_depends_on_the_data():
    """Tensors without data play some rounds, as a captured graph would."""
    game = CaptureTheFlag()
    position = game.start(torch.zeros(2, 3, 1, dtype=torch.float64, device="meta"))
    for _ in range(5):
        position = game.step(position, position.mover, everywhere(position))
    position = game.restart(position, position.done, uniforms(0, 2, 3).to("meta"))
    assert position.inputs.device.type == "meta"
    assert position.inputs.shape == (2, 3, game.inputs)


# ---- as a simulator ----


def test_it_is_a_simulator_and_a_value():
    game = CaptureTheFlag(horizon=30)
    assert isinstance(game, Simulator) and isinstance(game, Enumerable)
    assert pickle.loads(pickle.dumps(game)) == game != CaptureTheFlag()
    assert (game.players, game.actions, game.inputs) == (4, 5, 145)
    assert (game.longest, game.symmetric, game.ensemble) == (120, False, 1)
    assert game.name == "capture_the_flag_2v2(horizon=30)"
    assert named_simulator(game.name) == game
    assert game.together([CaptureTheFlag(horizon=30)]) is game
    with pytest.raises(UserError, match="one game"):
        game.together([CaptureTheFlag()])


def test_instances_are_all_orders():
    game = CaptureTheFlag()
    numbers, weights = game.instances()
    assert game.start(numbers[None]).first.tolist() == [list(range(8))]
    assert weights.sum() == 1
    counts = game.start(uniforms(0, 1, 8000)).first[0].bincount()
    assert len(counts) == 8 and (counts - 1000).abs().max() < 4.5 * np.sqrt(875)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"rows": 2}, "rows must be from 3 to 31; got 2"),
        ({"columns": 33}, "columns must be from 5 to 31; got 33"),
        ({"columns": 8}, "columns must be odd; got 8"),
        ({"view": 0}, "view must be from 1 to 15; got 0"),
        ({"horizon": 0}, "horizon must be from 1 to 1000; got 0"),
    ],
)
def test_impossible_terms(fields, sentence):
    with pytest.raises(UserError, match=rf"^CaptureTheFlag\(\): {sentence}$"):
        CaptureTheFlag(**fields)


def test_too_many_numbers():
    with pytest.raises(UserError, match="1 uniform number; got 4"):
        CaptureTheFlag().start(torch.zeros(1, 1, 4).double())


@pytest.mark.slow
def test_a_trained_response_beats_the_uniform_team():
    game = CaptureTheFlag()
    network = MLP(inputs=game.inputs, width=64, actions=game.actions)
    anyone = Pool.uniform(network)
    task = Task(
        simulator=game,
        network=network,
        settings=DDQN.budget(50_000),
        player=2,
        pools=(anyone,) * 4,
        co_play=np.ones((1, 1, 1)),
        seed=(0,),
    )
    (learned,) = train([task])
    pools = (anyone, anyone, anyone + Pool.of(learned.policy[None]), anyone)
    cells = np.array([[0, 0, 0, 0], [0, 0, 1, 0]])
    (scores,) = played(
        [
            Matches(
                simulator=game,
                network=network,
                pools=pools,
                profiles=pure(cells, 400),
                seed=(1,),
            )
        ]
    )
    before, after = scores.mean[0, :, 2]
    assert abs(before) < 0.1 and after > 0.5
