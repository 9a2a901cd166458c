"""Names, spec strings, other packages' solvers, and what importing costs."""

import inspect
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

import numpy as np
import pytest

from meta_solvers import (
    Answer,
    Game,
    MetaSolver,
    UserError,
    get,
    names,
    register,
    registry,
    solve,
)
from meta_solvers.baselines import Uniform
from meta_solvers.gini import MaxGiniCCE
from meta_solvers.learning import FictitiousPlay
from meta_solvers.registry import ENTRY_POINTS, solver_class
from meta_solvers.robust_replicator import (
    RegularisedRobustReplicatorDynamics,
    RobustReplicatorDynamics,
)
from meta_solvers.several import Fallback
from meta_solvers.wrap import MixedWithUniform, WithoutDominated

HEAVY = ("torch", "cvxpy", "scipy", "vl_convert", "pyspiel", "open_spiel", "ray")


@dataclass(frozen=True)
class Corner(MetaSolver):
    """A solver as another package would write it."""

    which: int = 0
    share: float | None = None
    loud: bool = False
    side: Literal["low", "high"] = "low"

    def distribution(self, game, rng):
        joint = np.zeros(game.actions)
        joint.flat[self.which] = 1.0
        return Answer(joint)


@pytest.fixture
def third_party(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})
    register("third-party_corner", Corner)
    return "third-party_corner"


@pytest.mark.parametrize(
    ("spec", "solver"),
    [
        ("mgcce", MaxGiniCCE()),
        ("  mgcce ", MaxGiniCCE()),
        ("mgcce:epsilon=-0.5", MaxGiniCCE(epsilon=-0.5)),
        (
            "mgcce:method=clarabel,epsilon=1e-3",
            MaxGiniCCE(method="clarabel", epsilon=1e-3),
        ),
        ("r3d:threshold=0.5", RegularisedRobustReplicatorDynamics(threshold=0.5)),
        ("undominated(mgcce)", WithoutDominated(MaxGiniCCE())),
        ("undominated( mgcce ):mixed=true", WithoutDominated(MaxGiniCCE(), True)),
        (
            "mix(r2d:steps=500):weight=0.05",
            MixedWithUniform(RobustReplicatorDynamics(steps=500), 0.05),
        ),
        (
            "fallback(mgcce:epsilon=1,fp:steps=7,uniform)",
            Fallback((MaxGiniCCE(epsilon=1.0), FictitiousPlay(7), Uniform())),
        ),
        (
            "undominated(mix(fp:steps=7,tolerance=0.1):weight=0.5):weak=True",
            WithoutDominated(MixedWithUniform(FictitiousPlay(7, 0.1), 0.5), weak=True),
        ),
    ],
)
def test_a_spec_string_is_a_solver_value(spec, solver):
    assert get(spec) == solver


