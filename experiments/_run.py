"""What every page shares: the command line, exit codes, and the run folder."""

import dataclasses
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import yaml

from meta_solvers.base import SolverFailed
from metaspiel.nfg.errors import UserError, unknown

Config = TypeVar("Config")

# Fields that say how a run is watched or continued, not what it computes.
_WATCHING = ("out", "resume", "json", "quiet", "jobs", "config")


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
    usage = program or f"python -m {_module(config.__module__)}"
    resumes = any(f.name == "resume" for f in dataclasses.fields(config))  # type: ignore[arg-type]
    return guarded(lambda: page(parse(config, words, usage)), resumes)


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


def parse(config: type[Config], words: list[str], program: str) -> Config:
    """The page's configuration from words, over a YAML file or a stored run."""
    import tyro

    doc = (sys.modules[config.__module__].__doc__ or "").strip()
    file, out = _value(words, "--config"), _value(words, "--out")
    stored: dict[str, Any] = {}
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
        stored = read_json(place)
        if not isinstance(stored, dict):
            raise UserError(f"'{place}' must hold the fields of a run; it does not")
        kept = {k: v for k, v in stored.items() if k not in _WATCHING}
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
        if name in stored and name not in may_change and now != stored[name]:
            raise UserError(
                f"--resume: --{name.replace('_', '-')} must stay as the run in "
                f"'{out}' has it, {stored[name]!r}; got {now!r}"
            )
    return chosen


def _value(words: list[str], flag: str) -> str | None:
    """The word after ``flag``, which may be given once."""
    found = []
    for word, after in zip(words, [*words[1:], None], strict=False):
        if word == flag:
            found.append(after)
        elif word.startswith(flag + "="):
            found.append(word[len(flag) + 1 :])
    if len(found) > 1:
        raise UserError(f"{flag} must be given once; got {len(found)} times")
    return found[0] if found else None


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
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        text = str(error).splitlines()[0]
        raise UserError(
            f"--config: '{path}' must be a readable YAML file; {text}"
        ) from None
    if not isinstance(found, dict):
        raise UserError(f"--config: '{path}' must hold fields; got {found!r}")
    return {str(k).replace("-", "_"): v for k, v in found.items()}


def plain(value: Any) -> Any:
    """A configuration value as JSON can hold it."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    return value


def read_json(path: Path) -> Any:
    """Reads JSON, or says in one sentence why it cannot."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' must be readable JSON; {error}") from None
    return found


def claim(out: Path | None, name: str, resume: bool) -> Path:
    """The folder a run may write to.

    Without ``out`` a fresh folder under ``runs/``. A folder that holds anything is
    never written to, unless it is resumed.
    """
    if out is None:
        number = 1
        while (Path("runs") / f"{name}-{number}").exists():
            number += 1
        out = Path("runs") / f"{name}-{number}"
    try:
        if not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(
                f"--out: '{out}' must be new or empty; it holds something (continue a "
                "run with --resume, or choose another folder)"
            )
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"--out: '{out}' must be writable; {error}") from None
    return out


def write_json(path: Path, value: Any) -> None:
    """Writes JSON beside its place and renames it, so that it is whole or absent."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes text beside its place and renames it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(aside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def record(folder: Path, config: Any) -> None:
    """Writes ``config.json`` (every field, resolved) and ``env.json``."""
    fields = dataclasses.asdict(config)
    write_json(folder / "config.json", {k: plain(v) for k, v in fields.items()})
    write_json(folder / "env.json", environment())


def command() -> str:
    """The command line of this process, as one would type it."""
    name, script = _module("__main__"), Path(sys.argv[0]).name
    start = ["python", "-m", name] if name != "__main__" else [script]
    return shlex.join([*start, *sys.argv[1:]])


def _module(name: str) -> str:
    """What to write after ``python -m`` to run this module."""
    spec = getattr(sys.modules[name], "__spec__", None)
    return (spec.name if spec is not None else name).removesuffix(".__main__")


def environment() -> dict[str, Any]:
    """Versions, machine and commit."""
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


def clean(value: Any) -> Any:
    """``value`` with NaN and infinities as None: strict JSON has no word for them."""
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value


def shown(value: float | None, form: str) -> str:
    """A number that may not have been measured, for people."""
    return "not measured" if value is None else format(value, form)


class Metrics:
    """``metrics.jsonl``: one row a line, each flushed; cut back on resume."""

    def __init__(self, path: Path, keep: int = 0) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            try:
                lines = path.read_text("utf-8").splitlines()
                self.rows = [json.loads(line) for line in lines[:keep]]
            except ValueError:
                raise UserError(f"'{path}' must hold one JSON row a line") from None
            if not all(isinstance(row, dict) for row in self.rows):
                raise UserError(f"'{path}' must hold one JSON object a line")
            if keep == 0 and len(lines) > 1:
                raise UserError(
                    f"'{path}' holds {len(lines)} rows, but their checkpoint is gone; "
                    "start a new run in another folder"
                )
        if len(self.rows) < keep:
            raise UserError(
                f"'{path}' must hold {keep} rows for this checkpoint; got "
                f"{len(self.rows)}"
            )
        self._rewrite()

    def _rewrite(self) -> None:
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        write_text(self.path, text)

    def amend(self, row: dict[str, Any]) -> None:
        """Replaces the last row by one that knows more."""
        self.rows[-1] = clean(row)
        self._rewrite()

    def add(self, row: dict[str, Any]) -> None:
        """Appends a row and flushes it to disk."""
        row = clean(row)
        self.rows.append(row)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
