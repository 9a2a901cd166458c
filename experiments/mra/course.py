"""Something that is learned step by step, in a folder of its own.

    metrics.jsonl         one row a measurement, from the untrained agents on
    checkpoint/000010/    the two newest states, with the best agents so far
    best.safetensors      the best agents, and the last ones, when it is finished
    last.safetensors

Agents are as good as their rating: what they earn more than the untrained ones, in
standard deviations of an untrained episode's score, mean over sizes and roles. It is
measured on episodes of its own, which no other number of a report is from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lab import checkpoints, metrics
from experiments.lab.loggers import THEIRS
from experiments.lab.metrics import Metrics, Rows
from experiments.lab.options import From
from experiments.mra.agents import Agents, read
from metaspiel import files
from metaspiel.nfg.errors import UserError
from mra.settings import MEASURED

Row = dict[str, Any]
Scores = Mapping[str, Mapping[str, Any]]
"""By size: ``means`` and ``errors`` (standard ones), an agent and episode, by role."""
_SCORE = {"means": [float], "errors": [float]}
_ROW: Mapping[str, Any] = {
    "sweep": int,
    "episodes": int,
    "seconds": float,
    "rating": float,
    "scores": dict[str, _SCORE],  # type: ignore[valid-type]
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Course:
    """What is learned.

    Attributes:
      identity: a hash of all that decides it.
      start: the state before the first step.
      step: one step; the next state, a row of metrics by size, and CPU seconds.
      look: scores of a state, on episodes that choose the best.
      agents: of a state.
      save: writes a state into a folder.
      load: reads it there.
      steps: in all.
      every: steps between measurements.
      envs: episodes that a step plays.
      count: episodes of a measurement.
    """

    identity: str
    start: Callable[[], Any]
    step: Callable[[Any], tuple[Any, Mapping[str, Row], float]]
    look: Callable[[Any], Scores]
    agents: Callable[[Any], Agents]
    save: Callable[[Any, Path], None]
    load: Callable[[Path], Any]
    steps: int
    every: int
    envs: int
    count: int


def rating(first: Scores, now: Scores, count: int) -> float:
    """How good agents are; 0 for those of the first measurement."""
    gains = []
    for size, before in first.items():
        pairs = zip(before["means"], before["errors"], now[size]["means"], strict=True)
        for mean, error, later in pairs:
            gains.append((later - mean) / (error * np.sqrt(count) or 1.0))
    return float(np.mean(gains))


@dataclass(eq=False, kw_only=True)
class Kept:
    """A course as its folder has it.

    Attributes:
      state: to go on from.
      best: the best agents so far.
      rows: that go with them.
    """

    state: Any
    best: Agents
    rows: Rows


def _read(course: Course, room: Path, place: Path) -> Kept:
    """A checkpoint and its rows, held against the course."""
    facts = files.sealed_folder(place)
    files.check_shape(f"'{place}'", facts, {"course": str, "rows": str, "count": int})
    state = course.load(place)
    done = course.agents(state).sweep
    if facts["course"] != course.identity or done != int(place.name):
        raise UserError(
            f"--resume: '{place}' must belong to this run; it is of another one, or "
            "of a version with other settings"
        )
    path = room / "metrics.jsonl"
    rows = metrics.read(path, facts["count"], facts["rows"], like=_ROW)
    best = read(place / "best.safetensors", course.agents(state).games)
    return Kept(state=state, best=best, rows=rows)


def _means(made: Sequence[Mapping[str, Row]]) -> dict[str, Row]:
    """The mean of each metric over steps, by size; None where there is none."""
    means: dict[str, Row] = {}
    for size in dict.fromkeys(size for one in made for size in one):
        means[size] = {}
        for name in MEASURED:
            every = [one[size].get(name) for one in made if size in one]
            known = [value for value in every if value is not None]
            means[size][name] = float(np.mean(known)) if known else None
    return means


def learn(
    course: Course,
    room: Path,
    *,
    start: From = "last",
    again: str = "",
    tell: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Learns to the end, from where the folder left it; returns all rows.

    Args:
      course: what is learned.
      room: its folder.
      start: the state that a resumed run goes on from.
      again: advice how to begin anew where that is damaged.
      tell: is given every new row.

    Raises:
      UserError: the folder is damaged, or another run's.
    """
    import torch

    torch.set_num_threads(1)
    room.mkdir(parents=True, exist_ok=True)
    files.tidy(room, THEIRS)
    places = files.numbered(room / "checkpoint")
    path = room / "metrics.jsonl"
    if places:
        look = partial(_read, course, room)
        kept = checkpoints.sound(places, look, again=again, start=start)
        done = course.agents(kept.state).sweep
        checkpoints.forget_later(room / "checkpoint" / f"{done:06d}")
        written = Metrics(path, kept.rows)
    else:
        written = Metrics(path, metrics.read(path, 0))
        state = course.start()
        kept, done = Kept(state=state, best=course.agents(state), rows=Rows()), 0
        _look(course, kept, written, [], 0.0)
        tell(written.rows[-1])
        _save(course, kept, written, room)
    made: list[Mapping[str, Row]] = []
    spent = 0.0
    while done < course.steps:
        kept.state, row, seconds = course.step(kept.state)
        made.append(row)
        done, spent = done + 1, spent + seconds
        if done % course.every == 0 or done == course.steps:
            _look(course, kept, written, made, spent)
            tell(written.rows[-1])
            _save(course, kept, written, room)
            made, spent = [], 0.0
    kept.best.write(room / "best.safetensors")
    course.agents(kept.state).write(room / "last.safetensors")
    return written.rows


def _look(
    course: Course,
    kept: Kept,
    written: Metrics,
    made: Sequence[Mapping[str, Row]],
    spent: float,
) -> None:
    """Measures the state, and keeps its agents if they are the best so far."""
    scores, before = course.look(kept.state), written.rows
    first = before[0]["scores"] if before else scores
    now = course.agents(kept.state)
    row: Row = {
        "sweep": now.sweep,
        "episodes": now.sweep * course.envs,
        "seconds": (before[-1]["seconds"] if before else 0.0) + spent,
        "rating": rating(first, scores, course.count),
        "scores": scores,
        "learned": _means(made),
    }
    if row["rating"] > max((one["rating"] for one in before), default=-np.inf):
        kept.best = now
    written.add(row)


def _save(course: Course, kept: Kept, written: Metrics, room: Path) -> None:
    """The rows are there; a kill before this costs their steps again."""
    done = course.agents(kept.state).sweep
    place = room / "checkpoint" / f"{done:06d}"
    bound = {"course": course.identity, "rows": written.seal}
    with files.new_folder(place) as aside:
        course.save(kept.state, aside)
        kept.best.write(aside / "best.safetensors")
        files.seal_folder(aside, {**bound, "count": len(written.rows)})
    checkpoints.forget_older(room / "checkpoint")
