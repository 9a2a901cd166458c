"""A run folder: its owner, its configuration, and pieces of its results."""

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from experiments.lab import interrupts, loggers, trust
from experiments.lab.lock import LOCK, held
from experiments.lab.options import Output, Printing
from experiments.lab.process import environment, module
from metaspiel import files
from metaspiel.nfg.errors import UserError

CONFIG = "config.json"
_PAGE = "page"
Config = TypeVar("Config")
Value = TypeVar("Value")


@contextmanager
def claim(run: Output, name: str) -> Iterator[Path]:
    """Context with a folder that only this run may write to.

    Without ``--out`` a fresh folder under ``runs/``, which is said. A folder that holds
    anything is never written to, unless it is resumed. SIGTERM ends the block like
    Ctrl-C.

    Raises:
      UserError: a logger is not at hand; the folder holds something, cannot be written
        to, belongs to another process, holds a link that would lead writing elsewhere,
        or another run changed its configuration since ours was read from it.
    """
    loggers.check(run)
    with ExitStack() as stack:
        try:
            folder = _fresh(name) if run.out is None else run.out
            _check_empty(folder, run.resumes)
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder))
        except OSError as error:
            raise UserError(
                f"--out: '{run.out or 'runs'}' must be a folder that can be made and "
                f"written to; the system says: {error.strerror or error}"
            ) from None
        stack.enter_context(interrupts.stoppable())
        files.tidy(folder, loggers.THEIRS)
        _check_empty(folder, run.resumes)  # another run may just have ended
        _check_unchanged(folder)
        interrupts.begins_with(folder / CONFIG)
        stack.enter_context(loggers.logging(run, folder))
        if run.out is None:
            run.note(f"writing to {folder}")
        yield folder


# The folder and the bytes of config.json that this process's configuration is from.
_READ: ContextVar[tuple[Path, bytes] | None] = ContextVar("_READ", default=None)


@contextmanager
def read_from(folder: Path | None) -> Iterator[None]:
    """Context in which ``claim`` refuses a folder whose configuration has changed.

    A configuration is read before its folder is owned; a run that ends in between may
    have widened it, and must not lose that.
    """
    place = None if folder is None else folder / CONFIG
    known = None if place is None or not place.is_file() else place.read_bytes()
    token = _READ.set(None if folder is None or known is None else (folder, known))
    try:
        yield
    finally:
        _READ.reset(token)


def _check_unchanged(folder: Path) -> None:
    read = _READ.get()
    if read is None or read[0] != folder:
        return
    place = folder / CONFIG
    if not place.is_file() or place.read_bytes() != read[1]:
        raise UserError(
            f"--resume: '{place}' must be as it was when this run began; another run "
            "has changed it since (resume again)"
        )


def _fresh(name: str) -> Path:
    number = 1
    while True:
        folder = Path("runs") / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        return folder


def _check_empty(folder: Path, resume: bool) -> None:
    """Raises a ``UserError`` where a folder holds more than an empty run leaves."""
    if resume or not (folder.exists() or folder.is_symlink()):
        return
    if folder.is_dir():
        names = (inside.name for inside in folder.iterdir())
        if all(n == LOCK or n.startswith(files.ASIDE) for n in names):
            return
        raise UserError(
            f"--out: '{folder}' must be new or empty; it holds something (continue a "
            "run with --resume, or choose another folder)"
        )
    what = "a link that leads nowhere" if folder.is_symlink() else "a file"
    raise UserError(f"--out: '{folder}' must be a folder, new or empty; it is {what}")


def page_of(config: type[Any]) -> str:
    """The name of the page that a class of configurations belongs to."""
    parts = module(config.__module__).removeprefix("experiments.").split(".")
    return "_".join(parts).removesuffix("_config")


def stored(
    folder: Path, pages: Collection[str] = (), where: str = "--resume"
) -> dict[str, Any]:
    """The configuration that a run folder was started with.

    Args:
      folder: of the run.
      pages: whose run it must be; without any it may be that of every page.
      where: who asks, for sentences.

    Raises:
      UserError: it is damaged, was changed, is of another page, or an earlier metaspiel
        wrote it.
    """
    place = folder / CONFIG
    fields = files.read_json(place)
    if not isinstance(fields, dict):
        raise UserError(f"'{place}' must hold the fields of a run; it does not")
    if "seal" not in fields:
        env = begun(folder) or {}
        versions = env.get("versions")
        known = versions.get("metaspiel") if isinstance(versions, dict) else None
        raise UserError(
            f"{where}: '{place}' must hold a seal; the run was made by an earlier "
            f"metaspiel ({known or 'of unknown version'}, commit "
            f"{env.get('commit', 'unknown')}) and cannot be continued by this one"
        )
    before: dict[str, Any] = files.read_sealed(place)
    own = before.pop(_PAGE, None)
    if pages and own not in (None, *pages):
        raise UserError(
            f"{where}: '{folder}' must be a run of the page {' or '.join(pages)}; it "
            f"is one of {own} ('metaspiel {own} --out DIR --resume' goes on)"
        )
    return before


