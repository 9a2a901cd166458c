"""Names of strangers in reports, tables, charts and on terminals: text, never more."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.lab import charts, report
from experiments.lab.escaping import markdown_cell, one_line, printable
from experiments.lab.marks import Picture
from experiments.lab.options import Flat, Printing
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.errors import UserError

HOSTILE = (
    "<script>alert(1)</script>",
    "a | b\n| c |",
    "$\\frac{$",
    "\x1b[31mred\x07",
    "lone \udcff surrogate",
    "[here](javascript:alert(1))",
    "[red]bold[/nothing]",
    "{{ 7 * 7 }}",
    'q" \\" + datum.name + "',
    "</script><b>",
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a page that says what it is given."""

    name: str = ""
    refuse: bool = False
    run: Flat[Printing] = Printing()


def page(config: Config) -> Answer:
    if config.refuse:
        raise UserError(f"'{config.name}' must be another")
    config.run.say(config.name)
    return Answer(summary={"name": config.name}, text=config.name, terse=config.name)


@given(st.text(st.characters(exclude_categories=())))
def test_printable_text_can_be_written_and_obeyed_by_no_terminal(text: str):
    shown = printable(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert "\n" not in one_line(text)
    assert printable(shown) == shown
    cell = markdown_cell(text)
    assert "\n" not in cell and cell.count("|") == cell.count(r"\|")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_report_holds_names_as_text(name: str, tmp_path: Path):
    drawn = charts.lines({name: ([0.0, 1.0], [0.1, 1e-3])}, name, log=True)
    panel = replace(drawn.panels[0], title=name)
    chart = replace(drawn, panels=[panel])
    picture = Picture(name="chart", title=name, caption=name, chart=chart)
    table = report.Table(name, [name, "n"], [[name, 1]])
    opening = report.Opening(ran=[name])
    text = report.publish(
        tmp_path, {"name": name}, title=name, opening=opening, tables=[table],
        figures=[picture],
    )  # fmt: skip
    whole = (tmp_path / "report.html").read_text("utf-8")
    assert "<script>alert" not in whole and "\x1b" not in whole
    assert ("{{ 7 * 7 }}" in whole) == ("{{ 7 * 7 }}" in name)
    body = whole[: whole.rindex("<h2>How this")]  # what draws charts follows
    assert body.count("</td>") == 2 and body.count("<th>") == 2
    lines = text.splitlines()
    assert len(lines) == 5 and lines[-1].replace(r"\|", "").count("|") == 3
    assert (tmp_path / "table.md").read_text("utf-8") == text
    assert files.read_json(tmp_path / "summary.json") == {"name": name}
    csv = report.comma_separated([{"name": name}])
    files.write_text(tmp_path / "rows.csv", csv)


@pytest.mark.parametrize("name", HOSTILE)
def test_terminals_are_told_names_as_text(
    name: str, capsys: pytest.CaptureFixture[str]
):
    assert main(page, Config, ["--name", name]) == 0
    assert capsys.readouterr().out == f"{printable(name)}\n" * 2
    assert main(page, Config, ["--name", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": name}
    assert main(page, Config, ["--name", name, "--refuse"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: '{one_line(name)}' must be another\n"


def test_a_file_name_that_is_no_text_is_a_sentence(tmp_path: Path):
    """A strict stream, as a terminal in UTF-8 has, takes no lone surrogate."""
    words = [sys.executable, "-m", "experiments.solve", "--payoffs"]
    path = os.fsencode(tmp_path) + b"/g\xff\x1b[31m.npy"
    env = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(
        [*words, path], capture_output=True, env=env, check=False, text=True
    )
    assert done.returncode == 2 and done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1 and r"\udcff\x1b" in done.stderr


def test_tables_of_a_terminal_take_no_markup():
    from rich.table import Table

    table = Table("name")
    table.add_row("[red]bold[/nothing] :smile:")
    text = report.console(table)
    assert "[red]bold[/nothing] :smile:" in text