def test_optional_boolean_and_literal_fields(third_party):
    text = f"{third_party}:which=3,share=none,loud=TRUE,side=high"
    assert get(text) == Corner(3, None, True, "high")
    assert get(f"{third_party}:share=0.25") == Corner(share=0.25)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("mgcc", "unknown name 'mgcc' .did you mean 'mgcce'.*known: "),
        ("", "unknown name ''"),
        ("mgcce:epsilom=1", "unknown field 'epsilom' .did you mean 'epsilon'"),
        ("mgcce:epsilon=lots", "epsilon must be a number; got 'lots'"),
        ("fp:steps=1.5", "steps must be a whole number; got '1.5'"),
        ("undominated(mgcce):mixed=yes", "mixed must be true or false; got 'yes'"),
        ("mgcce:method=magic", "unknown value 'magic'.*clarabel"),
        ("mgcce:seedless", "key=value; got 'seedless'"),
        ("mgcce:", "key=value"),
        ("mgcce)", r"cannot read '\)'"),
        ("mgcce,mwcce", "cannot read ',mwcce'"),
        ("undominated", "wraps solvers: write parentheses"),
        ("mgcce(uniform)", "wraps no solver: drop the parentheses"),
        ("undominated(mgcce", "'.' is never closed"),
        ("undominated(mgcce,mwcce)", "exactly one solver; got 2"),
        ("undominated()", "unknown name ''"),
        ("undominated(mgcce):inner=mwcce", "unknown field 'inner'"),
        ("fallback(mgcce,mwcce:seedless)", "key=value; got 'seedless'"),
        ("mgcce:epsilon=nan", "epsilon must be a finite number; got nan"),
    ],
)
def test_a_bad_spec_is_one_sentence(spec, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        get(spec)
    assert "\n" not in str(raised.value)


OWN = """
from dataclasses import dataclass
from meta_solvers import MetaSolver, get
from meta_solvers.baselines import Last
import {imports}

@dataclass(frozen=True)
class Newest(Last):
    share: float = 1.0

@dataclass(frozen=True)
class Around(MetaSolver):
    inner: MetaSolver
    def distribution(self, game, rng):
        return self.inner.distribution(game, rng)

def make(share: float = 0.5, *, steps: int = 10) -> Newest:
    return Newest(share + steps)

def needy(share: float) -> Newest:
    return Newest(share)

def wrong() -> int:
    return 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_solvers.py").write_text(OWN.format(imports="math"))
    (tmp_path / "lacking.py").write_text(OWN.format(imports="no_such_package"))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_solvers", None)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("own_solvers:make", "Newest(share=10.5)"),
        ("own_solvers:make:share=0.25,steps=2", "Newest(share=2.25)"),
        (" own_solvers : Newest : share=0.5 ", "Newest(share=0.5)"),
        ("own_solvers:Around(own_solvers:Newest)", "Around(inner=Newest(share=1.0))"),
        (
            "fallback(own_solvers:Newest:share=2,uniform)",
            "Fallback(inner=(Newest(share=2.0), Uniform()), tolerance=1e-06)",
        ),
    ],
)
def test_a_solver_of_ones_own_is_a_class_or_function_of_a_module(own, spec, said):
    assert registry.reaches(spec)[0] == "import the module 'own_solvers'"
    assert "own_solvers" not in sys.modules
    assert repr(get(spec)) == said


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("nomodule:make", "no module 'nomodule' in this folder or installed"),
        ("own_solvers.more:make", "'own_solvers.more' must|no module 'own_solvers"),
        ("lacking:make", "package 'no_such_package' must be installed"),
        ("own_solvers:nothing", "must name a class of solvers or what makes one"),
        ("own_solvers:make:shar=1", "unknown field 'shar' .did you mean 'share'"),
        ("own_solvers:make:steps=x", "steps must be a whole number"),
        ("own_solvers:make(uniform)", "is a function: drop the parentheses"),
        ("own_solvers:needy", "its fields must be given; missing .*'share'"),
        ("own_solvers:wrong", "it must make a MetaSolver; got 3"),
        ("own_solvers:dataclass", "it must make a MetaSolver; got"),
        ("own_solvers:Around", "wraps solvers: write parentheses"),
        ("..:make", "'..:make' must name .*no names of Python"),
        ("builtins:dict", "must be a subclass of MetaSolver, or a function"),
        ("builtins:getattr", "it must have arguments that can be read|must be given"),
        ("builtins:iter", "it must have arguments that can be read|must be given"),
        ("mysolver", "one of your own is module:factory"),
    ],
)
def test_what_is_no_solver_of_ones_own_is_a_sentence(own, spec, sentence):
    with pytest.raises(UserError, match=sentence):
        get(spec)


def test_every_name_means_one_documented_solver():
    assert len(names()) == len(set(names())) == len(set(map(solver_class, names())))
    for name in names():
        cls = solver_class(name)
        assert issubclass(cls, MetaSolver), name
        assert cls.__doc__
        assert cls.maximises, name


def test_register_makes_a_third_party_name(third_party):
    assert third_party in names()
    assert register(third_party, Corner) is Corner  # twice is once
    game = Game(np.zeros((2, 2, 2)))
    assert solve(get(f"mix({third_party}:which=2)"), game).joint[1, 0] > 0.9


@pytest.mark.parametrize(
    ("name", "thing", "sentence"),
    [
        ("mgcce", Corner, "'mgcce' is already taken"),
        ("third-party_corner", Uniform, "is already taken"),
        ("my solver", Corner, "letters, digits, '_' and '-'"),
        ("a:b", Corner, "letters, digits"),
        ("", Corner, "letters, digits"),
    ],
)
def test_register_refuses(third_party, name, thing, sentence):
    with pytest.raises(UserError, match=sentence):
        register(name, thing)


@pytest.mark.parametrize("thing", [Corner(), dict, None])
def test_register_refuses_what_is_no_solver(thing):
    plainly = inspect.unwrap(register)  # as installed: tests also check types
    with pytest.raises(UserError, match="'mine' must be a subclass of MetaSolver"):
        plainly("mine", thing)


def test_entry_points_of_other_packages_are_solvers(monkeypatch):
    points = {
        "elsewhere": "meta_solvers.baselines:Uniform",
        "broken": "not_installed_anywhere.solvers:Best",
    }
    entries = {
        name: metadata.EntryPoint(name, value, ENTRY_POINTS)
        for name, value in points.items()
    }
    monkeypatch.setattr(registry, "_entry_points", lambda: entries)
    assert get("elsewhere") == Uniform()
    assert {"elsewhere", "broken"} <= set(names())
    with pytest.raises(UserError, match="no module 'not_installed_anywhere' in"):
        get("broken")
    with pytest.raises(UserError, match="'elsewhere' is already taken"):
        register("elsewhere", Corner)


def test_own_entry_points_are_declared():
    declared = {point.name for point in metadata.entry_points(group=ENTRY_POINTS)}
    assert {"openspiel_jpsro", "openspiel_psro_v2"} <= declared
    assert declared <= set(names())


def test_importing_is_light_and_fast():
    program = f"""
import sys, time
begin = time.process_time()
import numpy
numpys = time.process_time() - begin
import meta_solvers
spent = time.process_time() - begin
meta_solvers.names()
loaded = [name for name in {HEAVY} if name in sys.modules]
assert not loaded, loaded
print(spent / numpys)
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        for _ in range(5)
    ]
    assert min(float(run.stdout) for run in runs) < 3.5  # times what numpy takes


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("mix(" * 700 + "mgce" + ")" * 700, "at most 20 deep"),
        ("mix(" * 2000 + "mgce", "at most 4000 characters"),
        ("fallback(" + "mgce," * 3000 + "mgce)", "at most 4000 characters"),
        ("\ud800", r"unknown name '\ud800'"),
        ("a\0b\n", r"unknown name 'a\x00b'"),
        ("x" * 3000, "xxx...'"),
        ("rd:steps=" + "9" * 3000, "must be a whole number"),
        ("rd:steps=9999999999999999999", "must be a whole number"),
        ("rd:steps=\u0663", "must be a whole number"),
        ("mgce:epsilon=1_0", "must be a number; got '1_0'"),
        ("mgce:" + "\n" * 2000, "must be written key=value"),
    ],
)
def test_a_hostile_spec_is_one_short_sentence_at_once(spec, sentence):
    begin = time.process_time()
    with pytest.raises(UserError) as caught:
        get(spec)
    assert time.process_time() - begin < 1
    assert sentence in str(caught.value)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


@pytest.mark.parametrize("path", [".:x", "..:x", "a b:c", ":x", "os:", "os\0:x"])
def test_an_objective_that_is_no_name_is_a_sentence(path):
    with pytest.raises(UserError, match="no names of Python"):
        solve(get(f"cvx:objective={path}"), np.eye(2))


@pytest.mark.parametrize("spec", [None, 3, ["mgcce"], b"mgcce", get("mgcce")])
def test_a_spec_is_text(spec):
    with pytest.raises(UserError, match="spec must be text"):
        get(spec)
