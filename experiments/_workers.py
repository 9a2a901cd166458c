"""What becomes of work in worker processes: an answer, or why there is none."""

import traceback
from typing import TypeVar

from meta_solvers.base import SolverFailed
from metaspiel.nfg.errors import UserError
from psro.executor import Executor, Fault, Work, WorkerLost, WorkFailed

R = TypeVar("R")
A = TypeVar("A")


def ask(executor: Executor, work: Work[R, A], request: R) -> A | Fault:
    """The answer to one request; a lost worker is a fault like any other."""
    try:
        return executor.answer(work, [request])[0]
    except (WorkerLost, WorkFailed) as error:
        return Fault(False, str(error), "\n".join(getattr(error, "__notes__", [])))


def fault(error: Exception) -> Fault:
    """What an exception means for whoever asked: a full disk is the user's to mend."""
    user = isinstance(error, UserError | SolverFailed | OSError)
    message = str(error) if user else f"{type(error).__name__}: {error}"
    return Fault(user, message, "".join(traceback.format_exception(error)))
