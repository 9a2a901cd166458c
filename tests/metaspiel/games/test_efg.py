"""Gambit's .efg: games written by hand, by a random writer, and from OpenSpiel."""

import random
import time

import efg_files as files
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from metaspiel.games import efg
from metaspiel.games.openspiel import load, sequence_form
from metaspiel.games.strategies import normal_form
from metaspiel.games.walk import walk
from metaspiel.nfg.errors import UserError


def form_of(text):
    return walk(efg.parse(text))


def lp_value(matrix):
    """Value of a zero-sum game to the row player, by linear programming."""
    rows, columns = matrix.shape
    best = linprog(
        [*np.zeros(rows), -1],
        A_ub=np.column_stack([-matrix.T, np.ones(columns)]),
        b_ub=np.zeros(columns),
        A_eq=[[*np.ones(rows), 0]],
        b_eq=[1],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    return -best.fun


@pytest.mark.parametrize(
    ("text", "infosets", "payoffs"),
    [
        (files.PENNIES, (1, 1), [[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]]),
        (files.ONE_MOVE, (1,), [[0]]),
        (files.CARDS, (2, 1), [[[0, 1], [0.5, 0], [-0.5, 1], [0, 0]],
                               [[0, -1], [-0.5, 0], [0.5, -1], [0, 0]]]),
        (files.HORSE, (1, 1, 1), [[[[1, 1], [4, 0]], [[3, 0], [3, 0]]],
                                  [[[1, 1], [4, 0]], [[3, 0], [3, 0]]],
                                  [[[1, 1], [0, 1]], [[2, 0], [2, 0]]]]),
        (files.CENTIPEDE, (2, 2), [[[1, 1, 1], [0, 3, 3], [0, 2, 4]],
                                   [[0, 0, 0], [2, 1, 1], [2, 4, 3]]]),
        (files.BEER, (2, 2), [
            [[.9, .9, 2.9, 2.9], [1, 1.2, 2.8, 3], [0, 1.8, .2, 2], [.1, 2.1, .1, 2.1]],
            [[.1, .1, .9, .9], [.1, 0, 1, .9], [.1, 1, 0, .9], [.1, .9, .1, .9]]]),
        (files.FORGETFUL, (3,), [[2, 0, 0, 1]]),
        (files.TERSE, (1, 1), [[[.1, 0], [0, .1]], [[-.1, 0], [0, -.1]]]),
        (files.DICE, (1,), [[11 / 3, 3]]),
        (files.THREE, (1, 1, 0, 1), [
            [[[[1, 0]], [[0, -2]]], [[[-2, 0]], [[0, 1]]]],
            [[[[1, 0]], [[-2, 0]]], [[[0, -2]], [[0, 1]]]],
            [[[[9, 0]], [[0, 0]]], [[[0, 0]], [[0, 9]]]],
            [[[[1, -2]], [[0, 0]]], [[[0, 0]], [[-2, 1]]]]]),
        (files.QUOTES, (1, 0), [[[1], [3]], [[2], [4]]]),
        (files.DRIVER, (2, 0), [[[0], [1]], [[0], [0]]]),
    ],
)  # fmt: skip
def test_games_by_hand(text, infosets, payoffs):
    form = form_of(text)
    assert tuple(tree.infosets for tree in form.trees) == infosets
    assert normal_form(form).payoffs == pytest.approx(np.array(payoffs), abs=1e-12)


def test_values_of_zero_sum_games():
    assert lp_value(normal_form(form_of(files.PENNIES)).payoffs[0]) == pytest.approx(0)
    cards = form_of(files.CARDS)
    assert lp_value(normal_form(cards).payoffs[0]) == pytest.approx(1 / 3)
    # Raise with red; bluff with black and meet a raise as often as Myerson says.
    bluff, meet = np.array([1, 1, 0, 1 / 3, 2 / 3]), np.array([1, 2 / 3, 1 / 3])
    assert cards.nash_conv([bluff, meet]) == pytest.approx([0, 0], abs=1e-12)
    kuhn = normal_form(sequence_form("kuhn_poker"))
    assert kuhn.actions == (27, 64)  # as published
    assert lp_value(kuhn.payoffs[0]) == pytest.approx(-1 / 18)


@pytest.mark.parametrize(
    ("text", "behaviours", "values"),
    [
        (files.HORSE, [[1, 1, 0], [1, 1, 0], [1, 0, 1]], [1, 1, 1]),
        (files.HORSE, [[1, 0, 1], [1, 1, 0], [1, 1, 0]], [3, 3, 2]),
        (files.CENTIPEDE, [[1, 1, 0, 1, 0], [1, 1, 0, 1, 0]], [1, 0]),
        (files.BEER, [[1, 1, 0, 1, 0], [1, 0, 1, 1, 0]], [2.9, 0.9]),
    ],
)
def test_equilibria_of_the_textbooks(text, behaviours, values):
    form = form_of(text)
    behaviours = [np.array(b, dtype=float) for b in behaviours]
    assert form.nash_conv(behaviours) == pytest.approx(0, abs=1e-12)
    plans = [t.plan(b)[None] for t, b in zip(form.trees, behaviours, strict=True)]
    assert form.tensor(plans).ravel() == pytest.approx(values)


def test_labels_are_unquoted():
    game = efg.parse(files.QUOTES)
    assert game.title == 'a "title" {with} p "" 1 1'
    assert game.players == ('O"Neil', 't "" 0')
    move = game.nodes[0].move
    assert move.name == '1 c "x"' and move.actions == ('say "hi"', "}")


def test_a_set_that_is_met_twice_on_a_path_is_said():
    form = form_of(files.DRIVER)
    assert (form.split, form.absent_minded) == ((1, 0), (1, 0))
    assert form.played == "the split game"
    assert any("absent-mindedness" in sentence for sentence in form.caveats)
    value, _ = form.best_responses(0, [np.ones((1, 1))] * 2, np.ones((1, 1)))
    assert value == [4]  # of the split game
    # The game itself: go with probability p is worth 4 p (1 - p) + p^2, at most 4/3.
    p = 2 / 3
    plan = form.trees[0].plan(np.array([1, 1 - p, p, 1 - p, p]))
    worth = form.tensor([plan[None], np.ones((1, 1))])[0]
    assert worth == pytest.approx(4 / 3)


def test_forgetting_is_not_absent_mindedness():
    form = form_of(files.FORGETFUL)
    assert (form.split, form.absent_minded) == ((1,), (0,))
    assert len(form.caveats) == 1 and "imperfect recall" in form.caveats[0]
    clean = form_of(files.BEER)
    assert (clean.caveats, clean.played) == ((), "the game itself")


def written(game, rng):
    """An OpenSpiel game as a file; what was spelled out may be left out later."""
    numbers: dict = {}
    ends: dict = {}
    lines = ['EFG 2 R "from OpenSpiel" {' + ' "p"' * game.num_players() + " }"]

    def walk_on(state):
        if state.is_terminal():
            payoffs = tuple(state.returns())
            known = payoffs in ends
            number = ends.setdefault(payoffs, len(ends) + 1)
            comma = " " if rng.random() < 0.5 else ", "
            listed = comma.join(map(repr, payoffs))
            spelled = "" if known and rng.random() < 0.5 else f' "" {{ {listed} }}'
            lines.append(f't "" {number}{spelled}')
            return
        if state.is_chance_node():
            outcomes = state.chance_outcomes()
            listed = " ".join(f'"{a}" {p!r}' for a, p in outcomes)
            lines.append(f'c "" {len(lines)} "" {{ {listed} }} 0')
            actions = [a for a, _ in outcomes]
        else:
            player, actions = state.current_player(), state.legal_actions()
            key = (player, state.information_state_string())
            known = key in numbers
            number = numbers.setdefault(key, 7 * len(numbers))
            listed = " ".join(f'"{a}"' for a in actions)
            spelled = "" if known and rng.random() < 0.5 else f' "" {{ {listed} }}'
            lines.append(f'p "" {player + 1} {number}{spelled} 0')
        for action in actions:
            walk_on(state.child(action))

    walk_on(game.new_initial_state())
    return "\n".join(lines)


@pytest.mark.parametrize(
    "name",
    ["kuhn_poker", "kuhn_poker(players=3)", "tiny_hanabi", "goofspiel(num_cards=3)"],
)
def test_openspiel_s_games_come_back(name):
    text = written(load(name), np.random.default_rng(0))
    ours, theirs = form_of(text), sequence_form(name)
    assert np.array_equal(ours.ends, theirs.ends)
    assert ours.payoffs == pytest.approx(theirs.payoffs, abs=1e-15)
    assert (ours.split, ours.absent_minded) == (theirs.split, theirs.absent_minded)


def random_game(rng):
    """A file, and what a profile of pure strategies is worth in it, by recursion."""
    players = int(rng.integers(1, 4))
    names = " ".join(f'"{p}"' for p in range(players))
    lines = [f'EFG 2 D "random" {{ {names} }} "comment"']
    outcomes = [rng.integers(-9, 10, players) / 4 for _ in range(5)]
    spelled: set = set()

    def outcome():
        number = int(rng.integers(0, 6))
        if number == 0:
            return "0", np.zeros(players)
        payoffs = outcomes[number - 1]
        if number in spelled and rng.random() < 0.7:
            return f"{number}", payoffs
        spelled.add(number)
        return f'{number} "" {{ {", ".join(map(str, payoffs))} }}', payoffs

    def node(depth):
        kind = rng.choice(["p", "p", "c", "t"]) if 0 < depth < 4 else "pt"[depth >= 4]
        if kind == "t":
            text, own = outcome()
            lines.append(f't "" {text}')
            return lambda chosen: own
        mover = int(rng.integers(players)) if kind == "p" else -1
        number = (mover, depth, int(rng.integers(2)))  # two sets a player and depth
        label = 10 * depth + number[2]
        known, size = number in spelled, 2 + (depth + number[2]) % 2
        spelled.add(number)
        chances = [1 / size] * size
        actions = " ".join(
            f'"{a}"' + (f" 1/{size}" if mover < 0 else "") for a in range(size)
        )
        info = "" if known and rng.random() < 0.7 else f' "" {{ {actions} }}'
        text, own = outcome()
        who = "" if mover < 0 else f" {mover + 1}"
        lines.append(f'{kind} ""{who} {label}{info} {text}')
        below = [node(depth + 1) for _ in range(size)]
        if mover < 0:
            return lambda chosen: (
                own
                + sum(
                    chance * value(chosen)
                    for chance, value in zip(chances, below, strict=True)
                )
            )
        return lambda chosen: own + below[chosen(mover, label, size)](chosen)

    worth = node(0)
    return players, "\n".join(lines), worth


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**9))
def test_random_files_are_worth_what_recursion_says(seed):
    """Law: a pure profile gets the sum of outcomes along its paths."""
    rng = np.random.default_rng(seed)
    players, text, worth = random_game(rng)
    form = form_of(text)
    for _ in range(3):
        moves: dict = {}

        def chosen(player, label, size, moves=moves):
            return moves.setdefault((player, str(label)), int(rng.integers(size)))

        expected = worth(chosen)
        plans = []
        for player, tree in enumerate(form.trees):
            behaviour = np.zeros(tree.sequences)
            behaviour[0] = 1
            for i, name in enumerate(tree.names):
                size = int(tree.first[i + 1] - tree.first[i])
                behaviour[tree.first[i] + chosen(player, name, size)] = 1
            plans.append(tree.plan(behaviour)[None])
        assert form.tensor(plans).ravel() == pytest.approx(expected, abs=1e-9)
    assert len(form.trees) == players


