"""Small runs of the pages give the bits that bits.json holds.

On a machine with the signature of the one that recorded them every bit must be equal.
On another, runs marked exact must give the recorded numbers to rtol 1e-6 and atol 1e-9.
The others, most of which learn, are steered elsewhere by a rounding: there only files,
fields and the shapes of arrays are compared. A field that is new is no difference.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import runs as golden

RECORDED: dict[str, Any] = json.loads(golden.BITS.read_text("utf-8"))


def group(run: golden.Run) -> str:
    """Runs of a group share a process: most of a small run is its imports."""
    return f"{'exact' if run.exact else 'learned'}{'-slow' if run.slow else ''}"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of pytest-xdist share."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if own.name.startswith("popen-") else own) / "golden"


def performed(name: str, base: Path) -> str:
    """Performs a group, or waits until another worker has; what it said on stderr."""
    folder, said = base / name, base / f"{name}.stderr"
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        end = time.monotonic() + 500
        while not said.is_file() and time.monotonic() < end:
            time.sleep(0.1)
    else:
        text = "it was stopped"
        try:
            text = golden.start([r for r in golden.RUNS if group(r) == name], folder)
        finally:
            aside = said.with_suffix(".aside")
            aside.write_text(text, "utf-8")
            aside.rename(said)
    return said.read_text("utf-8")


@pytest.fixture(scope="session")
def same_machine() -> bool:
    return bool(golden.machine() == RECORDED["machine"])


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(run, id=run.name, marks=[pytest.mark.slow] if run.slow else [])
        for run in golden.RUNS
    ],
)
def test_bits(run: golden.Run, base: Path, same_machine: bool):
    said = performed(group(run), base)
    place = base / group(run) / run.name
    code = place / "code"
    assert code.is_file() and code.read_text() == "0", f"{run.name}: failed\n{said}"
    known = golden.excepted(run, RECORDED["runs"][run.name], golden.exceptions())
    wrong = golden.differences(
        run, known, golden.fingerprint(run, place, known), same_machine
    )
    assert not wrong, "\n".join(f"{run.name}: {line}" for line in wrong)


def test_recorded_are_the_runs_that_there_are():
    assert list(RECORDED["runs"]) == [run.name for run in golden.RUNS]


def test_exceptions_are_of_recorded_fields_that_did_change():
    runs = {run.name: run for run in golden.RUNS}
    for one in golden.exceptions():
        assert set(one) == {"run", "output", "field", "now", "reason", "since"}
        if one["output"] == "words":
            assert one["field"] == one["now"] in runs[one["run"]].words.split()
        else:
            known = RECORDED["runs"][one["run"]][one["output"]]["fields"]
            assert known[one["field"]] != one["now"]
        assert one["reason"] and one["since"]


def test_the_readme_shows_the_exceptions():
    text = Path(__file__).with_name("README.md").read_text("utf-8")
    assert text.endswith(f"\n\n{golden.table(golden.exceptions())}")
    assert text.count(golden.TABLE) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    write(tmp_path, {"gap": 0.25, "values": [1.5, 2.5], "cpu_seconds": 3.0})
    return tmp_path


def write(folder: Path, row: dict[str, Any]) -> None:
    (folder / "out" / "metrics.jsonl").write_text(json.dumps(row) + "\n", "utf-8")


RUN = golden.Run(name="toy", words="", outputs=(golden.METRICS,), exact=True)


@pytest.mark.parametrize(
    ("row", "same", "elsewhere"),
    [
        ({"gap": 0.25, "values": [1.5, 2.5], "cpu_seconds": 4.0}, "", ""),
        ({"new": 1.0, "values": [1.5, 2.5], "gap": 0.25}, "", ""),
        (
            {"gap": 0.25000000000000006, "values": [1.5, 2.5]},
            "metrics: number :[0].gap was 0.25, now 0.25000000000000006",
            "",
        ),
        (
            {"gap": 0.2501, "values": [1.5, 2.5]},
            "metrics: number :[0].gap was 0.25, now 0.2501",
            "metrics: number :[0].gap was 0.25, now 0.2501",
        ),
        ({"values": [1.5, 2.5]}, "now nan", "now nan"),
    ],
)
def test_what_is_a_difference(
    folder: Path, row: dict[str, Any], same: str, elsewhere: str
):
    known = golden.fingerprint(RUN, folder)
    write(folder, row)
    now = golden.fingerprint(RUN, folder, known)
    for expected, here in ((same, True), (elsewhere, False)):
        wrong = golden.differences(RUN, known, now, here)
        assert (expected in wrong[0]) if expected else not wrong


def test_an_exception_stands_for_its_field_only(folder: Path):
    known = golden.fingerprint(RUN, folder)
    write(folder, {"gap": 0.75, "values": [1.5, 2.5]})
    now = golden.fingerprint(RUN, folder, known)
    because = {"reason": "measured otherwise", "since": "today"}
    (change,) = listed = golden.changes(RUN, known, now, because)
    assert (change["output"], change["field"]) == ("metrics", "[].gap")
    instead = golden.excepted(RUN, known, listed)
    assert not golden.differences(RUN, instead, now, True)
    assert len(golden.differences(RUN, known, now, True)) == 2
    write(folder, {"gap": 0.5, "values": [1.5, 2.25]})
    now = golden.fingerprint(RUN, folder, known)
    wrong = " ".join(golden.differences(RUN, instead, now, True))
    assert "[].gap was" in wrong and "[].values[] was" in wrong
    gone = golden.excepted(RUN, known, [{**change, "now": None}])
    write(folder, {"values": [1.5, 2.5]})
    now = golden.fingerprint(RUN, folder, gone)
    assert not golden.differences(RUN, gone, now, True)
