"""Runs a page: command line in, answer or one sentence and an exit code out."""

import dataclasses
import io
import json
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, TypeVar

from experiments.lab import trust, words
from experiments.lab.ending import Keeping, guarded
from experiments.lab.escaping import printable
from experiments.lab.folder import page_of, plain, read_from, stored
from experiments.lab.options import Printing, flag
from experiments.lab.process import module
from experiments.lab.yaml_file import read_fields
from metaspiel import files
from metaspiel.nfg.errors import BadField, UnknownName, UserError, unknown

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer of a page.

    Attributes:
      summary: for ``--json``.
      text: for people; nothing is printed where it is empty.
      terse: what --quiet prints instead, where that is not all of it.
      fault: raised when all is said: what went wrong in a part of the work.
    """

    summary: Any
    text: str = ""
    terse: str = ""
    fault: Exception | None = None

    def tell(self, run: Printing) -> None:
        """Prints it as the user asked for; raises the fault."""
        text = self.terse or self.text.lstrip("\n") if run.quiet else self.text
        if run.json:
            print(json.dumps(files.spelled(self.summary), allow_nan=False))
        elif text:
            print(printable(text))
        if self.fault is not None:
            raise self.fault


def main(
    page: Callable[[Any], Answer | None],
    config: type[Any],
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> int:
    """Parses the command line, runs the page, and returns the exit code.

    The page gives its answer, or says itself what it has to say. ``guarded`` says what
    the exit codes mean.
    """
    given = with_first(config, sys.argv[1:] if arguments is None else arguments)
    usage = program or f"python -m {module(page.__module__)}"
    doc = (sys.modules[page.__module__].__doc__ or "").strip()

    def begin() -> None:
        out = words.value_of(given, "--out") if "--resume" in given else None
        with read_from(None if out is None else Path(out)):
            asked = parse(config, given, usage, doc)
            answer = page(asked)
            if answer is not None:
                answer.tell(getattr(asked, "run", Printing()))

    known = words.fields(config())
    keeping = Keeping(folder="out" in known, resumes="resume" in known)
    return guarded(begin, keeping)


def with_first(config: type[Any], given: Sequence[str]) -> list[str]:
    """Words in which a field that may come first, without its flag, has it.

    A configuration names such a field as ``first``.
    """
    first = getattr(config, "first", None)
    if first is None or not given or given[0].startswith("-"):
        return list(given)
    return [flag(first), *given]


def parse(
    config: type[Config], given: Sequence[str], program: str, doc: str = ""
) -> Config:
    """The page's configuration from words, over a YAML file or a stored run."""
    known = words.fields(config())
    words.check(given, known, program)
    before: dict[str, Any] = {}
    more: list[str] = []
    if "--resume" in given:
        before, where = _before(config, given, known)
        more = _usable(before, given, known, where)
    elif (file := words.value_of(given, "--config")) is not None:
        where = f"--config '{file}'"
        values = flat(read_fields(Path(file)), known, where)
        for name in ("resume", "config", "trust"):
            if name in values:
                raise UserError(f"--config: '{file}' must not set {name}")
        more = _usable(values, given, known, where)
    if "--resume" not in given:
        more = [*_preset(config, [*more, *given], known), *more]
    more += given
    chosen: Config = _cli(config, more, program, doc, **_usual(config, more, program))
    loose = getattr(config, "may_change", ())
    for name, (value, _) in words.fields(chosen).items():
        if name not in before or name.partition(".")[0] in loose:
            continue
        if plain(value) != before[name]:
            out = words.value_of(given, "--out")
            raise UserError(
                f"--resume: {flag(name)} must stay as the run in '{out}' has it, "
                f"{before[name]!r}; got {plain(value)!r}"
            )
    return chosen


def _preset(config: type[Any], given: Sequence[str], known: words.Known) -> list[str]:
    """Words for fields that no word gives, where one names a set of values.

    A configuration has such sets by name, and the field for the name, as ``presets``.
    """
    usual: tuple[str, Mapping[str, Mapping[str, Any]]] = "", {}
    field, sets = getattr(config, "presets", usual)
    name = words.value_of(given, flag(field)) if sets else None
    if name is None or name not in sets:  # tyro refuses one that it does not know
        return []
    where = f"{flag(field)} {name}"
    return words.as_words(words.not_given(sets[name], given), known, where)


def _before(
    config: type[Any], given: Sequence[str], known: words.Known
) -> tuple[dict[str, Any], str]:
    """The fields of the run that is resumed, and the file they are in."""
    if words.value_of(given, "--config") is not None:
        raise UserError("--config: a resumed run keeps its own configuration")
    out = words.value_of(given, "--out")
    if out is None:
        raise UserError("--resume: the run folder must be named with --out DIR")
    return _fields_of(Path(out), known, "--resume", [page_of(config)])


