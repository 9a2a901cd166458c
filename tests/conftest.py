"""Shapes and types of every function are checked in its first calls of a test run."""

import functools
import os
import sys
from types import FunctionType, ModuleType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

_CHECKED = 200  # calls of each function; inner loops would cost as much time again
_every_call = jaxtyping.jaxtyped


def jaxtyped(*, typechecker: Any) -> Any:
    """What the import hook decorates with: only a function's first calls are checked.

    They are made when it is first called, so what beartype refuses fails there.
    Functions within functions are not: they are decorated anew whenever they are made.
    """

    def decorate(target: Any) -> Any:
        if isinstance(target, FunctionType) and "<locals>" in target.__qualname__:
            return target
        make = _every_call(typechecker=typechecker)
        if not isinstance(target, FunctionType):
            return make(target)
        left = _CHECKED
        checked = None  # made when it is called: a worker calls few of all functions

        @functools.wraps(target)
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left, checked
            if left:
                left -= 1
                checked = checked or make(target)
                return checked(*arguments, **named)
            return target(*arguments, **named)

        return call

    return decorate


if "--benchmark-only" not in sys.argv:  # the checks cost time of their own
    jaxtyping.jaxtyped = jaxtyped
    ROOMS = ["metaspiel", "meta_solvers", "psro", "matrl", "mra", "offline"]
    install_import_hook(ROOMS, "beartype.beartype")
    # What is read from JSON has integers among its floats, as PEP 484 allows.
    roof = ModuleType("roof")
    roof.beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
    sys.modules[roof.__name__] = roof
    install_import_hook(["experiments"], "roof.beartype")
