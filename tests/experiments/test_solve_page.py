"""One-shot solving from files and names."""

import json
from dataclasses import dataclass

import efg_files
import numpy as np
import pytest

from experiments import solve, solvers
from experiments.lab.page import main
from meta_solvers import MetaSolver, nash, registry
from metaspiel.nfg import load
from metaspiel.nfg.catalogue import named

CHICKEN = named("chicken").game


def call(*words):
    return main(solve.page, solve.Config, [str(word) for word in words])


def test_json_is_one_object_with_the_promised_keys(capsys):
    assert call("--game", "chicken", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"solver", "reading", "status", "joint", "marginals",
                          "values", "gaps", "seconds", "diagnostics"}  # fmt: skip
    assert answer["reading"] is None
    assert set(answer["gaps"]) == {"ne", "cce", "ce"}
    assert answer["status"] == "OK"
    assert np.sum(answer["joint"]) == pytest.approx(1.0)


def strict(text):
    """Reads JSON as strict readers do, who know neither NaN nor Infinity."""
    return json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "words",
    [
        ("--game", "chicken", "--solver", "all"),
        ("--game", "chicken", "--solver", "mecce:rho=inf"),
        ("--game", "chicken", "--solver", "best(mecce,uniform):by=entropy"),
        ("--game", "chicken", "--equilibria"),
    ],
)
def test_json_is_strict(words, capsys, monkeypatch):
    ours = [name for name in registry.names() if not name.startswith("openspiel_")]
    monkeypatch.setattr(solve, "names", lambda: ours)
    assert call(*words, "--json") == 0
    assert strict(capsys.readouterr().out)


@pytest.mark.parametrize("words", [(), ("--name", "mecce"), ("--name", "two_action")])
def test_the_json_of_the_list_of_solvers_is_strict(words, capsys):
    assert main(solvers.page, solvers.Config, [*words, "--json"]) == 0
    assert strict(capsys.readouterr().out)


@dataclass(frozen=True)
class Broken(MetaSolver):
    """A solver whose method breaks down."""

    def distribution(self, game, rng):
        raise np.linalg.LinAlgError("it is singular")


@pytest.mark.parametrize(
    ("spec", "status"),
    [("mgcce:epsilon=-99", "INFEASIBLE"), ("broken", "NUMERICAL")],
)
def test_an_answer_that_is_not_ok_is_said_and_exits_with_3(
    spec, status, capsys, monkeypatch
):
    monkeypatch.setattr(registry, "_REGISTERED", {"broken": Broken})
    assert call("--game", "matrix_pd", "--solver", spec, "--json") == 3
    said = capsys.readouterr()
    answer = strict(said.out)
    assert answer["status"] == status and answer["values"] == [None, None]
    assert answer["joint"] == [[None, None], [None, None]]
    assert said.err.startswith("error: ") and said.err.count("\n") == 1
    assert call("--game", "matrix_pd", "--solver", spec) == 3
    assert f"status     {status}" in capsys.readouterr().out


def test_a_step_limit_is_not_ok_either(capsys):
    assert call("--game", "matrix_pd", "--solver", "rd:steps=1", "--json") == 3
    assert strict(capsys.readouterr().out)["status"] == "MAX_STEPS"


def test_comparing_all_is_ok_where_one_is(capsys, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {"broken": Broken})
    monkeypatch.setattr(solve, "names", lambda: ["broken", "nash_lp"])
    assert call("--game", "matrix_mp", "--solver", "all", "--json") == 0
    answers = strict(capsys.readouterr().out)
    assert [one["status"] for one in answers] == ["NUMERICAL", "OK"]
    assert call("--game", "matrix_pd", "--solver", "all", "--json") == 3
    said = capsys.readouterr()
    assert len(strict(said.out)) == 1 and "no solver's answer is OK" in said.err


def test_a_large_answer_is_not_one_line(tmp_path, capsys):
    np.save(tmp_path / "game.npy", np.zeros((2, 40, 40)))
    words = ("--payoffs", tmp_path / "game.npy", "--solver", "uniform")
    assert call(*words, "--quiet") == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 203  # 200, and brackets and a comma
    assert np.shape(json.loads(text)) == (40, 40)


def test_an_array_is_one_line_or_one_for_each_row():
    small, large = np.full((3, 3), 1 / 9), np.full((12, 12), 0.0069)
    assert "\n" not in solve.short_lines(small.tolist())
    assert solve.short_lines(large.tolist()).count("\n") == 11
    cube = np.random.default_rng(0).random((3, 3, 4))
    text = solve.short_lines(cube.tolist())
    assert np.array_equal(json.loads(text), cube)
    rows = [json.loads(f"[{line.strip('[],')}]") for line in text.splitlines()]
    assert np.array_equal(rows, cube.reshape(9, 4))


