"""Switch: the rules by hand, and what the best play is worth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from episodes import DOWN, LEFT, RIGHT, UP, WAIT
from episodes import scenes as play

from metaspiel.games.switch import CELLS, HOMES, PHANTOMS, REFERENCE, Switch
from metaspiel.nfg.errors import UserError

RECORDS = Path(__file__).parent / "grids"
GAMES = [
    Switch(agents=agents, rules=rules, phantoms=phantoms)
    for agents in (2, 3, 4)
    for rules in ("modern", "legacy")
    for phantoms in ((False, True) if agents < 4 else (False,))
]


def names(game):
    return game.name


def places(scene, agent):
    """Row and column of an agent who sees only itself."""
    row, column = scene.observations[0, agent, :2]
    return round(float(row) * 2), round(float(column) * 6)


def test_walls_and_borders_are_waits():
    scenes = play(Switch(), f"{UP}{LEFT}", f"{RIGHT}{UP}", f"{DOWN}{RIGHT}")
    assert [places(s, 0) for s in scenes] == [(0, 1), (0, 1), (0, 1), (1, 1)]
    assert [places(s, 1) for s in scenes] == [(0, 5), (0, 5), (0, 5), (0, 6)]
    assert all((s.rewards == -0.1).all() for s in scenes[1:])
    assert (scenes[0].rewards == 0).all()


def test_agents_move_in_the_order_of_their_index():
    below = play(Switch(agents=4), f"..{UP}.")  # agent 2 is then right below agent 0
    assert places(below[-1], 2) == (1, 1)
    held = play(Switch(agents=4), f"..{UP}.", f"{DOWN}.{DOWN}.")[-1]
    assert places(held, 0) == (0, 1)  # agent 2 leaves only after agent 0 has tried
    assert places(held, 2) == (2, 1)
    freed = play(Switch(agents=4), f"..{UP}.", f"{LEFT}.{UP}.")[-1]
    assert places(freed, 0) == (0, 0)
    assert places(freed, 2) == (0, 1)  # agent 0 has left before agent 2 moves
    assert places(play(Switch(agents=4), f"..{UP}.", f"{DOWN}...")[-1], 0) == (0, 1)


@pytest.mark.parametrize(("rules", "after"), [("modern", 0.0), ("legacy", -0.1)])
def test_who_is_home_stays_and_blocks(rules, after):
    way = [f"{DOWN}.", *[f"{RIGHT}."] * 5, f"{UP}."]
    *before, home = play(Switch(agents=2, rules=rules), *way)
    assert places(home, 0) == (0, 6)
    assert home.rewards.tolist() == [[5.0, -0.1]]
    assert sum(s.rewards[0, 0] for s in before) == pytest.approx(-0.6)
    later = play(
        Switch(agents=2, rules=rules), *way, f"{DOWN}{RIGHT}", f"{LEFT}{RIGHT}"
    )[-2:]
    for scene in later:
        assert places(scene, 0) == (0, 6)
        assert places(scene, 1) == (0, 5)
        assert scene.rewards.tolist() == [[after, -0.1]]
        assert not scene.over


def test_the_home_of_another_is_a_cell_like_others():
    scene = play(Switch(agents=4), f".{LEFT}..", f".{RIGHT}..", f".{RIGHT}..")[-1]
    assert places(scene, 1) == (0, 6)  # agent 0's home
    assert not scene.over
    assert (scene.rewards == -0.1).all()


def test_phantoms_block_the_starts_of_missing_agents():
    free, blocked = Switch(agents=2), Switch(agents=2, phantoms=True)
    way = [f"{DOWN}{DOWN}", f"{DOWN}{DOWN}"]
    assert places(play(free, *way)[-1], 0) == (2, 1)
    assert places(play(free, *way)[-1], 1) == (2, 5)
    assert places(play(blocked, *way)[-1], 0) == (1, 1)
    assert places(play(blocked, *way)[-1], 1) == (1, 5)
    three = play(Switch(agents=3, phantoms=True), f".{DOWN}.", f".{DOWN}.")
    assert places(three[-1], 1) == (1, 5)


def test_observations_by_hand():
    step = f"{DOWN}{LEFT}{RIGHT}{DOWN}"
    own = np.array([[0.5, 0.17], [0, 0.83], [1, 0.17], [1, 0.83]], np.float32)
    assert np.array_equal(play(Switch(agents=4), step)[-1].observations[0], own)
    clocked = play(Switch(agents=4, clock=True), step)[-1].observations[0]
    assert np.array_equal(clocked[:, :2], own)
    assert np.array_equal(clocked[:, 2], np.full(4, 1 / 50, np.float32))
    joint = play(Switch(agents=4, sight="joint"), step)[-1].observations[0]
    assert np.array_equal(joint, np.tile(own.ravel(), (4, 1)))
    both = play(Switch(agents=4, sight="joint", clock=True), step)[-1].observations[0]
    assert np.array_equal(both, np.tile(clocked.ravel(), (4, 1)))


# Exact values: every joint place, one agent's move after the other.


class Places:
    """Every joint place as a row, and where each agent's move alone leads from it."""

    def __init__(self, game):
        agents = game.agents
        rows = np.stack(np.meshgrid(*[np.arange(len(CELLS))] * agents), -1)
        rows = rows.reshape(-1, agents)
        alone = np.sort(rows, 1)
        self.rows = rows[(alone[:, 1:] != alone[:, :-1]).all(1)]
        self.codes = (self.rows << 4 * np.arange(agents)).sum(1)
        row_of = np.zeros(16**agents, np.int64)
        row_of[self.codes] = np.arange(len(self.codes))
        scene = game.start(np.zeros((len(self.codes), 0)))
        self.start = row_of[scene.state[0]]
        scene = replace(scene, state=self.codes)
        self.moves = np.zeros((agents, 5, len(self.codes)), np.int64)
        for agent in range(agents):
            for action in range(5):
                joint = np.full((len(self.codes), agents), WAIT)
                joint[:, agent] = action
                after = game.step(scene, joint)
                self.moves[agent, action] = row_of[after.state]
        self.home = self.rows == [CELLS.index(cell) for cell in HOMES[:agents]]


