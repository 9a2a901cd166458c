"""Pages as child processes, forked from one that has imported them already.

A page in a process of its own spends two seconds on imports, a fork none. Of the code
under test only ``main`` and a page's ``page`` and ``Config`` are named.
"""

import contextlib
import importlib
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What pages import late, and every fork would import again.
_LATE = (
    *("safetensors.torch", "scipy.stats", "rich.progress", "tyro", "pyspiel"),
    *("psro.checkpoint", "psro.loop", "meta_solvers", "matrl.checkpoint"),
    *(
        "experiments.lab.report",
        "experiments.matrl.cells",
        "experiments.bargaining.run",
        "experiments.nes.classes",
        "experiments.nes.curves",
        "experiments.nes.published",
        "experiments.nes.selections",
        "experiments.nes.training",
        "experiments.speed.accuracy",
    ),
)


@dataclass(frozen=True)
class Ended:
    """What a child left: its exit code (None after a timeout) and its stderr."""

    code: int | None
    error: str


def load(root: Path, modules: list[str]) -> None:
    """Imports the code under test, and what it would import late."""
    sys.path.insert(0, str(root))
    import torch

    torch.set_num_threads(1)
    cheap_pictures()
    from experiments import contents

    for name in modules:
        where = getattr(contents.module(name), "__file__", None)
        if not Path(str(where)).is_relative_to(root):
            raise SystemExit(f"--root: '{where}' must lie in '{root}'")
    for name in _LATE:
        with contextlib.suppress(ModuleNotFoundError):  # it may have another name
            importlib.import_module(name)


def cheap_pictures() -> None:
    """Plots are no results, and drawing them takes most of a tiny run."""
    from experiments.lab import vega

    def save(ready: Any, place: Path) -> None:
        place.with_name(f"{place.name}.png").write_bytes(b"no picture")

    vega.save = save
    vega.packed = lambda: ""  # type: ignore[assignment]


def begin(
    module: str,
    words: list[str],
    place: Path,
    kill: tuple[str, int] | None = None,
    *,
    first: Callable[[], None] | None = None,
) -> int:
    """Starts a page.

    Args:
      module: the page.
      words: its command line.
      place: for its output, and its working folder.
      kill: where it is killed: a pattern of paths, and at which rename to one.
      first: what it does before anything else.
    """
    place.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        _settle(module, words, place)
        if kill is not None:
            _kill_at(*kill)
        if first is not None:
            first()
        code = _called(module, words)
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:  # noqa: BLE001  as the interpreter would end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _settle(module: str, words: list[str], place: Path) -> None:
    """The child's streams, folder and command line."""
    os.chdir(place)
    for number, name in ((0, os.devnull), (1, "stdout"), (2, "stderr")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        file = os.open(name, flags, 0o644)
        os.dup2(file, number)
        os.close(file)
    sys.argv = [f"experiments.{module}", *words]


def _called(module: str, words: list[str]) -> int:
    from experiments import contents

    return contents.main("metaspiel", [module, *words])


def write_every_state() -> None:
    """Pages that write states now and then write all of them; no result changes."""
    from experiments.matrl import cells

    if hasattr(cells, "PAUSE"):
        cells.PAUSE = 0.0


def _kill_at(pattern: str, time: int) -> None:
    """Kills this process before it renames something to such a path once more."""
    write_every_state()
    ends, left = re.compile(f"(?:{pattern})$"), [time]

    def hear(event: str, given: tuple[Any, ...]) -> None:
        if event == "os.rename" and ends.search(str(given[1])):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def until(pid: int, true: Callable[[], bool], seconds: float) -> bool:
    """Waits until something is true or the child has ended; whether it became true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.001)
    return False


def end(pid: int, place: Path, seconds: float) -> Ended:
    """Waits for a child and ends what it may have left running."""
    deadline, code, pause = time.monotonic() + seconds, None, 0.002
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(pause)
        pause = min(0.02, 1.5 * pause)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if code is None:
        os.waitpid(pid, 0)
    error = (place / "stderr").read_text("utf-8", "replace")
    return Ended(code, error)
