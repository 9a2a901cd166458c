"""Oracles and evaluators of a user's own, by name or as ``module:factory``.

A spec selects a factory and may set its arguments::

    my_name                          registered here, or another package's entry point
    my_module:make                   a function of a module that can be imported
    my_module:make:simulations=50    with an argument

A factory of an oracle is called with a ``Ground``, one of an evaluator with a
``Ground`` and the oracle whose policies it plays. Other packages have the entry point
groups ``metaspiel.oracles`` and ``metaspiel.evaluators``.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, get_type_hints

from meta_solvers import own_code
from meta_solvers.registry import entry_points, imported, ours, signature
from meta_solvers.specs import convert
from metaspiel.nfg.errors import UserError, shown, unknown

Factory = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Factories of one kind of part.

    Attributes:
      kind: what they make, in a word.
      group: of entry points of other packages.
      built_in: names with which no factory may be registered.
      given: how many arguments a factory is called with, before its own.
    """

    kind: str
    group: str
    built_in: Mapping[str, str]
    given: int
    registered: dict[str, Factory] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Every known name: built in, registered here, and of other packages."""
        return list(dict.fromkeys([*self.built_in, *self.registered, *self._points()]))

    def register(self, name: str, factory: Factory) -> Factory:
        """Registers a factory in this process; returns it.

        Raises:
          UserError: the name is taken, cannot stand in a spec, or it is no function.
        """
        where = f"register_{self.kind}()"
        if not name.isidentifier():
            raise UserError(f"{where}: a name must be an identifier; got {name!r}")
        if not callable(factory):
            raise UserError(f"{where}: '{name}' must be callable; got {factory!r}")
        if name in self.names() and self.registered.get(name) is not factory:
            raise UserError(f"{where}: the name '{name}' is already taken")
        self.registered[name] = factory
        return factory

    def is_own(self, spec: str) -> bool:
        """Whether a spec is of a user's own part, known or not."""
        return spec not in self.built_in

    def check(self, spec: str) -> None:
        """Refuses a name that nobody knows; nothing is imported.

        Raises:
          UserError: nobody does, or the spec does not parse.
        """
        target, _ = self._read(spec)
        if ":" not in target and target not in self.names():
            raise unknown(
                f"--{self.kind}",
                "name",
                target,
                [*self.names(), "module:factory"],
                listing="metaspiel parts",
            )

    def make(self, spec: str, *given: Any) -> Any:
        """What the factory of a spec makes.

        Args:
          spec: see the module.
          given: what every factory of this kind is given.

        Raises:
          UserError: there is no such factory or argument, or a value does not fit.
        """
        self.check(spec)
        target, values = self._read(spec)
        where = f"{self.kind} '{shown(target)}'"
        factory = self._factory(target, where)
        own = list(signature(factory, where).parameters)[self.given :]
        hints = get_type_hints(factory) if inspect.isfunction(factory) else {}
        for name in values:
            if name not in own:
                raise unknown(where, "argument", name, own)
        fields = {
            name: convert(text, hints.get(name, str), f"{where}: {name}")
            for name, text in values.items()
        }
        with own_code.sentences(where, own_code.modules_of(factory), always=True):
            return factory(*given, **fields)

    def factory(self, name: str) -> Factory:
        """The factory of a name, imported if need be."""
        return self._factory(name, f"{self.kind} '{name}'")

    def reaches(self, spec: str) -> tuple[str, ...]:
        """What a spec imports beyond this package, in words; nothing is imported."""
        try:
            target, _ = self._read(spec)
        except UserError:  # said where the spec is used
            return ()
        if ":" in target:
            return (f"import the module '{shown(target.partition(':')[0])}'",)
        point = self._points().get(target)
        if point is None or target in self.registered or ours(point):
            return ()
        return (f"import the module '{point.module}' of the plug-in '{target}'",)

    def code(self, spec: str) -> str:
        """A hash of the source of a user's own part; empty where there is none."""
        target, _ = self._read(spec)
        point = self._points().get(target)
        if target in self.registered or (point is not None and ours(point)):
            return ""
        named = target if point is None else point.value
        return own_code.digest([named.partition(":")[0]]) if ":" in named else ""

    def _factory(self, target: str, where: str) -> Factory:
        if target in self.registered:
            return self.registered[target]
        point = self._points().get(target)
        made = imported(target if point is None else point.value, where, "a factory")
        if not callable(made):
            raise UserError(f"{where}: it must be callable; got {made!r}")
        factory: Factory = made
        return factory

    def _points(self) -> Mapping[str, metadata.EntryPoint]:
        return entry_points(self.group)

    def _read(self, spec: str) -> tuple[str, dict[str, str]]:
        """The name or module and factory of a spec, and its arguments as text."""
        parts = [part.strip() for part in spec.split(":")]
        pairs = parts.pop().split(",") if len(parts) > 1 and "=" in parts[-1] else []
        if len(parts) > 2 or not all(parts):
            raise UserError(
                f"--{self.kind}: a part must be written name, module:factory or either "
                f"with :argument=value,...; got '{shown(spec)}'"
            )
        values: dict[str, str] = {}
        for pair in pairs:
            key, equals, text = (part.strip() for part in pair.partition("="))
            if not (key and equals) or key in values:
                raise UserError(
                    f"--{self.kind}: arguments must be written key=value, each once; "
                    f"got '{shown(pair)}'"
                )
            values[key] = text
        return ":".join(parts), values


ORACLES = Registry(
    kind="oracle",
    group="metaspiel.oracles",
    built_in={
        "exact": "exact best responses, in the tree of the game",
        "ddqn": "responses learned by Double DQN",
        "ppo": "responses learned by PPO",
        "neupl": "one conditional network plays the population",
    },
    given=1,
)
"""What makes responses."""
EVALUATORS = Registry(
    kind="evaluator",
    group="metaspiel.evaluators",
    built_in={"exact": "exact payoffs of realisation plans, in the tree of the game"},
    given=2,
)
"""What fills the payoff table."""
