"""What ``experiments.speed.learner`` measures of our own learner.

All times are CPU seconds of this process unless a GPU is meant.
"""

import cProfile
import inspect
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from metaspiel.games.bargaining import Bargaining
from metaspiel.games.simulator import Simulator
from metaspiel.learn import ddqn
from metaspiel.learn.graphs import Captured
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.replay import Replay
from metaspiel.learn.settings import DDQN, Engine
from metaspiel.learn.tasks import Learned, Task
from metaspiel.learn.update import StackedDDQN
from offline.dynamics import train as fit
from offline.ensemble import Training
from offline.model import ModelSimulator
from offline.record import collect
from offline.starts import starts

PAPER = DDQN()
# What OpenSpiel's agent plays: our game, and its own in C++ with a larger network.
GAMES = {"bargaining_generalized": "the same game", "bargaining": "its own bargaining"}
FLOOR = 260e9  # fused multiply-adds a second of the core the design was measured on
ROUND = int(PAPER.games * PAPER.updates)  # updates made together


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      part: of the page.
      what: was measured.
      value: of it.
      unit: of the value.
      goal: what is asked for; empty where nothing is.
      met: whether it is.
      note: how the value came about.
    """

    part: str
    what: str
    value: float
    _: KW_ONLY
    unit: str
    goal: str = ""
    met: bool | None = None
    note: str = ""


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def interleaved(
    works: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """What every work returns in each round, one after the other in every round."""
    results: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            results[name].append(work())
    return results


def flops(network: MLP, batch: int) -> float:
    """Operations of an update: what the written-out one does, and nothing twice.

    Five passes through the hidden layer (s and s' online, s' target, and two backward),
    four through the first, and of the last only what s' needs.
    """
    d, h, a = network.inputs, network.width, network.actions
    return 2.0 * batch * (4 * d * h + 5 * h * h + 2 * h * a)


def multiply_rate(size: int = 2048) -> float:
    """Operations a second of a large product in torch: the best of five."""
    a = torch.rand(size, size)
    out = torch.empty_like(a)
    return 2 * size**3 / min(timed(lambda: torch.mm(a, a, out=out)) for _ in range(5))


def part_of_paper(fraction: float) -> DDQN:
    """The paper's settings with a fraction of the decisions; the replay stays."""
    return replace(
        PAPER,
        decisions=max(2 * PAPER.batch, round(fraction * PAPER.decisions)),
        minimum=max(PAPER.batch, round(fraction * PAPER.minimum)),
        explore_decisions=round(fraction * PAPER.explore_decisions),
    )


def fresh(network: MLP, count: int, seed: int) -> ndarray:
    """Weights ``[count, P]`` that have learned nothing."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([network.initial(generator) for _ in range(count)]).numpy()


def task(
    simulator: Simulator, network: MLP, settings: DDQN, opponents: Pool, seed: int
) -> Task:
    """A response to the even mixture of some policies."""
    return Task(
        simulator=simulator,
        network=network,
        settings=settings,
        player=0,
        pools=(opponents,) * 2,
        co_play=np.full(len(opponents), 1 / len(opponents)),
        seed=(seed,),
        scale=5.0,
    )


def response(given: Task) -> tuple[float, Learned]:
    """CPU seconds of a response, extrapolated to all decisions; and the response."""
    begin = time.process_time()
    learned = ddqn.train([given])[0]
    made = given.settings.rounds * given.settings.games
    return (time.process_time() - begin) * PAPER.decisions / made, learned


def learned_model(trajectories: int, steps: int, seed: int) -> ModelSimulator:
    """A model of Bargaining learned from random play."""
    data = collect(Bargaining(), trajectories, seed)
    return ModelSimulator(
        learned=fit([data], [seed], Training(steps=steps)),
        starts=starts([data], torch.device("cpu")),
    )


def split(given: Task) -> dict[str, float]:
    """Shares of a response's time by what is done, from a profile of its own."""
    profile = cProfile.Profile()
    profile.runcall(ddqn.train, [given])
    profile.create_stats()
    game = Path(inspect.getfile(type(given.simulator)))
    spent: dict[tuple[str, str], float] = {}
    for (file, _, name), values in profile.stats.items():
        key = (Path(file).name, name)
        spent[key] = max(values[3], spent.get(key, 0.0))
    whole = spent["ddqn.py", "train"]
    moves = sum(spent.get((game.name, n), 0.0) for n in ("start", "restart", "step"))
    shares = {
        "updates": spent["ddqn.py", "_learn"] / whole,
        "acting": spent["ddqn.py", "_decide"] / whole,
        "opponents": spent.get(("ddqn.py", "_respond"), 0.0) / whole,
        "simulator": moves / whole,
    }
    return shares | {"replay, seats, random numbers": 1 - sum(shares.values())}


