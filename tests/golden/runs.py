"""Small runs of the pages, and what is kept of their results.

``python tests/golden/runs.py FOLDER NAME ...`` performs runs, each in FOLDER/NAME. They
go through the pages' command lines, which stay where they are when modules move. A
result that moves to another file is one line here: an `Output`'s pattern.
"""

import contextlib
import csv
import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
BITS = Path(__file__).with_name("bits.json")
EXCEPTIONS = Path(__file__).with_name("exceptions.json")
NOT_OK = 3
TABLE = "| Run | Output | Field | Since | Reason |\n|---|---|---|---|---|\n"

# Fields that say when, where and how fast, not what.
ENVIRONMENT = re.compile(
    "time|wall|command|versions|commit|out|folder|config|pids?|machine|platform|python|"
    "torch|device|cores|threads|(.*_)?seconds(_.*)?"
)


@dataclass(frozen=True, kw_only=True)
class Output:
    """One kind of result of a run, under a name of ours."""

    name: str
    pattern: str
    """Files in the run's folder. What * stands for names each of them."""
    fields: str = ".*"
    """Regular expression of the fields that are kept (of nested ones, the first)."""
    by: str | None = None
    """Field that names the items of a list, whose order then does not matter."""
    numbers: int = 6
    """How many numbers are kept as they are."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Command lines, one after the other, and what is kept of their results."""

    name: str
    words: str
    """One command a line, each without its ``metaspiel``"""
    outputs: tuple[Output, ...]
    exact: bool = False
    """Numbers are the same on every machine but for rounding."""
    slow: bool = False


METRICS = Output(name="metrics", pattern="metrics.jsonl")
META_GAME = Output(name="meta_game", pattern="meta_game.npz")
SUMMARY = Output(name="summary", pattern="summary.json")
CELLS = Output(name="metrics", pattern="cells/*/metrics.jsonl")
KEPT = "table|table_errors|table_episodes|policies_.*|response_.*|train_joint"
JUDGED = (
    Output(name="judged", pattern="judged/*.json"),
    Output(name="fidelity", pattern="fidelity/*.json"),
    Output(name="policies", pattern="explore/*/000002/arrays.npz", fields=KEPT),
    Output(name="model", pattern="model/*.safetensors"),
    Output(name="data", pattern="data/*/arrays.npz"),
    Output(name="regret_table", pattern="regret_table.csv"),
)


def _team(iteration: int) -> Output:
    place = f"cells/*/checkpoint/{iteration:06d}/state.safetensors"
    return Output(name="team", pattern=place, fields="weights|target|memory")


def _agents(iteration: int) -> Output:
    return Output(
        name="agents", pattern=f"cells/*/checkpoint/{iteration:06d}/agents.safetensors"
    )


def _psro(name: str, words: str, slow: bool = False, exact: bool = True) -> Run:
    words = f"psro --iterations 3 --out out --quiet {words}"
    return Run(
        name=f"psro-{name}",
        words=words,
        outputs=(METRICS, META_GAME),
        exact=exact,
        slow=slow,
    )


def _learned(name: str, words: str, trial: str = "") -> Run:
    return Run(
        name=name,
        words="psro --iterations 2 --decisions 256 --episodes 40 --final-gap "
        f"--out out --quiet {words}",
        outputs=(
            Output(name="metrics", pattern=f"{trial}metrics.jsonl"),
            Output(name="meta_game", pattern=f"{trial}meta_game.npz"),
            Output(
                name="policies",
                pattern=f"{trial}checkpoint/000002/arrays.npz",
                fields=KEPT,
            ),
        ),
    )


def _solve(file: str, solvers: str) -> str:
    line = "solve --payoffs {}.npy --solver {} --json"
    return "\n".join(line.format(file, solver) for solver in solvers.split())


