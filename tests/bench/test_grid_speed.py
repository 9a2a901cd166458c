"""Grid worlds with random actions and new episodes where one is over: `make bench`."""

import numpy as np
import pytest

from metaspiel.games.worlds import load

STEPS = 200


@pytest.mark.parametrize("batch", [1, 40, 1000])
@pytest.mark.parametrize("name", ["switch", "switch(agents=4)", "checkers"])
def test_steps(benchmark, name, batch):
    game, none, rng = load(name), np.zeros((batch, 0)), np.random.default_rng(0)
    scene = game.start(none)

    def play():
        nonlocal scene
        for _ in range(STEPS):
            actions = rng.integers(game.actions.size, size=(batch, game.agents))
            scene = game.step(scene, actions)
            scene = game.restart(scene, scene.over, none)

    benchmark(play)
    fastest = benchmark.stats.stats.min
    benchmark.extra_info["steps per second"] = round(STEPS * batch / fastest)
    assert scene.observations.shape == (batch, game.agents, game.inputs)
