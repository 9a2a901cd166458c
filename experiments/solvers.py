"""Lists every meta-solver that is known by name here, other packages' included.

Example: python -m experiments.solvers
         python -m experiments.solvers --name r2d
"""

import dataclasses
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.lab.options import Flat, Printing
from experiments.lab.page import main
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from meta_solvers import MetaSolver


@dataclass(frozen=True)
class Config:
    """Fields of the list."""

    name: str | None = None
    """Show one solver with its fields and their meaning."""
    markdown: bool = False
    """Print the table as markdown (the README's table is made so)."""
    run: Flat[Printing] = Printing()


def facts(name: str) -> dict[str, Any]:
    """What the class of a solver says about itself."""
    from meta_solvers.registry import solver_class, takes_solvers

    solver = solver_class(name)
    wraps = takes_solvers(solver)
    concept, players = ("as inside", "as inside") if wraps else _promise(solver)
    defaults = {
        f.name: f.default if f.default is not dataclasses.MISSING else None
        for f in dataclasses.fields(solver)
        if f.name not in wraps
    }
    first = (solver.__doc__ or "").strip().splitlines()[0]
    return {
        "name": f"{name}(...)" if wraps else name,
        "concept": concept,
        "players": players,
        "source": solver.source,
        "maximises": solver.maximises or first.rstrip("."),
        "fields": defaults,
        "documentation": solver.__doc__,
    }


def _promise(solver: "type[MetaSolver]") -> tuple[str, str]:
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


def table() -> list[dict[str, Any]]:
    """Facts of every solver whose package is installed."""
    from meta_solvers import names

    rows = []
    for name in names():
        try:
            rows.append(facts(name))
        except UserError:  # its package is missing; --name says which
            continue
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as the README has it."""
    from experiments.lab import report

    head = ("name", "concept", "players", "selects or maximises", "source")
    keys = ("concept", "players", "maximises")
    lines = [
        [f"`{row['name']}`", *(row[key] for key in keys), row["source"] or "-"]
        for row in rows
    ]
    return report.markdown(head, lines)


def page(config: Config) -> None:
    """Prints the list or one entry."""
    if config.name is not None:
        entry = facts(config.name)
        if config.run.json:
            print(json.dumps(files.spelled(entry), default=str))
            return
        print(f"{entry['name']}   concept: {entry['concept']}   {entry['source']}\n")
        print(entry["documentation"])
        print("\nfields and defaults:")
        for field, default in entry["fields"].items():
            print(f"  {field} = {default}")
        return
    rows = table()
    if config.run.json:
        print(json.dumps(files.spelled(rows), default=str))
    elif config.markdown:
        print(markdown(rows), end="")
    else:
        from rich.console import Console
        from rich.table import Table

        shown = Table("name", "concept", "players", "selects or maximises", "fields")
        for row in rows:
            fields = ", ".join(f"{k}={v}" for k, v in row["fields"].items())
            shown.add_row(
                row["name"], row["concept"], row["players"], row["maximises"], fields
            )
        Console(width=None if sys.stdout.isatty() else 150).print(shown)


if __name__ == "__main__":
    sys.exit(main(page, Config))