ANSWERS = (
    Output(
        name="answers",
        pattern="stdout",
        fields="status|joint|gaps",
        by="solver",
        numbers=60,
    ),
)
# Those that take more than a second are among solve-all's only.
SOLVERS = """
uniform last rj rdirichlet rd prd rrd rd_lower robust mwce mwcce rmwce rmwcce rvce rvcce
minwce minwcce egalce egalcce mgce mgcce approx_mgce approx_mgcce half_mgce half_mgcce
min_epsilon_mgce min_epsilon_mgcce mece mecce mrece mrecce mwmece mwmecce msce mscce nes
nash fp rm alpharank cvx
"""
SOME = "rd prd r2d robust mwce mwcce mgce mgcce mece mecce nes fp rm alpharank"
KUHN_3 = "--game kuhn_poker --players 3"
GOOFSPIEL = "--game 'goofspiel(num_cards=3,imp_info=True,returns_type=total_points)'"
BARGAINING = (
    "bargaining --size tiny --ddqn.decisions 300 --trajectories 40 "
    "--training.steps 60 --cloning.steps 60 --behaviour-iterations 1 --episodes 30 "
    "--screen 30 --fresh 60 --fidelity-episodes 20 --out out --quiet"
)
RUNS: tuple[Run, ...] = (
    _psro("kuhn-mgcce", "--game kuhn_poker --solver mgcce"),
    _psro("kuhn-nash", "--game kuhn_poker --solver nash --gaps all"),
    _psro("kuhn-prd", "--game kuhn_poker --solver prd --tie-break uniform", True),
    _psro("kuhn3-mwcce", f"{KUHN_3} --solver mwcce --eval-solver mgcce"),
    # Paths of the replicator dynamics part: a rounding grows to more than 1e-6.
    _psro(
        "kuhn3-rd",
        f"{KUHN_3} --solver rd --initial random_deterministic",
        exact=False,
    ),
    _psro("kuhn3-mgce", f"{KUHN_3} --solver mgce --concept ce"),
    _psro("goofspiel-mgcce", f"{GOOFSPIEL} --solver mgcce --gaps all --seed 3"),
    _psro("goofspiel-mecce", f"{GOOFSPIEL} --solver mecce --selection all_novel"),
    _psro("goofspiel-rm", f"{GOOFSPIEL} --solver rm --no-repeats --update cycle"),
    _psro("file-mgcce", "--payoffs two.npy --solver mgcce --eval-solver nash"),
    Run(
        name="compare-kuhn",
        words="compare --games kuhn_poker 'kuhn_poker(players=3)' --solvers nash_lp "
        "mgcce mgce 'rm:steps=200|400' --eval-solvers same mwcce --seeds 2 "
        "--iterations 3 --out out --quiet",
        outputs=(
            Output(name="cells", pattern="cells/*.json", fields="curves|outcome"),
            Output(name="table", pattern="table.csv"),
            Output(name="pairs", pattern="pairs.csv"),
            Output(name="ranks", pattern="ranks.csv"),
        ),
    ),
    Run(
        name="stored",
        words="psro --iterations 3 --game kuhn_poker --players 3 --out out --quiet\n"
        "export out --to out/policies.npz --quiet\n"
        "evaluate out --members --json",
        outputs=(
            Output(name="exported", pattern="policies.npz"),
            Output(name="answers", pattern="stdout", fields="runs|cross_play"),
        ),
        exact=True,
    ),
    Run(name="solve-two", words=_solve("two", SOLVERS), outputs=ANSWERS, exact=True),
    Run(name="solve-three", words=_solve("three", SOME), outputs=ANSWERS, exact=True),
    Run(
        name="solve-all",
        words="solve --payoffs two.npy --solver all --json",
        outputs=(
            Output(
                name="answers", pattern="stdout", fields="status|joint", by="solver"
            ),
        ),
        exact=True,
        slow=True,
    ),
    Run(
        name="matrix",
        words="matrl_matrix --games 40 --steps 60 --pennies-steps 40 --sweep 0.3 1 "
        "--out out "
        "--quiet",
        outputs=(
            SUMMARY,
            Output(name="arrays", pattern="arrays.npz", fields="(first|settled)/.*"),
        ),
        exact=True,
    ),
    _learned(
        "ddqn-bargaining",
        "--oracle ddqn --game bargaining --solver rd --trials 2",
        "trial_*/",
    ),
    _learned(
        "ddqn-leduc",
        "--oracle ddqn --game leduc_poker --solver mgcce --eval-solver mwcce",
    ),
    _learned(
        "ppo-kuhn",
        "--oracle ppo --game kuhn_poker --solver rm --trials 2 --referee "
        "--start mixture --width 16 --ppo.width 16 --ppo.games 16",
        "trial_*/",
    ),
    Run(
        name="bargaining", words=BARGAINING, outputs=(JUDGED[0], JUDGED[-1]), slow=True
    ),
    Run(
        name="bargaining-grid",
        words=f"{BARGAINING} --grid --behaviours uniform --explorations r2d --trials 1",
        outputs=(
            *JUDGED,
            Output(
                name="clone", pattern="clone/*.npz", fields="weights|trained|held_out"
            ),
        ),
    ),
    Run(
        name="grid",
        words="matrl_grid --games switch2 pennies --methods matrl il il-la qmix "
        "il-six-rows "
        "--seeds 1 --iterations 3 --last 2 --learner.ppo.batch 100 --learner.ppo.envs "
        "10 --learner.ppo.width 8 --learner.ppo.steps 2 --whole-episodes always "
        "--out out --quiet",
        outputs=(CELLS, _agents(3), _team(3), SUMMARY),
    ),
    Run(
        name="steps",
        words="matrl_steps --methods il matrl matrl-held-out matrl-distill --rates "
        "4e-3 "
        "--clips .3 --seeds 1 --iterations 4 --learner.ppo.batch 100 "
        "--learner.ppo.envs 20 --learner.ppo.width 8 --out out --quiet",
        outputs=(CELLS, _agents(4), SUMMARY),
    ),
    Run(
        name="pong",
        words="matrl_pong --methods matrl il --game 'mini_pong(limit=60)' "
        "--iterations 2 "
        "--checkpoints 2 --games 4 --learner.ppo.batch 80 --learner.ppo.envs 4 "
        "--learner.ppo.width 8 --seeds 1 --out out "
        "--quiet",
        outputs=(CELLS, _agents(2), Output(name="scores", pattern="scores.npz")),
    ),
    Run(
        name="nes",
        words="nes_train --recipe.games.most 4 --recipe.work 256 --recipe.fewest 8 "
        "--recipe.architecture.payoff 4 --recipe.architecture.dual 6 "
        "--recipe.architecture.hidden 8 --recipe.architecture.unrolled 1 "
        "--recipe.steps 10 --every 5 --games 8 --out out --quiet",
        outputs=(METRICS, Output(name="weights", pattern="weights.safetensors")),
    ),
    Run(
        name="mra",
        words="mra_train --world pacman --sizes 1,1 2,2 --budget tiny --out out "
        "--quiet",
        outputs=(METRICS, Output(name="weights", pattern="last.safetensors")),
    ),
    Run(
        name="mra-grid",
        words="mra_grid --budget tiny --seeds 1 --arms mra plain epc rl2 maac maddpg "
        "--out out --quiet",
        outputs=(
            Output(name="cells", pattern="cells/*.json", fields="rows|best|last"),
        ),
        slow=True,
    ),
    Run(
        name="mechanism",
        words="mechanism --tolls.steps 5 --games 2 --players 2 --resources 3 --out out "
        "--quiet",
        outputs=(METRICS, Output(name="tolls", pattern="tolls.npz")),
    ),
    Run(
        name="rate",
        words="rate two.npy --out out --quiet",
        outputs=(SUMMARY,),
    ),
    Run(
        name="robust",
        words="robust_check --games 2 --ensemble.actions 4 --ensemble.width 2 "
        "--steps 200 --out out --quiet",
        outputs=(SUMMARY, Output(name="games", pattern="games.json")),
        slow=True,
    ),
    Run(
        name="compare",
        words="speed_solvers --solvers mgcce mwcce nash_lp rm --families uniform "
        "zero_sum "
        "--sizes 3x3 2x2x2 --games 2 --out out --quiet",
        outputs=(Output(name="cells", pattern="cells/*.json"),),
    ),
)


