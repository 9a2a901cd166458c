"""The lines of Figure 3: short trainings, what they are held against, their rows."""

import math
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.nes.measures import generator
from meta_solvers.exact.problem import Concept
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from meta_solvers.nes.network import Network
    from meta_solvers.nes.train import Recipe

_WORK = 2048  # the same in trainings of curves: games are small, and steps many
_WIDE = dict(unrolled=0, payoff=(32, 32), dual=32, dual_layers=2, norm="standard")
NETWORKS: dict[str, dict[str, Any]] = {
    "unrolled": {},
    "feed-forward": _WIDE,
    "linear": {**_WIDE, "linear": True},
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of Figure 3: which games, and which network learns them."""

    shape: tuple[int, ...] = (4, 4)
    concept: Concept = "cce"
    selects: str = "entropy"
    network: str = "feed-forward"
    naive: bool = False

    @property
    def name(self) -> str:
        """The curve's name, fit for a file."""
        shape = "x".join(map(str, self.shape))
        parts = [shape, self.concept, self.selects, self.network]
        return "-".join(parts + ["naive"] * self.naive)

    def recipe(self, steps: int, seed: int) -> "Recipe":
        """A short training: a brief warm-up and average."""
        from meta_solvers.nes.data import Games
        from meta_solvers.nes.network import Architecture
        from meta_solvers.nes.train import Recipe

        players, n, part = len(self.shape), self.shape[0], max(1, steps // 10)
        build = Architecture(
            concept=self.concept,
            players=players,
            selects=self.selects,
            **NETWORKS[self.network],
        )
        games = Games(
            concept=self.concept,
            players=players,
            least=n,
            most=n,
            square=1.0,
            selects=self.selects,
            naive=self.naive,
        )
        brief = {"warm": part, "average": part}
        return Recipe(
            architecture=build, games=games, seed=seed, steps=steps, work=_WORK, **brief
        )


class Test:
    """Fresh games of a curve, never naive, and their exact joints."""

    def __init__(self, curve: Curve, count: int, seed: int) -> None:
        from meta_solvers.nes.train import Reference

        fair = replace(curve, network="", naive=False)
        games = replace(curve.recipe(1, 0).games, naive=False)
        self.name = f"{fair.name} {count} {seed}"
        rng = generator(seed, f"test {fair.name}")
        self.reference = Reference(games, curve.shape, count, rng)

    def row(self, step: int, network: "Network") -> dict[str, Any]:
        """Mean solver gap of a network, and of duals 0 (``none``)."""
        row = self.reference.row(network)
        none = row["solver_gap_uniform"]
        return {"step": step, "solver_gap": row["solver_gap"], "none": none}


def trained(
    place: Path, curve: Curve, steps: int, seed: int, test: Test, points: int
) -> list[Any]:
    """A finished curve, or one that is trained now, from its last checkpoint on."""
    from meta_solvers.nes.train import Training

    training = Training(curve.recipe(steps, seed))
    about = {"recipe": asdict(training.recipe), "points": points}
    bound = {"about": files.digest(about), "test": test.name}
    if place.exists():
        return list(files.read_sealed(place, bound))
    (folder := place.with_suffix("")).mkdir(exist_ok=True)
    if (folder / "training.safetensors").exists():
        known = training.load(folder)
        rows = files.read_sealed(folder / "rows.json", bound)
        rows = [row for row in rows if row["step"] <= training.step]
        if known != bound | {"rows": files.digest(rows)}:
            raise UserError(
                f"'{folder}' must hold a training and the rows before it; they are not "
                "of one run (remove the folder and resume: it is then trained again)"
            )
    else:
        rows = [test.row(0, training.averaged())]
    every = math.ceil(steps / points)
    while training.step < steps:
        training.update()
        if training.step % every == 0 or training.step == steps:
            rows.append(test.row(training.step, training.averaged()))
            files.write_sealed(folder / "rows.json", rows, bound)
            training.save(folder, bound | {"rows": files.digest(rows)})
    files.write_sealed(place, rows, bound)
    shutil.rmtree(folder)
    return rows
