"""Specs that import code or open connections: from the command line, or trusted.

A run folder or a YAML file may come from a stranger. What it names is not imported or
connected to unless the user says ``--trust``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, get_args, get_type_hints

from experiments.lab.alternatives import JUDGED, written_out
from experiments.lab.options import flag
from meta_solvers import registry
from metaspiel.nfg.errors import UserError, shown
from psro import executor_specs, own_parts


@dataclass(frozen=True)
class Reaching:
    """Marks a field whose text can name code or connections.

    Attributes:
      of: what a text reaches, in words; it imports and connects to nothing itself.
      code: a hash of the source of a user's own code that it names, or empty.
    """

    of: Callable[[str], Sequence[str]]
    code: Callable[[str], str] = lambda _: ""


def _each(of: Callable[[str], Sequence[str]]) -> Callable[[str], Sequence[str]]:
    """What all specs reach that one with alternatives stands for."""

    def reaches(spec: str) -> tuple[str, ...]:
        try:
            every = [s for part in spec.split(JUDGED) for s in written_out(part)]
        except UserError:  # said where the spec is used
            return ()
        return tuple(deed for one in every for deed in of(one.strip()))

    return reaches


SolverSpec = Annotated[str, Reaching(registry.reaches, registry.code)]
SolverSpecs = Annotated[str, Reaching(_each(registry.reaches))]
"""A spec of a solver in which fields may have alternatives."""
OracleSpec = Annotated[str, Reaching(own_parts.ORACLES.reaches, own_parts.ORACLES.code)]
OracleSpecs = Annotated[str, Reaching(_each(own_parts.ORACLES.reaches))]
"""A spec of an oracle in which fields may have alternatives."""
EvaluatorSpec = Annotated[
    str, Reaching(own_parts.EVALUATORS.reaches, own_parts.EVALUATORS.code)
]
ExecutorSpec = Annotated[str, Reaching(executor_specs.reaches)]


def check(
    values: Mapping[str, Any],
    holders: Mapping[str, Any],
    where: str,
    *,
    trusted: bool,
    allowing: str = "--trust",
) -> None:
    """Refuses values of a file that would import code or open a connection.

    Args:
      values: of the file, by the name of their flags.
      holders: the configuration or group that has each field.
      where: the file, for the sentence.
      trusted: the user allows it.
      allowing: what the user says to allow it, for the sentence.

    Raises:
      UserError: one would, and is not trusted.
    """
    for name, value in values.items() if not trusted else ():
        hints = get_type_hints(type(holders[name]), include_extras=True)
        for mark in _marks(hints[name.rpartition(".")[2]]):
            for text in value if isinstance(value, list | tuple) else [value]:
                for deed in mark.of(text) if isinstance(text, str) else ():
                    raise UserError(
                        f"{where}: {flag(name)} must be trusted to {deed} ({allowing} "
                        f"allows what the file says); got '{shown(text)}'"
                    )


def sources(config: Any) -> dict[str, str]:
    """Hashes of the source of a user's own code, by the text that names it.

    Args:
      config: of a page, whose fields may be groups.
    """
    known: dict[str, str] = {}
    for name, hint in get_type_hints(type(config), include_extras=True).items():
        value = getattr(config, name, None)
        if is_dataclass(value):
            known |= sources(value)
        for mark in _marks(hint):
            for text in value if isinstance(value, tuple) else [value]:
                if isinstance(text, str) and (made := mark.code(text)):
                    known[text] = made
    return known


def _marks(hint: Any) -> Iterator[Reaching]:
    """The marks of a type, those of its parts included."""
    for part in get_args(hint):
        if isinstance(part, Reaching):
            yield part
        else:
            yield from _marks(part)


def require_cce(spec: str) -> None:
    """Refuses a meta-solver whose answers are not meant as CCEs.

    Raises:
      UserError: it is for another concept, or there is none of that name.
    """
    from meta_solvers import get

    concept = get(spec).concept
    if concept != "cce":
        raise UserError(
            f"--solver must be one for CCE; got '{spec}', which is for {concept}"
        )
