"""Updates replayed from graphs are the updates themselves."""

import torch
from pretend_gpu import real_gpu

from metaspiel.graphs import _WARM, on_cuda
from metaspiel.learn.graphs import Captured
from metaspiel.learn.mlp import MLP
from metaspiel.learn.update import Batches, StackedDDQN

NETWORK, STACKED, BATCH = MLP(5, 16, 4), 3, 8


def learner(device="cpu"):
    made = StackedDDQN(NETWORK, STACKED, BATCH, 1e-2, device=torch.device(device))
    generator = torch.Generator().manual_seed(0)
    made.online.load(torch.stack([NETWORK.initial(generator) for _ in range(STACKED)]))
    made.copy_target()
    return made


def batches(updates, seed, device="cpu"):
    generator = torch.Generator().manual_seed(seed)
    lead = (updates, STACKED, BATCH)
    drawn = Batches(
        inputs=torch.randn(
            updates, STACKED, 2 * BATCH, NETWORK.inputs, generator=generator
        ),
        action=torch.randint(NETWORK.actions, lead, generator=generator),
        reward=torch.randn(lead, generator=generator),
        alive=0.99 * torch.randint(2, lead, generator=generator).float(),
        illegal=torch.rand(*lead, NETWORK.actions, generator=generator) < 0.3,
    )
    return Batches(**{name: part.to(device) for name, part in vars(drawn).items()})


class Eager:
    """Takes a graph's place: does the work once more at each replay."""

    def __init__(self):
        self.captures = 0

    def __call__(self, work):
        self.captures += 1
        for _ in range(_WARM):
            result = work()
        return lambda: result.copy_(work()), result


def compare(device, capture, exact):
    """Rounds of 3 and 2 updates with a new target in between, both ways."""
    plain, graphed = learner(device), learner(device)
    captured = Captured(graphed, capture)
    kept = []
    for number, updates in enumerate((3, 3, 2, 3)):
        given = batches(updates, number, device)
        wanted, learned = plain.learn(given), captured.learn(given)
        kept.append((wanted, learned))
        if number == 1:
            plain.copy_target()
            graphed.copy_target()
    pairs = [
        *kept,  # compared at the end: a later replay must not write over them
        (plain.online.flat, graphed.online.flat),
        (plain.target.flat, graphed.target.flat),
        (plain.adam.mean, graphed.adam.mean),
        (plain.adam.square, graphed.adam.square),
        (plain.adam.steps, graphed.adam.steps),
    ]
    for wanted, learned in pairs:
        tolerance = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(learned, wanted, **tolerance)
    assert float(graphed.adam.steps) == 11


def test_replays_are_the_updates_and_recording_does_not_train():
    capture = Eager()
    compare("cpu", capture, exact=True)
    assert capture.captures == 2  # one for each number of updates


def test_minibatches_are_copied_not_kept():
    made = Captured(learner(), Eager())
    given = batches(2, 0)
    made.learn(given)
    inputs = given.inputs.clone()
    made.learn(batches(2, 1))
    torch.testing.assert_close(given.inputs, inputs, rtol=0, atol=0)


@real_gpu
def test_graphs_on_a_gpu():
    compare("cuda", on_cuda, exact=False)
