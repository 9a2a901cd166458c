"""Whatever is thrown at an edge ends in an answer or in one sentence."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meta_solvers import Game, MetaSolver, UserError, get, names
from metaspiel.games.openspiel import load
from metaspiel.nfg import load as load_file
from metaspiel.nfg.gambit import parse

FAST = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PIECES = st.sampled_from(
    [*names(), "(", ")", ",", ":", "=", "steps", "weight", "0.5", "-1", "nan", "none",
     "true", " ", "by", "gap", "é", "epsilon", "inf"]
)  # fmt: skip


def one_sentence(error: UserError) -> bool:
    return "\n" not in str(error) and len(str(error)) > 10


@FAST
@given(st.lists(PIECES, max_size=8).map("".join))
def test_specs(text):
    try:
        assert isinstance(get(text), MetaSolver)
    except UserError as error:
        assert one_sentence(error)


@FAST
@given(st.text(max_size=30))
def test_arbitrary_text_as_spec_and_game(text):
    for call in (get, load):
        try:
            call(text)
        except UserError as error:
            assert len(str(error)) > 10


@FAST
@given(
    st.recursive(
        st.floats() | st.integers(-(10**30), 10**30) | st.none() | st.text(max_size=2),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=20,
    )
)
def test_payoffs_of_any_shape(value):
    try:
        assert Game(value).payoffs.ndim >= 2
    except UserError as error:
        assert len(str(error)) > 10


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".nfg"])
@FAST
@given(data=st.binary(max_size=80))
def test_files_of_any_bytes(tmp_path, ending, data):
    path = tmp_path / f"game{ending}"
    heads = {".npy": b"\x93NUMPY\x01\x00", ".npz": b"PK\x03\x04", ".nfg": b"NFG 1 R "}
    for content in (data, heads.get(ending, b"") + data):
        path.write_bytes(content)
        try:
            assert isinstance(load_file(path), Game)
        except UserError as error:
            assert len(str(error)) > 10


@FAST
@given(
    st.lists(
        st.sampled_from(["{", "}", '"a"', "2", "1/2", "0", "NFG", "1", "R", "x", ","]),
        max_size=14,
    )
)
def test_gambit_texts(words):
    try:
        assert isinstance(parse('NFG 1 R "t" ' + " ".join(words)), Game)
    except UserError as error:
        assert one_sentence(error)


def test_files_with_the_wrong_ending(tmp_path):
    np.save(tmp_path / "array.npy", np.ones((2, 2, 2)))
    np.savez(tmp_path / "archive.npz", payoffs=np.ones((2, 2, 2)))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    for name in ("array.npz", "archive.npy"):
        with pytest.raises(UserError):
            load_file(tmp_path / name)


def test_truncated_real_files(tmp_path):
    np.savez(tmp_path / "whole.npz", payoffs=np.ones((2, 3, 3)))
    whole = (tmp_path / "whole.npz").read_bytes()
    for cut in range(0, len(whole), 7):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        with pytest.raises(UserError):
            load_file(tmp_path / "cut.npz")
