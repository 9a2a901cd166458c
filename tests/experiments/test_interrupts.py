"""Ctrl-C, as a terminal sends it: workers too, and again, and while things load."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE / "interrupted_page.py"
ENV = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
WRITING = "writing to runs/cut-1\n"
KEPT = "interrupted: what is finished is kept; --out runs/cut-1 --resume goes on\n"
REPORTS = (
    "interrupted: writing a report of what is finished to runs/cut-1 (again to leave "
    "it)\n"
)


def heard() -> None:
    """Interrupts arrive even where whoever started the tests ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def begun(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """The page in a group of processes of its own."""
    return subprocess.Popen(
        [sys.executable, str(PAGE), *words],
        cwd=folder,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heard,
    )


def said(child: "subprocess.Popen[str]") -> tuple[str, float]:
    """What it says on stderr until it ends, and the seconds until then."""
    begin = time.monotonic()
    out, error = child.communicate(timeout=50)
    assert not out
    return error, time.monotonic() - begin


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_do_not_hear_what_a_terminal_sends_to_all(tmp_path: Path):
    child = begun(tmp_path, "--jobs", "2")
    marks = [tmp_path / "runs" / "cut-1" / name for name in ("one", "two")]
    end = time.monotonic() + 50
    while not all(mark.exists() for mark in marks):
        assert child.poll() is None and time.monotonic() < end, child.communicate()
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGINT)
    error, seconds = said(child)
    assert (child.returncode, error) == (130, WRITING + KEPT)
    assert seconds < 10
    assert not any(alive(int(mark.read_text("utf-8"))) for mark in marks)


@pytest.mark.parametrize(
    ("how", "code", "lines"),
    [
        ("early", 130, "interrupted: nothing was begun\n"),
        ("reporting", -signal.SIGINT, WRITING + REPORTS),
        ("dropped", 130, WRITING + KEPT),
    ],
    ids=["early", "reporting", "dropped"],
)
def test_an_interrupt_is_one_line_and_another_ends_at_once(
    tmp_path: Path, how: str, code: int, lines: str
):
    child = begun(tmp_path, "--how", how)
    error, seconds = said(child)
    assert error == lines
    assert child.returncode == code
    assert seconds < 40


def test_an_interrupt_while_a_module_loads_is_one_line():
    code = "import signal\nfrom experiments.lab.interrupts import loading\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "with loading():\n    signal.raise_signal(signal.SIGINT)\n"
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENV, capture_output=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr == b"interrupted: nothing was begun\n"