def of_run(
    config: type[Config],
    folder: Path,
    where: str,
    *,
    pages: Collection[str],
    trusted: bool,
    allowing: str,
) -> Config:
    """The configuration that a run of this metaspiel was made with.

    Args:
      config: the page's.
      folder: of the run.
      where: who asks, for sentences.
      pages: whose run it may be; their configurations have the same fields.
      trusted: what it names may be imported.
      allowing: what the user says to allow that.

    Raises:
      UserError: there is none, it is damaged, of another page or version, or must be
        trusted.
    """
    known = words.fields(config())
    before, place = _fields_of(folder, known, where, pages)
    holders = {name: holder for name, (_, holder) in known.items()}
    trust.check(before, holders, place, trusted=trusted, allowing=allowing)
    more = words.as_words(before, known, place)
    made: Config = _cli(config, more, where, **_usual(config, more, where))
    return made


def _fields_of(
    folder: Path, known: words.Known, where: str, pages: Collection[str]
) -> tuple[dict[str, Any], str]:
    """The fields of the run in a folder, and the file they are in."""
    place = folder / "config.json"
    if not place.is_file():
        raise UserError(
            f"{where}: '{folder}' must be the folder of an earlier run; it has no "
            "config.json"
        )
    fields = stored(folder, pages, where)
    try:
        before = flat(fields, known, f"'{place}'")
    except UnknownName as error:
        raise UserError(
            f"{where}: '{place}' must be of this metaspiel; another version made "
            f"it, whose runs this one cannot continue ({error.args[0]})"
        ) from None
    own = [n for n, (_, group) in known.items() if not isinstance(group, Printing)]
    for name in own:
        if name not in before:
            raise UserError(
                f"{where}: '{place}' must be of this metaspiel; an earlier version "
                f"made it, whose runs this one cannot continue (it knows no {name})"
            )
    return {name: v for name, v in before.items() if name in own}, f"'{place}'"


def _usable(
    values: Mapping[str, Any], given: Sequence[str], known: words.Known, where: str
) -> list[str]:
    """Values of a file as words; those that reach further must be trusted."""
    taken = words.not_given(values, given)
    holders = {name: holder for name, (_, holder) in known.items()}
    trusted = [word for word in given if word in ("--trust", "--no-trust")][-1:]
    trust.check(taken, holders, where, trusted=trusted == ["--trust"])
    return words.as_words(taken, known, where)


def _usual(config: type[Any], given: Sequence[str], program: str) -> Mapping[str, Any]:
    """What fields are that no word gives, where that depends on others.

    A configuration with a class ``Deciding`` of such others says it: ``usual(asked)``.
    """
    if not hasattr(config, "Deciding"):
        return {}
    kept = [word for word in given if word not in ("-h", "--help")]
    asked, _ = _cli(config.Deciding, kept, program, return_unknown_args=True)
    try:
        return {"default": config.usual(asked)}
    except UserError:
        if kept == list(given):
            raise
        return {}  # help is there even where files that decide are damaged


def _cli(
    config: type[Any], given: Sequence[str], program: str, doc: str = "", **more: Any
) -> Any:
    """What tyro makes of the words; a value that its own class refuses is a sentence.

    Raises:
      UserError: a group of the configuration refuses its fields.
    """
    import tyro

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            # One that follows another would be joined to it as one paragraph.
            text = re.sub(r"(?<!\n)\nExample:", "\n\nExample:", doc)
            return tyro.cli(config, args=given, prog=program, description=text, **more)
    except SystemExit as ended:
        cause: BaseException | None = ended
        while cause is not None:
            if isinstance(cause, BadField):
                raise UserError(_with_flag(config, cause)) from None
            if isinstance(cause, UserError):
                raise UserError(str(cause)) from None
            cause = cause.__cause__ or cause.__context__
        if ended.code:
            boxed = "".join(c for c in said.getvalue() if not "\u2500" <= c <= "\u257f")
            raise UserError(f"{program}: {' '.join(boxed.split())}") from None
        raise


def _with_flag(config: type[Any], error: BadField) -> str:
    """The sentence of a group that refuses a field, with the name of its flag."""
    for name, (_, group) in words.fields(config()).items():
        own = name.rpartition(".")[2] == error.field
        if own and type(group) is error.settings:
            return f"{flag(name)} {error.reason}"
    return str(error)


def flat(
    values: Mapping[str, object], known: Collection[str], where: str
) -> dict[str, Any]:
    """Nested fields keyed by the name of their flags.

    Raises:
      UserError: there is no such field, or one comes twice, in two spellings.
    """
    flat: dict[str, Any] = {}
    for name, value in _leaves(values, known, where):
        if name in flat:
            raise UserError(f"{where}: {name} is given twice; it must be given once")
        flat[name] = value
    return flat


def _leaves(
    values: Mapping[str, object], known: Collection[str], where: str, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Fields of all groups, each with the name of its flag."""
    for key, value in values.items():
        name = prefix + str(key).replace("-", "_")
        inside = [one for one in known if one.startswith(f"{name}.")]
        if value is None and inside:  # a group in which nothing is set
            continue
        if (inside or name == "run") and not isinstance(value, dict):
            raise UserError(f"{where}: {name} must hold fields; got {value!r}")
        if isinstance(value, dict) and (inside or name == "run"):
            below = "" if name == "run" else f"{name}."
            yield from _leaves(value, known, where, below)
        elif name not in known:
            raise unknown(where, "field", name, known)
        else:
            yield name, value
