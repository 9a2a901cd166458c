"""Rooms of solvers, games and learners: what each is for, and its public names."""

import doctest
import importlib
import inspect
from importlib import metadata
from importlib.util import find_spec

import pytest
from processes import printed

import metaspiel

HEAVY = (
    "torch",
    "safetensors",
    "cvxpy",
    "vl_convert",
    "pyspiel",
    "scipy",
    "ray",
    "tyro",
    "rich",
    "gymnasium",
    "pettingzoo",
    "mujoco",
)
ROOMS = [
    "matrl",
    "meta_solvers",
    "meta_solvers.exact",
    "meta_solvers.nes",
    "metaspiel",
    "metaspiel.files",
    "metaspiel.games",
    "metaspiel.learn",
    "metaspiel.nfg",
    "mra",
    "mra.baselines",
    "offline",
    "psro",
    "psro.neupl",
]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_every_name_it_lists(room):
    module = importlib.import_module(room)
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        # A module of the same name would hide it, once that is loaded.
        assert not inspect.ismodule(getattr(module, name))
        assert find_spec(f"{room}.{name}") is None
    assert {*module.__all__} <= {*dir(module)}
    assert "__doc__" in dir(module)
    with pytest.raises(AttributeError, match="no attribute 'slove'"):
        module.slove  # noqa: B018


@pytest.mark.parametrize("room", ROOMS)
def test_the_examples_of_a_room_run(room):
    module = importlib.import_module(room)
    outcome = doctest.testmod(module)
    assert outcome.failed == 0
    assert outcome.attempted == module.__doc__.count(">>> ")


def test_a_checkout_that_is_not_installed_has_no_version(monkeypatch):
    from metaspiel import version

    def lacking(name):
        raise metadata.PackageNotFoundError(name)

    with monkeypatch.context() as patch:
        patch.setattr(metadata, "version", lacking)
        importlib.reload(version)
        assert metaspiel.__version__ == "unknown"
    importlib.reload(version)
    assert metaspiel.__version__ == metadata.version("metaspiel")


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_loads_nothing_heavy(room):
    code = f"import sys, {room}; print([m for m in {HEAVY} if m in sys.modules])"
    assert printed(code).strip() == "[]"
