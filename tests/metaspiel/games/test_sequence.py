"""The sequence form against OpenSpiel, against brute force, and against known sizes."""

import itertools

import numpy as np
import pyspiel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_spiel.python import policy as openspiel_policy
from open_spiel.python.algorithms import best_response, exploitability

from metaspiel.games.openspiel import (
    SequencePolicy,
    from_openspiel,
    load,
    matrix_game,
    sequence_form,
    to_tabular,
)
from metaspiel.games.sequence import SequenceForm, from_normal_form
from metaspiel.games.treeplex import Treeplex
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from metaspiel.nfg.simplex import marginals, product

GABRIELE = (
    "sheriff(item_penalty=1.0,item_value=5.0,max_bribe=2,max_items=10,num_rounds=2,"
    "sheriff_penalty=1.0)"
)


def random_behaviour(tree: Treeplex, rng: np.random.Generator, zeros: float = 0.0):
    """A behaviour, with about the share ``zeros`` of actions never played."""
    weights = rng.gamma(1.0, size=tree.sequences)
    weights *= rng.random(tree.sequences) >= zeros
    for i in range(tree.infosets):
        span = slice(tree.first[i], tree.first[i + 1])
        if weights[span].sum() == 0:
            weights[span] = 1.0
        weights[span] /= weights[span].sum()
    weights[0] = 1.0
    return weights


def random_pools(form: SequenceForm, rng: np.random.Generator, sizes):
    behaviours = [
        np.stack([random_behaviour(tree, rng, 0.3) for _ in range(size)])
        for tree, size in zip(form.trees, sizes, strict=True)
    ]
    plans = [t.plan(b) for t, b in zip(form.trees, behaviours, strict=True)]
    return behaviours, plans


@pytest.mark.parametrize(
    ("name", "infosets", "terminals", "split"),
    [
        ("kuhn_poker", (6, 6), 30, 0),
        ("kuhn_poker(players=3)", (16, 16, 16), 312, 0),
        ("leduc_poker", (468, 468), 5520, 0),
        ("trade_comm(num_items=2)", (10, 12), 256, 0),
        ("trade_comm(num_items=3)", (30, 36), 6561, 0),
        (GABRIELE, (78, 21), 396, 0),
        ("goofspiel(num_cards=4,imp_info=True,egocentric=True)", (1804,) * 2, 13824, 0),
        ("goofspiel(num_cards=4)", (3652, 3652), 13824, 624),
    ],
)
def test_published_sizes(name, infosets, terminals, split):
    form = sequence_form(name)
    assert tuple(t.infosets for t in form.trees) == infosets
    assert form.ends.shape[1] == terminals
    assert form.split[0] == split


@pytest.mark.parametrize(
    "name",
    ["kuhn_poker", "kuhn_poker(players=3)", "kuhn_poker(players=4)", GABRIELE,
     "goofspiel(num_cards=3,returns_type=total_points)", "trade_comm(num_items=2)"],
)  # fmt: skip
def test_payoffs_equal_openspiel(name):
    game, form, rng = load(name), sequence_form(name), np.random.default_rng(0)
    behaviours, plans = random_pools(form, rng, [2] * form.players)
    tensor = form.tensor(plans)
    for index in itertools.product(*[range(2)] * form.players):
        table = to_tabular(form, [b[i] for b, i in zip(behaviours, index, strict=True)])
        expected = pyspiel.expected_returns(game.new_initial_state(), table, -1, True)
        assert tensor[(slice(None), *index)] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("kuhn_poker", (3, 2)),
        ("kuhn_poker(players=3)", (2, 3, 2)),
        ("kuhn_poker(players=4)", (2, 1, 2, 2)),
        ("leduc_poker", (2, 2)),
        (GABRIELE, (3, 3)),
    ],
)
def test_cce_gap_equals_openspiel_on_correlated_mixtures(name, sizes):
    game, form, rng = load(name), sequence_form(name), np.random.default_rng(1)
    for _ in range(3):
        behaviours, plans = random_pools(form, rng, sizes)
        joint = rng.dirichlet(np.full(np.prod(sizes), 0.4)).reshape(sizes)
        mixture = []
        for index in np.ndindex(*sizes):
            chosen = [b[i] for b, i in zip(behaviours, index, strict=True)]
            mixture.append((float(joint[index]), to_tabular(form, chosen)))
        info = pyspiel.cce_dist(game, mixture, 0.0, -1.0)
        theirs = info.deviation_incentives
        assert form.cce_gap(plans, joint) == pytest.approx(theirs, abs=1e-9)


def test_nash_conv_equals_openspiel_on_leduc():
    game, form, rng = load("leduc_poker"), sequence_form("leduc_poker"), None
    for seed in range(3):
        rng = np.random.default_rng(seed)
        behaviours = [random_behaviour(tree, rng, 0.2) for tree in form.trees]
        policy = openspiel_policy.TabularPolicy(game)
        for tree, behaviour in zip(form.trees, behaviours, strict=True):
            for i, name in enumerate(tree.names):
                row = policy.policy_for_key(name)
                row[:] = 0.0
                for s in range(tree.first[i], tree.first[i + 1]):
                    row[tree.action[s]] = behaviour[s]
        theirs = exploitability.nash_conv(game, policy)
        assert form.nash_conv(behaviours).sum() == pytest.approx(theirs, abs=1e-9)