HEAD = 'EFG 2 R "" { "a" "b" } '


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must begin with 'EFG 2 R'"),
        ("NFG 1 R", "must begin with 'EFG 2 R'"),
        ("EFG 1 R", "must begin with 'EFG 2 R'"),
        ('EFG 2 R "" { }', "1 to 1000 players"),
        (HEAD, "'c' or 'p' or 't' in line 1; got the end"),
        (HEAD + 'x "" 1', "'c' or 'p' or 't'"),
        (HEAD + "t 1", "a node's label in quotes"),
        (HEAD + 't "" 1', "the payoffs of outcome 1"),
        (HEAD + 't "" 1.5', "an outcome, a whole number"),
        (HEAD + 't "" -1', "an outcome, a whole number"),
        (HEAD + 't "" 0 "" { 1, 2 }', "no payoffs for outcome 0"),
        (HEAD + 't "" 1 "" { 1 }', "got '}' for a payoff"),
        (HEAD + 't "" 1 "" { 1, 2, 3 }', "must have '}'"),
        (HEAD + 't "" 1 "" { 1, 1/0 }', "must hold numbers; got '1/0'"),
        (HEAD + 't "" 1 "" { 1, nan }', "must hold numbers; got 'nan'"),
        (HEAD + 't "" 1 "" { 1, 2', "'}'|close every brace"),
        (HEAD + 't "" 0 t "" 0', "nothing more"),
        (HEAD + 'p "" 3 1 "" { "x" } 0 t "" 0', "a player, a whole number from 1 to 2"),
        (HEAD + 'p "" 0 1 "" { "x" } 0 t "" 0', "a player, a whole number from 1 to 2"),
        (HEAD + 'p "" 1 1 0 t "" 0', "the actions of information set 1"),
        (HEAD + 'p "" 1 1 "" { } 0', "there are none"),
        (HEAD + 'p "" 1 1 "" { "x" "y" } 0 t "" 0', "got the end"),
        (
            HEAD + 'p "" 1 1 "" {"x"} 0 p "" 1 1 "" {"x" "y"} 0',
            "alike at all its nodes",
        ),
        (HEAD + 'c "" 1 "" { "x" 1/2 "y" 1/3 } 0', "sum to one"),
        (HEAD + 'c "" 1 "" { "x" 3/2 "y" -1/2 } 0', "probabilities >= 0"),
        (HEAD + 'c "" 1 "" { "x" "y" } 0', "a probability"),
        (HEAD + 'c "" 1 "" { "x" 1 } 1 "" {1 1} t "" 1 "" {1 2}', "the same payoffs"),
        (HEAD + 'c "" 1 "" { "x" 1 } 1 "" {1e308 1} t "" 1', "finite sums"),
        (HEAD + '"open', "close every quote"),
    ],
)
def test_other_files_get_a_sentence(text, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        efg.parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


ODD = [
    "{", "}", '"', '\\"', "0", "-1", "1e309", "nan", "1/0", "1/3", "9" * 5000, "4²",
    "1_000", "c", "p", "t", '""', ",", "\x00", "é", "{" * 500, "-", ".", '"\\', "２",
    'p "" 1 1 "" { "x" } 0 ' * 50, 't "" 0 ' * 20,
]  # fmt: skip


@pytest.mark.parametrize("count", [200, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_files_are_games_or_sentences(count):
    rng = random.Random(count)
    texts = [text for name, text in vars(files).items() if name.isupper()]
    refused, slowest = 0, 0.0
    for _ in range(count):
        text = rng.choice(texts)
        for _ in range(rng.choice([1, 1, 2, 8])):
            i = rng.randrange(len(text) + 1)
            j = i + rng.choice([0, 1, 5, 100])
            more = rng.choice(["", rng.choice(ODD), text[i:j] * rng.choice([2, 50])])
            text = text[:i] + more + text[j:]
        begun = time.process_time()
        try:
            normal_form(form_of(text))
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
            refused += 1
        slowest = max(slowest, time.process_time() - begun)
    assert count / 2 < refused < count and slowest < 2


def test_deep_files_end_soon():
    begun = time.process_time()
    deep = 'p "" 1 1 "" { "x" } 0 ' * 30_000
    with pytest.raises(UserError, match="at most 1000 moves deep"):
        efg.parse(HEAD + deep)
    form_of(HEAD + 'p "" 1 1 "" { "x" } 0 ' * 999 + 't "" 0')
    assert time.process_time() - begun < 2


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(UserError, match="it must exist"):
        efg.from_file(str(tmp_path / "none.efg"))
    with pytest.raises(UserError, match="must exist; it does not"):
        efg.load(tmp_path / "no.efg")
    place = tmp_path / "bad.efg"
    place.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(UserError, match=r"bad\.efg"):
        efg.load(place)


def test_normal_forms_that_are_too_large_are_refused_soon():
    begun = time.process_time()
    with pytest.raises(UserError, match="at most 10000 reduced strategies"):
        normal_form(sequence_form("leduc_poker"))
    # Each player has few strategies, and all together too many profiles.
    one = '"" { ' + '"x" ' * 300 + "} 0 "
    text = 'EFG 2 R "" { "a" "b" "c" } p "" 1 1 ' + one
    text += ('p "" 2 1 ' + one) + ('p "" 3 1 ' + one + 't "" 0 ' * 300)
    text += 't "" 0 ' * (300 + 299 - 1)
    with pytest.raises(UserError, match="300x300x300 profiles"):
        normal_form(form_of(text))
    assert time.process_time() - begun < 3
