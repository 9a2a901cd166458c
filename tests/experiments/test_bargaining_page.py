"""The Bargaining page: a grid through its command line, killed, resumed, stacked."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments import _run, bargaining
from experiments._grid import (
    ALL_TRIALS,
    BEHAVIOURS,
    Job,
    Outcome,
    Unit,
    jobs,
    run,
    units,
)
from games.bargaining import Bargaining
from offline.data import load, save
from offline.record import collect
from psro import checkpoint

TINY = shlex.split(
    "--size tiny --decisions 300 --trajectories 40 --model-steps 60 --clone-steps 60 "
    "--behaviour-iterations 1 --episodes 30 --screen 30 --fresh 60 "
    "--fidelity-episodes 20 --quiet"
)
GRID = shlex.split("--grid --trials 2 --behaviours uniform --explorations r2d")


def page(*words: str) -> int:
    return _run.main(bargaining.page, bargaining.Config, [*TINY, *map(str, words)])


def again(folder: Path, *words: str) -> int:
    arguments = ["--out", str(folder), "--resume", "--quiet", *words]
    return _run.main(bargaining.page, bargaining.Config, arguments)


def results(folder: Path) -> dict[str, object]:
    """All that a grid computed, without times."""
    found: dict[str, object] = {}
    for place in sorted(folder.rglob("*")):
        name, room = str(place.relative_to(folder)), place.relative_to(folder).parts[0]
        if room in ("judged", "fidelity") and place.suffix == ".json":
            row = json.loads(place.read_text("utf-8"))
            found[name] = {k: v for k, v in row.items() if k != "cpu_seconds"}
        elif place.suffix in (".npz", ".safetensors"):
            found[name] = place.read_bytes()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid") / "whole"
    assert page(*GRID, "--out", str(folder)) == 0
    return folder


def test_a_grid_has_a_row_for_every_cell(whole: Path):
    rows = [json.loads(p.read_text("utf-8")) for p in (whole / "judged").glob("*.json")]
    cells = {(r["approach"], r["evaluation"], r["trial"]) for r in rows}
    assert len(rows) == len(cells) == 3 * 2 * 2
    for row in rows:
        assert (row["judged"], row["iteration"], row["k"]) == ("final", 2, 1)
        assert row["weight"] == (0.4 if row["approach"] == "oef-bc" else 0.0)
        assert row["penalty"] == (2.0 if row["approach"] == "coffee" else 0.0)
        assert len(row["values"]) == 2
        assert row["regret"] == pytest.approx(sum(row["regrets"]))
        assert sum(row["profile"]) == pytest.approx(1, abs=1e-5)
    assert len(list((whole / "fidelity").glob("*.json"))) == 2 * 2
    assert (whole / "report.html").is_file()
    assert json.loads((whole / "summary.json").read_text("utf-8"))["missing"] == []


def test_what_is_judged_is_what_was_responded_to(whole: Path):
    name = "coffee-r2d-l2-a0.1-uniform-40-t0"
    state = checkpoint.latest(whole / "explore" / name)
    row = json.loads((whole / "judged" / f"{name}-by-r2d.json").read_text("utf-8"))
    np.testing.assert_allclose(row["profile"], state.train.marginals[0], atol=1e-6)


def test_trials_differ(whole: Path):
    found = results(whole)
    for name in ("data/uniform-40-t{}/arrays.npz", "model/uniform-40-t{}.safetensors"):
        assert found[name.format(0)] != found[name.format(1)]


def test_stacked_trials_have_the_same_bits(whole: Path, tmp_path: Path):
    folder = tmp_path / "stacked"
    words = [*GRID, "--approaches", "coffee", "--evaluations", "r2d"]
    assert page(*words, "--stack", "2", "--out", str(folder)) == 0
    found, expected = results(folder), results(whole)
    assert len([n for n in found if n.startswith("judged")]) == 2
    assert {name: found[name] == expected[name] for name in found} == dict.fromkeys(
        found, True
    )


def test_a_killed_grid_goes_on_as_if_nothing_had_happened(whole: Path, tmp_path: Path):
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "experiments.bargaining", *TINY, *GRID]
    with subprocess.Popen([*command, "--out", str(folder)]) as process:
        begun = folder / "explore" / "oef-r2d-l0-a0-uniform-40-t0" / "000001"
        end = time.monotonic() + 60
        while not begun.is_dir() and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert begun.is_dir()
    finished = {p: p.stat().st_mtime_ns for p in folder.rglob("judged/*.json")}
    finished |= {p: p.stat().st_mtime_ns for p in folder.rglob("data/*/arrays.npz")}
    assert len(finished) >= 2
    assert again(folder) == 0
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    assert results(folder) == results(whole)


def test_a_fault_stops_only_what_needs_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    from experiments import _units

    def fails(*_: object) -> None:
        raise ZeroDivisionError("a clone that cannot be")

    folder = tmp_path / "faulty"
    words = ["--approaches", "coffee", "oef-bc", "--evaluations", "rd"]
    with monkeypatch.context() as patch:
        patch.setitem(_units._DOERS, "clone", fails)
        with pytest.raises(RuntimeError, match=r"2 units failed.*clone/uniform-40-t0"):
            page(*words, "--out", str(folder))
    failed = {p.name for p in (folder / "failed").iterdir()}
    assert failed == {
        "clone-uniform-40-t0.json",
        "judged-oef-r2d-l0-a0-uniform-40-t0-by-rd-w0.4.json",
    }
    assert len(list((folder / "judged").iterdir())) == 1
    assert again(folder) == 0  # the faults were not the data's
    assert not list((folder / "failed").iterdir())
    assert len(list((folder / "judged").iterdir())) == 2
    assert again(folder, "--report") == 0
    capsys.readouterr()


def test_psro_data_in_two_processes(tmp_path: Path):
    folder = tmp_path / "psro"
    words = ["--behaviours", "psro", "--shared-behaviour", "--evaluations", "rd"]
    assert page(*words, "--jobs", "2", "--out", str(folder)) == 0
    assert len(list((folder / "behaviour").iterdir())) == BEHAVIOURS
    data = load(folder / "data" / "psro-40-t0")
    assert "5 final profiles" in data.behaviour
    assert len(list((folder / "judged").iterdir())) == 1


def test_a_data_set_of_the_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save(collect(Bargaining(), 24, 1), tmp_path / "mine")
    words = [word for word in TINY if word not in ("--trajectories", "40")]
    words += ["--evaluations", "r2d", "--data", str(tmp_path / "mine")]
    words += ["--curve", "1", "--k", "2"]
    folder = tmp_path / "run"

    def main(*more: str) -> int:
        arguments = [*words, *more]
        return _run.main(bargaining.page, bargaining.Config, arguments)

    assert main("--out", str(folder)) == 0
    curve, final = sorted((folder / "judged").iterdir(), key=lambda p: len(p.name))[
        ::-1
    ]
    (runs,) = (folder / "explore").iterdir()
    for place, iteration, k in ((curve, 1, 1), (final, 2, 2)):
        row = json.loads(place.read_text("utf-8"))
        assert (row["behaviour"], row["trajectories"]) == ("file", 24)
        assert (row["iteration"], row["k"], len(row["regrets"])) == (iteration, k, k)
        state = checkpoint.load(runs / f"{iteration:06d}")  # as it was at that time
        expected = [*state.train.marginals[0], 0.0][:3]
        np.testing.assert_allclose(row["profile"], expected, atol=1e-6)
    assert again(folder) == 0
    assert main("--discount", "0.9") == 2
    assert "the game must be" in capsys.readouterr().err
    arrays = tmp_path / "mine" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-9])
    assert main() == 2
    assert "checksum" in capsys.readouterr().err


def test_the_plan_says_what_there_is_to_do(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert page(*GRID, "--plan", "--out", str(tmp_path / "none")) == 0
    told = capsys.readouterr().out
    assert not (tmp_path / "none").exists()
    assert "judge          0     12" in told and "26 units to do" in told
    assert again(whole, "--plan", "--trials", "3") == 0
    told = capsys.readouterr().out
    assert "judge         12      6" in told and "13 units to do" in told
    assert json.loads((whole / "config.json").read_text("utf-8"))["trials"] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--trials", "0"], "--trials must be at least 1"),
        (["--k", "3"], "--k must be at most the 2 iterations"),
        (["--curve", "2"], "--curve must be of iterations from 1 to 1"),
        (["--weights", "1.5"], "--weights must be in [0, 1]"),
        (["--penalties", "-1"], "penalty must be at least 0"),
        (["--penalties", "2", "2"], "--penalties must differ"),
        (["--coverages", "2"], "coverage in [0, 1]"),
        (["--trajectories", "41"], "even with mirrors counted"),
        (["--explorations", "r2dd"], "r2dd"),
        (["--evaluations", "mecce"], "a mixture of its own"),
        (["--behaviours", "file"], "must be named with --data"),
        (["--data", "/nowhere"], "manifest.json"),
        (["--executor", "cluster"], "cluster"),
        (["--jobs", "2", "--executor", "processes"], "--jobs must be 1"),
        (["--minimum", "500", "--capacity", "400"], "minimum must be at most"),
        (["--discount", "0"], "discount must be in (0, 1]"),
        (["--report"], "--report goes with"),
    ],
)
def test_impossible_wishes_are_refused_in_a_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    if words[0] == "--data":
        words = [*words, "--trajectories"]
    assert page(*words, "--out", str(tmp_path / "none")) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_units_come_after_what_they_need():
    config = bargaining.resolved(bargaining.Config(grid=True, size="tiny", stack=3))
    chosen = units(config)
    assert len(chosen) == len(set(chosen)) == len({u.name for u in chosen})
    seen: set[Unit] = set()
    for unit in chosen:
        assert set(unit.needs(config)) <= seen
        seen.add(unit)
    grouped = jobs(config, Path("nowhere"), chosen)
    assert sorted(u.name for j in grouped for u in j.units) == sorted(
        u.name for u in chosen
    )
    assert max(len(job.units) for job in grouped) == 3
    order: list[str] = []

    def work(job: Job) -> list[Outcome]:
        for unit in job.units:
            assert {need.name for need in unit.needs(config)} <= set(order)
        order.extend(unit.name for unit in job.units)
        return [Outcome(unit) for unit in job.units]

    for parallel in (1, 3):
        order.clear()
        assert run(grouped, work, parallel, lambda outcome: None) == []
        assert len(order) == len(chosen)


def test_seeds_are_the_units_own():
    one = Unit("data", 0, "uniform", 40)
    assert one.seed(0) == Unit("data", 0, "uniform", 40).seed(0)
    others = (
        one.seed(1),
        Unit("data", 1, "uniform", 40).seed(0),
        Unit("data", 0, "uniform", 60).seed(0),
        Unit("model", 0, "uniform", 40).seed(0),
        Unit("behaviour", ALL_TRIALS, number=1).seed(0),
    )
    assert len({one.seed(0), *others}) == 6