class Updates:
    """Updates of S stacked learners on replays full of random transitions."""

    def __init__(
        self,
        stacked: int,
        engine: Engine = "written",
        device: str = "cpu",
        graph: bool = False,
        capacity: int = PAPER.capacity,
    ) -> None:
        place = torch.device(device)
        self.network = MLP.of(Bargaining())
        self.stacked, self.place = stacked, place
        self.learner = StackedDDQN(
            self.network,
            stacked,
            PAPER.batch,
            rate=PAPER.rate,
            engine=engine,
            device=place,
        )
        vectors = fresh(self.network, stacked, 0)
        self.learner.online.load([torch.as_tensor(v) for v in vectors])
        self.learner.copy_target()
        self.learn = Captured(self.learner).learn if graph else self.learner.learn
        d, a, lead = self.network.inputs, self.network.actions, (stacked, capacity)
        self.replay = Replay(stacked, capacity, d, a, place)
        self.generator = torch.Generator().manual_seed(0)
        chance = torch.Generator(place).manual_seed(0)

        def drawn(*size: int) -> torch.Tensor:
            return torch.rand(size, generator=chance, device=place)

        self.replay.add(
            inputs=drawn(*lead, d),
            action=(drawn(*lead) * a).long().clamp_(max=a - 1),
            reward=drawn(*lead),
            alive=torch.full(lead, PAPER.discount, device=place),
            later=drawn(*lead, d),
            legal=drawn(*lead, a) < 0.4,
        )

    def __call__(self, times: int = 1) -> None:
        """So many rounds of updates, with the drawing of their minibatches."""
        size = (ROUND, self.stacked, PAPER.batch)
        for _ in range(times):
            picks = torch.rand(size, generator=self.generator, dtype=torch.float64)
            self.learn(self.replay.sample(picks.to(self.place)))

    def microseconds(self, times: int) -> float:
        """CPU time of an update of all learners."""
        return 1e6 * timed(lambda: self(times)) / (times * ROUND)

    def wall(self, times: int) -> float:
        """Seconds of an update of all learners on a GPU."""
        torch.cuda.synchronize()
        begin = time.perf_counter()
        self(times)
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / (times * ROUND)


def stacked(rounds: int, times: int, settings: DDQN) -> list[Row]:
    """Microseconds of a trial's update in stacks of 1 to 8, and trial 0's bits."""
    sizes = (1, 2, 4, 8)
    made = {str(s): Updates(s) for s in sizes}
    each = {name: partial(work.microseconds, times) for name, work in made.items()}
    for work in made.values():
        work()
    microseconds = interleaved(each, rounds)
    sim = Bargaining()
    network = MLP.of(sim)
    asked = partial(task, sim, network, settings, Pool.uniform(network))
    tasks = [asked(seed) for seed in range(max(sizes))]
    alone = ddqn.train(tasks[:1])[0].policy
    rows = []
    for size in sizes:
        same = np.array_equal(ddqn.train(tasks[:size])[0].policy, alone)
        rows.append(
            Row(
                part="stacked",
                what=f"an update of a trial, {size} stacked",
                value=statistics.median(microseconds[str(size)]) / size,
                unit="us",
                goal="the same bits alone and stacked",
                met=same,
                note=f"trial 0 after {settings.decisions} decisions is "
                + ("the same, bit for bit" if same else "not the same"),
            )
        )
    return rows


def on_gpu(rounds: int, times: int) -> list[Row]:
    """Updates on a GPU, eager and as graphs, and what the whole table would take.

    The table is 360 trials of 40 responses; S trials at a time make the updates of a
    response in step.
    """
    updates = whole_updates()
    rows = []
    for size in (1, 60):
        works = {
            "eager": Updates(size, device="cuda"),
            "graph": Updates(size, device="cuda", graph=True),
        }
        for work in works.values():
            work()
        each = {name: partial(work.wall, times) for name, work in works.items()}
        for name, values in interleaved(each, rounds).items():
            once = statistics.median(values)
            hours = -(-360 // size) * 40 * updates * once / 3600
            rows.append(
                Row(
                    part="cuda",
                    what=f"an update of {size} stacked, {name}",
                    value=1e6 * once,
                    unit="us of wall time",
                    note=f"whole table: {-(-360 // size)} groups of trials x 40 "
                    f"responses x {updates} updates = {hours:.1f} h of updates",
                )
            )
    return rows


def whole_updates(settings: DDQN = PAPER) -> int:
    """Updates of a response with these settings."""
    silent = -(-settings.minimum // settings.games) - 1
    return (settings.rounds - silent) * int(settings.games * settings.updates)
