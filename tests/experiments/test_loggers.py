"""Loggers beside metrics.jsonl: what they are handed; no result depends on them."""

import json
import os
from pathlib import Path

import pytest

from experiments.lab import loggers
from experiments.lab.page import main
from experiments.psro import __main__ as psro

pytestmark = pytest.mark.usefixtures("without_reports")


class Kept:
    """A logger that keeps what it is handed."""

    def __init__(self):
        self.rows = []

    def log(self, part, step, numbers):
        self.rows.append((part, step, numbers))

    def close(self):
        self.rows.append("closed")


def call(folder, *words):
    given = ["--quiet", "--out", str(folder), *words]
    return main(psro.page, psro.Config, given)


def test_rows_are_handed_on_once_and_again_where_amended(tmp_path):
    kept = Kept()
    follower = loggers.Follower(tmp_path, [kept])
    place = tmp_path / "cell" / "metrics.jsonl"
    place.parent.mkdir()
    place.write_text('{"iteration": 4, "gap": null}\n{"iteration": 5, "ga')
    follower.look()
    follower.look()
    assert kept.rows == [("cell", 4, {"iteration": 4.0})]
    place.write_text('{"iteration": 4, "gap": 0.5, "values": [1, 2], "t": {"x": 3}}\n')
    follower.look()
    numbers = {"iteration": 4, "gap": 0.5, "values/0": 1, "values/1": 2, "t/x": 3}
    assert kept.rows[1:] == [("cell", 4, numbers)]


def test_a_run_logs_every_row_and_is_the_same_run(tmp_path, monkeypatch):
    kept = Kept()
    monkeypatch.setitem(loggers._KINDS, "wandb", lambda folder: kept)
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda name: name)
    assert call(tmp_path / "logged", "--iterations", "3", "--log", "wandb") == 0
    assert call(tmp_path / "plain", "--iterations", "3") == 0
    assert [row[1] for row in kept.rows[:-1]] == [0, 1, 2, 3]
    assert kept.rows[-1] == "closed"
    one, two = (
        [json.loads(line)["gap"] for line in text.splitlines()]
        for text in (
            (tmp_path / n / "metrics.jsonl").read_text() for n in ("logged", "plain")
        )
    )
    assert one == two == [row[2]["gap"] for row in kept.rows[:-1]]


def test_a_logger_that_is_not_installed_is_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda name: None)
    assert call(tmp_path / "run", "--log", "tensorboard") == 2
    assert "pip install metaspiel[tb]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_tensorboard_shows_a_resumed_run_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_accumulator

    assert call(tmp_path, "--iterations", "2", "--log", "tensorboard") == 0
    more = ("--iterations", "4", "--resume", "--log", "tensorboard")
    assert call(tmp_path, *more) == 0
    events = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [one.step for one in events.Scalars("gap")] == [0, 1, 2, 3, 4]


def test_wandb_offline_keeps_its_files_in_the_run(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert call(tmp_path, "--iterations", "1", "--log", "wandb") == 0
    assert call(tmp_path, "--iterations", "2", "--resume", "--log", "wandb") == 0
    runs = list(Path(tmp_path, "wandb").glob("offline-run-*/*.wandb"))
    assert len(runs) == 2 and all(os.path.getsize(run) for run in runs)
