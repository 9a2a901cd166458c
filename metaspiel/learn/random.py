"""Random numbers that belong to a trial, whatever machine it runs on."""

from collections.abc import Sequence

import numpy as np
import torch


def generators(seed: Sequence[int], count: int) -> list[torch.Generator]:
    """Independent generators from one seed; they run on the CPU on any machine."""
    states = np.random.SeedSequence(list(seed)).generate_state(count, np.uint64)
    return [torch.Generator().manual_seed(int(s >> np.uint64(1))) for s in states]


def stream(*seed: int) -> np.random.Generator:
    """The generator of one stage of one iteration, a function of ``seed`` alone."""
    return np.random.default_rng(np.random.SeedSequence(list(seed)))
