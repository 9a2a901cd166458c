"""Times of iterations and of meta-games: from the same states, in turn."""

import pytest

from matrl import loop, timing
from matrl.methods import Settings
from metaspiel.games.pace import steps_per_second, uniform_actions, uniform_returns
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import PPO, whole_episodes
from metaspiel.learn.random import stream

TINY = Settings(ppo=PPO(batch=100, envs=2, width=8, steps=2))


def test_methods_start_a_round_from_the_same_state(monkeypatch: pytest.MonkeyPatch):
    """Seconds are made up: one for each phase, three where there is a gate."""
    seen: list[tuple[int, str]] = []
    real = loop.step

    def step(game, method, settings, state):  # type: ignore[no-untyped-def]
        after, row = real(game, method, settings, state)
        seen.append((state.iteration, method.gate + "+" * method.longer))
        spent = 3.0 if method.gate == "nash" else 1.0
        row["seconds"] = dict.fromkeys(timing.PHASES, spent)
        return after, row

    monkeypatch.setattr(loop, "step", step)
    methods = ("il", "matrl", "il-matched")
    times = timing.time_iterations(load("switch"), TINY, methods, rounds=3, warm=1)
    assert seen[0] == (0, "predicted")
    gates = ["predicted", "nash", "predicted+"]
    assert seen[1:] == [
        (1 + number, gate)
        for number in range(3)
        for gate in gates[number:] + gates[:number]
    ]
    assert times["matrl"].seconds == times["matrl"].least == 15 == 5 * 3.0
    assert times["matrl"].phases == dict.fromkeys(timing.PHASES, 3.0)
    assert (times["il"].ratio, times["matrl"].ratio) == (1, 3)
    assert times["matrl"].samples_per_second == pytest.approx(100 / 15)


def test_solving_is_timed_and_exact():
    times = timing.time_solving(3, rounds=1)
    assert 0 <= times.all <= times.all_most and times.estimate >= 0
    assert 0 <= times.pure_first <= times.pure_first_most
    assert max(times.all_regret, times.pure_first_regret) <= 1e-9


@pytest.mark.parametrize("name", ["switch", "pennies(limit=1)"])
def test_games_are_played_at_some_pace(name: str):
    assert steps_per_second(load(name), 4, steps=20, rounds=3) > 0
    actions = uniform_actions(load(name), 50, stream(0))
    assert actions.shape == (50, 2) and set(actions.ravel()) <= set(range(5))


def test_random_play_returns_what_is_known_of_it():
    game = load("switch")
    returns = uniform_returns(game, 2000, stream(0))
    assert returns.shape == (2000,)
    error = returns.std() / 2000**0.5
    assert returns.mean() == pytest.approx(game.reference.uniform, abs=4 * error)


@pytest.mark.parametrize(
    ("limit", "envs"), [(50, 40), (100, 20), (10, 200), (1, 200), (9999, 1), (300, 5)]
)
def test_each_environment_has_time_for_an_episode(limit: int, envs: int):
    assert whole_episodes(PPO(envs=200), limit) == PPO(envs=envs)
