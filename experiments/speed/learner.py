"""Speed of learned best responses and sampled payoffs, beside OpenSpiel's DQN.

Example: metaspiel speed_learner --part update response

A response has the settings of COffeE-PSRO's Table 2 (200,000 decisions); by default a
fraction of it is learned, and its time extrapolated. What is compared runs in turns in
one process and is measured in CPU seconds of one thread; values are medians over the
turns. OpenSpiel's agent (plain DQN) plays the same game, which OpenSpiel runs in
Python, and OpenSpiel's own `bargaining` in C++, whose network is larger. Its time is
that of as many decisions and updates as ours, the updates with a full replay.

Writes summary.json, table.md and report.html.
"""

import importlib.util
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.lab.folder import claim, record
from experiments.lab.options import Flat, Output
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from experiments.speed.our_learner import Row
    from metaspiel.games.simulator import Simulator

PARTS = ("update", "response", "model", "openspiel", "stacked", "payoffs", "cuda")
AUTHORS = 480.0  # CPU seconds of a response in the authors' own code
MISSING = "OpenSpiel's DQN needs dm-tree, which is not installed"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    part: tuple[str, ...] = ()
    """Parts (default: all; cuda where there is a GPU): update, response, model (the
    response inside a learned model), openspiel (beside its agent), stacked, payoffs,
    cuda."""
    fraction: float = 1 / 30
    """Fraction of a response that is learned in each round."""
    whole: bool = False
    """Learn whole responses, once: some 10 minutes."""
    rounds: int = 3
    """Turns of everything that is compared."""
    policies: int = 40
    """Policies of each player in the empirical game."""
    episodes: int = 1000
    """Episodes played for each entry."""
    seed: int = 0
    """Seed of all randomness."""
    quick: bool = False
    """Tiny sizes: it runs, but its numbers mean little."""
    run: Flat[Output] = Output()


def chosen(config: Config) -> tuple[str, ...]:
    """The parts to run, checked before anything runs."""
    import torch

    for name in config.part:
        if name not in PARTS:
            raise unknown("--part", "part", name, PARTS)
    if not 0 < config.fraction <= 1:
        raise UserError(f"--fraction must be in (0, 1]; got {config.fraction}")
    for name, low in (("rounds", 1), ("policies", 2), ("episodes", 2), ("seed", 0)):
        if (value := getattr(config, name)) < low:
            raise UserError(f"--{name} must be at least {low}; got {value}")
    gpu = torch.cuda.is_available()
    if "cuda" in config.part and not gpu:
        raise UserError("--part: cuda needs a GPU that torch can use; there is none")
    return config.part or tuple(p for p in PARTS if p != "cuda" or gpu)


def installed() -> bool:
    """Whether OpenSpiel's DQN can be imported."""
    return importlib.util.find_spec("tree") is not None


def run(config: Config) -> list["Row"]:
    """Measures the parts; returns the table."""
    import torch

    from experiments.speed import our_learner as _learning
    from experiments.speed import payoffs as _payoffs

    parts = chosen(config)
    with claim(config.run, "speed_learner") as folder:
        record(folder, config)
        torch.set_num_threads(1)
        before, rows = os.getloadavg()[0], []
        theirs = "openspiel" in parts
        if theirs and not installed():
            theirs = False
            rows.append(
                _learning.Row(
                    part="openspiel",
                    what="not measured",
                    value=0.0,
                    unit="",
                    note=MISSING,
                )
            )
        works: list[Callable[[], list[Row]]] = []
        per_update: dict[str, float] = {}
        if {"update", "response", "model", "openspiel"} & set(parts):
            works.append(lambda: updates(config, theirs, per_update))
        if {"response", "model", "openspiel"} & set(parts):
            works.append(
                lambda: responses(config, "model" in parts, theirs, per_update)
            )
        if "stacked" in parts:
            small = _learning.part_of_paper(1 / 1000 if config.quick else 1 / 150)
            works.append(
                lambda: _learning.stacked(config.rounds, _times(config), small)
            )
        if "payoffs" in parts:
            sizes = (4, 20) if config.quick else (config.policies, config.episodes)
            few = 10 if config.quick else 300
            works.append(lambda: _payoffs.entries(*sizes, config.seed, theirs, few))
        if "cuda" in parts:
            works.append(lambda: _learning.on_gpu(config.rounds, _times(config)))
        for work in works:
            lines = work()
            rows += lines
            if not config.run.silent:
                for row in lines:
                    print(f"{row.part:<10}{row.what}: {row.value:.3g} {row.unit}")
        _write(folder, rows, [before, os.getloadavg()[0]])
        return rows


