"""Every learner behind one interface: it starts, steps, and its states come back."""

from pathlib import Path

import pytest

from matrl.learners import LEARNERS
from matrl.methods import METHODS, Settings
from metaspiel.games.worlds import load
from metaspiel.learn.maddpg import MADDPG
from metaspiel.learn.mixing import Mixing
from metaspiel.learn.ppo import PPO

SMALL = {"batch": 40, "envs": 4, "width": 8}


def settings(name: str) -> object:
    if name in METHODS:
        return Settings(ppo=PPO(**SMALL, steps=2))
    return MADDPG(**SMALL) if name == "maddpg" else Mixing(kind=name, **SMALL)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_state_that_was_written_goes_on_as_the_one_that_was_not(
    name: str, tmp_path: Path
):
    game, learner, chosen = load("switch"), LEARNERS[name], settings(name)
    first, row = learner.step(game, chosen, learner.start(game, chosen, 3))
    assert first.iteration == row["iteration"] == 1
    folder = tmp_path / "state"
    folder.mkdir()
    learner.save(first, folder)
    again, one = learner.step(game, chosen, learner.load(folder))
    _, two = learner.step(game, chosen, first)
    del one["seconds"], two["seconds"]
    assert again.iteration == 2 and one == two