def widened(
    folder: Path, config: Config, *, lists: Sequence[str], most: Sequence[str] = ()
) -> Config:
    """The configuration with all that earlier runs of the folder were asked for.

    A resumed run may do a part of a grid; the folder remembers the whole of it.

    Args:
      folder: of the run.
      config: what is asked now.
      lists: fields to which earlier values are added, in front.
      most: fields of which the larger value counts.
    """
    if not (folder / CONFIG).is_file():
        return config
    before, given = stored(folder), vars(config)
    # What is asked now was typed, or read from the file and trusted then.
    unasked = {
        name: [one for one in before.get(name, ()) if one not in plain(given[name])]
        for name in lists
    }
    trust.check(
        unasked,
        dict.fromkeys(lists, config),
        f"'{folder / CONFIG}'",
        trusted=given["run"].trust,
    )
    more: Mapping[str, Any] = {
        name: tuple(dict.fromkeys([*before.get(name, ()), *given[name]]))
        for name in lists
    }
    larger = {n: max(before.get(n, given[n]), given[n]) for n in most}
    return type(config)(**{**given, **more, **larger})


def plain(value: Any) -> Any:
    """A configuration, or one of its values, as JSON can hold it."""
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def binding(config: Any) -> str:
    """A hash of the fields that determine results, to which those are bound."""
    loose = getattr(config, "may_change", ())
    loose = {*loose, *(k for k, v in vars(config).items() if isinstance(v, Printing))}
    fields = plain(dataclasses.asdict(config))
    return files.digest({k: v for k, v in fields.items() if k not in loose})


def write_result(place: Path, value: Any, config: Any) -> None:
    """Writes a piece of a run's results as JSON, bound to the configuration."""
    files.write_sealed(place, files.nan_as_none(value), {"config": binding(config)})


def read_result(place: Path, config: Any, like: Any = Any) -> Any:
    """Reads what ``write_result`` wrote with the same configuration.

    Args:
      place: where.
      config: the configuration.
      like: the types of its fields by name.

    Raises:
      UserError: it is damaged, was changed, or is that of another run.
    """
    try:
        value = files.read_sealed(place, {"config": binding(config)})
        files.check_shape(f"'{place}'", value, like)
        return value
    except UserError as error:
        raise UserError(
            f"{error} (remove the file and resume: it is then made again)"
        ) from None


def record(folder: Path, config: Any) -> None:
    """Writes ``config.json`` (every field, resolved) and ``env.json``.

    The environment is that of the first run, whose command makes the folder again; of
    later runs "resumed" lists command, commit and time. "own_code" has hashes of the
    source of code of the user's own.

    Raises:
      UserError: such code has changed since the first run.
    """
    first, now = begun(folder), environment()
    code = trust.sources(config)
    for text, known in (first or {}).get("own_code", {}).items():
        if code.get(text, known) != known:
            raise UserError(
                f"--resume: the code of '{text}' must be as it was when the run began; "
                "it has changed (begin again with another --out)"
            )
    fields = {_PAGE: page_of(type(config)), **plain(dataclasses.asdict(config))}
    files.write_sealed(folder / CONFIG, fields)
    if first is not None:
        later = {name: now[name] for name in ("command", "commit")}
        later["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        code |= first.get("own_code", {})
        now = {**first, "resumed": [*first.get("resumed", []), later]}
    now["own_code"] = code
    files.write_json(folder / "env.json", now)


def begun(folder: Path) -> dict[str, Any] | None:
    """The record in ``env.json`` of the first run and of its resumptions, if any.

    Raises:
      UserError: it is damaged.
    """
    place = folder / "env.json"
    if not place.is_file():
        return None
    env = files.read_json(place)
    later = env.get("resumed", []) if isinstance(env, dict) else None
    code = env.get("own_code", {}) if isinstance(env, dict) else None
    listed = isinstance(later, list) and all(isinstance(one, dict) for one in later)
    if not (listed and isinstance(code, dict)):
        raise UserError(
            f"'{place}' must hold an object, as the run wrote it; it was changed (it "
            "may be removed: results do not depend on it)"
        )
    known: dict[str, Any] = env
    return known


def commits(env: dict[str, Any]) -> list[str]:
    """Commits whose code worked on the folder, in order."""
    every = [env, *env.get("resumed", [])]
    return list(dict.fromkeys(str(one.get("commit", "unknown")) for one in every))


def clock(folder: Path, seconds: float = 0.0) -> float:
    """Wall-clock seconds of all runs in this folder, with ``seconds`` added."""
    place = folder / "clock.json"
    before = 0.0
    if place.exists():
        try:
            stored = files.read_sealed(place)
            files.check_shape(f"'{place}'", stored, {"wall_seconds": float})
            before = stored["wall_seconds"]
        except UserError as error:
            raise UserError(
                f"{error} (it may be removed: it only adds up the time)"
            ) from None
    total: float = round(before + seconds, 3)
    if seconds:
        files.write_sealed(place, {"wall_seconds": total})
    return total


def slug(text: str) -> str:
    """Text as the name of a folder."""
    return "".join(c if c.isalnum() else "_" for c in text).strip("_")[:60]


def value_of(kind: type[Value], stored: Any, place: Path) -> Value:
    """A dataclass as JSON holds it, made again; a number that is null there is NaN.

    Args:
      kind: the dataclass; fields that it does not have are left out.
      stored: its fields.
      place: where they were read.

    Raises:
      UserError: they are no object, or a field without a default is missing.
    """
    if not isinstance(stored, dict):
        raise UserError(f"'{place}' must hold an object; it does not")
    values, hints = {}, get_type_hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in stored:
            value, hint = stored[field.name], hints[field.name]
            if hint in (bool, int, float, str):
                nothing = {field.name: hint | None}
                files.check_shape(f"'{place}'", stored, nothing)
            number = value is None and field.default is not None
            values[field.name] = math.nan if number else value
        elif field.default is dataclasses.MISSING:
            raise UserError(f"'{place}' must hold '{field.name}'; it is missing")
    return kind(**values)
