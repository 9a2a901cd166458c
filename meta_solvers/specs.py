"""The grammar of spec strings of solvers: read here, without importing anything.

A spec string selects and configures a solver at any edge::

    mgcce                           a name
    r3d:threshold=0.5               a name and fields
    undominated(mgce)               a wrapper around a solver
    fallback(mgcce,mwcce)           several solvers, tried in order
    mix(r2d:steps=500):weight=0.05  a wrapper with fields
    my_module:make:share=0.5        a class or function of a module, and fields
"""

import types
import typing
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from metaspiel.nfg.errors import UserError, shown, unknown

_DEEPEST = 20  # solvers in solvers
_LONGEST = 4000  # characters of a spec


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a spec string says of a solver.

    Attributes:
      target: a name, or ``module:factory``.
      inner: the solvers in its parentheses.
      values: its fields, as text.
    """

    target: str
    inner: tuple["Spec", ...]
    values: Mapping[str, str]

    @property
    def targets(self) -> Iterator[str]:
        """The target of the solver and those of all solvers in it."""
        yield self.target
        for one in self.inner:
            yield from one.targets


def read(text: str, names: Collection[str]) -> Spec:
    """What a spec string says; it may name what there is not.

    Args:
      text: the spec string.
      names: of solvers; ``name:word`` with another name is a module's factory.

    Raises:
      UserError: the text does not parse.
    """
    whole = shown(text)
    if len(text) > _LONGEST:
        raise UserError(
            f"meta-solver spec '{whole}': a spec must have at most {_LONGEST} "
            f"characters; got {len(text)}"
        )
    spec, rest = _Reader(whole=whole, names=names).spec(text.strip())
    if rest:
        raise UserError(f"meta-solver spec '{whole}': cannot read '{shown(rest)}'")
    return spec


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads solvers from the front of texts; gives each and what is left."""

    whole: str
    names: Collection[str]

    def spec(self, text: str, depth: int = 0) -> tuple[Spec, str]:
        if depth > _DEEPEST:
            raise UserError(
                f"meta-solver spec '{self.whole}': solvers must be nested at most "
                f"{_DEEPEST} deep"
            )
        target, rest = self._target(text)
        inner: list[Spec] = []
        if rest.startswith("("):
            rest = "," + rest[1:]
            while rest.startswith(","):
                one, rest = self.spec(rest[1:].strip(), depth + 1)
                inner.append(one)
            if not rest.startswith(")"):
                raise UserError(f"meta-solver spec '{self.whole}': '(' is never closed")
            rest = rest[1:].strip()
        values: dict[str, str] = {}
        if rest.startswith(":"):
            values, rest = self._values("," + rest[1:])
        return Spec(target=target, inner=tuple(inner), values=values), rest

    def _target(self, text: str) -> tuple[str, str]:
        name, rest = _until(text, "(:,)")
        name = name.strip()
        if rest.startswith(":") and name and name not in self.names:
            factory, after = _until(rest[1:], "(:,)")
            if factory.strip() and "=" not in factory:
                return f"{name}:{factory.strip()}", after
        return name, rest

    def _values(self, rest: str) -> tuple[dict[str, str], str]:
        values: dict[str, str] = {}
        # A field is `key=value`; a comma without '=' before the next stop starts the
        # next solver of an enclosing wrapper.
        while rest.startswith(",") and "=" in _until(rest[1:], ",():")[0]:
            pair, rest = _until(rest[1:], ",)")
            key, _, value = pair.partition("=")
            if key.strip() in values:
                raise UserError(
                    f"meta-solver spec '{self.whole}': '{shown(key.strip())}' must be "
                    "given once"
                )
            values[key.strip()] = value.strip()
        if not values:
            raise UserError(
                f"meta-solver spec '{self.whole}': fields must be written key=value; "
                f"got '{shown(_until(rest.lstrip(','), ')')[0])}'"
            )
        return values, rest


def _until(text: str, stops: str) -> tuple[str, str]:
    end = min((i for i in map(text.find, stops) if i >= 0), default=len(text))
    return text[:end], text[end:]


def convert(text: str, hint: Any, where: str) -> Any:
    """``text`` as a value of the annotated type; a ``UserError`` where it is none."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if text in options:
            return text
        raise unknown(where, "value", text, map(str, options))
    if origin in (typing.Union, types.UnionType):
        if type(None) in options and text.lower() == "none":
            return None
        rest = [o for o in options if o is not type(None)]
        return convert(text, rest[0], where)
    if hint is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise UserError(f"{where} must be true or false; got '{shown(text)}'")
    if hint in (int, float):
        try:
            if not text.isascii() or "_" in text:
                raise ValueError
            value = hint(text)
            if hint is int and abs(value) >= 2**63:
                raise ValueError
            return value
        except ValueError:
            kind = "a whole number" if hint is int else "a number"
            raise UserError(f"{where} must be {kind}; got '{shown(text)}'") from None
    return text
