"""What every page shares: the command line, exit codes, and the run folder."""

import dataclasses
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import yaml

from experiments import _owner
from experiments._metrics import Metrics
from experiments._owner import claim, command
from meta_solvers.base import SolverFailed
from metaspiel import files
from metaspiel.files import read_json, spelled, write_json, write_text
from metaspiel.nfg.errors import UserError, unknown

__all__ = [
    "Metrics",
    "binding",
    "claim",
    "command",
    "environment",
    "main",
    "parse",
    "piece",
    "plain",
    "read_json",
    "read_result",
    "record",
    "shown",
    "spelled",
    "stored",
    "write_json",
    "write_result",
    "write_text",
]

Config = TypeVar("Config")

# Fields that say how a run is watched or continued, not what it computes.
_WATCHING = ("out", "resume", "resume_from", "json", "quiet", "jobs", "config")


def main(
    page: Callable[[Any], None],
    config: type[Config],
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> int:
    """Parses the command line, runs the page, and returns the exit code.

    0: done. 2: the user asked for something impossible, said in one sentence. 130:
    interrupted. Anything else is a fault of ours and keeps its traceback (1).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    usage = program or f"python -m {_owner.module(page.__module__)}"
    resumes = any(f.name == "resume" for f in dataclasses.fields(config))  # type: ignore[arg-type]
    doc = (sys.modules[page.__module__].__doc__ or "").strip()

    def begin() -> None:
        out = _value(words, "--out") if "--resume" in words else None
        with _owner.read_from(None if out is None else Path(out)):
            page(parse(config, words, usage, doc))

    return guarded(begin, resumes)


def guarded(action: Callable[[], None], resumes: bool = False) -> int:
    """Runs an action and returns the exit code that ``main`` promises.

    Args:
      action: what may fail.
      resumes: whether an interrupted user can be told to go on with ``--resume``.
    """
    try:
        action()
    except (UserError, SolverFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        from psro.executor import WorkerLost

        if not isinstance(error, WorkerLost):
            raise
        print(f"error: {error}; --out FOLDER --resume goes on", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: a file must be usable; {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"error: the arrays must fit in memory; {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        more = "; --out FOLDER --resume goes on" if resumes else ""
        print(f"interrupted: what is finished is kept{more}", file=sys.stderr)
        return 130
    return 0


def parse(
    config: type[Config], words: list[str], program: str, doc: str = ""
) -> Config:
    """The page's configuration from words, over a YAML file or a stored run."""
    import tyro

    file, out = _value(words, "--config"), _value(words, "--out")
    before: dict[str, Any] = {}
    usual: list[str] = []
    if "--resume" in words:
        if file is not None:
            raise UserError("--config: a resumed run keeps its own configuration")
        if out is None:
            raise UserError("--resume: the run folder must be named with --out DIR")
        place = Path(out) / "config.json"
        if not place.is_file():
            raise UserError(
                f"--resume: '{out}' must be the folder of an earlier run; it has no "
                "config.json"
            )
        before = stored(Path(out))
        kept = {k: v for k, v in before.items() if k not in _WATCHING}
        usual = _as_words(config, kept, words, f"'{place}'")
    elif file is not None:
        values = _read_yaml(Path(file))
        for name in ("resume", "config"):
            if name in values:
                raise UserError(f"--config: '{file}' must not set {name}")
        usual = _as_words(config, values, words, f"--config '{file}'")
    chosen = tyro.cli(config, args=[*usual, *words], prog=program, description=doc)
    may_change = (*_WATCHING, *getattr(config, "may_change", ()))
    for field in dataclasses.fields(chosen):  # type: ignore[arg-type]
        name = field.name
        now = plain(getattr(chosen, name))
        if name in before and name not in may_change and now != before[name]:
            raise UserError(
                f"--resume: --{name.replace('_', '-')} must stay as the run in "
                f"'{out}' has it, {before[name]!r}; got {now!r}"
            )
    return chosen


def _value(words: list[str], flag: str) -> str | None:
    """The word after ``flag``, which may be given once."""
    values = []
    for word, after in zip(words, [*words[1:], None], strict=False):
        if word == flag:
            values.append(after)
        elif word.startswith(flag + "="):
            values.append(word[len(flag) + 1 :])
    if len(values) > 1:
        raise UserError(f"{flag} must be given once; got {len(values)} times")
    return values[0] if values else None


def _as_words(
    config: type[Any], values: dict[str, Any], words: list[str], where: str
) -> list[str]:
    """Stored fields as words of the command line, but for those that words give."""
    known = {f.name: f.default for f in dataclasses.fields(config)}
    given = {w.split("=")[0].removeprefix("--").removeprefix("no-") for w in words}
    usual: list[str] = []
    for name, value in values.items():
        if name not in known:
            raise unknown(where, "field", name, known)
        flag = name.replace("_", "-")
        if flag in given or value == [] or (value is None and known[name] is None):
            continue
        if isinstance(value, bool) and isinstance(known[name], bool):
            usual.append(f"--{'' if value else 'no-'}{flag}")
        elif isinstance(value, list) and isinstance(known[name], tuple):
            usual += [f"--{flag}", *map(str, value)]
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            usual += [f"--{flag}", str(value)]
        else:
            raise UserError(f"{where}: {name} cannot be {value!r}")
    return usual


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        fields = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        text = str(error).splitlines()[0]
        raise UserError(
            f"--config: '{path}' must be a readable YAML file; {text}"
        ) from None
    if not isinstance(fields, dict):
        raise UserError(f"--config: '{path}' must hold fields; got {fields!r}")
    return {str(k).replace("-", "_"): v for k, v in fields.items()}


def plain(value: Any) -> Any:
    """A configuration value as JSON can hold it."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    return value


def stored(folder: Path) -> dict[str, Any]:
    """The configuration that a run folder was begun with.

    Raises:
      UserError: it is damaged, was changed, or an earlier metaspiel wrote it.
    """
    place = folder / "config.json"
    fields = read_json(place)
    if not isinstance(fields, dict):
        raise UserError(f"'{place}' must hold the fields of a run; it does not")
    if "seal" not in fields:
        env = read_json(folder / "env.json") if (folder / "env.json").is_file() else {}
        env = env if isinstance(env, dict) else {}
        versions = env.get("versions")
        known = versions.get("metaspiel") if isinstance(versions, dict) else None
        raise UserError(
            f"--resume: '{place}' must hold a seal; the run was made by an earlier "
            f"metaspiel ({known or 'of unknown version'}, commit "
            f"{env.get('commit', 'unknown')}) and cannot be continued by this one"
        )
    before: dict[str, Any] = files.read_sealed(place)
    return before


def binding(config: Any) -> str:
    """A hash of the fields that fix results: what checkpoints and results belong to."""
    loose = (*_WATCHING, *getattr(config, "may_change", ()))
    fields = dataclasses.asdict(config)
    return files.digest({k: plain(v) for k, v in fields.items() if k not in loose})


def write_result(place: Path, value: Any, config: Any) -> None:
    """Writes a piece of a run's results as JSON, bound to the configuration."""
    files.write_sealed(place, files.nan_as_none(value), {"config": binding(config)})


def read_result(place: Path, config: Any) -> Any:
    """Reads what ``write_result`` wrote with the same configuration.

    Raises:
      UserError: it is damaged, was changed, or is that of another run.
    """
    try:
        return files.read_sealed(place, {"config": binding(config)})
    except UserError as error:
        raise UserError(
            f"{error} (remove the file and resume: it is then made again)"
        ) from None


def piece(place: Path, config: Any, make: Callable[..., Any]) -> Any:
    """A finished piece of a run's results, or a new one that ``make`` gives.

    Raises:
      UserError: as ``read_result``.
    """
    if not place.exists():
        write_result(place, make(), config)
    return read_result(place, config)


def record(folder: Path, config: Any) -> None:
    """Writes ``config.json`` (every field, resolved) and ``env.json``."""
    fields = dataclasses.asdict(config)
    sealed = {k: plain(v) for k, v in fields.items()}
    files.write_sealed(folder / "config.json", sealed)
    write_json(folder / "env.json", environment())


def environment() -> dict[str, Any]:
    """The versions, the machine and the commit of this process."""
    packages = ["metaspiel", "numpy", "scipy", "torch", "open_spiel"]
    packages += ["cvxpy", "clarabel", "ecos"]
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "command": command(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "versions": versions,
        "commit": commit or "unknown",
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }


def shown(value: float | None, form: str) -> str:
    """A number that may not have been measured, for people."""
    return "not measured" if value is None else format(value, form)
