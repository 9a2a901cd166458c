"""Speed of the worlds of particles, in small: that it measures what it says."""

import json
import time

import numpy as np
import pytest

from experiments.lab.page import main
from experiments.speed import simulators, worlds
from metaspiel.games.treasure import Treasure

SMALL = ("--agents", "3", "4", "--copies", "2", "5", "--seconds", "0.01")


def call(*words):
    return main(worlds.page, worlds.Config, [*SMALL, *map(str, words)])


def test_every_world_is_measured_at_every_size(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(simulators, "installed", dict)
    out = tmp_path / "r"
    assert call("--rounds", 1, "--out", out, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert json.loads((out / "summary.json").read_text())["rows"] == rows
    where = [(r["world"], r["agents"], r["copies"]) for r in rows]
    names = ("treasure", "resource", "pacman")
    assert where == [(w, n, c) for n in (3, 4) for w in names for c in (2, 5)]
    assert all(row["steps_per_second"] > 0 for row in rows)
    assert all(row["simulator"] == "metaspiel" for row in rows)
    text = (out / "table.md").read_text()
    for name in ("mpe2", "vmas"):
        assert f"{name} is not installed, so its rows are not measured" in text
    kept = (out / "sizes" / "3.json").read_bytes()
    (out / "sizes" / "4.json").unlink()
    assert call("--rounds", 1, "--out", out, "--resume") == 0
    assert (out / "sizes" / "3.json").read_bytes() == kept


def test_a_rate_counts_environments_in_cpu_time():
    def step():
        begin = time.process_time()
        while time.process_time() - begin < 0.004:
            pass
        return 10

    assert simulators.rate(step, 0.05) == pytest.approx(2500, rel=0.2)


def test_episodes_of_ours_begin_anew():
    game, lives = Treasure(agents=2), []

    class Watched:
        def __getattr__(self, name):
            return getattr(game, name)

        def restart(self, scene, where, uniforms):
            lives.append(scene.time[where])
            return game.restart(scene, where, uniforms)

    step = simulators.ours(Watched(), 3, 0)
    assert sum(step() for _ in range(50)) == 150
    np.testing.assert_array_equal(lives, np.full((2, 3), 20))


def test_mpe2_is_measured_where_it_is_installed(tmp_path, capsys):
    pytest.importorskip("mpe2", reason="needs the extra 'envs'")
    assert call("--rounds", 1, "--out", tmp_path / "r", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    theirs = [row for row in rows if row["simulator"] == "mpe2"]
    assert [row["world"] for row in theirs[:3]] == [
        "simple_tag",
        "simple_spread",
        "collect_treasure",
    ]
    assert len(theirs) == 6 and theirs[2]["times_collect_treasure"] == 1
    fast = next(row for row in rows if row["world"] == "treasure")
    assert fast["times_collect_treasure"] > 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--agents", 2), "--agents must be from 3 to 256; got (2,)"),
        (("--copies", 0), "--copies must be from 1 to 100000; got (0,)"),
        (("--agents", 3, 3), "--agents must be named, each once; got [3, 3]"),
        (("--seconds", 0), "--seconds must be above 0 and at most 600; got 0.0"),
        (("--rounds", 0), "--rounds must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_measured_gets_a_sentence(words, sentence, capsys, tmp_path):
    assert call(*words, "--out", tmp_path / "r") == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
