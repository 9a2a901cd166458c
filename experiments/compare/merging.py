"""Runs that exist, of metaspiel psro and compare, as results of a comparison."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.compare.axes_config import SAME, oracle_spec
from experiments.compare.cells import cells_of
from experiments.compare.config import Config
from experiments.compare.filling import read
from experiments.compare.results import COLUMNS, FAILED, FINISHED, Result
from experiments.lab import metrics, words
from experiments.lab.folder import CONFIG, stored
from experiments.lab.page import flat, parse
from experiments.psro_parts.config import EXACT, LEARNED, Settings
from experiments.psro_parts.judging import AFTER
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro import checkpoint
from psro.metrics import Row

_PSRO = ("psro", "neupl")


def merged(own: Sequence[Result], config: Config) -> list[Result]:
    """Results with those of the runs that are merged into them.

    Raises:
      UserError: a folder is no finished run of PSRO or of a comparison, responds under
        another concept, has fewer iterations, or has other numbers of a run that is
        there already.
    """
    every = {_key(one): (one, "this comparison") for one in own}
    for one, place in _fetched(config):
        cut = _cut(one, config.length, place)
        before, where = every.setdefault(_key(cut), (cut, str(place)))
        if _numbers(before) != _numbers(cut):
            raise UserError(
                f"--merge: a run must be there once, or twice with the same numbers; "
                f"{cut.method.name} on {cut.game} with seed {cut.seed} has others in "
                f"'{place}' than in '{where}'"
            )
    return [one for one, _ in every.values()]


def length(config: Config) -> int:
    """Iterations of every run: as asked for, or of the shortest where all are merged.

    Raises:
      UserError: a folder is no finished run, or responds under another concept.
    """
    if config.iterations is not None or config.games:
        return config.length
    return _shortest([one for one, _ in _fetched(config)])


def _fetched(config: Config) -> Iterator[tuple[Result, Path]]:
    """What is in the folders that are merged."""
    for place in config.merge:
        for one in _of(place, config):
            yield one, place


def _key(one: Result) -> tuple[Any, ...]:
    return one.game, one.method, one.seed


def _numbers(one: Result) -> Any:
    """What must agree: all but times."""
    curves = {k: list(v) for k, v in one.curves.items() if k != "cpu_seconds"}
    return one.outcome, curves


def _shortest(results: Sequence[Result]) -> int:
    """The fewest iterations of a run that finished."""
    lengths = [len(one.curves["gap"]) for one in results if one.outcome == FINISHED]
    return min(lengths, default=1) - 1


def _cut(one: Result, iterations: int, place: Path) -> Result:
    """A result up to an iteration.

    Raises:
      UserError: it ended before.
    """
    if one.outcome != FINISHED:
        return one
    done = len(one.curves["gap"]) - 1
    if done < iterations:
        raise UserError(
            f"--merge: '{place}' must have the {iterations} iterations of the "
            f"comparison (--iterations); got {done} of {one.method.name} on {one.game}"
        )
    curves = {name: values[: iterations + 1] for name, values in one.curves.items()}
    return replace(one, curves=curves)


def _of(place: Path, config: Config) -> list[Result]:
    """The results in the folder of a run."""
    if not (place / CONFIG).is_file():
        raise UserError(
            f"--merge: '{place}' must be the folder of a run; it has no {CONFIG}"
        )
    fields = files.read_json(place / CONFIG)
    page = fields.get("page") if isinstance(fields, dict) else None
    if page == "compare":
        return list(_of_comparison(place, config))
    if page in _PSRO:
        return list(_of_psro(place, config))
    raise UserError(
        f"--merge: '{place}' must be a run of metaspiel psro or compare; it is one of "
        f"{page or 'no page that is known'}"
    )


def _of_comparison(place: Path, config: Config) -> Iterator[Result]:
    asked = ["--out", str(place), "--resume", *["--trust"] * config.run.trust]
    theirs: Config = parse(Config, asked, f"--merge {place}")
    _same_concept(place, theirs.concept, config)
    if theirs.merge:
        raise UserError(
            f"--merge: '{place}' must have played its runs itself; it merges others, "
            "name those as well"
        )
    done = []
    for cell in cells_of(theirs):
        if cell.objection:
            done.append(cell.skipped)
            continue
        file = place / "cells" / f"{cell.name}.json"
        if not file.exists():
            raise _unfinished(place, f"{cell.name} has no result")
        done.append(read(cell, file))
    yield from done


def _unfinished(place: Path, what: str) -> UserError:
    return UserError(f"--merge: '{place}' must be finished; {what}")


def _same_concept(place: Path, concept: str, config: Config) -> None:
    if concept != config.concept:
        raise UserError(
            f"--merge: '{place}' must respond to what the comparison does, --concept "
            f"{config.concept}; got {concept}"
        )


def _of_psro(place: Path, config: Config) -> Iterator[Result]:
    """The trials of a run of PSRO."""
    fields = flat(stored(place), words.fields(Settings()), f"'{place / CONFIG}'")
    _same_concept(place, fields["concept"], config)
    game = fields["payoffs"] or fields["game"]
    if fields["players"] is not None:
        end = game.removesuffix(")")
        game = f"{end}{',' if '(' in end else '('}players={fields['players']})"
    learned = fields["teacher"] if fields["oracle"] == "neupl" else fields["oracle"]
    for number in range(fields["trials"]):
        own = place if fields["trials"] == 1 else place / f"trial_{number}"
        if not (own / "summary.json").exists():
            raise _unfinished(place, f"'{own}' has no summary.json")
        summary = files.read_json(own / "summary.json")
        failed = bool(summary["failed"])
        if summary.get("interrupted"):
            done = summary["iterations"]
            raise _unfinished(place, f"'{own}' was interrupted after iteration {done}")
        yield Result(
            game=game,
            solver=fields["solver"],
            evaluation=fields["eval_solver"] or SAME,
            oracle=oracle_spec(fields),
            seed=fields["seed"] + number,
            outcome=FAILED if failed else FINISHED,
            reason=str(summary["stopped"]) if failed else "",
            concept=summary["concept"],
            gap_is=EXACT if learned == "exact" else LEARNED,
            curves=_curves(_rows(own), summary["concept"], learned == "exact", fields),
        )


def _rows(own: Path) -> list[Row]:
    """The rows of a trial, as its last checkpoint knows them."""
    places = checkpoint.complete(own / "checkpoint")
    if not places:
        raise _unfinished(own, "it has no checkpoint")
    state, known = checkpoint.read(places[-1])
    seal = known.get("rows", "")
    rows = metrics.read(own / "metrics.jsonl", state.iteration + 1, seal)
    return [Row.read(one) for one in rows.rows]


def _curves(
    rows: Sequence[Row], concept: str, exact: bool, fields: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """The columns of a comparison from the rows of a run."""
    curves: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    best: float | None = None
    apart = fields["eval_solver"] is not None
    for one in rows:
        if concept == "ce":  # compared is the CCE gap
            train, final = one.gaps.get("cce"), None
        elif exact:
            train, final = one.gap, one.eval_gap
        else:
            train, final = one.exact_gap, one.exact_eval_gap
        gap = final if apart else train
        best = min((v for v in (best, gap) if v is not None), default=None)
        paid = one.value_sum if one.exact_value_sum is None else one.exact_value_sum
        values = {
            "iteration": one.iteration,
            "gap": gap,
            "best": best,
            "train_gap": train,
            "own_gap": one.gap,
            "welfare": one.eval_value_sum if apart else paid,
            "train_welfare": paid,
            "support": one.support,
            "policies": one.unique_policies,
            "status": one.status,
            "cpu_seconds": sum(
                seconds
                for name, seconds in one.cpu_seconds.items()
                if name not in AFTER
            ),
            "population_exploitability": one.population_exploitability,
        }
        for name, value in values.items():
            curves[name].append(value)
    return curves
