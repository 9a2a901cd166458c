"""How tests play episodes: of grid worlds by digits, of simulators at random."""

import numpy as np
import torch

DOWN, LEFT, UP, RIGHT, WAIT = range(5)  # actions of the grid worlds


def scenes(game, *steps):
    """The scenes of one episode; a step is a digit per agent, '.' for a wait."""
    path = [game.start(np.zeros((1, 0)))]
    for step in steps:
        actions = [int(letter) for letter in step.replace(".", str(WAIT))]
        path.append(game.step(path[-1], np.array([actions])))
    return path


def pick(position, rng):
    """A uniform legal action each; anything where the episode is over."""
    noise = torch.from_numpy(rng.random(position.legal.shape))
    return torch.where(position.legal, noise, -1.0).argmax(-1)


def everywhere(position):
    return torch.ones_like(position.done)


def play(simulator, position, rng):
    """Positions from the given one to the end of all episodes."""
    path = [position]
    while not position.done.all():
        action = pick(position, rng)
        position = simulator.step(position, action, everywhere(position))
        path.append(position)
    return path
