"""What ``speed_learner`` measures of our own learner, beside OpenSpiel's where asked.

All times are CPU seconds of this process.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import torch

from experiments.speed.measuring import in_turns, timed
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.simulator import Simulator
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.products import rounds
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.speed import Updates, fresh, multiply_rate, shares
from metaspiel.learn.tasks import Learned, Task
from metaspiel.learn.update import operations
from offline.dynamics import train as fit
from offline.model import ModelSimulator
from offline.record import collect
from offline.settings import Training
from offline.starts import starts

# What OpenSpiel's agent plays: our game, and its own in C++ with a larger network.
GAMES = {"bargaining_generalized": "the same game", "bargaining": "its own bargaining"}
GOAL = 1.3  # times the FLOPs of an update at the rate of torch.mm in the same run
AUTHORS = 480.0  # CPU seconds of a response in the authors' own code


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured, and how much of it."""

    settings: DDQN  # of a whole response,
    fraction: float  # of which so much is learned,
    stacked: float = 1 / 150  # and so much in stacks
    rounds: int  # turns of everything that is compared
    times: int = 10  # rounds of updates in a turn
    model: bool  # a response in a learned model is measured too:
    trajectories: int = 1000  # learned from so many,
    steps: int = 2000  # in so many steps
    theirs: bool  # OpenSpiel's agent is measured too,
    few: int = 300  # in so many episodes of an entry
    policies: int  # of each player in the empirical game
    episodes: int  # of each of its entries
    stacks: tuple[int, ...] = ()  # trials stacked on a GPU
    small: bool = False  # what is measured on a GPU is tiny
    seed: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: what was measured, the goal, and whether it is met."""

    part: str
    what: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None
    note: str = ""


def row(
    part: str,
    what: str,
    value: float,
    *,
    unit: str,
    most: float | None = None,
    least: float | None = None,
    note: str = "",
) -> Row:
    """A line whose goal is a bound, if there is one."""
    goal, met = "", None
    if most is not None:
        goal, met = f"at most {most:g} {unit}", value <= most
    if least is not None:
        goal, met = f"at least {least:g} {unit}", value >= least
    return Row(
        part=part, what=what, value=value, unit=unit, goal=goal, met=met, note=note
    )


def task(
    simulator: Simulator, network: MLP, settings: DDQN, *, opponents: Pool, seed: int
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


def response(given: Task, decisions: int) -> tuple[float, Learned]:
    """CPU seconds of a response, extrapolated to so many decisions, and what it is."""
    seconds, learned = timed(lambda: train([given])[0])
    return seconds * decisions / (given.settings.rounds * given.settings.games), learned


@cache
def rate() -> float:
    """Operations a second of a large float32 product, in this run."""
    return multiply_rate()


@cache
def update_times(plan: Plan) -> Mapping[str, float]:
    """Microseconds of an update: of ours, by autograd, and of OpenSpiel's agent.

    Ours is timed with rounded products too where the machine has them.
    """
    network = MLP.of(Bargaining())
    ours = Updates(network, 1, plan.settings)
    reference = Updates(network, 1, replace(plan.settings, engine="autograd"))
    works: dict[str, Callable[[], float]] = {
        "ours": partial(ours.microseconds, plan.times),
        "autograd": partial(reference.microseconds, plan.times),
    }
    if rounds():
        rounded = Updates(network, 1, replace(plan.settings, products="bfloat16"))
        works["bfloat16"] = partial(rounded.microseconds, plan.times)
    if plan.theirs:
        from experiments.speed import openspiel_dqn

        count = max(1, plan.times * ours.together // 4)
        for game in GAMES:
            agent = openspiel_dqn.filled(game, plan.settings, plan.seed)
            works[game] = partial(openspiel_dqn.microseconds, agent, count)
    in_turns(works, 1)
    return in_turns(works, 2 * plan.rounds + 1)


def updates(plan: Plan) -> list[Row]:
    """One update, ours and theirs."""
    spent = update_times(plan)
    once, line = spent["ours"], partial(row, "update")
    work = operations(MLP.of(Bargaining()), plan.settings.batch)
    floor = 1e6 * work / rate()
    others = {"autograd": "an update by autograd", "bfloat16": "products=bfloat16"}
    others |= {game: f"OpenSpiel, {text}" for game, text in GAMES.items()}
    return [
        line("an update of ours", once, unit="us", note=f"{work / 1e6:.1f} MFLOP"),
        line("torch.mm of 2048 x 2048", rate() / 1e9, unit="GFLOP/s"),
        line("times its FLOPs at that rate", once / floor, unit="x", most=GOAL,
             note=f"{floor:.0f} us"),
        *(line(text, spent[name], unit="us",
               note=f"{spent[name] / once:.2f} times ours")
          for name, text in others.items() if name in spent),
    ]  # fmt: skip


def responses(plan: Plan) -> list[Row]:
    """Whole responses: ours, in a model, against networks, and theirs."""
    settings, game = plan.settings.part(plan.fraction), Bargaining()
    network = MLP.of(game)
    uniform = Pool.uniform(network)
    seeds = itertools.count(plan.seed)
    tasks: dict[str, tuple[Simulator, Pool]] = {
        "ours": (game, uniform),
        "networks": (game, uniform + Pool.of(fresh(network, plan.policies, 1))),
    }
    if plan.model:
        data = collect(game, plan.trajectories, plan.seed)
        learned = fit([data], [plan.seed], Training(steps=plan.steps))
        first = starts([data], torch.device("cpu"))
        tasks["model"] = ModelSimulator(learned=learned, starts=first), uniform

    def own(simulator: Simulator, pool: Pool) -> float:
        seed = next(seeds)
        asked = task(simulator, network, settings, opponents=pool, seed=seed)
        return response(asked, plan.settings.decisions)[0]

    works = {name: partial(own, *given) for name, given in tasks.items()}
    if plan.theirs:
        from experiments.speed import openspiel_dqn

        def other(name: str) -> float:
            return openspiel_dqn.respond(
                name,
                plan.settings,
                fraction=plan.fraction,
                seed=next(seeds),
                per_update=update_times(plan)[name],
            )

        works |= {name: partial(other, name) for name in GAMES}
    rounds = 1 if plan.fraction == 1 else plan.rounds
    how = f"extrapolated from 1/{1 / plan.fraction:.0f}, median of {rounds}"
    how = "measured whole" if plan.fraction == 1 else how
    asked = task(game, network, settings, opponents=uniform, seed=plan.seed)
    spent = in_turns(works, rounds)
    return response_rows(plan.settings, spent, how) + [
        row("response", f"share of {name}", 100 * share, unit="%")
        for name, share in shares(asked).items()
    ]


def response_rows(settings: DDQN, spent: Mapping[str, float], how: str) -> list[Row]:
    """The table's lines about responses, from the seconds of each."""
    once = spent["ours"]
    work = settings.total_updates * operations(MLP.of(Bargaining()), settings.batch)
    floor = f"{work / 1e12:.2f} TFLOP, {work / rate():.1f} s at torch.mm's rate"
    authors = "faster than the authors' 8 CPU minutes"
    line = partial(row, "response")
    rows = [
        line("to the uniform policy", once, unit="CPU s", most=75, note=how),
        line(authors, AUTHORS / once, unit="x", least=6, note="another machine"),
        line("times the FLOPs of its updates", once * rate() / work, unit="x",
             note=floor),
        line("to a mixture of networks", spent["networks"], unit="CPU s", most=75,
             note=how),
    ]  # fmt: skip
    if "model" in spent:
        seconds, line = spent["model"], partial(row, "model")
        rows += [
            line("response in the learned model", seconds, unit="CPU s", note=how),
            line("times that in the game", seconds / once, unit="x", most=1.3),
        ]
    for game, text in GAMES.items():
        if game in spent:
            seconds, line = spent[game], partial(row, "openspiel")
            faster, note = f"ours is faster than that, {text}", "updates as above"
            rows += [
                line(f"response, {text}", seconds, unit="CPU s", note=f"{how}; {note}"),
                line(faster, seconds / once, unit="x", least=4),
            ]
    return rows


