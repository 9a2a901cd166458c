"""Checkers: the rules by hand, and the exact search."""

from dataclasses import replace

import numpy as np
import pytest
from episodes import DOWN, LEFT, RIGHT, UP, WAIT
from episodes import scenes as play

from metaspiel.games.checkers import APPLES, FOOD, REFERENCE, STARTS, Checkers

RULES = ("modern", "legacy")


def place(scene, agent):
    """Row and column."""
    row, column = scene.observations[0, agent, :2]
    return round(float(row) * 3), round(float(column) * 7)


def test_the_board():
    food = [[FOOD >> 3 * c + r & 1 for c in range(8)] for r in range(3)]
    apples = [[APPLES >> 3 * c + r & 1 for c in range(8)] for r in range(3)]
    assert food == [[1, 1, 1, 1, 1, 1, 0, 0]] * 3
    even, odd = [1, 0, 1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 0]
    assert apples == [even, odd, even]
    start = play(Checkers())[0]
    assert [place(start, agent) for agent in (0, 1)] == [(0, 6), (2, 6)]
    assert STARTS == (18, 20)


def test_borders_are_waits():
    scenes = play(Checkers(), f"{UP}{DOWN}", f"{RIGHT}{RIGHT}", f"{RIGHT}{RIGHT}")
    assert [place(scene, 0) for scene in scenes] == [(0, 6), (0, 6), (0, 7), (0, 7)]
    assert [place(scene, 1) for scene in scenes] == [(2, 6), (2, 6), (2, 7), (2, 7)]
    assert all((scene.rewards == -0.01).all() for scene in scenes[1:])


def test_agents_move_in_the_order_of_their_index():
    met = play(Checkers(), f"{DOWN}{UP}")[-1]  # both want (1, 6)
    assert (place(met, 0), place(met, 1)) == ((1, 6), (2, 6))
    followed = play(Checkers(), f"{DOWN}.", f"{UP}{UP}")[-1]
    assert (place(followed, 0), place(followed, 1)) == ((0, 6), (1, 6))
    held = play(Checkers(), f".{UP}", f"{DOWN}{DOWN}")[-1]
    assert (place(held, 0), place(held, 1)) == ((0, 6), (2, 6))


@pytest.mark.parametrize(("rules", "worth"), [("modern", 10.0), ("legacy", 5.0)])
def test_food_pays_once(rules, worth):
    # Agent 0: lemon at (0, 5), apple at (1, 5), back to the eaten lemon's cell.
    ate = play(Checkers(rules), f"{LEFT}.", f"{DOWN}.", f"{UP}.", f"{LEFT}.")
    own = [scene.rewards[0, 0] for scene in ate[1:]]
    assert own == [-0.01 - worth, -0.01 + worth, -0.01, -0.01 + worth]
    assert all(scene.rewards[0, 1] == -0.01 for scene in ate[1:])
    # Agent 1: lemon at (2, 5), apple at (2, 4).
    ate = play(Checkers(rules), f".{LEFT}", f".{LEFT}", f".{WAIT}")
    own = [scene.rewards[0, 1] for scene in ate[1:]]
    assert own == [-1.01, 0.99, -0.01]


def test_observations_by_hand():
    # Agent 0 at (1, 6), agent 1 at (2, 5), the lemon there eaten; (0, 5) is a lemon,
    # (1, 5) an apple.
    steps = (f"{DOWN}{LEFT}",)
    legacy = play(Checkers("legacy"), *steps)[-1].observations[0]
    first = [0.33, 0.86, 1, 0, 0, 2, 3, 0, 3, 0, 0]
    second = [0.67, 0.71, 1, 2, 3, 2, 3, 0, 0, 0, 0]
    assert np.array_equal(legacy, np.array([first, second], np.float32))
    modern = play(Checkers(), *steps)[-1].observations[0]
    assert np.array_equal(modern[:, :2], legacy[:, :2])
    lemon, apple, zero, one = np.eye(4, 5)
    none = np.zeros(5)
    cells = np.array(
        [
            [lemon, none, none, apple, zero, none, one, none, none],
            [lemon, apple, zero, apple, one, none, none, none, none],
        ]
    )
    assert np.array_equal(modern[:, 2:], cells.reshape(2, -1))
    joint = play(Checkers("legacy", "joint"), *steps)[-1].observations[0]
    assert np.array_equal(joint, np.tile(legacy.ravel(), (2, 1)))
    clocked = play(Checkers("legacy", clock=True), *steps)[-1].observations[0]
    assert np.array_equal(clocked[:, :-1], legacy)
    assert np.array_equal(clocked[:, -1], np.full(2, 0.01, np.float32))


