"""Chance in the middle of an episode, as the uniform numbers that began it decide."""

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, UInt64
from numpy import ndarray

_SEEDS = 2**53  # a uniform number has no finer digits
_APART = 4  # a step of Philox's counter gives four numbers
_WEYL = np.uint64(0x9E3779B97F4A7C15)  # the golden section, of 2^64
_BLOCK = 16  # chance events whose numbers are drawn at once


@lru_cache(maxsize=256)
def cumulative_of(
    event: tuple[tuple[int, float], ...],
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Outcomes of a chance event, and their cumulative probabilities."""
    outcomes, probabilities = zip(*event, strict=True)
    cumulative = np.cumsum(probabilities)
    return outcomes, tuple((cumulative / cumulative[-1]).tolist())


@lru_cache(maxsize=4096)
def _stream(key: int, block: int) -> tuple[float, ...]:
    """Numbers of a seed's later chance events, one for every ``_BLOCK`` of them.

    The n-th event has the first number of a stream that begins at counter n.
    """
    stream = np.random.Philox(key=key, counter=1 + block * _BLOCK)
    numbers = np.random.Generator(stream).random(_APART * _BLOCK)
    return tuple(numbers[::_APART].tolist())


def later_number(uniform: float, event: int) -> float:
    """The number that decides the n-th later event of an episode.

    Args:
      uniform: the number that began the episode.
      event: n, from 1.
    """
    block, place = divmod(event - 1, _BLOCK)
    return _stream(int(uniform * _SEEDS), block)[place]


def later_chance(root: Any, episodes: int = 32) -> bool:
    """Whether random episodes meet chance after the root."""
    rng = np.random.default_rng(0)
    for _ in range(episodes):
        state = root.clone()
        while not state.is_terminal():
            if state.is_chance_node() and state.move_number() > 0:
                return True
            legal = state.legal_actions()
            state.apply_action(legal[rng.integers(len(legal))])
    return False


def later_numbers(
    uniforms: Float64[ndarray, " M"], events: Int64[ndarray, "... M"]
) -> Float64[ndarray, "... M"]:
    """Numbers that decide later events of many episodes at once.

    A number depends on its episode's own and on the event alone, as in
    ``later_number``; the generator is a cheaper one, SplitMix64, whose counter is the
    event (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").

    Args:
      uniforms: the number that began each episode.
      events: which events of the episode, from 0.
    """
    key = _mixed((uniforms * _SEEDS).astype(np.uint64) + _WEYL)
    number = _mixed(key + events.astype(np.uint64) * _WEYL)
    return (number >> np.uint64(11)) / _SEEDS


def _mixed(x: UInt64[ndarray, "*M"]) -> UInt64[ndarray, "*M"]:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ x >> np.uint64(shift)) * np.uint64(factor)
    return x ^ x >> np.uint64(31)