def _times(config: Config) -> int:
    """Rounds of updates in a turn."""
    return 1 if config.quick else 10


def updates(config: Config, theirs: bool, per_update: dict[str, float]) -> list["Row"]:
    """One update, ours and theirs; ``per_update`` takes the microseconds of each."""
    from experiments.speed import our_learner as ours

    written, reference = ours.Updates(1), ours.Updates(1, "autograd")
    times = _times(config)
    count = times * ours.ROUND
    works = {
        "ours": partial(written.microseconds, times),
        "autograd": partial(reference.microseconds, times),
    }
    if theirs:
        from experiments.speed import openspiel_dqn as _dqn

        for game in ours.GAMES:
            agent = _dqn.filled(game, ours.PAPER, config.seed)
            works[game] = partial(_dqn.microseconds, agent, max(1, count // 4))
    ours.interleaved(works, 1)
    microseconds = ours.interleaved(works, 1 if config.quick else 2 * config.rounds + 1)
    per_update |= {
        name: statistics.median(values) for name, values in microseconds.items()
    }
    once = per_update["ours"]
    work = ours.flops(written.network, ours.PAPER.batch)
    rate, floor = ours.multiply_rate(), 1e6 * work / ours.FLOOR
    row = ours.Row
    rows = [
        row("update", "an update of ours", once, unit="us",
            note=f"{work / 1e6:.1f} MFLOP"),
        row("update", "times the floor of an update", once / floor, unit="x",
            goal="at most 4x", met=once <= 4 * floor,
            note=f"{floor:.0f} us at {ours.FLOOR / 1e9:.0f} GFLOP/s"),
        row("update", "torch.mm of 2048 x 2048", rate / 1e9, unit="GFLOP/s"),
        row("update", "times what that would take", once * rate / work / 1e6, unit="x"),
        row("update", "an update by autograd", per_update["autograd"], unit="us",
            note=f"{per_update['autograd'] / once:.2f} times ours"),
    ]  # fmt: skip
    rows += [
        row("update", f"OpenSpiel, {ours.GAMES[g]}", per_update[g], unit="us",
            note=f"{per_update[g] / once:.2f} times ours")
        for g in ours.GAMES if g in per_update
    ]  # fmt: skip
    return rows


def responses(
    config: Config, model: bool, theirs: bool, per_update: dict[str, float]
) -> list["Row"]:
    """Whole responses: ours, in a model, against networks, and theirs."""
    from experiments.speed import our_learner as ours
    from metaspiel.games.bargaining import Bargaining
    from metaspiel.learn.mlp import MLP
    from metaspiel.learn.policies import Pool

    fraction = 1 / 1000 if config.quick else 1.0 if config.whole else config.fraction
    settings, game = ours.part_of_paper(fraction), Bargaining()
    network = MLP.of(game)
    uniform = Pool.uniform(network)
    many = uniform + Pool.of(ours.fresh(network, config.policies, 1))
    seeds = iter(range(config.seed, sys.maxsize))
    tasks: dict[str, tuple[Simulator, Pool]]
    tasks = {"ours": (game, uniform), "networks": (game, many)}
    if model:
        sizes = (60, 20) if config.quick else (1000, 2000)
        tasks["model"] = (ours.learned_model(*sizes, config.seed), uniform)

    def own(simulator: "Simulator", opponents: Pool) -> float:
        asked = ours.task(simulator, network, settings, opponents, next(seeds))
        return ours.response(asked)[0]

    def equal(name: str) -> float:
        return _dqn.equal(name, settings, next(seeds), per_update[name])

    works = {name: partial(own, *given) for name, given in tasks.items()}
    if theirs:
        from experiments.speed import openspiel_dqn as _dqn

        works |= {name: partial(equal, name) for name in ours.GAMES}
    rounds = 1 if config.whole or config.quick else config.rounds
    seconds = ours.interleaved(works, rounds)
    shares = ours.split(ours.task(game, network, settings, uniform, config.seed))
    how = f"extrapolated from 1/{1 / fraction:.0f}, median of {rounds}"
    return response_rows(seconds, "measured whole" if fraction == 1 else how, shares)


def response_rows(
    seconds: dict[str, list[float]], how: str, shares: dict[str, float]
) -> list["Row"]:
    """The table's lines about responses; ``seconds`` holds seconds of each round."""
    from experiments.speed import our_learner as ours
    from metaspiel.games.bargaining import Bargaining
    from metaspiel.learn.mlp import MLP

    middle = {name: statistics.median(values) for name, values in seconds.items()}
    once, row = middle["ours"], ours.Row
    work = ours.whole_updates() * ours.flops(MLP.of(Bargaining()), ours.PAPER.batch)
    floor = work / ours.FLOOR
    rows = [
        row("response", "to the uniform policy", once, unit="CPU s",
            goal="at most 75 s", met=once <= 75, note=how),
        row("response", "faster than the authors' 8 CPU minutes", AUTHORS / once,
            unit="x", goal="at least 6x", met=once * 6 <= AUTHORS,
            note="another machine"),
        row("response", "times the floor of a response", once / floor, unit="x",
            goal="at most 4x", met=once <= 4 * floor,
            note=f"{work / 1e12:.2f} TFLOP of updates, {floor:.1f} s"),
        row("response", "to a mixture of networks", middle["networks"], unit="CPU s",
            goal="at most 75 s", met=middle["networks"] <= 75, note=how),
    ]  # fmt: skip
    for name, share in shares.items():
        rows.append(row("response", f"share of {name}", 100 * share, unit="%"))
    if "model" in middle:
        ratio = middle["model"] / once
        rows += [
            row("model", "response in the learned model", middle["model"], unit="CPU s",
                note=how),
            row("model", "times that in the game", ratio, unit="x",
                goal="at most 1.3x", met=ratio <= 1.3),
        ]  # fmt: skip
    for name in (g for g in ours.GAMES if g in middle):
        ratio = middle[name] / once
        rows += [
            row("openspiel", f"response, {ours.GAMES[name]}", middle[name],
                unit="CPU s", note=f"{how}; updates as above"),
            row("openspiel", f"ours is faster than that, {ours.GAMES[name]}", ratio,
                unit="x", goal="at least 4x", met=ratio >= 4),
        ]  # fmt: skip
    return rows


def markdown(rows: list["Row"]) -> str:
    """The README's table in Markdown."""
    from experiments.lab import report

    lines = []
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "no"
        cells = (row.part, row.what, f"{row.value:.3g}", row.unit, row.goal, met)
        lines.append([*cells, row.note])
    head = ("part", "what", "value", "unit", "goal", "met", "note")
    return report.markdown(head, lines)


def _write(folder: Path, rows: list["Row"], load: list[float]) -> None:
    from experiments.lab import report

    table = [asdict(row) for row in rows]
    files.write_json(folder / "summary.json", {"load": load, "rows": table})
    files.write_text(folder / "table.md", markdown(rows))
    met = {True: "yes", False: "no", None: ""}
    cells = [[*list(r.values())[:5], met[r["met"]], r["note"]] for r in table]
    report.render(
        folder / "report.html",
        "Speed of learned responses and sampled payoffs",
        [
            "CPU time of one thread; what is compared ran in turns in one process. "
            f"Load of the machine: {load[0]:.1f} before, {load[1]:.1f} after."
        ],
        [report.Table("Measured", list(table[0]), cells)],
        [],
    )


def page(config: Config) -> Answer:
    """Runs and prints the table."""
    rows = run(config)
    facts = [asdict(row) for row in rows]
    return Answer(summary=facts, text="\n" + markdown(rows).rstrip("\n"))


if __name__ == "__main__":
    sys.exit(main(page, Config))
