"""The registry of solvers: names, spec strings, and entry points of other packages.

A spec string selects and configures a solver at any edge::

    mgcce                           a name
    r3d:threshold=0.5               a name and fields
    undominated(mgce)               a wrapper around a solver
    fallback(mgcce,mwcce)           several solvers, tried in order
    mix(r2d:steps=500):weight=0.05  a wrapper with fields
"""

import dataclasses
import re
import types
import typing
from functools import cache
from importlib import import_module, metadata
from typing import Any

from meta_solvers.base import MetaSolver
from metaspiel.nfg.errors import UserError, shown, unknown

ENTRY_POINTS = "metaspiel.meta_solvers"
_DEEPEST = 20  # solvers in solvers
_LONGEST = 4000  # characters of a spec

# Name -> "module:Class". Nothing is imported before it is asked for.
_BUILTIN = {
    "uniform": "meta_solvers.baselines:Uniform",
    "last": "meta_solvers.baselines:Last",
    "rj": "meta_solvers.baselines:RandomJoint",
    "rdirichlet": "meta_solvers.baselines:RandomDirichlet",
    "rd": "meta_solvers.replicator:ReplicatorDynamics",
    "prd": "meta_solvers.replicator:ProjectedReplicatorDynamics",
    "rrd": "meta_solvers.replicator:RegularisedReplicatorDynamics",
    "rd_lower": "meta_solvers.robust_replicator:PessimisticReplicatorDynamics",
    "r2d": "meta_solvers.robust_replicator:RobustReplicatorDynamics",
    "r3d": "meta_solvers.robust_replicator:RegularisedRobustReplicatorDynamics",
    "robust": "meta_solvers.robust:MinRegretBound",
    "mwce": "meta_solvers.linear:MaxWelfareCE",
    "mwcce": "meta_solvers.linear:MaxWelfareCCE",
    "rmwce": "meta_solvers.linear:RandomMaxWelfareCE",
    "rmwcce": "meta_solvers.linear:RandomMaxWelfareCCE",
    "rvce": "meta_solvers.linear:RandomVertexCE",
    "rvcce": "meta_solvers.linear:RandomVertexCCE",
    "minwce": "meta_solvers.linear:MinWelfareCE",
    "minwcce": "meta_solvers.linear:MinWelfareCCE",
    "egalce": "meta_solvers.linear:EgalitarianCE",
    "egalcce": "meta_solvers.linear:EgalitarianCCE",
    "mgce": "meta_solvers.gini:MaxGiniCE",
    "mgcce": "meta_solvers.gini:MaxGiniCCE",
    "approx_mgce": "meta_solvers.gini:ApproximateMaxGiniCE",
    "approx_mgcce": "meta_solvers.gini:ApproximateMaxGiniCCE",
    "half_mgce": "meta_solvers.gini:HalfMaxGiniCE",
    "half_mgcce": "meta_solvers.gini:HalfMaxGiniCCE",
    "min_epsilon_mgce": "meta_solvers.gini:MinEpsilonMaxGiniCE",
    "min_epsilon_mgcce": "meta_solvers.gini:MinEpsilonMaxGiniCCE",
    "mece": "meta_solvers.convex:MaxEntropyCE",
    "mecce": "meta_solvers.convex:MaxEntropyCCE",
    "mrece": "meta_solvers.convex:MinRelativeEntropyCE",
    "mrecce": "meta_solvers.convex:MinRelativeEntropyCCE",
    "mwmece": "meta_solvers.convex:MaxWelfareMaxEntropyCE",
    "mwmecce": "meta_solvers.convex:MaxWelfareMaxEntropyCCE",
    "msce": "meta_solvers.convex:MaxStrengthCE",
    "mscce": "meta_solvers.convex:MaxStrengthCCE",
    "nes": "meta_solvers.nes.solver:NeuralEquilibrium",
    "nash_lp": "meta_solvers.linear:ZeroSumNash",
    "nash": "meta_solvers.nash:Nash",
    "two_action": "meta_solvers.two_action:TwoActionNash",
    "fp": "meta_solvers.learning:FictitiousPlay",
    "rm": "meta_solvers.learning:RegretMatching",
    "anytime": "meta_solvers.anytime:Anytime",
    "shor": "meta_solvers.shor:Shor",
    "shor_eval": "meta_solvers.shor:ShorEvaluation",
    "alpharank": "meta_solvers.alpharank:AlphaRank",
    "cvx": "meta_solvers.user_objective:UserObjective",
    "undominated": "meta_solvers.wrap:WithoutDominated",
    "mix": "meta_solvers.wrap:MixedWithUniform",
    "average": "meta_solvers.averaging:AverageOfLast",
    "fallback": "meta_solvers.several:Fallback",
    "best": "meta_solvers.several:BestOf",
}
_REGISTERED: dict[str, type[MetaSolver]] = {}


