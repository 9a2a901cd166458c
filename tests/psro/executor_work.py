"""Work for test_executor.py, in a module that worker processes can import."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from metaspiel.nfg.errors import UserError

BATCHES = []  # seeds of each batch answered in this process


@dataclass(frozen=True, eq=False)
class Question:
    seed: int
    weights: np.ndarray
    mark: str = ""


@dataclass(frozen=True, eq=False)
class Answer:
    outputs: np.ndarray
    total: float

    @property
    def bits(self):
        return self.outputs.tobytes(), self.total.hex()


def questions(count, first=0, mark=""):
    rng = np.random.default_rng(5)
    weights = rng.standard_normal((first + count, 8, 200)).astype(np.float32)
    made = [Question(i, weights[i]) for i in range(first, first + count)]
    if mark:
        made[count // 2] = Question(made[count // 2].seed, weights[count // 2], mark)
    return made


def numbers(requests):
    """A layer for each request, stacked: torch, then numpy."""
    BATCHES.append([r.seed for r in requests])
    draws = [np.random.default_rng(r.seed).random((16, 8)) for r in requests]
    inputs = torch.from_numpy(np.stack(draws).astype(np.float32))
    weights = torch.stack([torch.from_numpy(r.weights) for r in requests])
    hidden = torch.relu(torch.bmm(inputs, weights)).numpy()
    return [Answer(h @ h.T, float(np.exp(h).sum())) for h in hidden]


def other(requests):
    return numbers(requests)


def fragile(requests):
    """Kills its process where it meets a mark that is not there yet."""
    for request in requests:
        if request.mark and not Path(request.mark).exists():
            Path(request.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return numbers(requests)


def deadly(requests):
    os.kill(os.getpid(), signal.SIGKILL)


def picky(requests):
    for request in requests:
        if request.seed == 3:
            raise KeyError("no three")
    return numbers(requests)


def refusing(requests):
    raise UserError("work(): seed must be small; got 3")


def short(requests):
    return requests[1:]


def surroundings(requests):
    """Threads of torch and OpenBLAS, whether arrays can be written, and the process."""
    blas = os.environ["OPENBLAS_NUM_THREADS"]
    return [
        (torch.get_num_threads(), blas, r.weights.flags.writeable, os.getpid())
        for r in requests
    ]


def slow(requests):
    Path(requests[0].mark).touch()
    time.sleep(100)
    return requests


def interrupt_once(mark):
    """Presses Ctrl-C as soon as the mark is there."""
    while not mark.exists():
        time.sleep(0.01)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def bits(answers):
    return [answer.bits for answer in answers]


def trial(steps, function=numbers, per_step=2):
    """Asks ``steps`` times; what it asks depends on the answers before."""

    def asks(executor):
        answers, first = [], 0
        for step in range(steps):
            asked = questions(per_step, first)
            answers += executor.answer(function, asked)
            first = (step + int(answers[-1].total)) % 7
        return answers

    return asks
