"""The scheduler of pieces: order, needs, faults, lost workers, stacks, time left."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.lab.grid import _kind
from experiments.lab.watch import Watch, spell
from experiments.lab.work import Outcome, Piece, complaint, run
from metaspiel.nfg.errors import UserError
from psro.executor import WorkerLost

sys.path.insert(0, str(Path(__file__).parent))  # worker processes find it too
from lab_pieces import write


def piece(name: str, folder: Path, how: str = "", **more: object) -> Piece:
    return Piece(name=name, what=(name, folder, how), do=write, **more)  # type: ignore[arg-type]


def told(pieces: Sequence[Piece], **how: int) -> tuple[list[Outcome], list[str]]:
    """Faults, and the names of all pieces in the order in which they ended."""
    order: list[str] = []
    faults = run(pieces, lambda outcome: order.append(outcome.name), **how)
    return faults, order


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_piece_waits_for_what_it_needs(tmp_path: Path, jobs: int):
    pieces = [
        piece("a", tmp_path, "slow"),
        piece("b", tmp_path, needs=("a",)),
        piece("c", tmp_path),
        piece("d", tmp_path, needs=("b", "c", "done long ago")),
    ]
    faults, order = told(pieces, jobs=jobs)
    assert not faults and sorted(order) == ["a", "b", "c", "d"]
    assert order.index("a") < order.index("b") < order.index("d")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fault_takes_those_that_need_it_and_no_others(tmp_path: Path, jobs: int):
    pieces = [
        piece("a", tmp_path, "user"),
        piece("b", tmp_path, needs=("a",)),
        piece("c", tmp_path, needs=("b",)),
        piece("d", tmp_path),
    ]
    faults, order = told(pieces, jobs=jobs)
    assert [fault.name for fault in faults] == ["a", "b", "c"]
    assert [fault.lacks for fault in faults] == [None, "a", "b"]
    assert all(fault.user for fault in faults) and sorted(order) == list("abcd")
    with pytest.raises(UserError, match=r"3 pieces failed.*first is a: a must be"):
        raise complaint(faults)


def test_a_bug_is_not_the_users_fault(tmp_path: Path):
    faults, _ = told([piece("a", tmp_path, "bug"), piece("b", tmp_path, "user")])
    assert faults[0].fault == "KeyError: 'a'" and "lab_pieces.py" in faults[0].trace
    with pytest.raises(RuntimeError, match="2 pieces failed"):
        raise complaint(faults)
    assert complaint([]) is None


def test_a_lost_worker_costs_its_piece(tmp_path: Path, capsys):
    pieces = [piece("a", tmp_path, "die"), piece("b", tmp_path), piece("c", tmp_path)]
    faults, _ = told(pieces, jobs=2)
    assert [fault.name for fault in faults] == ["a"] and not faults[0].user
    assert isinstance(complaint(faults), WorkerLost)  # a sentence, exit code 1
    assert "lost with its worker, sent again" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c"]


def test_pieces_of_one_stack_are_done_in_lockstep(tmp_path: Path):
    pieces = [piece(f"a{n}", tmp_path, stack="a") for n in range(3)]
    pieces += [piece("b", tmp_path), piece("lost", tmp_path, "user")]
    pieces += [piece("a3", tmp_path, stack="a", needs=("lost",))]
    faults, _ = told(pieces, stack=2)
    assert [fault.name for fault in faults] == ["lost", "a3"]
    read = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert read == {"a0": "a0+a1", "a1": "a0+a1", "a2": "a2", "b": "b"}


def test_names_are_there_once(tmp_path: Path):
    with pytest.raises(UserError, match="got a twice"):
        told([piece("a", tmp_path), piece("a", tmp_path)])


@given(st.data())
def test_any_order_of_needs_is_kept(tmp_path_factory, data):  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("any")
    count = data.draw(st.integers(1, 8))
    pieces = []
    for number in range(count):
        earlier = [str(n) for n in range(number)]
        needs = data.draw(st.lists(st.sampled_from(earlier or ["x"]), max_size=3))
        how = data.draw(st.sampled_from(["", "", "user"]))
        stack = data.draw(st.sampled_from(["", "s"]))
        pieces.append(piece(str(number), folder, how, needs=tuple(needs), stack=stack))
    needs_of = {p.name: set(p.needs) - {"x"} for p in pieces}
    if any(  # a batch that waits for a member of its own cannot begin
        p.stack and q.stack and q.name in p.needs for p in pieces for q in pieces
    ):
        return
    faults, order = told(pieces, stack=1)
    lost = {fault.name for fault in faults}
    assert sorted(order, key=int) == [str(n) for n in range(count)]
    for name, needs in needs_of.items():
        assert all(order.index(n) < order.index(name) for n in needs - lost)
        assert (name in lost) or not needs & lost


def test_the_time_left_follows_what_was_seen(tmp_path: Path):
    pieces = [piece(n, tmp_path, effort=10.0, kind="k") for n in "abcd"]
    watch = Watch(pieces, jobs=2, silent=True)
    assert watch.left() is None
    watch._end(pieces[0], Outcome(name="a", seconds=2.0, clock=20.0))
    assert watch.left() == pytest.approx(30.0)  # 3 pieces of 20 s, two at once
    assert [spell(s) for s in (5, 89, 90, 5399, 5400)] == [
        "5 s", "89 s", "2 min", "90 min", "1.5 h",
    ]  # fmt: skip


def test_cheap_pieces_say_nothing_of_dear_ones(tmp_path: Path):
    kinds = {"a": "cheap", "b": "cheap", "c": "dear", "d": "dear"}
    pieces = [piece(n, tmp_path, kind=kind) for n, kind in kinds.items()]
    watch = Watch(pieces, silent=True)
    watch._end(pieces[0], Outcome(name="a", clock=1.0))
    assert watch.left() is None
    watch._end(pieces[2], Outcome(name="c", clock=50.0))
    assert watch.left() == pytest.approx(51.0)
    watch._end(pieces[3], Outcome(name="d", fault="gone"))
    assert watch.left() == pytest.approx(1.0)
    assert _kind("leduc-mgcce-12") == _kind("leduc-mgcce-3") != _kind("kuhn-mgcce-3")


def test_progress_says_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pieces = [piece("a", tmp_path, "user"), piece("b", tmp_path)]
    with Watch(pieces) as watch:
        run(pieces, watch.tell)
    lines = capsys.readouterr().err.splitlines()
    assert any("a: FAILED, a must be possible; got nothing" in line for line in lines)
    assert any("2/2 done" in line and line.endswith(": b") for line in lines)
