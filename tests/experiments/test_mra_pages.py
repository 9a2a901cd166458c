"""The pages of MRA as a user runs them: small real runs through command lines."""

import json
import math
from dataclasses import replace

import pytest

from experiments import contents
from experiments.lab.page import parse, with_first
from experiments.lab.statistics import mean
from experiments.mra import adapt_config, out_curves
from experiments.mra.agents import Agents
from experiments.mra.cells import chosen
from experiments.mra.claims import Gap, judged
from experiments.mra.course import rating
from experiments.mra.grid_config import ARMS, OUTPUTS, Config
from experiments.mra.grid_results import Results
from experiments.mra.grid_run import trained as cells_of_arm
from experiments.mra.invasions import invasion_table, unlike
from experiments.mra.scales_config import SCALES
from experiments.mra.task_config import crowd
from experiments.mra.training import brief
from mra.baselines.settings import EPC
from mra.settings import METHODS
from mra.state import MRAState

TINY = ("--budget", "tiny")


def call(*words):
    return contents.main("metaspiel", ["mra", *map(str, words)])


def rows(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    made = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in made]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("mra") / "run"
    assert call("train", "--sizes", 2, 3, *TINY, "--out", out, "--quiet") == 0
    return out


def test_a_training_leaves_rows_agents_tables_and_pictures(trained):
    made = rows(trained)
    assert [row["sweep"] for row in made] == [0, 1, 2]
    assert made[0]["rating"] == 0 and made[-1]["episodes"] == 2 * 2 * 4
    assert {*made[-1]["scores"]} == {"2", "3"}
    assert 0 <= made[-1]["learned"]["3"]["information"] <= math.log(5)
    summary = json.loads((trained / "summary.json").read_text())
    assert {*summary["best"]["unseen"]} == {"6"}  # one agent alone is no game
    assert {*summary["not_scored"]} == {"1"} and summary["comparisons"] == 0
    assert {"random", "nearest", "myopic"} <= {*summary["references"]}
    best = max(made, key=lambda row: row["rating"])
    assert summary["best"]["sweep"] == best["sweep"]
    assert (summary["invasions"] != {}) == (summary["last"]["sweep"] != best["sweep"])
    assert (summary["invasions"] == {}) == (summary["not_invaded"] != "")
    plots = {path.name for path in (trained / "plots").iterdir()}
    assert {"reward.png", "information.png", "episode.svg"} <= plots
    report = (trained / "report.html").read_text()
    assert "<svg" in report and "1 is not scored: Resource(): agents must" in report


def test_agents_of_two_moments_of_a_run_invade_each_other(tmp_path):
    """The best and the last are of different sweeps after most seeds."""
    words = (
        "--sizes",
        2,
        3,
        *TINY,
        "--seed",
        1,
        "--sweeps",
        3,
        "--out",
        tmp_path / "r",
    )
    assert call("train", *words, "--quiet") == 0
    made = json.loads((tmp_path / "r/summary.json").read_text())["invasions"]
    assert {*made} == {"last among best", "best among last"}
    for sizes in made.values():
        assert {*sizes} == {"2", "3"}
        assert all(math.isfinite(one["gain"]) for (one,) in sizes.values())
    assert "one of the last among best" in (tmp_path / "r/report.html").read_text()


@pytest.mark.parametrize(
    ("method", "sweeps", "copies", "why"),
    [
        ("mra", (2, 2), (1, 1), "the best are the last"),
        ("rl2", (1, 2), (1, 1), "remember"),
        ("epc", (1, 2), (1, 2), "more networks"),
        ("epc", (1, 2), (2, 2), ""),
    ],
)
def test_a_reason_is_given_where_nobody_invades(method, sweeps, copies, why):
    state = MRAState(games=(), seed=0, sweep=0, learners={}, delayed={}, replays=())
    one = Agents(facts={"method": method}, games=(), state=state, sweep=0)
    both = {
        name: replace(one, sweep=sweep, copies=count)
        for name, sweep, count in zip(("best", "last"), sweeps, copies, strict=True)
    }
    assert why in unlike(both) and (unlike(both) == "") == (why == "")