def test_product_of_marginals_is_wrong_for_three_players():
    """Two co-players who always match: independent play would hide it."""
    payoffs = np.zeros((3, 2, 2, 2))
    payoffs[0, 0] = [[1.0, -1.0], [-1.0, 1.0]]  # action 0 bets that they match
    form = from_normal_form(Game(payoffs))
    plans = [np.column_stack([np.ones(2), np.eye(2)]) for _ in range(3)]
    co_play = np.array([[0.5, 0.0], [0.0, 0.5]])
    value, behaviour = form.best_responses(0, plans, co_play[None])
    assert value[0] == pytest.approx(1.0)
    assert behaviour[0, 1:].tolist() == [1.0, 0.0]
    wrong, _ = form.best_responses(0, plans, product(marginals(co_play))[None])
    assert wrong[0] == pytest.approx(0.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans())
def test_normal_form_agrees_with_measure(seed, players, sparse):
    """Law: on one-shot games, the full-game CCE gap is the meta-game's."""
    rng = np.random.default_rng(seed)
    sizes = tuple(rng.integers(1, 4, players))
    game = Game(rng.normal(size=(players, *sizes)))
    form = from_normal_form(game)
    plans = [np.column_stack([np.ones(a), np.eye(a)]) for a in sizes]
    joint = rng.dirichlet(np.full(np.prod(sizes), 0.2 if sparse else 1.0))
    joint = joint.reshape(sizes)
    assert form.tensor(plans) == pytest.approx(game.payoffs, abs=1e-12)
    assert form.cce_gap(plans, joint) == pytest.approx(
        measure(game, joint).cce, abs=1e-12
    )


@pytest.mark.parametrize("name", ["kuhn_poker", "kuhn_poker(players=3)", GABRIELE])
def test_extend_equals_full_recomputation(name):
    form, rng = sequence_form(name), np.random.default_rng(2)
    _, plans = random_pools(form, rng, [4] * form.players)
    old = [pool[:k] for pool, k in zip(plans, (2, 1, 3), strict=False)]
    extended = form.extend(form.tensor(old), plans)
    assert extended == pytest.approx(form.tensor(plans), abs=1e-13)


def test_ties():
    tree = from_normal_form(Game(np.zeros((1, 3)))).trees[0]
    values = np.zeros((1, 4))
    assert tree.best_response(values, "first")[1][0].tolist() == [1, 1, 0, 0]
    assert tree.best_response(values, "uniform")[1][0, 1:] == pytest.approx([1 / 3] * 3)
    rng = np.random.default_rng(0)
    picks = {int(tree.best_response(values, "random", rng)[1][0, 1:].argmax())
             for _ in range(50)}  # fmt: skip
    assert picks == {0, 1, 2}


def test_plan_and_behaviour_are_inverse():
    form, rng = sequence_form("leduc_poker"), np.random.default_rng(3)
    for tree in form.trees:
        behaviour = random_behaviour(tree, rng)
        assert tree.behaviour(tree.plan(behaviour)) == pytest.approx(behaviour)


def test_policies_round_trip_through_openspiel():
    game, form = load("kuhn_poker(players=3)"), sequence_form("kuhn_poker(players=3)")
    rng = np.random.default_rng(4)
    behaviours = [random_behaviour(tree, rng) for tree in form.trees]
    for policy in (
        to_tabular(form, behaviours),
        SequencePolicy(game, form, behaviours),
    ):
        for player in range(3):
            again = from_openspiel(form, game, policy, player)
            assert again == pytest.approx(behaviours[player])


def test_imperfect_recall_needs_the_replaying_policy():
    name = "goofspiel(num_cards=4)"
    game, form = load(name), sequence_form(name)
    rng = np.random.default_rng(5)
    behaviours = [random_behaviour(tree, rng) for tree in form.trees]
    with pytest.raises(UserError, match="recall"):
        to_tabular(form, behaviours)
    policy = SequencePolicy(game, form, behaviours)
    again = from_openspiel(form, game, policy, 0)
    assert again == pytest.approx(behaviours[0])


@pytest.mark.parametrize(
    ("name", "observations"),
    [
        ("python_iterated_prisoners_dilemma(max_game_length=2)", False),
        ("kuhn_poker", True),
    ],
)
def test_the_replaying_policy_knows_what_players_know(name, observations):
    game, form = load(name), sequence_form(name, observations=observations)
    rng = np.random.default_rng(6)
    behaviours = [random_behaviour(tree, rng) for tree in form.trees]
    policy = SequencePolicy(game, form, behaviours)
    again = from_openspiel(form, game, policy, 1)
    assert again == pytest.approx(behaviours[1])


def test_a_game_that_is_refused_is_called_by_its_own_name():
    with pytest.raises(UserError, match="'coop_box_pushing' must provide information"):
        sequence_form("coop_box_pushing(horizon=1)")


