"""Players who remember: windows of what was seen and done, in any simulator."""

import pickle

import numpy as np
import pytest
import torch
from episodes import everywhere, pick
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.games import sequence_form
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.recalling import Recalling
from metaspiel.games.simulator import Enumerable, Simulator
from metaspiel.nfg.errors import UserError

GAMES = {
    "kuhn": OpenSpielSimulator("kuhn_poker(players=3)"),
    "goofspiel": OpenSpielSimulator("goofspiel(num_cards=3,imp_info=True)"),
    "boxes": OpenSpielSimulator("coop_box_pushing(horizon=3)"),
    "bargaining": Bargaining(),
}


START = torch.zeros(1, 1, 10, dtype=torch.float64)


def numbers(rng, game, *lead):
    return torch.from_numpy(rng.random((*lead, game.draws)))


class Diary:
    """What each player of one episode saw and did, written down."""

    def __init__(self, players):
        self.seen = [[] for _ in range(players)]
        self.did = [[None] for _ in range(players)]

    def window(self, game, player):
        rows = list(zip(self.seen[player], self.did[player][:-1], strict=True))
        slots = np.zeros((game.window, game.slot), dtype=np.float32)
        for slot, (inputs, action) in zip(slots[::-1], rows[::-1], strict=False):
            slot[: game.game.inputs], slot[-1] = inputs, 1
            if action is not None:
                slot[game.game.inputs + action] = 1
        return slots.reshape(-1)


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("name", GAMES)
def test_windows_are_what_a_diary_says(name, window):
    """Against plain lists; half of the episodes begin anew while others go on."""
    inner = GAMES[name]
    game, rng = Recalling(inner, window), np.random.default_rng(3)
    assert isinstance(game, Simulator)
    position = game.start(numbers(rng, game, 2, 4))
    diaries = {at: Diary(game.players) for at in np.ndindex(2, 4)}
    fresh = everywhere(position)
    for turn in range(3 * min(inner.longest, 12)):
        plain = position.game
        for at, diary in diaries.items():
            if position.done[at]:
                assert not position.inputs[at].any()
                continue
            mover = int(position.mover[at])
            if fresh[at]:
                diary.seen[mover].append(plain.inputs[at].numpy())
                diary.did[mover].append(None)
            wanted = diary.window(game, mover)
            np.testing.assert_array_equal(position.inputs[at].numpy(), wanted)
        if turn % 4 == 3:
            again = position.done | (torch.arange(4) % 2 == turn // 4 % 2)
            position = game.restart(position, again, numbers(rng, game, 2, 4))
            fresh = again
            for at in np.argwhere(again.numpy()):
                diaries[tuple(at)] = Diary(game.players)
            continue
        action, where = pick(position, rng), torch.from_numpy(rng.random((2, 4)) < 0.8)
        fresh = where & ~position.done
        for at in np.argwhere(fresh.numpy()):
            at = tuple(at)
            diaries[at].did[int(position.mover[at])][-1] = int(action[at])
        position = game.step(position, action, where)
        plain = position.game
        for part in ("mover", "done", "legal", "returns", "penalty"):
            assert torch.equal(getattr(position, part), getattr(plain, part))
    assert torch.equal(game.outcomes(position), inner.outcomes(position.game))


@given(seed=st.integers(0, 1000), window=st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_a_longer_window_begins_with_what_a_shorter_one_forgot(seed, window):
    short, long = (Recalling(GAMES["kuhn"], w) for w in (window, window + 1))
    rng = np.random.default_rng(seed)
    start = numbers(rng, short, 1, 3)
    one, two = short.start(start), long.start(start)
    while not one.done.all():
        assert torch.equal(one.inputs, two.inputs[..., long.slot :])
        action = pick(one, rng)
        one, two = (
            g.step(p, action, everywhere(p))
            for g, p in zip((short, long), (one, two), strict=True)
        )
    assert long.longest == short.longest


@pytest.mark.parametrize("name", ["kuhn_poker", "goofspiel(num_cards=3,imp_info=True)"])
def test_a_replayed_history_shows_what_play_showed(name):
    game = Recalling(OpenSpielSimulator(name), 2)
    rng = np.random.default_rng(1)
    position = game.start(numbers(rng, game, 1, 6))
    while not position.done.all():
        for b in np.flatnonzero(~position.done[0].numpy()):
            history = game.game.history(position.game, 0, int(b))
            trail = game.trail(history, int(position.mover[0, b]))
            np.testing.assert_array_equal(trail.inputs[-1], position.inputs[0, b])
            assert len(trail.inputs) == len(trail.actions) + 1
            assert set(trail.actions) <= set(history)
        position = game.step(position, pick(position, rng), everywhere(position))


def test_an_information_state_of_the_tree_has_one_window():
    """Whatever history leads to it, so that a referee may replay any of them."""
    game, form = (
        Recalling(OpenSpielSimulator("kuhn_poker"), 3),
        sequence_form("kuhn_poker"),
    )
    for player, tree in enumerate(form.trees):
        rows = {game.trail(h, player).inputs[-1].tobytes() for h in tree.histories}
        assert len(rows) == tree.infosets


def test_what_a_game_is_stays_as_it_is():
    inner = Bargaining()
    game = Recalling(inner, 3)
    for part in (
        "name",
        "players",
        "actions",
        "draws",
        "longest",
        "symmetric",
        "ensemble",
    ):
        assert getattr(game, part) == getattr(inner, part)
    assert game.inputs == 3 * (inner.inputs + inner.actions + 1)
    assert pickle.loads(pickle.dumps(game)) == game == game.together([game])
    assert not game.whole and Recalling(inner, inner.longest).whole
    assert game.reads == "the last 3 own information states and actions"
    assert Recalling(GAMES["boxes"], 99).reads == "all own observations and actions"
    one = Recalling(OpenSpielSimulator("bargaining(max_turns=4)"), 1)
    assert isinstance(one, Enumerable)
    assert torch.equal(one.instances()[1], one.game.instances()[1])


def remembering(discount=0.99, window=1):
    return Recalling(Bargaining(discount), window)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (lambda: remembering(window=0), "window must be at least 1; got 0"),
        (
            lambda: remembering().together([remembering(window=2)]),
            r"one window; got \[1, 2\]",
        ),
        (lambda: remembering().together([remembering(0.9)]), "must play one game"),
        (lambda: remembering().trail([], 0), "must be one of OpenSpiel"),
        (
            lambda: remembering().outcomes(
                Bargaining().start(torch.zeros(1, 1, 10).double())
            ),
            "must be a RecallingPosition",
        ),
    ],
)
def test_what_cannot_be_is_refused(asked, sentence):
    with pytest.raises(UserError, match=sentence):
        asked()


def test_a_game_without_a_list_of_chances_has_none_with_a_memory():
    with pytest.raises(UserError, match="finitely many outcomes"):
        remembering().instances()
