"""What a solver of a user's own does wrong is one sentence, with file and line."""

import sys
from pathlib import Path

import numpy as np
import pytest

from meta_solvers import Status, get, own_code, registry, solve
from metaspiel.nfg.errors import UserCodeFailed

SOLVERS = """\
import sys
from dataclasses import dataclass
import numpy as np
from meta_solvers import Answer, MetaSolver

@dataclass(frozen=True)
class Own(MetaSolver):
    how: str = "good"

    def distribution(self, game, rng):
        if self.how == "raises":
            raise ValueError("my own bug")
        if self.how == "exits":
            sys.exit(5)
        if self.how == "writes":
            game.payoffs[0] = 1
        if self.how == "opens":
            open("/no/such/file")
        if self.how == "needs":
            import no_such_package
        joints = {
            "text": "hello", "complex": np.ones(game.actions) * 1j, "shape": np.ones(7),
            "nan": np.full(game.actions, np.nan), "zero": np.zeros(game.actions),
            "two": np.ones(game.actions), "ragged": [[1.0], [1.0, 2.0]],
        }
        if self.how == "bare":
            return joints["two"]
        even = np.full(game.actions, 1 / np.prod(game.actions))
        return Answer(joints.get(self.how, even))

@dataclass(frozen=True)
class Nothing(MetaSolver):
    pass

def make():
    return 1 / 0
"""
PENNIES = [[1.0, -1.0], [-1.0, 1.0]]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "brought.py").write_text(SOLVERS)
    (tmp_path / "unreadable.py").write_text("x = 1\ndef y(:\n")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(9)\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "brought.py"
    for name in ("brought", "unreadable", "leaving"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "brought:Own:how=raises",
            r"solver 'Own': ValueError: my own bug \(brought.py, line 12\)",
        ),
        ("brought:Own:how=exits", r"the process with sys.exit\(5\) \(brought.py, line"),
        ("brought:Own:how=opens", r"FileNotFoundError: .* \(brought.py, line"),
        ("brought:Own:how=writes", r"read-only \(brought.py, line 16\)"),
        ("brought:Own:how=needs", "ModuleNotFoundError: No module .*no_such_package"),
        ("undominated(brought:Own:how=raises)", "my own bug"),
        ("brought:Own:how=text", "hello"),
        ("brought:Own:how=complex", "Own"),
        ("brought:Own:how=ragged", "Own"),
        ("brought:Own:how=shape", r"whose joint has shape \[2, 2\]; got \[7\]"),
        ("brought:Nothing", "TypeError: Can't instantiate abstract class"),
        ("brought:make", r"ZeroDivisionError: division by zero \(brought.py, line"),
        ("unreadable:X", r"SyntaxError: .* \(unreadable.py, line 2\)"),
        ("leaving:X", r"sys.exit\(9\) \(leaving.py, line 2\)"),
    ],
)
def test_a_fault_of_own_code_is_a_sentence(module: Path, spec: str, sentence: str):
    with pytest.raises(UserCodeFailed, match=sentence) as caught:
        solve(spec, PENNIES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("nan", Status.NUMERICAL, "its joint must be finite; it holds NaN or infinity"),
        ("zero", Status.NUMERICAL, "its joint must sum to 1; it sums to 0"),
        ("two", Status.INACCURATE, "its joint sums to 4, least entry 1"),
    ],
)
def test_an_answer_that_is_no_distribution_says_so(module, how, status, reason):
    solution = solve(f"brought:Own:how={how}", PENNIES, throw=False)
    assert solution.status is status and solution.diagnostics["reason"] == reason


def test_our_own_faults_keep_their_traceback(module, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(get("uniform")), "distribution", broken)
    for spec in ("uniform", "fallback(uniform,brought:Own)"):
        with pytest.raises(ZeroDivisionError):
            solve(spec, np.array(PENNIES))


def test_the_code_of_a_solver_is_known_by_its_source(module: Path):
    assert registry.code("undominated(mgcce)") == ""
    one = registry.code("undominated(brought:Own)")
    assert one == registry.code("brought:Own:how=nan") != ""
    assert own_code.modules_of(get("undominated(brought:Own)")) == ["brought"]
    module.write_text(SOLVERS + "# changed\n")
    assert registry.code("brought:Own") != one
