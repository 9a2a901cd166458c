"""Best responses to mixtures of co-players, by the learner that the settings name."""

from collections.abc import Sequence

import torch

from metaspiel.learn import ddqn, ppo_response
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Learned, Task


def train(tasks: Sequence[Task]) -> list[Learned]:
    """Learns all responses; equal networks and settings on equal games are stacked.

    A trial's bits do not depend on the trials that are stacked with it.

    Raises:
      UserError: the settings ask for what this machine does not have.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, task in enumerate(tasks):
        sim = task.simulator
        game = type(sim), sim.name, sim.inputs, sim.actions
        # Double DQN stacks the weights of its learners, so theirs must be alike.
        stacked = task.trained if isinstance(task.settings, DDQN) else None
        key = (game, task.network, stacked, task.settings)
        groups.setdefault(key, []).append(number)
    answers: dict[int, Learned] = {}
    with torch.no_grad():
        for numbers in groups.values():
            together = [tasks[n] for n in numbers]
            together[0].settings.check_here("train()")
            of_ddqn = isinstance(together[0].settings, DDQN)
            learned = (ddqn if of_ddqn else ppo_response).learn(together)
            answers.update(zip(numbers, learned, strict=True))
    return [answers[n] for n in range(len(tasks))]
