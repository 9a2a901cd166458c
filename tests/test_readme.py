"""The README and the docs are true: tables, commands, and examples that run.

Blocks of the README are run here, with their output, and so are `python` blocks of the
docs. What a page of the docs shows in `{code-cell}` and `{shell}` blocks is run by the
build of the docs, which fails where it fails.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments import contents, solvers
from experiments.lab import page as lab
from experiments.lab import words
from experiments.lab.options import flag
from experiments.lab.page import main
from meta_solvers import registry

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = [
    p for p in sorted((ROOT / "docs").rglob("*.md")) if p.parent.name != "reference"
]
LINKING = [
    *(README, *DOCS, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"),
    *sorted((ROOT / "results").rglob("*.md")),
    *sorted((ROOT / "meta_solvers").rglob("*.md")),
]
TEXTS = {page: page.read_text("utf-8") for page in (README, *DOCS)}
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
# Run here, run by the build of the docs, and no code.
HERE = {"python", "console"}
BUILD = {"{code-cell} python", "{shell}"}
NO_CODE = {"text", "floors", "{toctree}", "{glossary}"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    kind: str
    code: str
    output: str | None
    """What the next block says that it prints, if it is one of text."""

    def __str__(self) -> str:
        return f"{self.page.stem}-{self.code[:30]!r}"


def blocks(page: Path) -> list[Block]:
    each = [(m.group(1).strip(), m.group(2)) for m in FENCE.finditer(TEXTS[page])]
    after = [*each, ("", "")][1:]
    return [
        Block(page, kind, code, then if what == "text" else None)
        for (kind, code), (what, then) in zip(each, after, strict=True)
    ]


BLOCKS = [block for page in TEXTS for block in blocks(page)]
PYTHON = [block for block in BLOCKS if block.kind == "python"]
CONSOLE = [block for block in BLOCKS if block.kind == "console"]


def test_every_block_is_run_or_is_no_code():
    kinds = {block.kind for block in BLOCKS}
    shown = {kind for kind in kinds if kind.startswith("{literalinclude}")}
    assert kinds - shown <= HERE | BUILD | NO_CODE
    for kind in shown:  # files that tests/test_examples.py runs
        assert kind.split("/")[-2] in ("examples", "own_solver")
    for block in BLOCKS:  # MyST runs cells of pages that say so at their top only
        if block.kind in BUILD and "code-cell" in block.kind:
            assert TEXTS[block.page].startswith("---\nfile_format: mystnb\n")
    assert {block.page for block in CONSOLE} == {README}


def test_the_readme_is_short():
    assert len(TEXTS[README].splitlines()) <= 150


def missing(page: Path, text: str) -> list[str]:
    """Relative links of a page whose targets are not in the repository.

    The reference is made by the build of the docs and there alone, so nothing that is
    read here links to a page of it, whether it has been built or not.
    """
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    links = re.findall(r"\]\(<?([^)\s>]+)>?[^)]*\)", text)
    files = [one.partition("#")[0] for one in links if not re.match(r"\w+:|#", one)]
    places = {one: (page.parent / one).resolve() for one in files}
    made = ROOT / "docs" / "reference"
    return [k for k, v in places.items() if not v.exists() or made in (v, *v.parents)]


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    assert not missing(page, page.read_text("utf-8"))


def test_links_that_lead_nowhere_are_seen():
    page = ROOT / "docs" / "start.md"
    text = "[a](runs.md#export) [b](nowhere.md) ![c](pictures/gone.svg) [d](#here) "
    text += "[e](https://example.org) [f](reference/command.md) `[g](code.md)`"
    assert missing(page, text) == [
        "nowhere.md",
        "pictures/gone.svg",
        "reference/command.md",
    ]


def test_the_table_of_solvers_is_the_registry():
    assert solvers.markdown(solvers.table()) in TEXTS[ROOT / "docs" / "solvers.md"]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_examples_run(block, capsys, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})  # their own solvers are theirs
    scope: dict[str, object] = {"__name__": "readme"}
    exec(compile(block.code, block.page.name, "exec"), scope)
    if block.output is not None:
        assert capsys.readouterr().out == block.output


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_commands_print_what_the_readme_says(block, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    command, *lines = block.code.splitlines()
    program, *given = shlex.split(command.removeprefix("$ "))
    assert program == "metaspiel"
    assert contents.main(program, given) == 0
    out = capsys.readouterr().out

    def timeless(text: str) -> str:
        return re.sub(r"cpu [\d.]+ s", "cpu", text)

    assert timeless(out).splitlines() == timeless("\n".join(lines)).splitlines()


def written() -> str:
    """The text of the README, the docs and the results."""
    tables = sorted((ROOT / "results").rglob("*.md"))
    return "\n".join([*TEXTS.values(), *(table.read_text("utf-8") for table in tables)])


def commands() -> list[list[str]]:
    """Words of all commands in the README, the docs and the results, pages first.

    Those of `{shell}` blocks are run, with the files that they need.
    """
    text = written().replace("\\\n", " ")  # a command that goes on in the next line
    lines = re.findall(r"^    metaspiel +(\w.*)$", text, flags=re.MULTILINE)
    spans = re.findall(r"`metaspiel +([^`]+)`", text)
    return [shlex.split(one, comments=True) for one in [*lines, *spans]]


def test_every_command_is_one_that_its_page_takes():
    every = [words for words in commands() if words[0][0].islower()]
    assert len(every) > 40
    for given in every:
        name, flags = contents.named(given)
        page = name.replace(" ", "_")
        assert page in contents.pages(), page
        if "--help" not in flags:
            config = contents.module(page).Config
            flags = lab.with_first(config, flags)
            given = {flag.partition("=")[0] for flag in flags}
            if given & {"--data", "--tyro-print-completion"}:  # of a user's own
                lab._cli(config, flags, "metaspiel")
            else:
                lab.parse(config, flags, "metaspiel")


def test_every_flag_is_one_of_some_page():
    known = {"--help", "--version", contents._COMPLETION}
    for page in contents.pages():
        for name in words.fields(contents.module(page).Config()):
            group, _, last = flag(name)[2:].rpartition(".")
            known |= {flag(name), f"--{group}{'.' * bool(group)}no-{last}"}
    spans = re.findall(r"`(--[^`]+)`", written())
    flags = re.findall(r"(?<![\w-])--[a-z][\w.-]*", " ".join(spans))
    assert len(set(flags)) > 40
    assert not sorted({one for one in flags if one not in known})


def test_every_solver_documents_itself(capsys):
    for row in solvers.table():
        assert row.maximises and row.documentation, row.name
    assert main(solvers.page, solvers.Config, ["--name", "r2d"]) == 0
    assert "entrywise" in capsys.readouterr().out
    assert main(solvers.page, solvers.Config, ["--name", "r2"]) == 2
    assert "did you mean" in capsys.readouterr().err
