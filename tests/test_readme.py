"""The README and the docs are true: tables, commands, and examples that run."""

import re
import shlex
from pathlib import Path

import pytest

from experiments import contents, solvers
from experiments.lab import page as lab
from experiments.lab import words
from experiments.lab.options import flag
from experiments.lab.page import main
from meta_solvers import registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [README, *(p.read_text("utf-8") for p in sorted((ROOT / "docs").rglob("*.md")))]
BLOCKS = re.findall(r"```python\n(.*?)```", "\n".join(PAGES), flags=re.DOTALL)


def test_the_table_of_solvers_is_the_registry():
    assert solvers.markdown(solvers.table()) in README


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_examples_run(number, capsys, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})  # their own solvers are theirs
    code = BLOCKS[number]
    if "psro_v2.PSROSolver" in code:  # run for real in tests/psro/test_openspiel.py
        compile(code.replace(", ...)", ")"), "README", "exec")
        return
    scope: dict[str, object] = {"__name__": "readme"}
    exec(compile(code, "README", "exec"), scope)
    if number == 0:
        out = capsys.readouterr().out
        assert "OK [4.235" in out


def written() -> str:
    """The text of the README, the docs and the results."""
    tables = sorted((ROOT / "results").rglob("*.md"))
    return "\n".join([*PAGES, *(table.read_text("utf-8") for table in tables)])


def commands() -> list[list[str]]:
    """Words of all commands in the README, the docs and the results, pages first."""
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
