"""Progress and time left of pieces of work: a live bar on terminals, else lines."""

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from experiments.lab import interrupts, work
from experiments.lab.folder import clock
from experiments.lab.options import Output
from experiments.lab.work import Outcome, Piece, Report
from psro.executor import Pool

_LOOK = 0.5  # seconds between looks at what is made
_NOTHING = 1e-9  # of effort, against rounding
_PRIOR = 0.05  # the planned speed counts for as much as this share of the work


def spell(seconds: float) -> str:
    """A duration for people, in seconds, minutes or hours."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def carry_out(
    pieces: Sequence[Piece],
    folder: Path,
    run: Output,
    *,
    settle: Report | None = None,
    stack: int = 1,
    planned: float | None = None,
    executor: Pool | None = None,
) -> list[Outcome]:
    """Does pieces of work in a run folder and shows their progress.

    Args:
      pieces: each after those it needs, without those whose results are there.
      folder: folder of the run, owned by this process; its clock goes on.
      run: how many processes work, and whether progress is shown.
      settle: told of every outcome, before it is shown.
      stack: how many pieces of one stack are done in lockstep.
      planned: seconds that a unit of effort takes by the clock, if that is known.
      executor: workers that do the work instead, such as a cluster.

    Returns:
      The faults, in the order of the pieces, for ``work.complaint``.
    """
    begun = time.monotonic()
    jobs = run.processes if executor is None else executor.jobs
    watch = Watch(pieces, jobs=jobs, silent=run.silent, planned=planned)
    try:
        with interrupts.stoppable(), watch:

            def report(outcome: Outcome) -> None:
                if settle is not None:
                    settle(outcome)
                watch.tell(outcome)

            return work.run(pieces, report, jobs=jobs, stack=stack, executor=executor)
    finally:
        clock(folder, time.monotonic() - begun)


class RowsMade:
    """Counts the rows of a growing file, reading only what is new.

    Args:
      path: path of the file, which may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._read, self._rows = path, 0, 0

    def __call__(self) -> float:
        """The number of complete lines in the file."""
        try:
            with open(self._path, "rb") as file:
                if file.seek(0, 2) < self._read:  # cut back to a checkpoint
                    self._read = self._rows = 0
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return 0.0
        self._read += len(new)
        self._rows += new.count(b"\n")
        return float(self._rows)


class Watch:
    """Shows how much of some pieces is done, and an estimate of the time left.

    What is left takes as long as pieces of its kind took so far by the clock, a unit of
    effort each. Nothing is said, unless it was planned, while there is a kind of which
    none was seen: cheap pieces say nothing of dear ones.

    Args:
      pieces: all that are to be done.
      jobs: how many are done at once.
      silent: nothing is shown.
      planned: seconds that a unit of effort takes by the clock, if that is known.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        *,
        jobs: int = 1,
        silent: bool = False,
        planned: float | None = None,
    ) -> None:
        self._pieces = {piece.name: piece for piece in pieces}
        self._jobs = max(1, min(jobs, len(pieces)))
        self._silent, self._planned = silent or not pieces, planned
        self._made = dict.fromkeys(self._pieces, 0.0)
        self._over: set[str] = set()
        # Sums are kept as pieces move: there may be a hundred thousand of them.
        self._growing = {p.name: p for p in pieces if p.made is not None}
        self._rest: dict[str, float] = {}  # effort left of each kind
        for piece in pieces:
            self._rest[piece.kind] = self._rest.get(piece.kind, 0.0) + piece.effort
        self._total = sum(self._rest.values())
        self._seen: dict[str, float] = {}  # when a piece was last seen to move
        self._spent: dict[str, float] = {}  # seconds in which a kind was at work
        self._gained: dict[str, float] = {}  # effort that it made in them
        self._stop, self._lock = threading.Event(), threading.Lock()

    def __enter__(self) -> "Watch":
        if self._silent:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        for piece in self._growing.values():  # what an earlier run made is no progress
            if piece.made is not None:
                self._move(piece, piece.made())
        self._begun = time.monotonic()
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            redirect_stdout=sys.stdout.isatty(),  # else it goes where the user wants it
        )
        self._live.start()
        self._bar = self._live.add_task(self._text(), total=self._total)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._silent:
            self._stop.set()
            self._thread.join()
            self._live.stop()

    def tell(self, outcome: Outcome) -> None:
        """Shows that a piece is over."""
        if self._silent:
            return
        self._look()
        with self._lock:
            self._end(self._pieces[outcome.name], outcome)
        text = f"{self._text()}: {outcome.name}"
        if outcome.fault is not None:
            text += f": FAILED, {outcome.fault}"
        if outcome.fault is not None or not self._console.is_terminal:
            self._console.print(text, markup=False)

    def _end(self, piece: Piece, outcome: Outcome) -> None:
        self._over.add(piece.name)
        if piece.made is None and outcome.fault is None:
            self._learn(piece.kind, outcome.clock, piece.effort)
        self._growing.pop(piece.name, None)
        self._move(piece, piece.effort)

    def _move(self, piece: Piece, made: float) -> float:
        """Notes how much of a piece is made; returns how much more that is."""
        more = made - self._made[piece.name]
        self._made[piece.name] = made
        self._rest[piece.kind] -= more
        return more

    @property
    def _done(self) -> float:
        """The effort made so far."""
        return self._total - sum(self._rest.values())

    def _learn(self, kind: str, seconds: float, effort: float) -> None:
        self._spent[kind] = self._spent.get(kind, 0.0) + seconds
        self._gained[kind] = self._gained.get(kind, 0.0) + effort

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK):
            self._look()
            if self._console.is_terminal:
                text = self._text()
                self._live.update(self._bar, completed=self._done, description=text)

    def _look(self) -> None:
        """Asks all unfinished pieces for their progress."""
        with self._lock:
            for piece in self._growing.values():
                if piece.made is None:
                    continue
                more, now = self._move(piece, piece.made()), time.monotonic()
                if more <= 0:  # nothing new, or cut back to a checkpoint
                    continue
                if piece.name in self._seen:  # what came first took its start-up too
                    self._learn(piece.kind, now - self._seen[piece.name], more)
                self._seen[piece.name] = now

    def left(self) -> float | None:
        """Estimated wall-clock seconds until all is done; None while unknown."""
        with self._lock:
            # The plan knows the kinds, the clock the rest.
            if self._planned is not None:
                done, prior = self._done, _PRIOR * self._total
                passed = time.monotonic() - self._begun + prior * self._planned
                return (self._total - done) * passed / max(done + prior, 1e-9)
            rest = 0.0
            for kind, effort in self._rest.items():
                if effort <= _NOTHING:
                    continue
                if not self._gained.get(kind):
                    return None
                rest += self._spent[kind] / self._gained[kind] * effort
            return rest / self._jobs

    def _text(self) -> str:
        text = f"{len(self._over)}/{len(self._pieces)} done"
        left = self.left() if len(self._over) < len(self._pieces) else None
        return text if left is None else f"{text}, about {spell(max(0.0, left))} left"