@cache
def _entry_points() -> dict[str, metadata.EntryPoint]:
    return {e.name: e for e in metadata.entry_points(group=ENTRY_POINTS)}


def names() -> list[str]:
    """Every known name: built in, registered here, and from entry points."""
    return list(dict.fromkeys([*_BUILTIN, *_REGISTERED, *_entry_points()]))


def register(name: str, solver: type[MetaSolver]) -> type[MetaSolver]:
    """Registers ``solver`` under ``name`` in this process; returns ``solver``.

    Other packages use an entry point of the group ``metaspiel.meta_solvers`` instead.

    Raises:
      UserError: the name is taken by another class, cannot stand in a spec string, or
        the class is not a solver.
    """
    if not name.replace("_", "a").replace("-", "a").isalnum():
        raise UserError(
            "register(): a name must be letters, digits, '_' and '-' alone; "
            f"got {name!r}"
        )
    if not (isinstance(solver, type) and issubclass(solver, MetaSolver)):
        raise UserError(
            f"register(): '{name}' must be a subclass of MetaSolver; got {solver!r}"
        )
    if name in names() and solver_class(name) is not solver:
        raise UserError(f"register(): the name '{name}' is already taken")
    _REGISTERED[name] = solver
    return solver


def solver_class(name: str) -> type[MetaSolver]:
    """The class of a solver by name.

    Raises:
      UserError: the name is unknown (says the nearest), or the package behind it
        cannot be imported (says which).
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    target = _BUILTIN.get(name)
    if target is None and name in _entry_points():
        target = _entry_points()[name].value
    if target is None:
        raise unknown("meta-solver", "name", name, names(), listing="metaspiel solvers")
    cls = imported(target, f"meta-solver '{name}'", "a class")
    if not (isinstance(cls, type) and issubclass(cls, MetaSolver)):
        raise UserError(
            f"meta-solver '{name}': '{target}' must be a subclass of MetaSolver"
        )
    return cls


def imported(target: str, where: str, kind: str) -> Any:
    """What "module:name" names.

    Args:
      target: module and name.
      where: who asks, for sentences.
      kind: what it must be, in words.

    Raises:
      UserError: a package is missing (says which), or there is no such name in it.
    """
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{where}: the package '{error.name}' must be installed; "
            f"try 'pip install {error.name}'"
        ) from error
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(f"{where}: '{target}' must name {kind}; {error}") from error


def get(spec: Any) -> MetaSolver:
    """The solver that a spec string stands for; see the module for the grammar.

    Raises:
      UserError: a name or field is unknown, a value does not fit, the text does not
        parse, or it is no text.
    """
    if not isinstance(spec, str):
        raise UserError(f"get(): spec must be text such as 'mgcce'; got {spec!r}")
    whole = shown(spec)
    if len(spec) > _LONGEST:
        raise UserError(
            f"meta-solver spec '{whole}': a spec must have at most {_LONGEST} "
            f"characters; got {len(spec)}"
        )
    solver, rest = _parse(spec.strip(), whole)
    if rest:
        raise UserError(f"meta-solver spec '{whole}': cannot read '{shown(rest)}'")
    return solver


def reaches(spec: str) -> tuple[str, ...]:
    """What the solver of a spec imports or connects to beyond this package, in words.

    Nothing of that is imported here. A spec that does not parse reaches nothing.
    """
    words = {word.strip() for word in re.split(r"[(:,)]", spec)}
    plugged = [
        f"import the module '{point.module}' of the plug-in '{name}'"
        for name, point in _entry_points().items()
        if name in words - {*_BUILTIN, *_REGISTERED} and not ours(point)
    ]
    if plugged:
        return tuple(plugged)
    try:
        return get(spec).reaches
    except UserError:  # said where the spec is used
        return ()


def ours(point: metadata.EntryPoint) -> bool:
    """Whether this package itself brings an entry point."""
    dist = getattr(point, "dist", None)
    return dist is not None and dist.name == "metaspiel"


def _parse(text: str, whole: str, depth: int = 0) -> tuple[MetaSolver, str]:
    """Reads one solver from the front of ``text``; returns it and what is left."""
    if depth > _DEEPEST:
        raise UserError(
            f"meta-solver spec '{whole}': solvers must be nested at most {_DEEPEST} "
            "deep"
        )
    name, rest = _until(text, "(:,)")
    cls = solver_class(name.strip())
    inner: list[MetaSolver] = []
    if rest.startswith("("):
        rest = "," + rest[1:]
        while rest.startswith(","):
            solver, rest = _parse(rest[1:].strip(), whole, depth + 1)
            inner.append(solver)
        if not rest.startswith(")"):
            raise UserError(f"meta-solver spec '{whole}': '(' is never closed")
        rest = rest[1:].strip()
    values: dict[str, str] = {}
    if rest.startswith(":"):
        rest = "," + rest[1:]
        # A field is `key=value`; a comma without '=' before the next stop starts the
        # next solver of an enclosing wrapper.
        while rest.startswith(",") and "=" in _until(rest[1:], ",():")[0]:
            pair, rest = _until(rest[1:], ",)")
            key, _, value = pair.partition("=")
            if key.strip() in values:
                raise UserError(
                    f"meta-solver spec '{whole}': '{shown(key.strip())}' must be given "
                    "once"
                )
            values[key.strip()] = value.strip()
        if not values:
            raise UserError(
                f"meta-solver spec '{whole}': fields must be written key=value; "
                f"got '{shown(_until(rest.lstrip(','), ')')[0])}'"
            )
    return _build(name.strip(), cls, inner, values), rest


def _until(text: str, stops: str) -> tuple[str, str]:
    end = min((i for i in map(text.find, stops) if i >= 0), default=len(text))
    return text[:end], text[end:]


def _build(
    name: str, cls: type[MetaSolver], inner: list[MetaSolver], values: dict[str, str]
) -> MetaSolver:
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    wraps = takes_solvers(cls)
    arguments: dict[str, Any] = {}
    if bool(wraps) != bool(inner):
        what = "wraps solvers: write" if wraps else "wraps no solver: drop the"
        raise UserError(f"meta-solver '{name}' {what} parentheses, as in {name}(mgcce)")
    if wraps:
        several = hints[wraps[0]] is not MetaSolver
        if not several and len(inner) != 1:
            raise UserError(
                f"meta-solver '{name}' must wrap exactly one solver; got {len(inner)}"
            )
        arguments[wraps[0]] = tuple(inner) if several else inner[0]
    for key, text in values.items():
        if key not in known or key in wraps:
            fields = [f for f in known if f not in wraps]
            raise unknown(f"meta-solver '{name}'", "field", key, fields)
        arguments[key] = convert(text, hints[key], f"meta-solver '{name}': {key}")
    return cls(**arguments)


def takes_solvers(cls: type[MetaSolver]) -> list[str]:
    """Fields of a wrapper that hold solvers; none for a plain solver."""
    hints = typing.get_type_hints(cls)
    return [
        f.name
        for f in dataclasses.fields(cls)
        if hints[f.name] is MetaSolver or MetaSolver in typing.get_args(hints[f.name])
    ]


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