def test_simultaneous_game_is_played_turn_by_turn():
    form = sequence_form("matrix_rps")
    assert form.nash_conv([t.uniform() for t in form.trees]) == pytest.approx([0, 0])


def test_nash_conv_takes_one_policy_of_each_player():
    form = sequence_form("kuhn_poker")
    one, two = (tree.uniform() for tree in form.trees)
    for wrong in (one, [one], [one, two, two], [one, two[:-1]], [one[None], two]):
        with pytest.raises(UserError, match=r"one policy for each of 2 players, of"):
            form.nash_conv(wrong)
    with pytest.raises(UserError, match="masked"):
        form.nash_conv([one, np.ma.masked_less(two, 2.0)])
    for off in (-two, two * 0.9, two * np.nan, np.ones_like(two)):
        with pytest.raises(UserError, match=r"probabilities .* for player 1$"):
            form.nash_conv([one, off])


@pytest.mark.parametrize(
    ("name", "players", "sentence"),
    [
        ("kuhn_pokr", None, "did you mean 'kuhn_poker'"),
        ("kuhn_poker(players=99)", None, "must have 2 to 10 players; got 99"),
        ("liars_dice", 3, "'liars_dice' must have exactly 2 players; got 3"),
        ("kuhn_poker", 1, "must have 2 to 10 players; got 1"),
        ("kuhn_poker(player=3)", None, "unknown parameter 'player'"),
        ("kuhn_poker(players=3", None, "must be written"),
        ("sheriff(num_rounds=one)", None, "num_rounds must be a whole number; got"),
        ("coin_game", None, "information state strings; it has observations"),
        ("crazy_eights", None, "information state strings; it has observations"),
        ("morpion_solitaire", None, "whose states can be copied"),
        ("tarok", None, "'tarok' only samples them"),
        ("nfg_game", None, "OpenSpiel must accept 'nfg_game'"),
    ],
)
def test_bad_games_get_a_sentence(name, players, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        sequence_form(name, players)
    assert "\n" not in str(caught.value)


def test_a_type_that_denies_its_information_states_is_tried():
    """The value of a best response to uniform play is OpenSpiel's own test's."""
    name = "python_iterated_prisoners_dilemma(max_game_length=5)"
    game, form = load(name), sequence_form(name)
    assert not game.get_type().provides_information_state_string
    assert (form.played, form.split) == ("the game itself", (0, 0))
    uniform = [tree.uniform() for tree in form.trees]
    plans = [t.plan(b)[None] for t, b in zip(form.trees, uniform, strict=True)]
    value, behaviour = form.best_responses(0, plans, np.ones((1, 1)))
    # Defection gets (10 + 1) / 2 a round, of which there are sum_k (7/8)^k, k < 5.
    assert value == pytest.approx([5.5 * sum(0.875**k for k in range(5))])
    assert value == pytest.approx([21.4320068359375])
    assert behaviour[0][form.trees[0].action == 1].all()
    policy = openspiel_policy.UniformRandomPolicy(game)
    theirs = best_response.BestResponsePolicy(game, 0, policy)
    assert value == pytest.approx([theirs.value(game.new_initial_state())])


@pytest.mark.parametrize(
    "name",
    [
        "catch(rows=5,columns=3)",
        "pig(winscore=6,horizon=4)",
        "markov_soccer(horizon=2)",
        "repeated_game(stage_game=matrix_pd(),num_repetitions=3)",
    ],
)
def test_perfect_information_is_the_history(name):
    """Whoever moves knows all that happened before this turn."""
    game, form = load(name), sequence_form(name)
    places: set = set()
    waiting = [(game.new_initial_state(), ())]
    while waiting:
        state, known = waiting.pop()
        if state.is_terminal():
            continue
        if not state.is_chance_node() and state.current_player() == 0:
            places.add(known)  # simultaneous moves begin with player 0
        for action in state.legal_actions():
            waiting.append((state.child(action), (*known, action)))
    assert form.played == "the game itself" and not any(form.split)
    assert form.trees[0].infosets == len(places)


def test_observations_are_played_only_where_asked_and_said():
    name = "deep_sea(size=4)"
    with pytest.raises(UserError, match="observations=True, --observations"):
        sequence_form(name)
    form = sequence_form(name, observations=True)
    assert form.played == "the split and observed game"
    assert "merge histories" in form.caveats[-1]
    with pytest.raises(UserError, match="must be able to walk 'crossword'; it says"):
        sequence_form("crossword", observations=True)
    with pytest.raises(UserError, match="must provide observation strings"):
        sequence_form("liars_dice", observations=True)


def test_a_game_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match=r"must fit in 0\.01 GB"):
        sequence_form("hex", memory_gb=0.01)


def test_matrix_game():
    game = matrix_game("matrix_pd")
    assert game.payoffs.shape == (2, 2, 2)
    assert matrix_game("matching_pennies_3p").payoffs.shape == (3, 2, 2, 2)
    with pytest.raises(UserError, match="one-shot"):
        matrix_game("kuhn_poker")
    with pytest.raises(UserError, match="did you mean"):
        matrix_game("matrix_pdd")
