"""Lists every meta-solver that is known by name here, other packages' included.

Example: metaspiel solvers
         metaspiel solvers --name r2d
"""

import dataclasses
import sys
from dataclasses import dataclass
from typing import Any

from experiments.lab import report
from experiments.lab.options import Flat, Printing
from experiments.lab.page import Answer, main
from experiments.lab.trust import SolverSpec
from meta_solvers import MetaSolver, names
from meta_solvers.registry import solver_class, takes_solvers
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True)
class Config:
    """Fields of the list."""

    name: SolverSpec | None = None
    """Show one solver with its fields and their meaning."""
    markdown: bool = False
    """Print the table as markdown (the README's table is made so)."""
    run: Flat[Printing] = Printing()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the class of a solver says about itself; fields with their defaults."""

    name: str
    concept: str
    players: str
    source: str
    maximises: str
    fields: dict[str, Any]
    documentation: str | None

    @classmethod
    def of(cls, name: str) -> "Facts":
        """The facts of the solver with this name."""
        solver = solver_class(name)
        wraps = takes_solvers(solver)
        concept, players = ("as inside", "as inside") if wraps else _promise(solver)
        first = (solver.__doc__ or "").strip().splitlines()[0]
        return cls(
            name=f"{name}(...)" if wraps else name,
            concept=concept,
            players=players,
            source=solver.source,
            maximises=solver.maximises or first.rstrip("."),
            fields={
                f.name: None if f.default is dataclasses.MISSING else f.default
                for f in dataclasses.fields(solver)
                if f.name not in wraps
            },
            documentation=solver.__doc__,
        )

    @property
    def record(self) -> dict[str, Any]:
        """The facts as JSON holds them."""
        plain = {k: v if _plain(v) else str(v) for k, v in self.fields.items()}
        return dataclasses.asdict(self) | {"fields": plain}

    @property
    def text(self) -> str:
        """The facts for people."""
        defaults = [f"  {name} = {value}" for name, value in self.fields.items()]
        head = f"{self.name}   concept: {self.concept}   {self.source}\n"
        parts = [head, f"{self.documentation}", "\nfields and defaults:", *defaults]
        return "\n".join(parts)


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | list | tuple | dict | None)


def _promise(solver: type[MetaSolver]) -> tuple[str, str]:
    """Concept and number of players, with default fields where they depend on them."""
    needs = any(
        f.default is f.default_factory is dataclasses.MISSING
        for f in dataclasses.fields(solver)
    )
    usual = solver if needs else solver()
    if isinstance(usual.players, property) or isinstance(usual.concept, property):
        return "as its fields say", "as its fields say"
    low, high = usual.players
    players = f"{low}" if high == low else f"{low}+" if high > 1e9 else f"{low}-{high}"
    return usual.concept, players


def table() -> list[Facts]:
    """Facts of every solver whose package is installed."""
    rows = []
    for name in names():
        try:
            rows.append(Facts.of(name))
        except UserError:  # its package is missing; --name says which
            continue
    return rows


def markdown(rows: list[Facts]) -> str:
    """The table as the README has it."""
    head = ("name", "concept", "players", "selects or maximises", "source")
    lines = [
        [f"`{row.name}`", row.concept, row.players, row.maximises, row.source or "-"]
        for row in rows
    ]
    return report.markdown(head, lines)


def page(config: Config) -> Answer:
    """The list, or one entry."""
    if config.name is not None:
        entry = Facts.of(config.name)
        return Answer(summary=entry.record, text=entry.text)
    rows = table()
    text = markdown(rows).rstrip("\n") if config.markdown else _drawn(rows)
    return Answer(summary=[row.record for row in rows], text=text)


def _drawn(rows: list[Facts]) -> str:
    from rich.table import Table

    shown = Table("name", "concept", "players", "selects or maximises", "fields")
    for row in rows:
        fields = ", ".join(f"{k}={v}" for k, v in row.fields.items())
        shown.add_row(row.name, row.concept, row.players, row.maximises, fields)
    return report.console(shown)


if __name__ == "__main__":
    sys.exit(main(page, Config))
