"""Mutated run folders are refused, or what was mutated changes no result."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pages import PAGES

RUN = Path(__file__).with_name("run.py")
FEW = (
    *("deleted file", "truncated file", "bit flip .npz", "number in JSON"),
    *("field of config.json", "link to a file outside", "swapped files"),
    *("older checkpoint", "two resumes"),
)


def wrong(folder: Path, *words: str, least: int = 20) -> list[str]:
    """Cases, at least so many, that ended silently wrong, in a traceback or never."""
    out = folder / "table.md"
    command = [sys.executable, str(RUN), "--out", str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = out.with_suffix(".jsonl").read_text("utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    assert len(cases) >= least
    return [
        "{class}: {page}: {kind}, {place}: {detail}".format(**case)
        for case in cases
        if case["class"] not in ("refused", "same")
    ]


def ended_wrong(folder: Path, *words: str) -> str:
    """What the table of endings says besides right ones; empty where all are."""
    out = folder / "table.md"
    script = RUN.with_name("endings.py")
    command = [sys.executable, str(script), "--out", str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    text = out.read_text("utf-8")
    assert " right" in text
    return text if done.returncode else ""


@pytest.mark.slow
def test_a_run_that_is_ended_goes_on(tmp_path: Path):
    assert not ended_wrong(tmp_path, "--page", "psro", "--point", "middle")


@pytest.mark.slow
@pytest.mark.parametrize("name", [p.name for p in PAGES if p.killed_at is not None])
def test_every_page_that_is_ended_goes_on(name: str, tmp_path: Path):
    assert not ended_wrong(tmp_path, "--page", name)


def test_a_few_mutations(tmp_path: Path):
    words = ["--page", "psro", "--once"]
    for kind in FEW:
        words += ["--kind", kind]
    assert not wrong(tmp_path, *words, least=len(FEW))


@pytest.mark.slow
def test_one_mutation_of_every_kind(tmp_path: Path):
    assert not wrong(tmp_path, "--page", "psro", "--once")


@pytest.mark.slow
@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_every_page(name: str, tmp_path: Path):
    assert not wrong(tmp_path, "--page", name)