# The exact search: breadth first over all joint actions, cut where a bound says so.


def at_most(state, worth):
    """No more than this can still be earned.

    Agent 0 earns most with an apple, and no two apples touch: with k of them left and
    the nearest d steps away, eating all takes it d + 2 (k - 1) steps. Leaving one to
    agent 1 costs more than all those steps together.
    """
    left, here = state >> 10, state & 31
    count, nearest = np.zeros(len(state), np.int64), np.full(len(state), 99)
    for cell in range(24):
        if APPLES >> cell & 1:
            there = (left >> cell & 1).astype(bool)
            away = abs(cell % 3 - here % 3) + abs(cell // 3 - here // 3)
            nearest = np.where(there, np.minimum(nearest, away), nearest)
            count += there
    return np.where(count > 0, worth * count - 0.02 * (nearest + 2 * (count - 1)), 0.0)


def search(game, claim):
    """The best team return, if it is at least the claim; -inf if none is."""
    worth = 10.0 if game.rules == "modern" else 5.0
    joint = np.stack(np.divmod(np.arange(25), 5), 1)
    scene = game.start(np.zeros((1, 0)))
    state, earned, best = scene.state, np.zeros(1), -np.inf
    reached = {}
    for _ in range(game.limit):
        scene = game.start(np.zeros((25 * len(state), 0)))
        scene = game.step(
            replace(scene, state=state.repeat(25)), np.tile(joint, (len(state), 1))
        )
        total = earned.repeat(25) + scene.rewards.sum(1)
        best = max(best, total[scene.terminated].max(initial=-np.inf))
        hope = total + at_most(scene.state, worth) >= max(claim, best) - 1e-9
        hope &= ~scene.terminated
        # A state seen before, and with as much in hand, need not be looked at again.
        newly = {}
        for code, money in zip(scene.state[hope], total[hope], strict=True):
            if money > max(reached.get(code, -np.inf), newly.get(code, -np.inf)):
                newly[code] = money
        if not newly:
            return best
        reached |= newly
        state = np.array(list(newly), np.int64)
        earned = np.array(list(newly.values()))
    return best


@pytest.mark.parametrize("rules", RULES)
def test_the_optimum_is_exact(rules):
    optimum = REFERENCE[rules].optimum
    assert optimum == {"modern": 86.26, "legacy": 41.26}[rules]
    assert search(Checkers(rules), optimum) == pytest.approx(optimum, abs=1e-9)
    assert search(Checkers(rules), optimum + 1e-6) == -np.inf


@pytest.mark.parametrize("rules", RULES)
def test_the_plan_has_the_optimum(rules):
    scenes = play(Checkers(rules), *REFERENCE[rules].plan.split())
    own = np.concatenate([scene.rewards for scene in scenes])
    assert own.sum() == pytest.approx(REFERENCE[rules].optimum, abs=1e-9)
    assert own[:, 1].sum() == pytest.approx(-3.37, abs=1e-9)
    assert len(scenes) == 1 + 37
    assert [bool(s.terminated[0]) for s in scenes] == [False] * 37 + [True]
    assert not any(scene.truncated for scene in scenes)


@pytest.mark.parametrize("rules", RULES)
def test_agents_without_memory_can_follow_the_plan(rules):
    steps = REFERENCE[rules].plan.split()
    answers = ({}, {})
    for scene, step in zip(play(Checkers(rules), *steps), steps, strict=False):
        for agent in (0, 1):
            seen = scene.observations[0, agent].tobytes()
            assert answers[agent].setdefault(seen, step[agent]) == step[agent]
    assert REFERENCE[rules].attained == REFERENCE[rules].optimum
    assert all(len(answer) > 20 for answer in answers)