def _payoffs(*shape: int) -> np.ndarray:
    """A game of two decimals without ties, by no generator of random numbers."""
    entry = np.arange(np.prod(shape))
    return ((entry * 7919 + entry**2 * 104_729) % 1009).reshape(shape) / 100 - 5


def perform(runs: Iterable[Run], folder: Path) -> None:
    """Performs runs in this process, each in a folder of its own.

    The page's run folder is "out" there; what it printed becomes "out/stdout".
    """
    here, words = Path.cwd(), sys.argv
    for run in runs:
        place = folder / run.name
        place.mkdir(parents=True)
        np.save(place / "two.npy", _payoffs(2, 4, 4))
        np.save(place / "three.npy", _payoffs(3, 2, 3, 2))
        begin, code = time.process_time(), 0
        os.chdir(place)
        try:
            with open("stdout", "w") as out, contextlib.redirect_stdout(out):
                for line in run.words.splitlines():
                    page, *sys.argv[1:] = shlex.split(line)
                    ended = _page(page)
                    # An answer that is not OK is one: its status is among the bits.
                    code = max(code, 0 if ended == NOT_OK else ended)
        finally:
            os.chdir(here)
            sys.argv = words
        (place / "out").mkdir(exist_ok=True)
        (place / "stdout").rename(place / "out" / "stdout")
        (place / "seconds").write_text(f"{time.process_time() - begin:.2f}")
        (place / "code").write_text(str(code))


def _page(page: str) -> int:
    """Runs a page with the words in sys.argv; returns its exit code."""
    try:
        from experiments import contents

        return contents.main("metaspiel", [page, *sys.argv[1:]])
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # noqa: BLE001 (the other runs go on; the caller tells)
        traceback.print_exc()
        return 1
    return 0


