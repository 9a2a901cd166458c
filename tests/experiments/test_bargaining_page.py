"""The Bargaining page: a grid through its command line, killed, resumed, stacked."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.bargaining import __main__ as bargaining
from experiments.bargaining import plan, report, steps
from experiments.bargaining.config import SIZES
from experiments.bargaining.notes import Facts
from experiments.bargaining.units import BEHAVIOURS
from experiments.lab.lock import held
from experiments.lab.page import main
from metaspiel import files
from metaspiel.games.bargaining import Bargaining
from metaspiel.nfg.errors import UserError
from offline.data import load, save
from offline.record import collect
from psro import checkpoint

TINY = shlex.split(
    "--size tiny --ddqn.decisions 300 --trajectories 40 --training.steps 60 "
    "--cloning.steps 60 --behaviour-iterations 1 --episodes 30 --screen 30 --fresh 60 "
    "--fidelity-episodes 20 --quiet"
)
GRID = shlex.split("--grid --behaviours uniform --explorations r2d")


def page(*words: str) -> int:
    if "--grid" in words and "--trials" not in words:
        words = (*words, "--trials", "2")
    return main(bargaining.page, bargaining.Config, [*TINY, *map(str, words)])


def again(folder: Path, *words: str) -> int:
    arguments = ["--out", str(folder), "--resume", "--quiet", *words]
    return main(bargaining.page, bargaining.Config, arguments)


def results(folder: Path) -> dict[str, object]:
    """All that a grid computed, without times."""
    rows: dict[str, object] = {}
    for place in sorted(folder.rglob("*")):
        name, room = str(place.relative_to(folder)), place.relative_to(folder).parts[0]
        if room in ("judged", "fidelity") and place.suffix == ".json":
            row = json.loads(place.read_text("utf-8"))
            rows[name] = {
                k: v for k, v in row.items() if k not in ("cpu_seconds", "seal")
            }
        elif place.suffix in (".npz", ".safetensors"):
            rows[name] = place.read_bytes()
    return rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid") / "whole"
    assert page(*GRID, "--out", str(folder)) == 0
    return folder


@pytest.fixture(autouse=True)
def facts_only(whole: Path, monkeypatch: pytest.MonkeyPatch):
    """Reports take time: only the whole grid's is written, elsewhere its facts."""

    def write(folder: Path, *rows_and_facts: object) -> dict[str, object]:
        facts = rows_and_facts[-1]
        assert isinstance(facts, Facts)
        told = {k: v for k, v in vars(facts).items() if k != "config"}
        return {"facts": told, "regret": [], "claims": []}

    monkeypatch.setattr(report, "write", write)


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
        assert ("clone" in row) == (row["approach"] == "oef-bc")
        if "clone" in row:
            assert set(row["clone"]) == {"trained", "held_out", "uniform"}
            assert row["clone"]["uniform"] == pytest.approx(3.2, abs=0.4)  # nats
    fidelity = [files.read_json(p) for p in (whole / "fidelity").glob("*.json")]
    assert len(fidelity) == 2 * 2
    for row in fidelity:
        other = next(r for r in fidelity if r["trial"] == row["trial"] and r is not row)
        assert row["model"] == other["model"]  # all runs in a model share it
        assert 0 <= row["model"]["one_step"]["hits"] <= 1
        assert 0 <= row["cells"]["coverage"] <= 1 and "bias_low" in row["cells"]
        assert row["model"]["roll_outs"]["emptied"] >= 0
        assert 8 < row["model"]["true_roll_outs"]["length"] < 11
    assert (whole / "report.html").is_file()
    assert json.loads((whole / "summary.json").read_text("utf-8"))["missing"] == []


def test_what_is_judged_is_what_was_responded_to(whole: Path):
    name = "coffee-r2d-l2-a0.1-uniform-40-t0"
    state = checkpoint.latest(whole / "explore" / name)
    row = json.loads((whole / "judged" / f"{name}-by-r2d.json").read_text("utf-8"))
    np.testing.assert_allclose(row["profile"], state.train.marginals[0], atol=1e-6)


def test_trials_differ(whole: Path):
    rows = results(whole)
    for name in ("data/uniform-40-t{}/arrays.npz", "model/uniform-40-t{}.safetensors"):
        assert rows[name.format(0)] != rows[name.format(1)]


def test_stacked_trials_have_the_same_bits(whole: Path, tmp_path: Path):
    folder = tmp_path / "stacked"
    words = [*GRID, "--approaches", "coffee", "--evaluations", "r2d"]
    assert page(*words, "--stack", "2", "--out", str(folder)) == 0
    rows, expected = results(folder), results(whole)
    assert len([n for n in rows if n.startswith("judged")]) == 2
    assert {name: rows[name] == expected[name] for name in rows} == dict.fromkeys(
        rows, True
    )


