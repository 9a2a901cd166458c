"""An adaptation in its run folder, with its control, from start to report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.lab.folder import claim, record
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, publish
from experiments.mra.adapt_config import HALVES, Config, agents_of
from experiments.mra.agents import Agents, read
from experiments.mra.course import Row, learn
from experiments.mra.courses import TESTING, adaptation, plain, scores
from experiments.mra.pictures import learning_curves
from experiments.mra.references import references
from experiments.mra.task_config import Task, by_role, crowd, games_of
from experiments.mra.training import film, line, words
from metaspiel.nfg.errors import UserError
from mra.settings import Training


def source(config: Config) -> Agents:
    """The agents that adapt.

    Raises:
      UserError: no run or size is named, or the folder is not of a finished training.
    """
    if config.from_run is None:
        raise UserError(
            "mra_adapt: the folder of a run of mra_train must be the first word; got "
            "none"
        )
    if not config.size:
        raise UserError("--size must be the number of agents to adapt to; got none")
    place = agents_of(config.from_run, config.from_state)
    if not place.is_file():
        raise UserError(
            f"--from-run: '{config.from_run}' must be the folder of a finished run of "
            f"mra_train, or adapted/ in that of mra_adapt; it has no {place.name}"
        )
    return read(place)


def run(config: Config) -> Answer:
    """Adapts, and answers with the scores before and after.

    Raises:
      UserError: there are no agents, or they do not fit the world or the size.
    """
    agents = source(config)
    games_of(config.world or agents.facts["world"], (config.size,), "--size")
    task = Task(
        world=config.world or agents.facts["world"],
        sizes=(config.size,),
        method=agents.facts["method"],
        training=Training(**vars(config.training)),
        seed=config.seed,
        sweeps=config.rounds,
        measure_every=config.measure_every,
        episodes=config.episodes,
    )
    who = (agents,) if task.method == "epc" else (agents, None)  # None learns anew
    courses = {n: adaptation(task, a) for n, a in zip(HALVES, who, strict=False)}
    with claim(config.run, "mra_adapt") as folder:
        record(folder, config)
        rows: dict[str, Sequence[Row]] = {}
        for name, course in courses.items():

            def tell(row: Row, name: str = name) -> None:
                text = line(row, task.sweeps, roles=task.roles, first="round")
                config.run.say(f"{name}: {text}")

            start = config.run.resume_from
            rows[name] = learn(course, folder / name, start=start, tell=tell)
        summary = {"folder": str(folder), "task": task.facts, "episodes": task.total}
        summary |= {"source": dict(agents.facts), "sweep": agents.sweep}
        text = _report(config, folder, summary, (task, agents, rows))
    return Answer(summary=summary, text=f"{text}\n-> {folder}")


def _tested(path: Path, task: Task) -> Any:
    """Scores of the last agents of a run, on episodes that taught nothing."""
    last, seed = read(path, task.games), TESTING + task.seed
    tested = last.adapted(task.games[0], last.state, count=task.episodes, seed=seed)
    return plain(tested)


def _report(
    config: Config,
    folder: Path,
    summary: dict[str, Any],
    made: tuple[Task, Agents, Mapping[str, Sequence[Row]]],
) -> str:
    task, agents, rows = made
    seed, count = TESTING + task.seed, task.episodes
    known = references(task.games, count=count, seed=seed)
    zero = scores(task.games, agents, count=count, seed=seed)
    summary |= {"references": known, "zero_shot": zero, "rows": rows}
    size = task.sizes[0]
    lines: list[list[Any]] = [["trained, without learning", "-", words(zero[size])]]
    for name, own in rows.items():
        summary[name] = _tested(folder / name / "last.safetensors", task)
        lines.append([name, own[-1]["episodes"], words(summary[name])])
    lines += [[name, "-", words(one[size])] for name, one in known.items()]
    caption = (
        f"Reward an agent and episode in {task.world} with "
        f"{crowd(size, task.roles)}, {count} episodes a score, "
        f"standard errors{by_role(task.roles)}"
    )
    learned = " ".join(agents.facts["sizes"])
    without = "" if "scratch" in rows else " (EPC has none: it is a curriculum)"
    rewards = "; ".join(f"{name} {reward}" for name, _, reward in lines)
    return publish(
        folder,
        summary,
        title=f"MRA: adaptation of {task.method} to {task.world} {size}",
        opening=Opening(
            ran=[
                f"Agents that learned {agents.facts['world']} at {learned} (seed "
                f"{agents.facts['seed']}, {config.from_state} agents, sweep "
                f"{agents.sweep}) adapt in {task.sweeps} rounds of "
                f"{task.training.envs} episodes. The control from scratch begins with "
                f"untrained networks and learns by the same steps{without}.",
            ],
            result=[f"Reward an agent and episode: {rewards}."],
            sure=[
                "One seed; errors are standard errors over episodes. Every agent draws "
                "one latent and keeps it; the first row of the table draws anew in "
                "every episode. All rows of the table are of the same episodes, others "
                "than those of the curve.",
            ],
        ),
        tables=[Table(caption, ["agents", "episodes", "reward"], lines)],
        figures=[
            learning_curves(_runs(rows), known, roles=task.roles),
            *film(
                task.games[0],
                task,
                folder / "adapted" / "last.safetensors",
                "The adapted agents",
            ),
        ],
    )


def _runs(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Sequence[Row]]]:
    return {name: [own] for name, own in rows.items()}
