"""Executors by spec strings, and what those reach beyond this machine.

A spec selects and configures an executor::

    inprocess                             one batch, here (the default)
    processes:jobs=4                      four processes on this machine
    ray                                   a local Ray cluster, stopped at the end
    ray:address=10.0.0.1:6379,jobs=64     an existing cluster, 64 requests at once
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from metaspiel.nfg.errors import UserError, shown, unknown
from psro.executor import Executor, Loss, Progress

# Name -> class and the fields a spec string may set. Nothing is imported before.
_ADDRESS = "address"
_KNOWN: dict[str, tuple[str, dict[str, type]]] = {
    "inprocess": ("psro.executor:InProcess", {}),
    "processes": ("psro.workers:Processes", {"jobs": int, "retries": int}),
    "ray": ("psro.cluster:Ray", {_ADDRESS: str, "jobs": int, "retries": int}),
}


def parse(
    spec: str,
    progress: Progress | None = None,
    on_loss: Callable[[Loss], None] | None = None,
) -> Executor:
    """The executor that a spec string stands for; see the module for examples.

    Args:
      spec: ``name`` or ``name:field=value,...``.
      progress: called as ``progress(done, total)``.
      on_loss: called when a request is lost with its worker.

    Raises:
      UserError: a name or field is unknown, a value does not fit, or the executor
        cannot be started.
    """
    name, values = _read(spec)
    if name != "inprocess":  # nothing is lost in one's own process
        values["on_loss"] = on_loss
    module, _, attribute = _KNOWN[name][0].partition(":")
    made: Executor = getattr(import_module(module), attribute)(
        progress=progress, **values
    )
    return made


def reaches(spec: str) -> tuple[str, ...]:
    """What the executor of a spec connects to, in words; nothing is connected to here.

    A spec that does not parse reaches nothing.
    """
    try:
        _, values = _read(spec)
    except UserError:  # said where the spec is used
        return ()
    address = values.get(_ADDRESS)
    if address is None:
        return ()
    return (f"connect to the cluster at '{shown(address)}'",)


def _read(spec: str) -> tuple[str, dict[str, Any]]:
    """The name in a spec, and its fields.

    Raises:
      UserError: a name or field is unknown, or a value does not fit.
    """
    name, _, rest = spec.strip().partition(":")
    if name not in _KNOWN:
        raise unknown("executor", "name", name, _KNOWN)
    fields = _KNOWN[name][1]
    values: dict[str, Any] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, text = (part.strip() for part in pair.partition("="))
        if not (equals and text):
            raise UserError(
                f"executor '{spec}': fields must be written key=value; got '{pair}'"
            )
        if key not in fields:
            raise unknown(f"executor '{name}'", "field", key, fields)
        if key in values:
            raise UserError(f"executor '{spec}': '{key}' must be given once")
        try:
            values[key] = fields[key](text)
        except ValueError:
            raise UserError(
                f"executor '{name}': {key} must be a whole number; got '{text}'"
            ) from None
    return name, values
