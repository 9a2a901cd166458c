"""Runs a page: command line in, answer or one sentence and an exit code out."""

import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from experiments.lab.folder import plain, read_from, stored
from experiments.lab.options import Printing, flag
from experiments.lab.process import module
from experiments.lab.yaml_file import read_fields
from meta_solvers.base import SolverFailed
from metaspiel import files
from metaspiel.nfg.errors import UnknownName, UserError, unknown

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer of a page.

    Attributes:
      summary: for ``--json``.
      text: for people; nothing is printed where it is empty.
      terse: what --quiet leaves of it.
      fault: raised when all is said: what went wrong in a part of the work.
    """

    summary: Any
    text: str = ""
    terse: str = ""
    fault: Exception | None = None

    def tell(self, run: Printing) -> None:
        """Prints it as the user asked for; raises the fault."""
        text = self.terse if run.quiet else self.text
        if run.json:
            print(json.dumps(files.spelled(self.summary)))
        elif text:
            print(text)
        if self.fault is not None:
            raise self.fault


def main(
    page: Callable[[Any], Answer | None],
    config: type[Any],
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> int:
    """Parses the command line, runs the page, and returns the exit code.

    The page gives its answer, or says itself what it has to say.

    0: done. 2: the user asked for something impossible, said in one sentence. 130:
    interrupted. Anything else is a fault of ours and keeps its traceback (1).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    usage = program or f"python -m {module(page.__module__)}"
    doc = (sys.modules[page.__module__].__doc__ or "").strip()

    def begin() -> None:
        out = _value(words, "--out") if "--resume" in words else None
        with read_from(None if out is None else Path(out)):
            asked = parse(config, words, usage, doc)
            answer = page(asked)
            if answer is not None:
                answer.tell(getattr(asked, "run", Printing()))

    return guarded(begin, "resume" in _fields(config()))


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
    file, out = _value(words, "--config"), _value(words, "--out")
    unset = _fields(config())
    own = {k: v for k, (v, group) in unset.items() if not isinstance(group, Printing)}
    before: dict[str, Any] = {}
    more: list[str] = []
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
        try:
            before = _flat(stored(Path(out)), unset, f"'{place}'")
        except UnknownName as error:
            raise UserError(
                f"--resume: '{place}' must be of this metaspiel; another version made "
                f"it, whose runs this one cannot continue ({error.args[0]})"
            ) from None
        before = {name: value for name, value in before.items() if name in own}
        more = _as_words(before, unset, words, f"'{place}'")
    elif file is not None:
        where = f"--config '{file}'"
        values = _flat(read_fields(Path(file)), unset, where)
        for name in ("resume", "config"):
            if name in values:
                raise UserError(f"--config: '{file}' must not set {name}")
        more = _as_words(values, unset, words, where)
    more += words
    usual = _usual(config, more, program)
    chosen: Config = _cli(config, more, program, doc, **usual)
    loose = getattr(config, "may_change", ())
    for name, (value, _) in _fields(chosen).items():
        if name not in before or name.partition(".")[0] in loose:
            continue
        if plain(value) != before[name]:
            raise UserError(
                f"--resume: {flag(name)} must stay as the run in '{out}' has it, "
                f"{before[name]!r}; got {plain(value)!r}"
            )
    return chosen


def _usual(config: type[Any], words: Sequence[str], program: str) -> Mapping[str, Any]:
    """What fields are that no word gives, where that depends on others.

    A configuration with a class ``Asked`` of such others says it: ``usual(asked)``.
    """
    if not hasattr(config, "Asked"):
        return {}
    kept = [word for word in words if word not in ("-h", "--help")]
    asked, _ = _cli(config.Asked, kept, program, return_unknown_args=True)
    return {"default": config.usual(asked)}


def _cli(
    config: type[Any], words: Sequence[str], program: str, doc: str = "", **more: Any
) -> Any:
    """What tyro makes of the words; a value that its own class refuses is a sentence.

    Raises:
      UserError: a group of the configuration refuses its fields.
    """
    import tyro

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(config, args=words, prog=program, description=doc, **more)
    except SystemExit as ended:
        cause: BaseException | None = ended
        while cause is not None:
            if isinstance(cause, UserError):
                raise UserError(str(cause)) from None
            cause = cause.__cause__ or cause.__context__
        sys.stderr.write(said.getvalue())
        raise


def _fields(config: Any) -> dict[str, tuple[Any, Any]]:
    """Values by name of their flags, each with the group that it is in."""
    every: dict[str, tuple[Any, Any]] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not dataclasses.is_dataclass(value):
            every[field.name] = value, config
            continue
        dot = "" if isinstance(value, Printing) else f"{field.name}."
        every |= {dot + name: one for name, one in _fields(value).items()}
    return every


def _flat(
    values: Mapping[str, object], known: Collection[str], where: str, prefix: str = ""
) -> dict[str, Any]:
    """Nested fields keyed by the name of their flags.

    Raises:
      UserError: there is no such field.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = prefix + str(key).replace("-", "_")
        inside = [one for one in known if one.startswith(f"{name}.")]
        if value is None and inside:  # a group in which nothing is set
            continue
        if (inside or name == "run") and not isinstance(value, dict):
            raise UserError(f"{where}: {name} must hold fields; got {value!r}")
        if isinstance(value, dict) and (inside or name == "run"):
            flat |= _flat(value, known, where, "" if name == "run" else f"{name}.")
        elif name not in known:
            raise unknown(where, "field", name, known)
        else:
            flat[name] = value
    return flat


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
    values: Mapping[str, object],
    known: Mapping[str, tuple[Any, Any]],
    words: Sequence[str],
    where: str,
) -> list[str]:
    """Stored fields as words of a command line, without those that are given."""
    given = {word.split("=")[0] for word in words}
    made: list[str] = []
    for name, value in values.items():
        usual, holder = known[name]
        group, _, last = flag(name)[2:].rpartition(".")
        no = f"--{group}{'.' if group else ''}no-{last}"
        nothing = value in ([], None) and plain(usual) == value
        if nothing or given & {flag(name), no}:
            continue
        if value is None and _takes_none(holder, name):
            made += [flag(name), "None"]
        elif isinstance(value, bool) and isinstance(usual, bool):
            made.append(flag(name) if value else no)
        elif isinstance(value, list) and isinstance(usual, tuple):
            made += [flag(name), *map(str, value)]
        elif isinstance(value, str) and "\0" in value:
            raise UserError(f"{where}: {name} must hold no NUL; got {value!r}")
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            made += [flag(name), str(value)]
        else:
            raise UserError(f"{where}: {name} cannot be {value!r}")
    return made


def _takes_none(holder: Any, name: str) -> bool:
    """Whether a field of this value may be None."""
    hint = get_type_hints(type(holder))[name.rpartition(".")[2]]
    return type(None) in get_args(hint)
