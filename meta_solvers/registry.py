"""The registry of solvers: names, spec strings, and entry points of other packages.

``specs`` has the grammar of spec strings. A solver of a user's own is written
``module:factory``: a class of solvers, or a function that makes one.
"""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module, metadata
from typing import Any

from meta_solvers import own_code, specs
from meta_solvers.base import MetaSolver
from metaspiel.nfg.errors import (
    UnknownName,
    UserCodeFailed,
    UserError,
    shown,
    unknown,
)

ENTRY_POINTS = "metaspiel.meta_solvers"

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
    "matched": "meta_solvers.several:Matched",
}
_REGISTERED: dict[str, type[MetaSolver]] = {}


@cache
def entry_points(group: str) -> Mapping[str, metadata.EntryPoint]:
    """What installed packages offer, by name, as it was when first asked."""
    return {e.name: e for e in metadata.entry_points(group=group)}


def _entry_points() -> Mapping[str, metadata.EntryPoint]:
    return entry_points(ENTRY_POINTS)


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
            f"got {shown(repr(name))}"
        )
    if not (isinstance(solver, type) and issubclass(solver, MetaSolver)):
        raise UserError(
            f"register(): '{name}' must be a subclass of MetaSolver; got "
            f"{shown(repr(solver))}"
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
        known = unknown(
            "meta-solver", "name", name, names(), listing="metaspiel solvers"
        )
        raise UnknownName(f"{known}; one of your own is module:factory")
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
      UserError: the module or a package that it needs is missing (says which), there
        is no such name in it, or its code raises (says what, and where).
    """
    module, _, attribute = target.partition(":")
    try:
        if not all(map(str.isidentifier, [*module.split("."), attribute])):
            raise ValueError("these are no names of Python")
        with own_code.sentences(where, [module], passing=(ImportError,), always=True):
            loaded = import_module(module)
        return getattr(loaded, attribute)
    except UserCodeFailed:
        raise
    except ModuleNotFoundError as error:
        if f"{module}.".startswith(f"{error.name}."):
            raise UserError(
                f"{where}: no module '{shown(error.name)}' in this folder or installed"
            ) from None
        raise UserError(
            f"{where}: the package '{error.name}' must be installed; "
            f"try 'pip install {error.name}'"
        ) from error
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(
            f"{where}: '{shown(target)}' must name {kind}; {shown(error, 200)}"
        ) from error


def get(spec: Any) -> MetaSolver:
    """The solver that a spec string stands for; see the module for the grammar.

    Raises:
      UserError: a name or field is unknown, a value does not fit, the text does not
        parse, or it is no text.
    """
    if not isinstance(spec, str):
        raise UserError(
            f"get(): spec must be text such as 'mgcce'; got {shown(repr(spec))}"
        )
    return _solver(specs.read(spec, names()))


def reaches(spec: str) -> tuple[str, ...]:
    """What the solver of a spec imports or connects to beyond this package, in words.

    Nothing of that is imported here. A spec that does not parse reaches nothing.
    """
    try:
        targets = list(specs.read(spec, names()).targets)
    except UserError:  # said where the spec is used
        return ()
    named = tuple(deed for target in targets for deed in _imports(target))
    if named:
        return named
    try:
        return get(spec).reaches
    except UserError:  # said where the spec is used
        return ()


def _imports(target: str) -> tuple[str, ...]:
    """What naming a solver imports beyond this package, in words."""
    if ":" in target:
        return (f"import the module '{shown(target.partition(':')[0])}'",)
    point = _entry_points().get(target)
    if point is None or target in {*_BUILTIN, *_REGISTERED} or ours(point):
        return ()
    return (f"import the module '{point.module}' of the plug-in '{target}'",)


def code(spec: str) -> str:
    """A hash of the source of a user's own solver; empty where all is this package's.

    Raises:
      UserError: the spec stands for no solver.
    """
    named = [t.partition(":")[0] for t in specs.read(spec, names()).targets if ":" in t]
    return own_code.digest([*named, *own_code.modules_of(get(spec))])


def ours(point: metadata.EntryPoint) -> bool:
    """Whether this package itself brings an entry point."""
    dist = getattr(point, "dist", None)
    return dist is not None and dist.name == "metaspiel"


def _solver(spec: specs.Spec) -> MetaSolver:
    """The solver of a spec, and those in it."""
    where = f"meta-solver '{shown(spec.target)}'"
    if ":" not in spec.target:
        cls: Any = solver_class(spec.target)
    else:
        cls = imported(spec.target, where, "a class of solvers or what makes one")
    inner = [_solver(one) for one in spec.inner]
    if isinstance(cls, type) and issubclass(cls, MetaSolver):
        return _built(spec, cls, inner)
    if not callable(cls) or isinstance(cls, type):
        raise UserError(
            f"{where}: it must be a subclass of MetaSolver, or a function that makes a "
            f"solver; got {shown(repr(cls))}"
        )
    return _made(spec, cls)


def _built(
    spec: specs.Spec, cls: type[MetaSolver], inner: Sequence[MetaSolver]
) -> MetaSolver:
    """The solver of a class."""
    hints = typing.get_type_hints(cls)
    wraps, name = takes_solvers(cls), spec.target
    where = f"meta-solver '{shown(name)}'"
    arguments: dict[str, Any] = {}
    if bool(wraps) != bool(inner):
        what = "wraps solvers: write" if wraps else "wraps no solver: drop the"
        raise UserError(f"{where} {what} parentheses, as in {shown(name)}(mgcce)")
    if wraps:
        several = hints[wraps[0]] is not MetaSolver
        if not several and len(inner) != 1:
            raise UserError(f"{where} must wrap exactly one solver; got {len(inner)}")
        arguments[wraps[0]] = tuple(inner) if several else inner[0]
    known = [f.name for f in dataclasses.fields(cls) if f.name not in wraps]
    arguments |= _converted(spec.values, known, hints, where)
    return _called(cls, arguments, where)


def _made(spec: specs.Spec, factory: Callable[..., Any]) -> MetaSolver:
    """The solver that a function makes."""
    where = f"meta-solver '{shown(spec.target)}'"
    if spec.inner:
        raise UserError(f"{where} is a function: drop the parentheses")
    known = list(signature(factory, where).parameters)
    hints = typing.get_type_hints(factory) if inspect.isfunction(factory) else {}
    return _called(factory, _converted(spec.values, known, hints, where), where)


def signature(make: Callable[..., Any], where: str) -> inspect.Signature:
    """The arguments of a factory.

    Raises:
      UserError: they cannot be known, as those of some functions written in C.
    """
    try:
        return inspect.signature(make)
    except (TypeError, ValueError):
        raise UserError(
            f"{where}: it must have arguments that can be read; got {shown(repr(make))}"
        ) from None


def _converted(
    values: Mapping[str, str],
    known: Sequence[str],
    hints: Mapping[str, Any],
    where: str,
) -> dict[str, Any]:
    """Fields as values of their types."""
    for key in values:
        if key not in known:
            raise unknown(where, "field", key, known)
    return {
        key: specs.convert(text, hints.get(key, str), f"{where}: {key}")
        for key, text in values.items()
    }


def _called(
    make: Callable[..., Any], arguments: Mapping[str, Any], where: str
) -> MetaSolver:
    """What a class or a function makes of its fields, which must be a solver."""
    try:
        signature(make, where).bind(**arguments)
    except TypeError as error:
        raise UserError(f"{where}: its fields must be given; {error}") from None
    with own_code.sentences(where, own_code.modules_of(make), always=True):
        made = make(**arguments)
    if not isinstance(made, MetaSolver):
        raise UserError(f"{where}: it must make a MetaSolver; got {shown(repr(made))}")
    return made


def takes_solvers(cls: type[MetaSolver]) -> list[str]:
    """Fields of a wrapper that hold solvers; none for a plain solver."""
    hints = typing.get_type_hints(cls)
    return [
        f.name
        for f in dataclasses.fields(cls)
        if hints[f.name] is MetaSolver or MetaSolver in typing.get_args(hints[f.name])
    ]