def stacked(plan: Plan) -> list[Row]:
    """Microseconds of a trial's update in stacks of 1 to 8, and trial 0's bits."""
    network = MLP.of(Bargaining())
    made = {str(size): Updates(network, size, plan.settings) for size in (1, 2, 4, 8)}
    for work in made.values():
        work()
    each = {name: partial(work.microseconds, plan.times) for name, work in made.items()}
    spent = in_turns(each, plan.rounds)
    game, settings = Bargaining(), plan.settings.part(plan.stacked)
    asked = partial(task, game, network, settings, opponents=Pool.uniform(network))
    tasks = [asked(seed=seed) for seed in range(8)]
    alone = train(tasks[:1])[0].policy
    rows = []
    for size, total in spent.items():
        same = np.array_equal(train(tasks[: int(size)])[0].policy, alone)
        words = "the same, bit for bit" if same else "not the same"
        line = row(
            "stacked",
            f"an update of a trial, {size} stacked",
            total / int(size),
            unit="us",
            note=f"trial 0 after {settings.decisions} decisions is {words}",
        )
        rows.append(replace(line, goal="the same bits alone and stacked", met=same))
        floor = 1e6 * int(size) * operations(network, settings.batch) / rate()
        what = f"times its FLOPs at torch.mm's rate, {size} stacked"
        rows.append(row("stacked", what, total / floor, unit="x", most=GOAL))
    return rows
