"""What ``speed_learner`` measures on a GPU: updates, acting, responses; in wall time.

S trials are stacked, so an update is one of all of them. The whole table is 360 trials
of 40 responses, S trials at a time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from experiments.speed.our_learner import Plan, Row, row, task
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.simulator import Simulator
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.speed import Updates, fresh
from metaspiel.learn.update import operations
from offline.dynamics import train as fit
from offline.ensemble import moved
from offline.model import ModelSimulator
from offline.record import collect
from offline.settings import Training
from offline.starts import starts

CUDA = torch.device("cuda")
TRIALS, RESPONSES = 360, 40  # of the published table
_OPPONENTS = 20  # policies of a mixture: half of what a trial ends with
_US = "us of wall time"


def seconds(work: Callable[[], object], times: int, turns: int) -> float:
    """Wall seconds of a call, all kernels finished: the median of some turns."""
    spent = []
    for _ in range(turns):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(times):
            work()
        torch.cuda.synchronize()
        spent.append((time.perf_counter() - begin) / times)
    return float(np.median(spent))


def on_gpu(plan: Plan) -> list[Row]:
    """Ceilings of the device, then everything for each number of stacked trials."""
    rows, rate = _ceilings(plan)
    model = _model(plan)
    for stacked in plan.stacks:
        made, once = _updates(plan, stacked, rate)
        rows += made
        rows += _responses(plan, stacked, model, once)
    return rows


def _ceilings(plan: Plan) -> tuple[list[Row], float]:
    """What the device does at best: products of numbers of 32 bits, and copies."""
    size = 256 if plan.small else 4096
    one, two = (torch.rand(size, size, device=CUDA) for _ in range(2))
    out = torch.empty_like(one)
    rate = 2 * size**3 / seconds(lambda: torch.mm(one, two, out=out), 10, plan.rounds)
    b, h = plan.settings.batch, MLP.of(Bargaining()).width
    stack = 2 if plan.small else 60
    x = torch.rand(stack, 2 * b, h, device=CUDA)
    w = torch.rand(stack, h, h, device=CUDA)
    hidden = torch.empty_like(x)
    each = seconds(lambda: torch.bmm(x, w, out=hidden), 50, plan.rounds)
    large = torch.rand(1 << (16 if plan.small else 28), device=CUDA)
    other = torch.empty_like(large)
    copied = 8 * large.numel() / seconds(lambda: other.copy_(large), 10, plan.rounds)
    what = f"torch.bmm of {stack} x {2 * b} x {h} x {h}"
    work = 2 * stack * 2 * b * h * h
    return [
        row("cuda", f"torch.mm of {size} x {size}", rate / 1e12, unit="TFLOP/s"),
        row("cuda", what, work / each / 1e12, unit="TFLOP/s",
            note=f"{1e6 * each:.1f} us"),
        row("cuda", "copy", copied / 1e9, unit="GB/s", note="read and written"),
    ], rate  # fmt: skip


def _updates(plan: Plan, stacked: int, rate: float) -> tuple[list[Row], float]:
    """Updates of S stacked learners, eager and by graph; seconds of the latter."""
    network, rows, once = MLP.of(Bargaining()), list[Row](), 0.0
    work = stacked * operations(network, plan.settings.batch)
    for name, graph in (("eager", False), ("graph", True)):
        settings = replace(plan.settings, device="cuda", graph=graph)
        made = Updates(network, stacked, settings)
        made()  # records the graph
        once = seconds(made, plan.times, plan.rounds) / made.together
        note = (
            f"{work / once / 1e12:.2f} TFLOP/s, {work / once / rate:.0%} of torch.mm; "
            f"{1e6 * once / stacked:.1f} us a trial"
        )
        what = f"an update of {stacked} stacked, {name}"
        rows.append(row("cuda", what, 1e6 * once, unit=_US, note=note))
    picks = torch.rand(made.size, dtype=torch.float64).to(CUDA)
    drawn = seconds(lambda: made.replay.sample(picks), plan.times, plan.rounds)
    what = f"minibatches of an update of {stacked} stacked"
    each = 1e6 * drawn / made.together
    return [*rows, row("cuda", what, each, unit=_US, note="in the above")], once


def _model(plan: Plan) -> ModelSimulator:
    """A learned model on the GPU, of one trial."""
    data = collect(Bargaining(), plan.trajectories, plan.seed)
    learned = fit([data], [plan.seed], Training(steps=plan.steps), CUDA)
    return ModelSimulator(learned=moved(learned, CUDA), starts=starts([data], CUDA))


def _responses(
    plan: Plan, stacked: int, model: ModelSimulator, once: float
) -> Iterator[Row]:
    """A round of acting, whole responses, and the table, from the seconds of updates.

    Rounds are the difference of a longer and a shorter run, without what begins both.
    """
    settings, games = plan.settings, plan.settings.games
    rounds = 2 if plan.small else 40

    def acting(simulator: Simulator) -> float:
        spent = [
            _learned(plan, stacked, simulator, replace(
                settings, decisions=count * games, capacity=rounds * games * 2,
                minimum=games, updates=0.0,
            ))
            for count in (rounds, 2 * rounds)
        ]  # fmt: skip
        return (spent[1] - spent[0]) / rounds

    for where, simulator in (("the game", Bargaining()), ("a learned model", model)):
        what = f"a round of acting of {stacked} stacked, {where}"
        note = f"{games} decisions a trial against {_OPPONENTS} networks"
        each = acting(simulator)
        yield row("cuda", what, 1e6 * each, unit=_US, note=note)
    response = settings.rounds * each + settings.total_updates * once
    hours = -(-TRIALS // stacked) * RESPONSES * response / 3600
    used = torch.cuda.max_memory_allocated() / 1e9
    yield row(
        "cuda",
        f"a response of {stacked} stacked in a learned model",
        response,
        unit="s of wall time",
        note=f"{settings.rounds} rounds and {settings.total_updates} updates as above; "
        f"{TRIALS} trials of {RESPONSES} responses: {hours:.2f} h; {used:.1f} GB used",
    )
    part = settings.part(plan.fraction)
    yield row(
        "cuda",
        f"{part.decisions} decisions of {stacked} stacked in a learned model",
        _learned(plan, stacked, model, part),
        unit="s of wall time",
        note=f"measured, {part.total_updates} updates, what begins it included",
    )


def _learned(plan: Plan, stacked: int, simulator: Simulator, settings: DDQN) -> float:
    network = MLP.of(Bargaining())
    pool = Pool.uniform(network) + Pool.of(fresh(network, _OPPONENTS, 1))
    asked = replace(settings, device="cuda")
    tasks = [
        task(simulator, network, asked, opponents=pool, seed=plan.seed + number)
        for number in range(stacked)
    ]
    torch.cuda.synchronize()
    begin = time.perf_counter()
    train(tasks)
    torch.cuda.synchronize()
    return time.perf_counter() - begin