def test_where_roles_differ_the_others_are_of_every_role():
    one = {"gain": 1.0, "error": 0.5, "others": 0.0}
    for roles, rest in (
        (("Pac-Men", "ghosts"), "all others, of every role, gain"),
        (("agents",), "each of the others gains"),
    ):
        (table,) = invasion_table({"last among best": {"2": [one] * len(roles)}}, roles)
        assert f"in brackets what {rest} on average" in table.caption


def test_a_killed_training_goes_on_bit_for_bit(trained, tmp_path, monkeypatch):
    from experiments.mra import courses

    cut, sweep = tmp_path / "cut", courses.train.sweep

    def killed(games, method, settings, state):
        if state.sweep == 1:
            raise KeyboardInterrupt
        return sweep(games, method, settings, state)

    words = ("train", "--sizes", 2, 3, *TINY, "--out", cut, "--quiet")
    monkeypatch.setattr(courses.train, "sweep", killed)
    assert call(*words) == 130
    assert [row["sweep"] for row in rows(cut)] == [0, 1]
    monkeypatch.undo()
    assert call("train", "--out", cut, "--resume", "--quiet") == 0
    assert rows(cut) == rows(trained)
    for name in ("best", "last"):
        one, two = ((f / f"{name}.safetensors").read_bytes() for f in (trained, cut))
        assert one == two


def test_trained_agents_adapt_beside_a_start_from_scratch(trained, tmp_path, capsys):
    out = tmp_path / "adapted"
    words = ("--size", 4, *TINY, "--rounds", 1, "--out", out, "--json")
    words += ("--training.gamma", 0.5)
    assert call("adapt", trained, *words) == 0
    summary = json.loads(capsys.readouterr().out)
    assert {*summary["rows"]} == {"adapted", "scratch"} <= {*summary}
    first = [own[0]["scores"]["4"]["means"] for own in summary["rows"].values()]
    assert first[0] != first[1]
    assert (out / "report.html").exists()
    # The same words resume it, and find it finished.
    assert call("adapt", "--out", out, "--resume", "--quiet") == 0
    assert call("adapt", tmp_path, "--out", out, "--resume") == 2
    assert "--from-run must stay" in capsys.readouterr().err
    # What adapted can adapt again, and learns as it did; so does its control.
    again = tmp_path / "again"
    words = ("--size", 5, *TINY, "--rounds", 1, "--out", again, "--quiet")
    assert call("adapt", out / "adapted", *words) == 0
    config = json.loads((again / "config.json").read_text())
    assert config["training"]["gamma"] == 0.5
    assert steps_asked(out / "scratch", "--size", 5).gamma == 0.5
    assert call("adapt", out, "--size", 5) == 2
    assert "or adapted/ in that of mra_adapt" in capsys.readouterr().err


def steps_asked(run, *more):
    words = with_first(adapt_config.Config, [*map(str, (run, *more))])
    return parse(adapt_config.Config, words, "adapt").training


