"""What Checkers and Switch have in common: ma-gym's own play, chance, batches."""

from pathlib import Path

import numpy as np
import pytest
from episodes import LEFT, scenes
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.games.checkers import Checkers
from metaspiel.games.markov import MarkovGame
from metaspiel.games.switch import Switch
from metaspiel.games.worlds import load
from metaspiel.nfg.errors import UserError

RECORDS = Path(__file__).parent / "grids"
RULES = ("modern", "legacy")
SWITCHES = [
    Switch(agents=agents, rules=rules, phantoms=phantoms)
    for agents in (2, 3, 4)
    for rules in RULES
    for phantoms in ((False, True) if agents < 4 else (False,))
]
GAMES = [*map(Checkers, RULES), *SWITCHES]


def name(game):
    return game.name


@pytest.mark.parametrize(
    ("record", "spelled"),
    [
        ("checkers-v0", "checkers"),
        ("checkers-v1", "checkers(sight=joint)"),
        ("checkers-v3", "checkers(sight=joint,clock=true)"),
        ("checkers-v0-legacy", "checkers(rules=legacy)"),
        ("switch2-v0", "switch"),
        ("switch4-v0", "switch(agents=4)"),
        ("switch4-v3", "switch(agents=4,sight=joint,clock=true)"),
        ("switch2-v0-legacy", "switch(rules=legacy,phantoms=true)"),
        ("switch4-v0-legacy", "switch(agents=4,rules=legacy)"),
    ],
)
def test_ma_gym_played_the_same(record, spelled):
    game, record = load(spelled), np.load(RECORDS / f"{record}.npz")
    none = np.zeros((1, 0))
    scene = game.start(none)
    assert np.array_equal(scene.observations[0], record["start"])
    ends = {"terminated": 0, "truncated": 0}
    for t, actions in enumerate(record["actions"].astype(np.int64)):
        scene = game.step(scene, actions[None])
        assert np.array_equal(scene.observations[0], record["observations"][t]), t
        assert np.array_equal(scene.rewards[0], record["rewards"][t]), t
        assert scene.over == record["over"][t], t
        for end in ends:
            ends[end] += int(getattr(scene, end)[0])
        scene = game.restart(scene, scene.over, none)
    assert min(ends.values()) >= (2 if isinstance(game, Checkers) else 3)


@pytest.mark.parametrize("game", GAMES, ids=name)
def test_the_limit_truncates_and_an_episode_that_is_over_stands_still(game):
    path = scenes(game, *["." * game.agents] * game.limit)
    *before, last = path
    assert not any(scene.over for scene in before)
    assert last.truncated
    assert not last.terminated
    total = sum(scene.rewards.sum() for scene in path)
    assert total == pytest.approx(game.reference.waiting)
    beyond = game.step(last, np.full((1, game.agents), LEFT))
    assert np.array_equal(beyond.observations, last.observations)
    assert (beyond.rewards == 0).all()
    assert beyond.truncated
    assert not beyond.terminated
    assert beyond.count == game.limit


@pytest.mark.parametrize("game", GAMES, ids=name)
def test_uniform_play_earns_what_is_said(game):
    batch = 20_000 if isinstance(game, Checkers) else 4000
    rng = np.random.default_rng(0)
    scene, total = game.start(np.zeros((batch, 0))), np.zeros(batch)
    while not scene.over.all():
        scene = game.step(scene, rng.integers(5, size=(batch, game.agents)))
        total += scene.rewards.sum(1)
    error = total.std() / batch**0.5
    assert abs(total.mean() - game.reference.uniform) < 4 * error


def fits(game, scene):
    """Whether rewards and observations are ones that the game can have."""
    if isinstance(game, Switch):
        seen, paid = scene.observations, scene.rewards
        assert 0 <= seen.min() <= seen.max() <= 1
        return (paid >= -0.1).all() and (paid <= 5).all()
    worth = np.array([10.0 if game.rules == "modern" else 5.0, 1.0])
    return (abs(scene.rewards) <= worth + 0.01).all()


SHOWN = {
    "rules": st.sampled_from(RULES),
    "sight": st.sampled_from(["partial", "joint"]),
    "clock": st.booleans(),
}


@pytest.mark.parametrize(
    "games",
    [
        st.builds(Checkers, **SHOWN),
        st.builds(Switch, agents=st.integers(2, 4), **SHOWN),
    ],
    ids=["checkers", "switch"],
)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 3))
def test_a_row_of_a_batch_is_the_episode_played_alone(games, data, seed, batch):
    game = data.draw(games)
    rng = np.random.default_rng(seed)
    actions = rng.integers(5, size=(80, batch, game.agents))
    plan = [[int(a) for a in step] for step in game.reference.plan.split()]
    followed = rng.random(batch) < 0.5  # so that episodes terminate as well
    actions[: len(plan), followed] = np.array(plan)[:, None]
    fresh = rng.random((80, batch)) < 0.01
    together = game.start(np.zeros((batch, 0)))
    alone = [game.start(np.zeros((1, 0))) for _ in range(batch)]
    kept = []
    for step, (moves, again) in enumerate(zip(actions, fresh, strict=True)):
        again = again | (together.over & (step % 3 == 0))  # some stay over for a while
        together = game.restart(together, again, np.zeros((batch, 0)))
        together = game.step(together, moves)
        assert fits(game, together)
        assert together.observations.shape == (batch, game.agents, game.inputs)
        assert not (together.terminated & together.truncated).any()
        for row in range(batch):
            none = np.zeros((1, 0))
            alone[row] = game.restart(alone[row], again[row : row + 1], none)
            alone[row] = game.step(alone[row], moves[row : row + 1])
            for field in ("observations", "rewards", "terminated", "truncated"):
                ours = getattr(together, field)[row]
                assert np.array_equal(ours, getattr(alone[row], field)[0])
        kept.append((together.observations, together.observations.copy()))
    assert all(np.array_equal(now, then) for now, then in kept)


@pytest.mark.parametrize(
    "game", [*GAMES, *(Checkers(rules, "joint", True) for rules in RULES)], ids=name
)
def test_it_is_a_markov_game(game):
    assert isinstance(game, MarkovGame)
    assert load(game.name) == game
    limit = 100 if isinstance(game, Checkers) else 50
    assert (game.draws, game.limit, game.actions.size) == (0, limit, 5)
    with pytest.raises(UserError, match=r"uniforms must be of shape \[B, 0\]"):
        game.start(np.zeros((2, 1)))
