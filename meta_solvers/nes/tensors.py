"""Problems as tensors of torch."""

import torch

from meta_solvers.exact.problem import Problem


def as_float32(problem: Problem, device: torch.device | str = "cpu") -> Problem:
    """The problem as float32 tensors."""
    return _tensors(problem, device, torch.float32)


def as_float64(problem: Problem, device: torch.device | str = "cpu") -> Problem:
    """The problem as float64 tensors."""
    return _tensors(problem, device, torch.float64)


def _tensors(
    problem: Problem, device: torch.device | str, dtype: torch.dtype
) -> Problem:
    parts = {
        name: torch.as_tensor(array).to(device, dtype)
        for name, array in vars(problem).items()
        if name != "concept"
    }
    return Problem(concept=problem.concept, **parts)
