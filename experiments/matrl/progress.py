"""Progress of many training runs, told from the files they write."""

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.matrl.cells import Cell

_LOOK = 0.5  # seconds between looks


def spell(seconds: float) -> str:
    """Seconds as hours, minutes or seconds."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


class Watch:
    """Iterations made and left: live on a terminal, else a line a cell.

    What is left takes as long as the same game and method took so far.
    """

    def __init__(
        self, cells: "list[Cell]", folder: Path, jobs: int, silent: bool
    ) -> None:
        self._cells, self._jobs = cells, max(1, min(jobs, len(cells)))
        self._places = {c: c.room(folder) / "metrics.jsonl" for c in cells}
        self._read = dict.fromkeys(cells, 0)  # bytes
        self._made = dict.fromkeys(cells, 0)  # iterations
        self._over: set[Cell] = set()
        self._spent: dict[Any, float] = {}  # seconds in which a group was at work
        self._gained: dict[Any, int] = {}  # iterations made in them
        self._silent = silent or not cells
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._since: dict[Cell, float] = {}  # when its last iteration was seen

    def __enter__(self) -> "Watch":
        if self._silent:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        for cell in self._cells:  # rows of an earlier run are not progress
            self._look(cell)
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.live = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.live.start()
        total = sum(cell.iterations for cell in self._cells)
        self.bar = self.live.add_task(f"{len(self._cells)} cells", total=total)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not self._silent:
            self._stop.set()
            self._thread.join()
            self.live.stop()

    def tell(self, cell: "Cell", fault: str | None) -> None:
        """Says that a cell is over."""
        if self._silent:
            return
        self._update()
        with self._lock:
            self._over.add(cell)
        text = f"{self._text()}: {cell.label}, seed {cell.seed}"
        if fault is not None:
            text += f": FAILED, {fault}"
        if fault is not None or not self.console.is_terminal:
            self.console.print(text, markup=False)

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK):
            self._update()
            if self.console.is_terminal:
                done = sum(self._made.values())
                self.live.update(self.bar, completed=done, description=self._text())

    def _look(self, cell: "Cell") -> int:
        """Iterations made since the last look."""
        try:
            with open(self._places[cell], "rb") as file:
                size = file.seek(0, 2)
                if size < self._read[cell]:  # cut back to a checkpoint
                    self._read[cell] = self._made[cell] = 0
                file.seek(self._read[cell])
                text = file.read()
        except FileNotFoundError:
            return 0
        new = text.count(b"\n")
        self._read[cell] += len(text)
        self._made[cell] += new
        return new

    def _update(self) -> None:
        with self._lock:
            now = time.monotonic()
            for cell in self._cells:
                new = 0 if cell in self._over else self._look(cell)
                if not new:
                    continue
                if cell in self._since:  # its first rows came after its start-up
                    group, passed = (cell.game, cell.method), now - self._since[cell]
                    self._spent[group] = self._spent.get(group, 0.0) + passed
                    self._gained[group] = self._gained.get(group, 0) + new
                self._since[cell] = now

    def _text(self) -> str:
        with self._lock:
            text = f"{len(self._over)}/{len(self._cells)} cells"
            if not self._gained:
                return text
            usual = sum(self._spent.values()) / sum(self._gained.values())
            left = 0.0
            for cell in self._cells:
                if cell not in self._over:
                    group = cell.game, cell.method
                    known = group in self._gained
                    each = self._spent[group] / self._gained[group] if known else usual
                    left += each * max(0, cell.iterations - self._made[cell])
            return f"{text}, about {spell(left / self._jobs)} left"
