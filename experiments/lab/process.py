"""Facts about this process: its command, environment and orderly end."""

import multiprocessing
import os
import platform
import shlex
import subprocess
import sys
import threading
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any


def command() -> str:
    """The command line of this process, as one would type it."""
    name, script = module("__main__"), Path(sys.argv[0]).name
    start = ["python", "-m", name] if name != "__main__" else [script]
    return shlex.join([*start, *sys.argv[1:]])


def module(name: str) -> str:
    """The name to write after ``python -m`` to run this module."""
    spec = getattr(sys.modules[name], "__spec__", None)
    return (spec.name if spec is not None else name).removesuffix(".__main__")


def environment() -> dict[str, Any]:
    """The versions, the machine and the commit of this process."""
    packages = ["metaspiel", "numpy", "scipy", "torch", "open_spiel"]
    packages += ["cvxpy", "clarabel", "ecos"]
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "command": command(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "versions": versions,
        "commit": commit or "unknown",
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }


@cache
def end_with_parent() -> None:
    """Ends this worker process as soon as its parent has died.

    A worker that outlived its parent would write beside a resumed run. What the system
    says of parents is asked, whatever started the worker.
    """
    parent = multiprocessing.parent_process()
    first = os.getppid() if parent is None else parent.pid

    def follow() -> None:
        while os.getppid() == first:
            time.sleep(0.05)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