def start(runs: Iterable[Run], folder: Path) -> str:
    """Performs runs in one other process; returns what it said on stderr."""
    folder.mkdir(parents=True, exist_ok=True)
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, str(folder), *(run.name for run in runs)],
        cwd=folder,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stderr


@dataclass
class Leaf:
    """A number, a word or an array, and where it stands."""

    field: str
    """Without positions in lists: "rows[].gap"."""
    path: str
    """With file and positions: "metrics.jsonl[3].gap"."""
    value: Any


def _leaves(output: Output, folder: Path) -> tuple[list[str], list[Leaf]]:
    """The files of an output, and all they hold."""
    text = ".*".join(map(re.escape, output.pattern.split("*")))
    captures = re.compile(text.replace(".*", "(.*)"))
    files, leaves = [], []
    for place in sorted(folder.glob(output.pattern)):
        matched = captures.fullmatch(place.relative_to(folder).as_posix())
        assert matched is not None
        name = "/".join(matched.groups())
        files.append(name)
        for field, path, value in _walk(_read(place), "", "", output.by):
            parts = re.split(r"[.\[]", field.lstrip("[]."))
            if re.fullmatch(output.fields, parts[1 if output.by else 0]):
                leaves.append(Leaf(field, f"{name}:{path}", value))
    return files, leaves


def _read(place: Path) -> Any:
    if place.suffix == ".npz":
        with np.load(place, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    if place.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(place)
    text = place.read_text("utf-8")
    if place.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    if place.name == "stdout":  # an object, or a list of them, a line; or for people
        rows = [
            json.loads(line)
            for line in text.splitlines()
            if line.startswith(("{", "["))
        ]
        assert rows, f"{place}: no line is JSON"
        return [
            one for row in rows for one in (row if isinstance(row, list) else [row])
        ]
    if place.suffix == ".csv":
        return list(csv.DictReader(text.splitlines()))
    value = json.loads(text)
    sealed_list = isinstance(value, dict) and set(value) == {"list", "seal"}
    return value["list"] if sealed_list else value


def _walk(
    value: Any, field: str, path: str, by: str | None
) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, list) and by and not field:
        value = {item[by]: item for item in value}
    if isinstance(value, dict):
        for key, item in value.items():
            if not ENVIRONMENT.fullmatch(key):
                yield from _walk(
                    item, f"{field}.{key}".lstrip("."), f"{path}.{key}".lstrip("."), by
                )
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, f"{field}[]", f"{path}[{number}]", by)
    else:
        yield field, path, value


