"""Executors: the same bits wherever requests are answered, and no silent loss."""

import os
import queue
import signal
import sys
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from meta_solvers import get
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.sequence import SequenceForm
from metaspiel.nfg.errors import UserError
from psro.cluster import _imported
from psro.exact import ExactEvaluator, ExactOracle
from psro.executor import Executor, InProcess, Pool, WorkerLost, WorkFailed
from psro.executor_specs import parse
from psro.loop import run, start
from psro.setup import Setup
from psro.together import together

sys.path.append(str(Path(__file__).parent))  # workers import from there, too

import executor_work as work
from executor_work import bits, trial


def quiet_ray():
    """Ray imported the way the executor does, or a skipped test."""
    if not find_spec("ray"):
        pytest.skip("ray is not installed")
    return _imported()


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        patch.setenv("OMP_NUM_THREADS", "2")  # workers must not take this over
        yield


@pytest.fixture(
    scope="module", params=["processes:jobs=2,retries=1", "ray:jobs=2,retries=1"]
)
def pool(request, surroundings):
    if request.param.startswith("ray"):
        quiet_ray()
    with parse(request.param) as executor:
        yield executor


@pytest.fixture
def batches():
    work.BATCHES.clear()
    return work.BATCHES


def test_a_cluster_that_was_there_is_left_alone(capfd):
    if (ray := quiet_ray()).is_initialized():
        pytest.skip("another test's cluster is up")
    with parse("ray:jobs=1,retries=0") as ours:
        with parse("ray") as guest:
            assert guest.jobs == 1
        assert ray.is_initialized()
        with pytest.raises(UserError, match="joined one already"):
            parse("ray:address=auto")
        with pytest.raises(WorkerLost):
            ours.answer(work.deadly, work.questions(1))
    assert not ray.is_initialized()
    assert capfd.readouterr().out == ""


def test_a_batch_is_answered_as_one(batches):
    seen = []
    executor = InProcess(progress=lambda done, total: seen.append((done, total)))
    answers = executor.answer(work.numbers, work.questions(30))
    assert batches == [list(range(30))]
    assert seen == [(30, 30)]
    alone = [executor.answer(work.numbers, [q])[0] for q in work.questions(30)]
    assert bits(answers) == bits(alone)
    assert executor.answer(work.numbers, []) == []
    assert len(batches) == 31


def test_workers_give_the_same_bits(pool):
    expected = bits(InProcess().answer(work.numbers, work.questions(30)))
    assert bits(pool.answer(work.numbers, work.questions(30))) == expected
    assert len(set(expected)) == 30
    assert pool.answer(work.numbers, []) == []
    assert pool.answer(work.numbers, work.questions(1))[0].outputs.flags.writeable


def test_a_worker_has_one_thread_and_its_own_arrays(pool):
    surroundings = pool.answer(work.surroundings, work.questions(12))
    assert {entry[:3] for entry in surroundings} == {(1, "1", True)}
    assert os.getpid() not in {entry[3] for entry in surroundings}


def test_a_killed_worker_costs_one_request(pool, tmp_path):
    before = len(pool.losses)
    asked = work.questions(8, mark=str(tmp_path / "mark"))
    expected = bits(InProcess().answer(work.numbers, work.questions(8)))
    assert bits(pool.answer(work.fragile, asked)) == expected
    assert (tmp_path / "mark").exists()
    losses = pool.losses[before:]
    assert [loss["attempt"] for loss in losses] == [1]
    assert losses[0]["what"].startswith("fragile 5 of 8: ")
    assert losses[0]["when"].startswith("20")


def test_a_request_that_kills_every_worker_is_given_up(pool):
    before = len(pool.losses)
    with pytest.raises(WorkerLost, match="deadly 1 of 1: lost with its worker 2 times"):
        pool.answer(work.deadly, work.questions(1))
    assert [loss["attempt"] for loss in pool.losses[before:]] == [1, 2]
    assert len(pool.answer(work.numbers, work.questions(3))) == 3


