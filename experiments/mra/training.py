"""A training in its run folder, from its first sweep to its report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.lab.folder import claim, record
from experiments.lab.page import Answer
from experiments.lab.report import Drawing, Opening, Table, publish
from experiments.lab.watch import spell
from experiments.mra.agents import Agents, both_of, read
from experiments.mra.course import Row, Scores, learn
from experiments.mra.courses import TESTING, elsewhere, modes, scores, training
from experiments.mra.invasions import invasion_table, invasions, unlike
from experiments.mra.pictures import learned_curves, learning_curves
from experiments.mra.references import moving, references
from experiments.mra.task_config import Task, by_role, games_of, named, size_of
from experiments.mra.train_config import Config
from metaspiel.games.entities import Populated
from metaspiel.nfg.errors import UserError


def run(config: Config) -> Answer:
    """Trains, and answers with the scores at the end.

    Raises:
      UserError: the world, a size or the method does not fit.
    """
    task = config.task
    course = training(task)
    course.start()
    others = asked(task, config.unseen) if config.unseen else beyond(task)
    with claim(config.run, "mra_train") as folder:
        record(folder, config)

        def tell(row: Row) -> None:
            config.run.say(line(row, task.sweeps, roles=task.roles))

        start = config.run.resume_from
        rows = learn(course, folder, start=start, tell=tell)
        summary = {"folder": str(folder), "task": task.facts, "episodes": task.total}
        summary |= {"comparisons": task.comparisons}
        summary |= {"not_scored": others.impossible}
        both = both_of(folder, task.games)
        summary |= tested(task, both, others.games)
        summary |= {"invasions": invasions(task, both), "not_invaded": unlike(both)}
        summary |= {"sweeps": task.sweeps, "cpu_seconds": rows[-1]["seconds"]}
        text = _report(config, folder, summary, rows)
    return Answer(summary=summary, text=f"{text}\n-> {folder}")


@dataclass(frozen=True)
class Others:
    """Sizes that were not learned, to score agents at.

    Attributes:
      games: of those that the agents fit.
      impossible: why others are not, by size.
    """

    games: Sequence[Populated] = ()
    impossible: Mapping[str, str] = field(default_factory=dict)


_APART = "agents with networks of their own fit no size but the learned one"


def asked(task: Task, sizes: Sequence[str]) -> Others:
    """Games of the sizes that the user wants.

    Raises:
      UserError: the agents fit no other size, or a size is impossible or was learned.
    """
    if task.how.apart:
        raise UserError(
            f"--unseen must not be given with --method {task.method}: {_APART}; got "
            f"{' '.join(sizes)}"
        )
    for one in sizes:
        if size_of(one) in [game.sizes for game in task.games]:
            raise UserError(f"--unseen must be sizes that are not learned; got {one}")
    return Others(games_of(task.world, sizes, "--unseen"))


def beyond(task: Task) -> Others:
    """Games of half the smallest size and of twice the largest, where there are any."""
    sizes = [game.sizes for game in task.games]
    wanted = [
        tuple(max(1, min(one) // 2) for one in zip(*sizes, strict=True)),
        tuple(2 * max(one) for one in zip(*sizes, strict=True)),
    ]
    if task.how.apart:
        return Others(impossible={named(one): _APART for one in wanted})
    made: list[Populated] = []
    impossible = {}
    for one in wanted:
        try:
            made += elsewhere(task, [named(one)])
        except UserError as error:  # a world need not have so few agents, or so many
            impossible[named(one)] = str(error)
    return Others(made, impossible)


def tested(
    task: Task,
    both: Mapping[str, Agents],
    others: Sequence[Populated],
    count: int | None = None,
) -> dict[str, Any]:
    """Scores of the best and the last agents on episodes that chose nothing.

    In worlds of one role, the best latent for all is chosen on as many other episodes.
    """
    games, seed = task.games, TESTING + task.seed
    count = count or task.episodes
    made: dict[str, Any] = {}
    for name, agents in both.items():
        own = scores(games, agents, count=count, seed=seed)
        made[name] = {"sweep": agents.sweep, "scores": own, "unseen": {}}
        if name == "best":
            unseen = scores(others, agents, count=count, seed=seed)
            every = [one for one in (*games, *others) if len(one.sizes) == 1]
            best = modes(every, agents, count=count, seed=seed)
            made[name] |= {"unseen": unseen, "best_latent": best}
    return made


def line(row: Row, sweeps: int, *, roles: Sequence[str], first: str = "sweep") -> str:
    """A measurement as a line of text for people."""
    shown = "  ".join(f"{k}: {words(one)}" for k, one in row["scores"].items())
    whose = f"of {' / '.join(roles)} " if len(roles) > 1 else ""
    left = row["seconds"] * (sweeps - row["sweep"]) / max(1, row["sweep"])
    rest = f", about {spell(left)} left" if row["sweep"] else ""
    return f"{first} {row['sweep']} of {sweeps}  reward {whose}{shown}{rest}"


def words(score: Mapping[str, Sequence[float]], digits: int = 2) -> str:
    """A score as "22.90 ± 0.15", one a role."""
    pairs = zip(score["means"], score["errors"], strict=True)
    return " / ".join(f"{m:.{digits}f} ± {e:.{digits}f}" for m, e in pairs)


def brief(number: float) -> str:
    """A number without digits after the point, but for one that says something."""
    return f"{number:.0f}" if number >= 1 else f"{number:.1g}"


def score_table(caption: str, rows: Mapping[str, Scores]) -> Table:
    """Scores by size, one row a policy."""
    sizes = list(dict.fromkeys(size for one in rows.values() for size in one))
    lines = [
        [name, *(words(one[size]) if size in one else "-" for size in sizes)]
        for name, one in rows.items()
    ]
    return Table(caption, ["policy", *sizes], lines)


def film(game: Populated, task: Task, path: Path, who: str) -> list[Drawing]:
    """A moving picture of an episode of trained agents, where the world has one.

    Args:
      game: what they play.
      task: gives the seed.
      path: file of the agents.
      who: they are, in words.
    """
    svg = moving(game, read(path), TESTING + task.seed)
    if svg is None:
        return []
    caption = f"{who}, each with a latent drawn anew."
    return [Drawing(name="episode", title="An episode", caption=caption, svg=svg)]


def _unscored(impossible: Mapping[str, str]) -> str:
    """Sizes without a score, and why, as the end of a sentence."""
    return "".join(f"; {size} is not scored: {why}" for size, why in impossible.items())


def _scores(shown: Mapping[str, Scores]) -> str:
    """The first row of the table as a sentence."""
    first = next(iter(shown.values()))
    return ", ".join(f"{words(score)} at {size}" for size, score in first.items())


def _rules(known: Mapping[str, Scores], sizes: Sequence[str]) -> str:
    """What policies by rule earn at the last size that was learned."""
    last = sizes[-1]
    each = [f"{name} {words(own[last])}" for name, own in known.items() if last in own]
    return f"{', '.join(each)} at {last}"


def _unmeasured(why: str) -> list[str]:
    """A sentence where one of the last agents is not measured among the best."""
    text = f"What one of the last gains among the best is not measured: {why}."
    return [text] if why else []


def _report(
    config: Config, folder: Path, summary: dict[str, Any], rows: Sequence[Row]
) -> str:
    task = config.task
    known = references(task.games, count=task.episodes, seed=TESTING + task.seed)
    summary["references"] = known
    shown: dict[str, Scores] = {}
    for name in ("best", "last"):
        made = summary[name]
        shown[f"{task.method}, {name} (sweep {made['sweep']})"] = (
            made["scores"] | (made["unseen"])
        )
        if made.get("best_latent"):
            shown[f"{task.method}, {name}, best latent"] = made["best_latent"]
    caption = (
        f"Reward an agent and episode in {task.world} by number of "
        f"{' and '.join(task.roles)}, learned at {' '.join(task.sizes)}; "
        f"{task.episodes} episodes a score, standard errors{by_role(task.roles)}"
    )
    return publish(
        folder,
        summary,
        title=f"MRA: {task.method} in {task.world}",
        opening=Opening(
            ran=[
                f"{task.sweeps} sweeps of {task.training.envs} episodes in each of "
                f"{len(task.sizes)} games: {task.total} episodes{task.besides}. "
                f"{brief(summary['cpu_seconds'])} CPU seconds, budget {config.budget}, "
                f"seed {task.seed}.",
            ],
            result=[
                f"Reward an agent and episode of the best agents: {_scores(shown)}; "
                f"of policies by rule: {_rules(known, task.sizes)}."
            ],
            sure=[
                "One seed; errors are standard errors over episodes. Sizes that were "
                "not learned are scored without learning"
                f"{_unscored(summary['not_scored'])}. The best agents are those of the "
                "measurement that earned most above the untrained ones, in standard "
                "deviations of an untrained episode's score, mean over sizes and "
                "roles; other episodes test them.",
                *_unmeasured(summary["not_invaded"]),
            ],
        ),
        tables=[
            score_table(caption, {**shown, **known}),
            *invasion_table(summary["invasions"], task.roles),
        ],
        figures=[
            learning_curves({task.method: [rows]}, known, roles=task.roles),
            *learned_curves({task.method: [rows]}),
            *film(
                task.games[-1],
                task,
                folder / "best.safetensors",
                "The best agents",
            ),
        ],
    )