def _number(leaf: Leaf) -> dict[str, float]:
    """Numbers of a leaf that say something; an array's quarters stand for it."""
    numbers = {leaf.path: leaf.value}
    if isinstance(leaf.value, np.ndarray):
        if leaf.value.dtype.kind != "f" or not leaf.value.size:
            return {}
        flat, size = leaf.value.reshape(-1), leaf.value.size
        places = sorted({size // 4, size // 2, 3 * size // 4})
        numbers = {f"{leaf.path}[{place}]": float(flat[place]) for place in places}
    return {k: v for k, v in numbers.items() if isinstance(v, float)}


def fingerprint(
    run: Run, folder: Path, known: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What is kept of a run's results: hashes of its fields, and some numbers.

    ``known`` is an earlier fingerprint. Then only its fields are looked at, and the
    numbers are those at its places: what a later version adds is no difference.
    """
    return {
        output.name: _fingerprint(
            output, folder / "out", (known or {}).get(output.name)
        )
        for output in run.outputs
    }


def _fingerprint(
    output: Output, folder: Path, known: dict[str, Any] | None
) -> dict[str, Any]:
    files, leaves = _leaves(output, folder)
    if known is not None:
        leaves = [leaf for leaf in leaves if leaf.field in known["fields"]]
    hashes: dict[str, Any] = {}
    shapes: dict[str, list[str]] = {}
    numbers: dict[str, float] = {}
    for leaf in leaves:
        own = hashes.setdefault(leaf.field, hashlib.sha256())
        seen = shapes.setdefault(leaf.field, [])
        if isinstance(leaf.value, np.ndarray):
            kind = f"{leaf.value.dtype.str}{list(leaf.value.shape)}".replace(" ", "")
            own.update(f"{leaf.path} {kind}\n".encode())
            own.update(np.ascontiguousarray(leaf.value).tobytes())
            if kind not in seen:
                seen.append(kind)
        else:
            own.update(json.dumps([leaf.path, leaf.value]).encode() + b"\n")
        numbers |= _number(leaf)
    if known is not None:
        numbers = {k: numbers[k] for k in known["numbers"] if k in numbers}
    else:
        numbers = _some(numbers, output.numbers)
    return {
        "files": files,
        "fields": {
            field: " ".join([own.hexdigest()[:12], *shapes[field]])
            for field, own in sorted(hashes.items())
        },
        "numbers": numbers,
    }


def _some(numbers: dict[str, float], most: int) -> dict[str, float]:
    """Evenly spaced ones, without those that are 0 but for rounding."""
    paths = [k for k, v in numbers.items() if abs(v) > 1e-6 and v != round(v)]
    step = max(len(paths) / most, 1.0)
    chosen = [paths[int(i * step)] for i in range(min(most, len(paths)))]
    return {path: numbers[path] for path in chosen}


def exceptions() -> list[dict[str, Any]]:
    """Fields that were changed on purpose since the bits were recorded."""
    listed: list[dict[str, Any]] = json.loads(EXCEPTIONS.read_text("utf-8"))
    return listed


def table(listed: list[dict[str, Any]]) -> str:
    """The exceptions as README.md shows them."""
    rows = [
        f"| `{one['run']}` | {one['output']} | `{one['field']}` | {one['since']} | "
        f"{one['reason']} |\n"
        for one in listed
    ]
    return TABLE + "".join(rows)


def excepted(
    run: Run, known: dict[str, Any], listed: list[dict[str, Any]]
) -> dict[str, Any]:
    """A fingerprint with what the exceptions of its run say in place of the bits."""
    outputs = {name: {**o, "fields": {**o["fields"]}} for name, o in known.items()}
    for one in listed:
        if one["run"] != run.name or one["output"] == "words":
            continue
        output, field = outputs[one["output"]], one["field"]
        del output["fields"][field]
        if one["now"] is not None:
            output["fields"][field] = one["now"]
        output["numbers"] = {
            path: number
            for path, number in output["numbers"].items()
            if _field(path) not in (field, f"{field}[]")
        }
    return outputs


def _field(path: str) -> str:
    """The field of a number: its path without file and positions."""
    return re.sub(r"\[\d+\]", "[]", path.split(":", 1)[1])


def changes(
    run: Run, known: dict[str, Any], now: dict[str, Any], because: dict[str, str]
) -> list[dict[str, Any]]:
    """Exceptions for all fields that differ; ``because`` has their reason and since."""
    return [
        {"run": run.name, "output": name, "field": field, "now": other, **because}
        for name, output in known.items()
        for field, entry in output["fields"].items()
        if (other := now[name]["fields"].get(field)) != entry
    ]


def differences(
    run: Run, known: dict[str, Any], now: dict[str, Any], same_machine: bool
) -> list[str]:
    """Sentences, each about one field of one output."""
    wrong = []
    for name, old in known.items():
        new = now.get(name)
        if new is None or new["files"] != old["files"]:
            wrong.append(
                f"{name}: files were {old['files']}, now {new and new['files']}"
            )
            continue
        for field, entry in old["fields"].items():
            other = new["fields"].get(field)
            if other is None:
                wrong.append(f"{name}: {field} is gone")
            elif other.split()[not same_machine :] != entry.split()[not same_machine :]:
                wrong.append(f"{name}: {field} was {entry}, now {other}")
        if not (same_machine or run.exact):
            continue
        for path, number in old["numbers"].items():
            other = new["numbers"].get(path, float("nan"))
            near = abs(other - number) <= 1e-9 + 1e-6 * abs(number)
            if not (other == number if same_machine else near):
                wrong.append(f"{name}: number {path} was {number!r}, now {other!r}")
    # The first number that differs says most.
    return sorted(wrong, key=lambda text: ": number " not in text)


def machine() -> dict[str, Any]:
    """What the bits of a float may depend on, besides the code."""
    import torch

    cpu = Path("/proc/cpuinfo")
    text = cpu.read_text("utf-8", "replace") if cpu.is_file() else ""
    model = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    simd = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[index]
    versions = {}
    for package in ("numpy", "scipy", "torch", "open_spiel", "clarabel", "ecos"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "machine": platform.machine(),
        "cpu": model[1] if model else platform.processor(),
        "numpy_simd": simd.get("found", []),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "openblas": os.environ.get("OPENBLAS_CORETYPE", "as detected"),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "versions": versions,
    }


def chosen(names: Iterable[str]) -> list[Run]:
    """Runs by name."""
    known = {run.name: run for run in RUNS}
    return [known[name] for name in names]


if __name__ == "__main__":
    perform(chosen(sys.argv[2:]), Path(sys.argv[1]))