def test_a_killed_grid_goes_on_as_if_nothing_had_happened(whole: Path, tmp_path: Path):
    folder = tmp_path / "killed"
    words = [*TINY, *GRID, "--trials", "1"]
    command = [sys.executable, "-m", "experiments.bargaining", *words]
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
    rows, expected = results(folder), results(whole)
    assert {name for name in expected if "-t0" in name} == set(rows)
    assert {name: expected[name] for name in rows} == rows
    # Time before the kill counts, and the first command is kept.
    spent = sum(checkpoint.latest(begun.parent).cpu.values())
    report = files.read_json(folder / "units" / f"explore-{begun.parent.name}.json")
    assert report["cpu_seconds"] >= round(spent, 3)
    env = files.read_json(folder / "env.json")
    assert "--grid" in env["command"] and len(env["resumed"]) == 1


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_a_part_of_a_grid_does_not_narrow_it(copy: Path, tmp_path: Path):
    lost = copy / "judged" / "coffee-r2d-l2-a0.1-uniform-40-t1-by-rd.json"
    before = lost.read_bytes()
    lost.unlink()
    (copy / "units" / "data-uniform-40-t0.json").unlink()
    env = files.read_json(copy / "env.json")
    files.write_json(copy / "env.json", {**env, "command": "first", "commit": "old"})
    assert again(copy, "--approaches", "oef", "--trials", "1") == 0
    config, summary = (
        files.read_json(copy / f"{n}.json") for n in ("config", "summary")
    )
    assert config["approaches"] == ["coffee", "oef", "oef-bc"]
    assert (config["trials"], config["grid"]) == (2, True)
    assert summary["missing"] == [f"judged/{lost.stem}"]
    assert summary["facts"]["unknown"] == 1
    assert summary["facts"]["commits"] == ["old", env["commit"]]
    assert summary["facts"]["command"] == "first"
    assert again(copy) == 0
    report = files.read_json(lost)
    assert report["regret"] == json.loads(before)["regret"]
    assert len(files.read_json(copy / "env.json")["resumed"]) == 2


def test_rows_alone_can_be_gone_on_with(copy: Path):
    for room in ("data", "model", "clone", "explore"):
        shutil.rmtree(copy / room)  # as where only small files were carried here
    lost = copy / "judged" / "oef-r2d-l0-a0-uniform-40-t1-by-rd.json"
    before = files.read_json(lost)
    lost.unlink()
    assert again(copy) == 0
    assert files.read_json(copy / "summary.json")["missing"] == []
    assert files.read_json(lost)["regret"] == before["regret"]
    made = {
        p.name.split(".")[0] for r in ("data", "model") for p in (copy / r).iterdir()
    }
    assert made == {"uniform-40-t1"}
    assert [p.name for p in (copy / "explore").iterdir()] == [lost.stem[:-6]]


def test_a_folder_has_one_writer(copy: Path, capsys: pytest.CaptureFixture[str]):

    with held(copy):
        assert again(copy) == 2
        assert "another process is writing to it" in capsys.readouterr().err
        with (
            pytest.raises(UserError, match="one run at a time"),
            held(copy),
        ):
            raise AssertionError
    with held(copy):
        pass


def test_a_damaged_row_is_named(copy: Path, capsys: pytest.CaptureFixture[str]):
    place = copy / "judged" / "coffee-r2d-l2-a0.1-uniform-40-t1-by-rd.json"
    row = files.read_json(place)
    broken = (
        ('{"approach":', "must be readable JSON"),
        ("[]", "must hold an object"),
        (json.dumps({k: v for k, v in row.items() if k != "k"}), "it was changed"),
        (json.dumps({**row, "regret": 0.25}), "it was changed"),
    )
    for text, sentence in broken:
        place.write_text(text, "utf-8")
        assert again(copy, "--report") == 2
        error = capsys.readouterr().err
        assert sentence in error and place.name in error and error.count("\n") == 1


def test_a_fault_stops_only_what_needs_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def fails(*_: object) -> None:
        raise ZeroDivisionError("a clone that cannot be")

    folder = tmp_path / "faulty"
    words = ["--approaches", "coffee", "oef-bc", "--evaluations", "rd"]
    with monkeypatch.context() as patch:
        patch.setitem(steps.DO, "clone", fails)
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

    def asked(*more: str) -> int:
        arguments = [*words, *more]
        return main(bargaining.page, bargaining.Config, arguments)

    assert asked("--out", str(folder)) == 0
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
    save(collect(Bargaining(), 24, 2), tmp_path / "mine")
    assert again(folder) == 2
    assert "must be the data set that the run" in capsys.readouterr().err
    save(collect(Bargaining(), 26, 2), tmp_path / "mine")
    assert again(folder) == 2
    assert "a resumed run keeps its data" in capsys.readouterr().err
    lopsided = replace(collect(Bargaining(), 24, 1), symmetric=False)
    save(lopsided, tmp_path / "mine")
    assert asked() == 2
    assert "its symmetric must be True" in capsys.readouterr().err
    assert asked("--game.discount", "0.9") == 2
    assert "the game must be" in capsys.readouterr().err
    arrays = tmp_path / "mine" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-9])
    assert asked() == 2
    assert "checksum" in capsys.readouterr().err


def test_the_plan_says_what_there_is_to_do(
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    tiny = SIZES["tiny"]
    speed = plan.measure(
        Bargaining.of(tiny.game),
        ddqn=tiny.ddqn,
        judge=tiny.judge,
        training=tiny.training,
        cloning=tiny.cloning,
        solvers=["rd", "r2d"],
        policies=1,
    )
    assert speed.game.busy >= speed.game.idle > 0 and speed.imitating >= 1
    monkeypatch.setattr(plan, "measure", lambda *_, **__: speed)
    assert page(*GRID, "--plan", "--out", str(tmp_path / "none")) == 0
    text = capsys.readouterr().out
    assert not (tmp_path / "none").exists()
    assert "judge          0     12" in text and "26 units to do" in text
    assert again(whole, "--plan", "--trials", "3") == 0
    text = capsys.readouterr().out
    assert "judge         12      6" in text and "13 units to do" in text
    assert again(whole, "--plan", "--trials", "3", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["to_do"] == 13 and told["cpu_seconds"] > 0
    assert (told["kinds"]["judge"]["done"], told["kinds"]["judge"]["to_do"]) == (12, 6)
    assert json.loads((whole / "config.json").read_text("utf-8"))["trials"] == 2
