"""How long the Double-DQN learner takes, and for what: its updates and its responses.

Times are CPU seconds of this process unless a GPU is meant.
"""

import cProfile
import inspect
import time
from pathlib import Path

import torch
from jaxtyping import Float32
from numpy import ndarray

from metaspiel.learn.graphs import Captured
from metaspiel.learn.mlp import MLP
from metaspiel.learn.replay import Replay
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Task
from metaspiel.learn.update import StackedDDQN


def fresh(network: MLP, count: int, seed: int) -> Float32[ndarray, "C P"]:
    """Weights ``[C, P]`` that have learned nothing."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([network.initial(generator) for _ in range(count)]).numpy()


def multiply_rate(size: int = 2048) -> float:
    """Operations a second of a large product in torch: the best of five."""
    a = torch.rand(size, size)
    out = torch.empty_like(a)
    spent = []
    for _ in range(5):
        begin = time.process_time()
        torch.mm(a, a, out=out)
        spent.append(time.process_time() - begin)
    return 2 * size**3 / min(spent)


class Updates:
    """Updates of S stacked learners on replays full of the same random transitions.

    Args:
      network: of every learner.
      stacked: S.
      settings: of the learners; they say the device, and how updates are made.
    """

    def __init__(self, network: MLP, stacked: int, settings: DDQN) -> None:
        place = torch.device(settings.device)
        self.learner = learner = StackedDDQN(
            network,
            stacked,
            settings.batch,
            rate=settings.rate,
            engine=settings.engine,
            device=place,
            products=settings.products,
        )
        vectors = fresh(network, stacked, 0)
        learner.online.load(torch.as_tensor(vectors))
        learner.copy_target()
        graph = settings.graph and settings.device == "cuda"
        self.learn = Captured(learner).learn if graph else learner.learn
        d, a, many = network.inputs, network.actions, settings.capacity
        self.replay = Replay(stacked, settings.capacity, d, a, place)
        self.generator, chance = (torch.Generator().manual_seed(n) for n in (0, 1))
        self.together = int(settings.games * settings.updates)
        self.size, self.place = (self.together, stacked, settings.batch), place

        def drawn(*size: int) -> torch.Tensor:
            """The same for all learners, who sample it differently."""
            numbers = torch.rand(1, many, *size, generator=chance).to(place)
            return numbers.expand(stacked, *numbers.shape[1:])

        self.replay.add(
            inputs=drawn(d),
            action=(drawn() * a).long().clamp_(max=a - 1),
            reward=drawn(),
            alive=torch.full((stacked, many), settings.discount, device=place),
            later=drawn(d),
            legal=drawn(a) < 0.4,
        )

    def __call__(self, times: int = 1) -> None:
        """So many rounds of updates, with the drawing of their minibatches."""
        for _ in range(times):
            picks = torch.rand(self.size, generator=self.generator, dtype=torch.float64)
            self.learn(self.replay.sample(picks.to(self.place)))

    def microseconds(self, times: int) -> float:
        """CPU time of an update of all learners."""
        begin = time.process_time()
        self(times)
        return 1e6 * (time.process_time() - begin) / (times * self.together)

    def wall(self, times: int) -> float:
        """Seconds of an update of all learners on a GPU."""
        torch.cuda.synchronize()
        begin = time.perf_counter()
        self(times)
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / (times * self.together)


def shares(given: Task) -> dict[str, float]:
    """Shares of a response's time by what is done, from a profile of its own."""
    profile = cProfile.Profile()
    profile.runcall(train, [given])
    profile.create_stats()
    game = Path(inspect.getfile(type(given.simulator))).name
    spent: dict[tuple[str, str], float] = {}
    for (file, _, name), values in profile.stats.items():
        key = (Path(file).name, name)
        spent[key] = max(values[3], spent.get(key, 0.0))
        if key[0] == game:  # what the game calls itself is in it already
            callers = values[4].items()
            spent[key] = sum(v[3] for by, v in callers if Path(by[0]).name != game)
    whole = spent["responses.py", "train"]
    parts = {
        "updates": spent["ddqn.py", "_learn"],
        "acting": spent["ddqn.py", "_decide"],
        "opponents": spent.get(("turns.py", "_respond"), 0.0),
        "simulator": sum(spent.get((game, n), 0) for n in ("start", "restart", "step")),
    }
    parts["replay, seats, random numbers"] = whole - sum(parts.values())
    return {name: seconds / whole for name, seconds in parts.items()}
