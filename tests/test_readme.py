"""The README and the docs are true: tables, commands, and examples that run."""

import re
from pathlib import Path

import pytest

from experiments import contents, solvers
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


def test_commands_name_pages_that_exist():
    pages = set(re.findall(r"(?:python -m experiments\.|    metaspiel )(\w+)", README))
    assert len(pages) > 15 and pages <= {*contents.pages()}


def test_every_solver_documents_itself(capsys):
    for row in solvers.table():
        assert row["maximises"] and row["documentation"], row["name"]
    assert main(solvers.page, solvers.Config, ["--name", "r2d"]) == 0
    assert "entrywise" in capsys.readouterr().out
    assert main(solvers.page, solvers.Config, ["--name", "r2"]) == 2
    assert "did you mean" in capsys.readouterr().err