@pytest.mark.slow
def test_roles_have_names_and_an_adaptation_learns_as_its_run_did(tmp_path, capsys):
    run = tmp_path / "run"
    how = (*TINY, "--episodes", 2, "--sweeps", 1, "--training.envs", 8)
    words = ("--world", "pacman", "--sizes", "1,1", "--unseen", "1,2")
    assert call("train", *words, *how, "--out", run) == 0
    said = capsys.readouterr().out
    assert "reward of Pac-Men / ghosts 1,1: " in said
    assert "a cell is Pac-Men / ghosts" in said and "role 1" not in said

    def steps(*more):
        return steps_asked(run, "--size", "1,2", *more)

    assert (steps().rewards, steps().envs) == ("scaled", 8)
    assert steps("--training.rewards", "raw").rewards == "raw"
    (run / "config.json").unlink()  # as in a grid's runs
    assert (steps(*TINY).rewards, steps(*TINY).envs) == ("scaled", 4)
    (run / "best.safetensors").write_bytes(b"damaged")
    assert steps("--from-state", "last").rewards == "scaled"
    with pytest.raises(SystemExit) as ended:
        call("adapt", run, "--help")
    assert ended.value.code == 0
    assert "--from-state" in capsys.readouterr().out
    assert call("adapt", run, "--size", "1,2") == 2
    assert "best.safetensors' must" in capsys.readouterr().err
    assert call("adapt", run, "--size", 4, "--from-state", "last") == 2
    wanted = "--size: a size in pacman must be 2 numbers (Pac-Men and ghosts)"
    assert wanted in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--size", "4,2"), "--size: a size in resource must be 1 number (agents)"),
        (("--size", "x"), "--size: a size must be a number of agents"),
        ((), "--size must be the number of agents to adapt to"),
        (("--size", "4", "--world", "maze"), "--world: unknown world 'maze'"),
        (
            ("--size", "4", "--world", "treasure"),
            "as much of an agent and a landmark as treasure",
        ),
        (("--size", "2,2", "--world", "pacman"), "as many roles as the networks"),
        (("--size", "4", "--world", "switch"), "--world: unknown world 'switch'"),
        (("--size", "4", "--training.every", "80"), "unknown flag '--training.every'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(words, sentence, trained, tmp_path, capsys):
    out = tmp_path / "no"
    assert call("adapt", trained, *words, *TINY, "--out", out) == 2
    assert sentence in capsys.readouterr().err
    assert not out.exists()


def test_a_training_that_cannot_begin_leaves_nothing(tmp_path, capsys):
    out = tmp_path / "no"
    for words, sentence in (
        (("--method", "mrb"), "unknown method 'mrb' (did you mean 'mra'?)"),
        (("--method", "maddpg"), "must learn in one game"),
        (("--sizes", "3", "3"), "--sizes must be named, each once"),
        (("--sizes", "2", "02"), "--sizes: a size must be a number of agents such"),
        (("--unseen", "6", "06"), "--unseen: a size must be a number of agents"),
        (("--world", "pacman("), "must read 'name(field=value,...)'; got 'pacman('"),
        (("--world", "pacman"), "must be 2 numbers (Pac-Men and ghosts); got '6'"),
        (("--unseen", "6"), "--unseen must be sizes that are not learned; got 6"),
        (("--unseen", "1"), "agents must be an integer from 2 to 256; got 1"),
        (("--unseen", "4,2"), "--unseen: a size in resource must be 1 number"),
        (
            ("--method", "maddpg", "--sizes", "3", "--unseen", "4"),
            "--unseen must not be given with --method maddpg",
        ),
        (("--training.every", 10**12), "a game in this run, 160, or nothing is"),
        (("--training.minibatch", 10**8), "minibatch must be at most 100000; got"),
        (("--training.rate", "inf"), "rate must be positive and finite; got inf"),
    ):
        assert call("train", *TINY, *words, "--out", out) == 2
        assert sentence in capsys.readouterr().err
    assert call("adapt", tmp_path, "--size", 3) == 2
    assert "must be the folder of a finished run" in capsys.readouterr().err
    assert not out.exists()


def cells(out):
    return {path.name: path.read_bytes() for path in (out / "cells").iterdir()}


def test_a_grid_is_judged_and_widened_and_keeps_what_is_finished(
    tmp_path, capsys, monkeypatch
):
    out = tmp_path / "grid"
    words = ("grid", *TINY, "--seeds", 1, "--turns", 2, "--out", out, "--quiet")
    assert call(*words, "--arms", "mra", "single") == 0
    kept = cells(out)
    assert {"resource-2+3-mra-0.json", "resource-2-mra-0.json"} < {*kept}
    summary = json.loads((out / "summary.json").read_text())
    total = {c["episodes"] for c in summary["cells"].values() if "episodes" in c}
    assert total == {2 * 4}  # whatever the number of games
    texts = [one["text"] for one in summary["claims"]]
    assert any("3 % of the myopic reference" in text for text in texts)
    (out / "cells" / "resource-3-mra-0.json").unlink()  # it is made again
    assert call(*words, "--arms", "mra", "plain", "--resume") == 0
    again = cells(out)
    assert again.keys() - kept.keys() == {"resource-2+3-plain-0.json"}
    remade = "resource-3-mra-0.json"
    assert {**again, **kept, remade: again[remade]} == again
    one, two = (json.loads(f[remade]) for f in (kept, again))
    assert [r["scores"] for r in one["rows"]] == [r["scores"] for r in two["rows"]]
    assert (one["best"], one["last"]) == (two["best"], two["last"])
    summary = json.loads((out / "summary.json").read_text())
    assert {*summary["config"]["arms"]} == {"mra", "single", "plain"}
    kept = "is kept and shown beside what is asked for now: arms mra single plain."
    assert kept in (out / "report.html").read_text()
    assert "not corrected for their number" in (out / "table.md").read_text()
    capsys.readouterr()
    plan = ("grid", "--out", out, "--plan", "--json")
    assert call(*plan, *TINY) == 2
    assert "--plan: " in capsys.readouterr().err
    assert call(*plan, "--resume", "--seeds", 2, "--arms", "mra") == 0
    planned = json.loads(capsys.readouterr().out)
    assert {f"{name}.json" for name in planned["finished"]} == {*again}
    assert {name[-1] for name in planned["remaining"]} == {"1"}  # the second seed
    assert cells(out) == again
    assert call(*plan[:-1], "--resume", *TINY, "--arms", "mra") == 0
    assert "beside what is asked for now: arms mra single plain" in (
        capsys.readouterr().out
    )
    # The same cells by other settings, as another version has them, are refused.
    other = replace(SCALES["tiny"], tests=SCALES["tiny"].tests + 1)
    monkeypatch.setitem(SCALES, "tiny", other)
    assert call(*plan, "--resume", "--arms", "mra") == 2
    assert "or of a version with other settings" in capsys.readouterr().err


@pytest.mark.slow
def test_every_output_is_made(tmp_path):
    out = tmp_path / "grid"
    words = (*TINY, "--seeds", 1, "--rounds", 1, "--out", out, "--quiet")
    arms = ("--arms", "mra", "single", "uni-random", "maac")
    assert call("grid", *words, *arms, "--outputs", *OUTPUTS) == 0
    made = cells(out)
    assert {"adapt-pacman-1x2-mra-0.json", "scratch-treasure-4-maac-0.json"} < {*made}
    assert {"cross-pacman-2x2-single+mra-0.json"} < {*made}
    summary = json.loads((out / "summary.json").read_text())
    for name, cell in summary["cells"].items():
        if name.startswith("gain"):
            assert {*cell} == {"untrained", "best", "last"}
    assert all(one["trials"] == 1 for one in summary["claims"])
    plots = {path.stem for path in (out / "plots").iterdir()}
    assert {"main", "fig2a", "fig2b", "fig2c", "fig3a", "fig3b", "fig4a"} < plots
    assert {"fig4c", "fig5", "fig7", "fig8-2", "fig8-3", "fig9_information"} < plots


def test_a_grid_refuses_turns_that_its_games_cannot_share(tmp_path, capsys):
    out = tmp_path / "no"
    assert call("grid", *TINY, "--turns", 3, "--out", out) == 2
    assert "--turns must be a multiple of the 2 games" in capsys.readouterr().err
    assert call("grid", *TINY, "--arms", "mr", "--out", out) == 2
    assert "unknown arm 'mr'" in capsys.readouterr().err
    assert not out.exists()


def test_a_plan_runs_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("grid", "--budget", "paper", "--outputs", "fig3", "--plan") == 0
    assert "core hours" in capsys.readouterr().out
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("budget", ["tiny", "ten-minutes", "paper"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_all_arms_of_an_output_play_as_many_episodes(budget, output):
    config = Config(budget=budget, outputs=(output,))
    for panel in config.panels(output).values():
        tasks = [
            task
            for arm in config.compared(output)
            for task in config.tasks(panel, arm, 0)
        ]
        assert len({task.total for task in tasks}) == 1


def test_what_epc_plays_to_compare_its_sets_is_said():
    config = Config(budget="tiny", arms=("mra", "epc"))
    results = Results(config=config, made={})
    (table,) = out_curves.tables(results, "main")
    task = config.tasks(SCALES["tiny"].panels["main"], "epc", 0)[0]
    assert task.comparisons == EPC(sweeps=3).comparisons(2) == 64 * (3 * 3 + 6)
    assert f"epc plays {task.comparisons} episodes more a run" in table.caption
    (table,) = out_curves.tables(replace(results, config=Config()), "fig7")
    assert "more a run" not in table.caption


def test_the_best_agents_go_on_but_where_roles_differ_the_last(tmp_path):
    config = Config(budget="tiny")
    for output, state in (("fig2a", "best"), ("fig2c", "last")):
        panel = SCALES["tiny"].panels[output]
        (one,) = cells_of_arm(config, panel, "mra", 0)
        assert chosen(tmp_path, one).name == f"{state}.safetensors"


def test_a_crowd_is_named_by_its_roles():
    assert crowd("1,2", ("Pac-Men", "ghosts")) == "1,2 Pac-Men and ghosts"
    results = Results(config=Config(), made={})
    assert results.about("pacman", "1,2", 1) == "pacman 1,2, ghosts"
    assert results.about("resource", "6", None) == "resource 6"


def test_few_seconds_have_a_digit_that_says_something():
    assert [brief(n) for n in (0.043, 0.96, 12.6)] == ["0.04", "1", "13"]


def test_every_arm_is_a_method():
    known = (*METHODS, "epc", "rl2")
    assert all(arm.method in known for arm in ARMS.values())


def test_a_rating_is_in_deviations_of_the_untrained():
    first = {"3": {"means": [1.0, -2.0], "errors": [0.5, 0.0]}}
    later = {"3": {"means": [3.0, -1.0], "errors": [0.1, 0.1]}}
    assert rating(first, first, 16) == 0
    assert rating(first, later, 16) == pytest.approx(mean([2.0 / 2.0, 1.0]))


def test_all_settings_decide_what_a_cell_is():
    (task,) = Config(outputs=("main",), arms=("mra",)).tasks(
        SCALES["tiny"].panels["main"], "mra", 0
    )
    others = [
        replace(task, training=replace(task.training, rate=0.5)),
        replace(task, method="plain"),
        replace(task, seed=1),
        task,
    ]
    assert len({one.identity for one in others}) == 4
    assert replace(task).identity == task.identity


def test_claims_are_decided_by_tests_of_all_together():
    def verdict(ours, theirs, **more):
        gap = Gap(
            text="higher",
            about="here",
            ours=dict(enumerate(ours)),
            theirs=dict(enumerate(theirs)),
            **more,
        )
        return judged([gap])[0].verdict

    low, high = [0.0, 0.1, 0.2, 0.1], [5.0, 5.2, 5.1, 5.3]
    assert verdict(high, low) == "holds"
    assert verdict(low, high) == "fails"
    assert verdict(low, high, bound=True) == "undecided"
    assert verdict(low, low) == "undecided"
    assert verdict(high[:1], low[:1]) == "undecided"
    assert verdict([], low) == "not tested"