def test_a_fault_of_the_work_is_raised_here(pool):
    before = len(pool.losses)
    with pytest.raises(WorkFailed, match="KeyError: 'no three'") as caught:
        pool.answer(work.picky, work.questions(6))
    assert "picky" in caught.value.__notes__[0]
    with pytest.raises(UserError, match=r"work\(\): seed must be small; got 3"):
        pool.answer(work.refusing, work.questions(2))
    with pytest.raises(WorkFailed, match="one answer for each request; got 0 for 1"):
        pool.answer(work.short, work.questions(2))
    assert len(pool.losses) == before


def test_trials_share_the_workers(pool):
    expected = [bits(trial(n)(InProcess())) for n in (1, 3)]
    assert [bits(a) for a in together([trial(1), trial(3)], pool)] == expected


def test_progress_and_losses_are_reported(tmp_path):
    seen, lost = [], []
    with parse(
        "processes:jobs=2,retries=1", lambda *now: seen.append(now), lost.append
    ) as executor:
        executor.answer(work.fragile, work.questions(4, mark=str(tmp_path / "mark")))
        assert lost == executor.losses
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert "signal 9 (SIGKILL)" in lost[0]["what"]


@pytest.fixture
def interruptible():
    """Interrupts arrive even where whoever started the tests ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_closing_ends_what_is_under_way(tmp_path, interruptible):
    mark = tmp_path / "mark"
    with parse("processes:jobs=1") as executor:
        threading.Thread(target=work.interrupt_once, args=(mark,), daemon=True).start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            executor.answer(work.slow, [work.Question(0, np.ones(1), str(mark))])
    assert time.monotonic() - begin < 30
    assert executor.losses == []
    with pytest.raises(WorkerLost, match="executor was closed"):
        executor.answer(work.numbers, work.questions(1))


def test_trials_in_lockstep_form_one_batch(batches):
    trials = [trial(3, per_step=1 + i) for i in range(4)]
    expected = [bits(t(InProcess())) for t in trials]
    batches.clear()
    assert [bits(a) for a in together(trials, InProcess())] == expected
    assert [len(batch) for batch in batches] == [10, 10, 10]
    assert batches[0] == [0, 0, 1, 0, 1, 2, 0, 1, 2, 3]  # by trial, not by arrival


def test_trials_that_end_free_the_others(batches):
    trials = [trial(n) for n in (1, 4, 0, 2)]
    expected = [bits(t(InProcess())) for t in trials]
    batches.clear()
    assert [bits(a) for a in together(trials, InProcess())] == expected
    assert [len(batch) for batch in batches] == [6, 4, 2, 2]
    assert together([], InProcess()) == []


def test_trials_that_ask_for_different_work_meet_again(batches):
    def early(executor):
        executor.answer(work.other, work.questions(1))
        return trial(2)(executor)

    together([trial(2), early, trial(2)], InProcess())
    assert [len(batch) for batch in batches] == [4, 4, 1, 2, 2]
    batches.clear()
    together([early, trial(2), trial(2)], InProcess())
    assert [len(batch) for batch in batches] == [1, 6, 6]


def test_one_trial_computes_at_a_time():
    inside, most = [], []

    def busy(executor):
        for _ in range(3):
            inside.append(1)
            time.sleep(0.005)
            most.append(len(inside))
            inside.pop()
            executor.answer(work.numbers, work.questions(1))

    together([busy] * 4, InProcess())
    assert most == [1] * 12


def test_a_failing_trial_is_raised_after_the_others_end():
    ended = []

    def fails(executor):
        executor.answer(work.numbers, work.questions(1))
        raise ZeroDivisionError("mine")

    def ends(executor):
        ended.append(len(trial(3)(executor)))

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        together([ends, fails, ends, fails], InProcess())
    assert ended == [6, 6]
    assert caught.value.__notes__ == ["trial 3 failed too: ZeroDivisionError('mine')"]


def test_a_fault_in_a_batch_reaches_its_owner_alone():
    def asks(first):
        def inner(executor):
            try:
                return bits(executor.answer(work.picky, work.questions(2, first)))
            except KeyError as error:
                return repr(error)

        return inner

    results = together([asks(0), asks(2), asks(4)], InProcess())
    assert results[0] == asks(0)(InProcess())
    assert results[1] == "KeyError('no three')"
    assert results[2] == asks(4)(InProcess())


def test_an_interrupt_stops_every_trial(tmp_path, interruptible):
    stopped = []

    def endless(executor):
        try:
            while True:
                try:
                    executor.answer(work.numbers, work.questions(1))
                    (tmp_path / "mark").touch()
                except Exception:  # noqa: BLE001  what it must not stop
                    stopped.append("swallowed")
        finally:
            stopped.append("stopped")

    mark = tmp_path / "mark"
    threading.Thread(target=work.interrupt_once, args=(mark,), daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        together([endless] * 3, InProcess())
    assert stopped == ["stopped"] * 3
    assert not any(t.name.startswith("trial") for t in threading.enumerate())


@dataclass(frozen=True, eq=False)
class Targeted:
    """What the exact oracle below asks its executor."""

    form: SequenceForm
    population: object
    targets: list


def respond(requests):
    rng = np.random.default_rng(0)  # unused: ties go to the first action
    return [
        ExactOracle(r.form, tie_break="first").respond(r.population, r.targets, rng)
        for r in requests
    ]


@dataclass(frozen=True, eq=False, kw_only=True)
class AskingOracle(ExactOracle):
    """The exact oracle, except that an executor does its work."""

    executor: Executor | None = None

    def respond(self, population, targets, rng):
        asked = Targeted(self.form, population, list(targets))
        return self.executor.answer(respond, [asked])[0]


def test_psro_trials_together_equal_plain_runs():
    form = sequence_form("kuhn_poker(players=3)")

    def psro(oracle, seed, steps):
        parts = Setup(
            oracle=oracle,
            evaluator=ExactEvaluator(form),
            solver=get("rmwcce"),
            concept="cce",
            seed=seed,
            selection="random",
        )
        last = [first := start(parts), *run(parts, first, steps)][-1]
        return last.table.values.tobytes(), last.train.joint.tobytes()

    plain = ExactOracle(form, tie_break="first")
    lengths = {0: 4, 1: 2, 2: 5}
    expected = [psro(plain, seed, steps) for seed, steps in lengths.items()]
    trials = [
        lambda executor, s=s, n=n: psro(
            AskingOracle(form=form, tie_break="first", executor=executor), s, n
        )
        for s, n in lengths.items()
    ]
    assert together(trials, InProcess()) == expected
    assert len(set(expected)) == 3


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("rya", r"unknown name 'rya' \(did you mean 'ray'\?\); known: inprocess"),
        ("ray:adress=auto", "unknown field 'adress' .*'address'"),
        ("inprocess:jobs=2", "unknown field 'jobs'; known: none"),
        ("processes:jobs", "must be written key=value; got 'jobs'"),
        ("processes:jobs=two", "jobs must be a whole number; got 'two'"),
        ("processes:jobs=1,jobs=2", "'jobs' must be given once"),
        ("processes:retries=-1", "retries must be at least 0; got -1"),
        ("ray:jobs=0", "jobs must be at least 1; got 0"),
    ],
)
def test_bad_specs_are_refused_with_one_sentence(spec, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        parse(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "there"])
def test_an_address_without_a_cluster_is_one_sentence(address, monkeypatch):
    ray = quiet_ray()
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(UserError, match=f"'{address}' must be a cluster") as caught:
        parse(f"ray:address={address}")
    assert "\n" not in str(caught.value)


def test_a_missing_ray_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install metaspiel\[ray\]"):
        parse("ray")


def test_what_still_queues_ends_when_the_executor_is_closed():
    class Stuck(Pool):
        """A worker that answers nothing until it is stopped."""

        def __init__(self):
            super().__init__(1, 0, None, None)
            self.asked, self.stopped = threading.Event(), threading.Event()

        def _ask(self, work, request):
            self.asked.set()
            self.stopped.wait(20)
            raise WorkerLost("stopped")

        def _stop(self):
            self.stopped.set()

    pool = Stuck()
    ends = queue.Queue()

    def ask():
        try:
            pool.answer(work.numbers, [1])
        except WorkerLost as error:
            ends.put(str(error))

    for _ in range(2):
        threading.Thread(target=ask, daemon=True).start()
        assert pool.asked.wait(20)
    end = time.monotonic() + 20
    while not pool._threads._work_queue.qsize():  # the second waits for its turn
        assert time.monotonic() < end
        time.sleep(0.001)
    pool.close()
    ask()  # too late
    assert all("executor was closed" in ends.get(timeout=20) for _ in range(3))