def value(game, policies=None):
    """Expected team return of a memoryless policy [N, 15, 5]; of the best plan if none.

    Backward over the steps of an episode, and within a step from the last agent to the
    first; arriving pays 5 where the step would have cost 0.1.
    """
    all_places = Places(game)
    home, moves = all_places.home, all_places.moves
    paying = (
        (~home).sum(1) if game.rules == "modern" else np.full(len(home), len(moves))
    )
    total = np.zeros(len(home))
    for _ in range(game.limit):
        later = total
        for agent in reversed(range(game.agents)):
            arrives = home[moves[agent], agent] & ~home[:, agent]
            worth = 5.1 * arrives + later[moves[agent]]
            if policies is None:
                later = worth.max(0)
            else:
                later = (worth * policies[agent, all_places.rows[:, agent]].T).sum(0)
        total = np.where(home.all(1), 0.0, later - 0.1 * paying)
    return total[all_places.start]


@pytest.mark.parametrize("game", GAMES, ids=names)
def test_optimum_and_uniform_are_exact(game):
    assert value(game) == pytest.approx(game.reference.optimum, abs=1e-9)
    uniform = np.full((game.agents, len(CELLS), 5), 0.2)
    assert value(game, uniform) == pytest.approx(game.reference.uniform, abs=1e-6)


def test_published_optima():
    optima = {key: reference.optimum for key, reference in REFERENCE.items()}
    assert optima == {
        (2, "modern"): 8.3,
        (3, "modern"): 12.4,
        (4, "modern"): 16.1,
        (2, "legacy"): 7.8,
        (3, "legacy"): 11.1,
        (4, "legacy"): 14.4,
    }
    assert PHANTOMS.keys() == {key for key in REFERENCE if key[0] < 4}


@pytest.mark.parametrize("game", GAMES, ids=names)
def test_the_plan_has_the_optimum(game):
    scenes = play(game, *game.reference.plan.split())
    total = sum(scene.rewards.sum() for scene in scenes)
    assert total == pytest.approx(game.reference.optimum, abs=1e-9)
    assert scenes[-1].terminated
    assert not any(scene.over for scene in scenes[:-1])
    assert not any(s.truncated for s in scenes)
    rows = [scene.observations[0].tobytes() for scene in scenes]
    assert len(set(rows)) == len(rows)  # who sees all places can follow it by sight


def test_a_joint_step_is_the_single_moves_one_after_the_other():
    game = Switch(agents=4)
    all_places = Places(game)
    rng = np.random.default_rng(0)
    joint = rng.integers(5, size=all_places.rows.shape)
    scene = replace(game.start(np.zeros((len(joint), 0))), state=all_places.codes)
    row = np.arange(len(joint))
    for agent in range(4):
        row = all_places.moves[agent, joint[:, agent], row]
    after = game.step(scene, joint)
    assert np.array_equal(after.state, all_places.codes[row])
    assert np.array_equal(after.terminated, all_places.home[row].all(1))


@pytest.mark.parametrize("game", GAMES, ids=names)
def test_attained_by_memoryless_agents(game):
    key = f"{game.agents}_{game.rules}" + "_phantoms" * game.phantoms
    policies = np.load(RECORDS / "switch_policies.npz")[key].astype(float)
    assert policies.min() >= 0
    np.testing.assert_allclose(policies.sum(-1), 1, atol=1e-6)
    attained = value(game, policies / policies.sum(-1, keepdims=True))
    assert attained >= game.reference.attained - 1e-9
    assert attained < game.reference.attained + 0.01  # the constant is not stale
    assert attained <= game.reference.optimum + 1e-9


def test_who_sees_the_clock_or_all_can_attain_the_optimum():
    for game in (
        Switch(agents=4, clock=True),
        Switch(agents=4, rules="legacy", sight="joint"),
    ):
        assert game.reference.attained == game.reference.optimum
    assert Switch(agents=4).reference.attained < Switch(agents=4).reference.optimum


def test_a_restart_touches_only_what_it_is_asked_to():
    game = Switch(agents=2, clock=True)
    scene = game.start(np.zeros((3, 0)))
    scene = game.step(scene, np.array([[DOWN, DOWN]] * 3))
    again = game.restart(scene, np.array([False, True, False]), np.zeros((3, 0)))
    assert again.rewards.tolist() == [[-0.1, -0.1], [0.0, 0.0], [-0.1, -0.1]]
    assert np.array_equal(again.observations[::2], scene.observations[::2])
    first = game.start(np.zeros((1, 0))).observations[0]
    assert np.array_equal(again.observations[1], first)
    assert again.count.tolist() == [1, 0, 1]


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match=r"agents must be one of 2, 3, 4; got 5"):
        Switch(agents=5)
    with pytest.raises(UserError, match=r"phantoms must be false where no agent"):
        Switch(agents=4, phantoms=True)
