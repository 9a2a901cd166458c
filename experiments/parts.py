"""Lists what a run can be made of: solvers, oracles, evaluators, games, pages.

Example: metaspiel parts
         metaspiel parts oracles
         metaspiel parts games --json

Other packages' parts are listed too, by their entry points (metaspiel.meta_solvers,
metaspiel.oracles, metaspiel.evaluators). A kind shows the fields of its parts.
"""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from experiments import contents, solvers
from experiments.lab import words
from experiments.lab.options import Flat, Printing
from experiments.lab.page import Answer, main
from experiments.psro_parts.oracle_config import fields_of
from metaspiel.games.parameters import class_of
from metaspiel.games.worlds import SIMULATORS, WORLDS
from metaspiel.nfg.errors import UserError
from psro.own_parts import EVALUATORS, ORACLES, Registry

Kind = Literal["all", "solvers", "oracles", "evaluators", "games", "pages"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the list."""

    first = "kind"
    kind: Kind = "all"
    """Parts of this kind alone, with their fields."""
    run: Flat[Printing] = Printing()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a run.

    Attributes:
      name: by which it is asked for.
      about: what it is, in a line.
      fields: what may be set of it, with what it usually is.
    """

    name: str
    about: str
    fields: Mapping[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        """The part as JSON holds it."""
        fields = {k: v if _plain(v) else str(v) for k, v in self.fields.items()}
        return {"name": self.name, "about": self.about, "fields": fields}


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _solvers() -> Iterator[Part]:
    for row in solvers.table():
        yield Part(name=row.name, about=row.maximises, fields=row.fields)


def _own(registry: Registry, usual: Callable[[str], Mapping[str, Any]]) -> list[Part]:
    """Factories by name; one whose package is broken says so."""
    parts = []
    for name in registry.names():
        if name in registry.built_in:
            about, fields = registry.built_in[name], usual(name)
        else:
            about, fields = _factory(registry, name)
        parts.append(Part(name=name, about=about, fields=fields))
    return parts


def _factory(registry: Registry, name: str) -> tuple[str, Mapping[str, Any]]:
    try:
        factory = registry.factory(name)
    except UserError as error:
        return f"cannot be used: {error}", {}
    own = list(inspect.signature(factory).parameters.values())[registry.given :]
    fields = {
        one.name: None if one.default is inspect.Parameter.empty else one.default
        for one in own
    }
    return (inspect.getdoc(factory) or "").split("\n")[0], fields


def _games() -> Iterator[Part]:
    for known, kind in ((SIMULATORS, "simulator"), (WORLDS, "Markov game")):
        for name in known:
            made = class_of(name, known)
            about = (inspect.getdoc(made) or "").split("\n")[0]
            fields = {f.name: f.default for f in dataclasses.fields(made) if f.init}
            yield Part(name=name, about=f"our {kind}: {about}", fields=fields)
    import pyspiel

    for game in sorted(pyspiel.registered_games(), key=lambda one: one.short_name):
        fields = dict(game.parameter_specification)
        about = f"OpenSpiel's {game.long_name}"
        yield Part(name=game.short_name, about=about, fields=fields)


def _pages() -> Iterator[Part]:
    for name, line in contents.pages().items():
        config = getattr(contents.module(name), "Config", None)
        usual = {} if config is None else words.fields(config())
        fields = {flag: value for flag, (value, _) in usual.items()}
        yield Part(name=name, about=line, fields=fields)


_KINDS: Mapping[str, Callable[[], Any]] = {
    "solvers": _solvers,
    "oracles": lambda: _own(ORACLES, fields_of),
    "evaluators": lambda: _own(EVALUATORS, lambda name: {}),
    "games": _games,
    "pages": _pages,
}


def page(config: Config) -> Answer:
    """Lists the parts of every kind, or of one with their fields."""
    kinds = [kind for kind in _KINDS if config.kind in ("all", kind)]
    every: dict[str, list[Part]] = {kind: list(_KINDS[kind]()) for kind in kinds}
    lines: list[str] = []
    for kind, parts in every.items():
        lines += [*[""] * bool(lines), f"{kind}:"]
        for part in parts:
            lines.append(f"  {part.name}: {part.about}")
            if config.kind != "all" and part.fields:
                shown = ", ".join(f"{k}={v}" for k, v in part.record["fields"].items())
                lines.append(f"      {shown}")
    summary = {kind: [one.record for one in parts] for kind, parts in every.items()}
    text = "\n".join(lines)
    return Answer(summary=summary, text=text)


if __name__ == "__main__":
    sys.exit(main(page, Config))
