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

from nfg.errors import UserError, unknown

Config = TypeVar("Config")

# Fields that say how a run is watched or continued, not what it computes.
_WATCHING = ("out", "resume", "json", "quiet", "jobs", "config")
HANDLING = (*_WATCHING, "iterations")


def main(
    page: Callable[[Any], None],
    config: type[Config],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parses the command line, runs the page, and returns the exit code.

    0: done. 2: the user asked for something impossible, said in one sentence. 130:
    interrupted. Anything else is a fault of ours and keeps its traceback (1).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    program = f"python -m {config.__module__}"
    spec = sys.modules[config.__module__].__spec__
    if config.__module__ == "__main__" and spec is not None:
        program = f"python -m {spec.name}"
    try:
        chosen = parse(config, words, program)
        page(chosen)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "interrupted: what is finished is kept; --out FOLDER --resume goes on",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # the reader of our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def parse(config: type[Config], words: list[str], program: str) -> Config:
    """The page's configuration from words, over a YAML file or a stored run."""
    import tyro

    doc = (sys.modules[config.__module__].__doc__ or "").strip()
    default = config()
    file = _value(words, "--config")
    if file is not None:
        default = _from_mapping(config, _read_yaml(Path(file)), f"--config {file}")
    stored: dict[str, Any] = {}
    out = _value(words, "--out")
    if "--resume" in words:
        if out is None:
            raise UserError("--resume: the run folder must be named with --out DIR")
        place = Path(out) / "config.json"
        if not place.is_file():
            raise UserError(
                f"--resume: '{out}' must be the folder of an earlier run; it has no "
                "config.json"
            )
        stored = read_json(place)
        kept = {k: v for k, v in stored.items() if k not in _WATCHING}
        default = _from_mapping(config, kept, f"'{place}'")
    chosen = tyro.cli(
        config,
        args=words,
        default=default,
        prog=program,
        description=doc,
    )
    for field in dataclasses.fields(chosen):  # type: ignore[arg-type]
        name = field.name
        if name in stored and name not in HANDLING:
            now = plain(getattr(chosen, name))
            if now != stored[name]:
                raise UserError(
                    f"--resume: --{name.replace('_', '-')} must stay as the run in "
                    f"'{out}' has it, {stored[name]!r}; got {now!r}"
                )
    return chosen


def _value(words: list[str], flag: str) -> str | None:
    for word, after in zip(words, [*words[1:], None], strict=False):
        if word == flag:
            return after
        if word.startswith(flag + "="):
            return word[len(flag) + 1 :]
    return None


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


def _from_mapping(config: type[Config], values: dict[str, Any], where: str) -> Config:
    """A configuration from plain values; types follow the fields' defaults."""
    known = {f.name: f for f in dataclasses.fields(config)}  # type: ignore[arg-type]
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise unknown(where, "field", name, known)
        if value is not None and "Path" in str(known[name].type):
            value = Path(value)
        if isinstance(value, list):
            value = tuple(value)
        usual = getattr(config(), name)
        fits = usual is None or value is None or isinstance(value, type(usual))
        if isinstance(usual, float) and isinstance(value, int):
            fits, value = True, float(value)
        if not fits or (isinstance(value, bool) and not isinstance(usual, bool)):
            raise UserError(
                f"{where}: {name} must be {type(usual).__name__}; got {value!r}"
            )
        arguments[name] = value
    return config(**arguments)


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
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' must be readable JSON; {error}") from None


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
    if not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"--out: '{out}' must be new or empty; it holds something (continue a run "
            "with --resume, or choose another folder)"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
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
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    start = ["python", "-m", spec.name] if spec is not None else [sys.argv[0]]
    return shlex.join([*start, *sys.argv[1:]])


def environment() -> dict[str, Any]:
    """Versions, machine and commit."""
    packages = ["metaspiel", "numpy", "scipy", "open_spiel", "cvxpy", "clarabel"]
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


class Metrics:
    """``metrics.jsonl``: one row a line, each flushed; cut back on resume."""

    def __init__(self, path: Path, keep: int = 0) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            for line in path.read_text("utf-8").splitlines()[:keep]:
                try:
                    self.rows.append(json.loads(line))
                except ValueError:
                    raise UserError(
                        f"'{path}': line {len(self.rows) + 1} must be JSON; it is not"
                    ) from None
        if len(self.rows) < keep:
            raise UserError(
                f"'{path}' must hold {keep} rows for this checkpoint; got "
                f"{len(self.rows)}"
            )
        write_text(path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def add(self, row: dict[str, Any]) -> None:
        """Appends a row and flushes it to disk."""
        row = clean(row)
        self.rows.append(row)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