def test_text_and_table(capsys, monkeypatch):
    few = ["mgcce", "two_action", "alpharank", "nash_lp"]
    monkeypatch.setattr(solve, "names", lambda: few)
    assert call("--game", "matrix_pd", "--solver", "nash") == 0
    text = capsys.readouterr().out
    assert "status     OK" in text and "player 1" in text
    assert call("--game", "matrix_pd", "--solver", "all") == 0
    text = capsys.readouterr().out
    for name in ("mgcce", "two_action", "alpharank", "not applicable: nash_lp"):
        assert name in text
    assert call("--game", "matrix_mp", "--solver", "all", "--json") == 0
    answers = json.loads(capsys.readouterr().out)
    assert "nash_lp" in {one["solver"] for one in answers}


def test_nash_is_among_all_solvers_with_three_players(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("experiments.solve.names", lambda: ["nash_lp", "nash"])
    path = tmp_path / "three.npy"
    np.save(path, np.random.default_rng(0).normal(size=(3, 3, 2, 4)))
    assert call("--payoffs", str(path), "--solver", "all", "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert (answer["solver"], answer["status"]) == ("nash", "OK")
    assert answer["diagnostics"]["used"] == "tracing"
    assert max(answer["gaps"]["ne"]) < 1e-9


def test_quiet_leaves_the_joint_and_the_lists(capsys):
    assert call("--game", "chicken", "--quiet") == 0
    assert np.sum(json.loads(capsys.readouterr().out)) == pytest.approx(1.0)
    assert call("--game", "chicken", "--equilibria", "--quiet") == 0
    assert capsys.readouterr().out.count("values") == 3


def test_equilibria_are_counted(capsys, monkeypatch):
    assert call("--game", "chicken", "--equilibria") == 0
    assert capsys.readouterr().out.endswith(
        "\n3 equilibria; of a continuum the vertices are listed\n"
    )
    assert call("--game", "matrix_pd", "--equilibria", "--json") == 0
    answer = strict(capsys.readouterr().out)
    assert (answer["count"], answer["status"], answer["missing"]) == (1, "OK", "")
    assert answer["equilibria"][0]["marginals"] == [[0, 1], [0, 1]]
    assert answer["equilibria"][0]["regret"] == 0
    monkeypatch.setattr(nash, "MOST_ENTRIES", 4)
    assert call("--game", "chicken", "--equilibria") == 3
    assert "and there may be more: to list all equilibria" in capsys.readouterr().out
    assert call("--game", "chicken", "--equilibria", "--json") == 3
    printed = capsys.readouterr()
    assert strict(printed.out)["status"] == "INCOMPLETE"
    assert printed.err.startswith("error: --equilibria: ")
    assert printed.err.count("\n") == 1


def test_equilibria_with_more_regret_than_is_asked_for_are_not_called_ok(
    tmp_path, capsys
):
    row = 1e9 + np.array([[0, 0.7, -0.3], [-0.6, 0, 0.9], [0.2, -0.5, 0]])
    np.save(tmp_path / "far.npy", [row, -row])  # seven digits are left
    words = ("--payoffs", tmp_path / "far.npy", "--equilibria", "--tolerance")
    assert call(*words, 1e-12) == 0
    assert "the largest regret" not in capsys.readouterr().out
    assert call(*words, 0) == 3
    assert "the largest regret is" in capsys.readouterr().out
    assert call(*words, 0, "--json") == 3
    assert strict(capsys.readouterr().out)["status"] == "INACCURATE"


def test_every_file_format_is_the_same_game(tmp_path):
    np.save(tmp_path / "g.npy", CHICKEN.payoffs)
    np.savez(tmp_path / "g.npz", payoffs=CHICKEN.payoffs)
    rows = "\n\n".join(
        "\n".join(",".join(map(str, row)) for row in matrix)
        for matrix in CHICKEN.payoffs
    )
    (tmp_path / "g.csv").write_text(rows + "\n")
    pairs = [CHICKEN.payoffs[:, i, j] for j in range(2) for i in range(2)]
    flat = " ".join(f"{a:g} {b:g}" for a, b in pairs)
    head = 'NFG 1 R "chicken" { "Row" "Column" } '
    (tmp_path / "g.nfg").write_text(head + "{ 2 2 }\n\n" + flat)
    outcomes = " ".join(f'{{ "o{i}" {a:g}, {b:g} }}' for i, (a, b) in enumerate(pairs))
    (tmp_path / "h.nfg").write_text(
        head + '{ { "D" "C" } { "D" "C" } } "a comment"\n{ ' + outcomes + " }\n1 2 3 4"
    )
    for name in ("g.npy", "g.npz", "g.csv", "g.nfg", "h.nfg"):
        assert load(tmp_path / name).payoffs.tolist() == CHICKEN.payoffs.tolist()


def test_a_tree_is_solved_as_its_reduced_normal_form(tmp_path, capsys):
    path = tmp_path / "tree.efg"
    path.write_text(efg_files.CARDS)
    assert call("--payoffs", path, "--solver", "nash_lp", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["values"] == pytest.approx([1 / 3, -1 / 3])
    assert "reduced normal form of 4x2 strategies" in answer["reading"]
    path.write_text(efg_files.DRIVER)
    assert call("--payoffs", path) == 0
    said = capsys.readouterr().out
    assert "absent-mindedness" in said and "values     [1. 0.]" in said
    path.write_text("EFG 2 R")
    assert call("--payoffs", path) == 2
    assert "a title in quotes" in capsys.readouterr().err


def test_an_ensemble_and_repeats_from_npz(tmp_path):
    members = np.stack([CHICKEN.payoffs, CHICKEN.payoffs + 1])
    np.savez(tmp_path / "g.npz", members=members, repeats_0=[2, 1], repeats_1=[1, 1])
    game = load(tmp_path / "g.npz")
    assert game.members is not None and game.repeats is not None
    assert game.payoffs == pytest.approx(CHICKEN.payoffs + 0.5)


def save(value):
    def write(path):
        np.save(path.with_suffix(".npy"), np.asarray(value))
        return path.with_suffix(".npy")

    return write


def text(content, ending):
    def write(path):
        path.with_suffix(ending).write_text(content)
        return path.with_suffix(ending)

    return write


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (save(np.zeros((3, 2, 2))), "first axis must be 2"),
        (save(np.zeros(4)), "must have shape [N, A1, ..., AN]"),
        (save(np.float64(1)), "must have shape [N, A1, ..., AN]"),
        (save(np.zeros((2, 0, 2))), "at least one action"),
        (save([[[1, np.nan], [0, 0]], [[1, 1], [0, 0]]]), "must be finite; got nan"),
        (save([[[1, np.inf], [0, 0]], [[1, 1], [0, 0]]]), "must be finite; got inf"),
        (save([[["a", "b"]], [["c", "d"]]]), "array of real numbers"),
        (save(np.zeros((2, 2, 2), dtype=complex)), "real numbers"),
        (text("", ".npy"), "must be a readable .npy file"),
        (text("", ".npz"), "must be a readable .npz file"),
        (text("1,2\n3\n", ".csv"), "rows of one length"),
        (text("a,b\n", ".csv"), "must hold numbers"),
        (text("", ".csv"), "one matrix (zero-sum) or two"),
        (text("1,2\n\n1\n", ".csv"), "one shape"),
        (text("EFG 2 R", ".nfg"), "must begin with 'NFG 1"),
        (text('NFG 1 R "t" { "a" "b" } { 2 2 } 1 2 3', ".nfg"), "must hold 8 payoffs"),
        (text('NFG 1 R "t" { "a" "b" } { 2 2 1 2', ".nfg"), "close every brace"),
        (text('NFG 1 R "t" { "a" } { 2 2 } 1', ".nfg"), "strategies of each"),
        (text('NFG 1 R "t" { "a" } { 2 } 1 x', ".nfg"), "must hold numbers"),
        (text("", ".txt"), "must end in one of"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path, capsys, write, sentence):
    path = write(tmp_path / "game")
    assert call("--payoffs", path) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "exactly one of --payoffs and --game"),
        (("--game", "chickn"), "must be one of"),
        (("--game", "chicken", "--players", 3), "--players goes with"),
        (("--game", "kuhn_poker"), "one-shot"),
        (("--game", "chicken", "--seed", -1), "--seed must be"),
        (("--game", "chicken", "--tolerance", 2), "--tolerance must be"),
        (("--game", "chicken", "--solver", "nash_lp"), "must be zero-sum"),
        (("--game", "chicken", "--solver", "undominated"), "wraps solvers"),
    ],
)
def test_bad_words(capsys, words, sentence):
    assert call(*words) == 2
    assert sentence in capsys.readouterr().err


def test_a_game_can_be_declared_symmetric(capsys):
    spec = "alpharank:populations=single"
    assert call("--game", "matrix_pd", "--solver", spec) == 2
    assert "--symmetric" in capsys.readouterr().err
    assert call("--game", "matrix_pd", "--solver", spec, "--symmetric", "--json") == 0
    joint = json.loads(capsys.readouterr().out)["joint"]
    assert joint[1][1] == pytest.approx(1, abs=1e-5)  # defection takes over
    assert call("--game", "matrix_mp", "--solver", spec, "--symmetric") == 2
    assert "must look the same after exchanging players" in capsys.readouterr().err


def test_what_would_be_ignored_is_refused(capsys):
    assert call("--game", "chicken", "--equilibria", "--solver", "mgcce") == 0
    assert call("--game", "chicken", "--equilibria", "--solver", "mwce") == 2
    assert "--equilibria lists without a solver" in capsys.readouterr().err
    assert call("--game", "chicken", "--seed", 2**62) == 2
    assert "--seed must be below 2^62" in capsys.readouterr().err
