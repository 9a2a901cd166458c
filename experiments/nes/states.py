"""A training that goes on where its folder left it: its rows, and its newest states."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from time import perf_counter

from experiments.lab import checkpoints, metrics
from experiments.lab.metrics import Metrics, Rows
from experiments.lab.options import From
from meta_solvers.nes.measure import Distance, Reference
from meta_solvers.nes.train import Evaluation, Training, train
from metaspiel import files
from metaspiel.nfg.errors import UserError

_SIZE = {f.name: str if f.name == "size" else float | None for f in fields(Distance)}
_ROW = {"step": int, "seconds": float, "sizes": [_SIZE]}


class Kept:
    """A training, and the folder that keeps its rows and states.

    Args:
      folder: of the run.
      training: at its start; the folder's state is loaded into it.
      bound: what the state belongs to.
      every: steps between states.
      again: advice how to begin anew, as ``checkpoints.sound`` has it.
      start: the state to go on from.

    Raises:
      UserError: the state or its rows are damaged, or belong to another run.
    """

    def __init__(
        self,
        folder: Path,
        training: Training,
        *,
        bound: dict[str, str],
        every: int,
        again: str = "",
        start: From = "last",
    ) -> None:
        self.room, self.training = folder / "checkpoint", training
        self.bound, self.every = bound, every
        path, places = folder / "metrics.jsonl", files.numbered(self.room)

        def read(place: Path) -> tuple[Path, Rows]:
            known = training.load(place)
            seal = known.pop("rows", "")
            if known != bound or training.step != int(place.name):
                what = "step" if known == bound else "configuration"
                raise UserError(
                    f"--resume: '{place}' must belong to this run's {what}; it is of "
                    "another one"
                )
            return place, metrics.read(
                path, -(-training.step // every), seal, like=_ROW
            )

        if not places:
            self.metrics = Metrics(path, metrics.read(path, 0))
            return
        place, rows = checkpoints.sound(places, read, again=again, start=start)
        self.metrics = Metrics(path, rows)
        checkpoints.forget_later(place)

    @property
    def seconds(self) -> float:
        """Wall time of the training so far."""
        rows = self.metrics.rows
        return float(rows[-1]["seconds"]) if rows else 0.0

    def train(self, held: Sequence[Reference]) -> Iterator[Evaluation]:
        """Trains to the end; every evaluation is kept, and a state with it."""
        begun, spent = perf_counter(), self.seconds
        for row in train(self.training, self.every, held):
            # First the row, then the state: a run killed in between repeats the row.
            seconds = spent + perf_counter() - begun
            self.metrics.add(asdict(row) | {"seconds": seconds})
            bound = self.bound | {"rows": self.metrics.seal}
            with files.new_folder(self.room / f"{row.step:06d}") as aside:
                self.training.save(aside, bound)
            checkpoints.forget_older(self.room)
            yield row

    def run(self, held: Sequence[Reference]) -> None:
        """Trains to the end in silence."""
        for _ in self.train(held):
            pass
