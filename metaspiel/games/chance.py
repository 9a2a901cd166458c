"""Chance in the middle of an episode, as the uniform numbers that began it decide."""

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, UInt64
from numpy import ndarray

_SEEDS = 2**53  # a uniform number has no finer digits
_WEYL = np.uint64(0x9E3779B97F4A7C15)  # the golden section, of 2^64
_ROUNDS = 10  # of Philox
_PHILOX = np.array([[0xD2E7470EE14C6C93], [0xCA5A826395121157]], dtype=np.uint64)
_BUMPS = np.array([[0x9E3779B97F4A7C15], [0xBB67AE8584CAA73B]], dtype=np.uint64)
_HALF, _HALVES = np.uint64(2**32 - 1), np.uint64(32)
_LOW, _HIGH = _PHILOX & _HALF, _PHILOX >> _HALVES


@lru_cache(maxsize=256)
def cumulative_of(
    event: tuple[tuple[int, float], ...],
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Outcomes of a chance event, and their cumulative probabilities."""
    outcomes, probabilities = zip(*event, strict=True)
    cumulative = np.cumsum(probabilities)
    return outcomes, tuple((cumulative / cumulative[-1]).tolist())


def event_numbers(
    uniforms: Float64[ndarray, " M"], events: Int64[ndarray, " M"]
) -> Float64[ndarray, " M"]:
    """The numbers that decide chance events of many episodes.

    The first event of an episode has the number that began it. The n-th later one has
    the first number that NumPy draws from ``Philox(key, counter=n)``; the key has all
    digits of the number that began the episode.

    Args:
      uniforms: the number that began each episode.
      events: which event of the episode, from 0.
    """
    numbers = uniforms.copy()
    later = events.nonzero()[0]
    if len(later):
        keys = (uniforms[later] * _SEEDS).astype(np.uint64)
        # NumPy moves the counter before it draws.
        words = _philox(events[later].astype(np.uint64) + np.uint64(1), keys)
        numbers[later] = (words >> np.uint64(11)) / _SEEDS
    return numbers


def _philox(
    counters: UInt64[ndarray, " M"], keys: UInt64[ndarray, " M"]
) -> UInt64[ndarray, " M"]:
    """First word of Philox4x64-10 for counters and keys of one word each.

    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". Of a counter's
    four words the first and third are multiplied, the others mixed in.
    """
    none = np.zeros_like(counters)
    multiplied, mixed = np.stack([counters, none]), np.stack([none, none])
    key = np.stack([keys, none])
    for _ in range(_ROUNDS):
        high, low = _product(multiplied)
        multiplied, mixed = high[::-1] ^ mixed ^ key, low[::-1]
        key = key + _BUMPS
    first: ndarray = multiplied[0]
    return first


def _product(
    words: UInt64[ndarray, "2 M"],
) -> tuple[UInt64[ndarray, "2 M"], UInt64[ndarray, "2 M"]]:
    """High and low words of the products with Philox's two multipliers."""
    low, high = words & _HALF, words >> _HALVES
    cross = _LOW * high + (_LOW * low >> _HALVES)
    other = _HIGH * low + (cross & _HALF)
    return _HIGH * high + (cross >> _HALVES) + (other >> _HALVES), _PHILOX * words


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
    ``event_numbers``; the generator is a cheaper one, SplitMix64, whose counter is the
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
