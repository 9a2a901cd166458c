"""All trials of a PSRO run: one after the other, side by side, or in processes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments.lab import interrupts, work
from experiments.lab.folder import claim, read_result, record, slug, write_result
from experiments.lab.watch import RowsMade, Watch
from experiments.psro import summary
from experiments.psro.checkpoint import Begun, begun
from experiments.psro.config import Config
from experiments.psro.trial import close_early, play
from experiments.psro_parts.arena import assembled, built
from experiments.psro_parts.judging import pooled
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro.arena import Arena
from psro.executor import Executor, InProcess
from psro.executor_specs import parse
from psro.parts import TargetConcept
from psro.together import together


def run(config: Config) -> dict[str, Any]:
    """Runs all trials; returns the summary that is also written."""
    arena = built(config)
    name = f"psro-{slug(arena.name)}-{slug(config.solver)}"
    with parse(config.executor, None, work.say_lost) as executor:
        concept = assembled(config, arena, executor).concept
        if config.population_exploitability:
            pooled(arena)  # a game without is refused before there is a folder
        with claim(config.run, name) as folder:
            trials = _begun(config, arena, folder)
            config.run.say(f"{arena.name} | {config.solver} | {concept}")
            for caveat in arena.caveats:
                config.run.say(caveat)
            for place in {folder, *(trial.folder for trial in trials)}:
                _forget(place)
            with interrupts.reported(
                lambda: _there(trials, arena),
                lambda there: _report_part(config, folder, there, arena, concept),
            ):
                _work(config, trials, partial(_here, arena, executor))
            return _report(config, folder, trials)


def _forget(folder: Path) -> None:
    """Removes what a run writes at its end: what is there is of the state that is."""
    names = ("summary.json", "report.html", "meta_game.npz")
    for place in (*map(folder.joinpath, names), *(folder / "plots").glob("*")):
        place.unlink(missing_ok=True)


def _report(config: Config, folder: Path, trials: Sequence[Begun]) -> dict[str, Any]:
    """The summary of trials that have one each; of several it is written."""
    from experiments.psro.report import write_whole

    results = [
        read_result(t.folder / "summary.json", t.config, summary.SHAPE) for t in trials
    ]
    whole = summary.together(results, config.trials) | {"folder": str(folder)}
    if config.trials > 1:
        rows = {
            trial.config.seed: trial.written[: one["iterations"] + 1]
            for trial, one in zip(trials, results, strict=True)
        }
        write_whole(folder, whole, rows)
        write_result(folder / "summary.json", whole, config)
    return whole


def _there(trials: Sequence[Begun], arena: Arena) -> list[Begun]:
    """The trials that have begun, as their checkpoints have them by now.

    One whose last row is to be written anew is left out: its checkpoint is ahead.
    """
    every = [begun(one.config, one.folder, arena.fingerprint) for one in trials]
    return [
        one
        for one in every
        if one.state is not None and len(one.rows.rows) > one.state.iteration
    ]


def _report_part(
    config: Config,
    folder: Path,
    trials: Sequence[Begun],
    arena: Arena,
    concept: TargetConcept,
) -> None:
    """Reports what an interrupted run has; trials that are over have theirs."""
    for trial in trials:
        if not (trial.folder / "summary.json").exists():
            close_early(trial, arena, concept)
    _report(config, folder, trials)


def _begun(config: Config, arena: Arena, folder: Path) -> list[Begun]:
    """The trials as their folders have them; all are sound before anything is written.

    Raises:
      UserError: one is not, or the game is another one.
    """
    place = folder / "game.json"
    game = {"name": arena.name, "fingerprint": arena.fingerprint}
    if place.exists() and files.read_sealed(place) != game:
        raise UserError(
            f"--resume: the game must be the one that '{folder}' was begun with, "
            "payoffs included; it has changed"
        )
    trials = []
    for number in range(config.trials):
        own = folder if config.trials == 1 else folder / f"trial_{number}"
        one = replace(config, seed=config.seed + number)
        trials.append(begun(one, own, arena.fingerprint))
    record(folder, config)
    files.write_sealed(place, game)
    return trials


def _work(config: Config, trials: Sequence[Begun], here: work.Do) -> None:
    """Does the trials, in this process or in others, and shows how far they are."""
    jobs, stack = config.run.jobs, config.side_by_side
    pieces = [
        work.Piece(
            name=_name(trial.config),
            what=trial if jobs == 1 else (trial.config, trial.folder),
            do=here if jobs == 1 else _elsewhere,
            stack="trials",
            effort=config.iterations + 1,
            made=RowsMade(trial.metrics),
        )
        for trial in trials
    ]
    with Watch(pieces, jobs=max(jobs, stack), silent=config.run.silent) as watch:
        faults = work.run(pieces, watch.tell, jobs=jobs, stack=stack)
    complaint = work.complaint(faults, what="trials")
    if complaint is not None:
        raise complaint


def _name(config: Config) -> str:
    return f"seed {config.seed}"


def _here(
    arena: Arena, executor: Executor, trials: Sequence[Begun]
) -> list[work.Outcome]:
    """Trials in this process; what they ask for is answered together."""
    if len(trials) == 1:
        play(trials[0], arena, executor)
    else:
        together([partial(play, trial, arena) for trial in trials], executor)
    return [work.Outcome(name=_name(trial.config)) for trial in trials]


def _elsewhere(asked: Sequence[tuple[Config, Path]]) -> list[work.Outcome]:
    """A trial in a worker process, which reads its game and state itself."""
    ((config, folder),) = asked
    return work.attempt([_name(config)], partial(_rebuilt, config, folder))


def _rebuilt(config: Config, folder: Path) -> None:
    silent = replace(config, run=replace(config.run, quiet=True))
    arena = built(silent)
    play(begun(silent, folder, arena.fingerprint), arena, InProcess())
