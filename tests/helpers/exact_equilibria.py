"""Extreme equilibria of small games of whole numbers, by brute force and exactly.

A judge of what the library lists, with which it shares no step: every support of a
player with every set of equally many answers, each solved in whole numbers.
"""

from fractions import Fraction
from itertools import combinations

import numpy as np


def solution(system: list[list[int]]) -> list[Fraction] | None:
    """The solution of ``system`` (right-hand side last); None where not unique."""
    table = [[Fraction(entry) for entry in line] for line in system]
    size = len(table)
    for column in range(size):
        pivot = next((r for r in range(column, size) if table[r][column]), None)
        if pivot is None:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        line = [entry / table[column][column] for entry in table[column]]
        table[column] = line
        for row in range(size):
            factor = table[row][column]
            if row != column and factor:
                table[row] = [
                    a - factor * b for a, b in zip(table[row], line, strict=True)
                ]
    return [line[-1] for line in table]


def corners(payoff: np.ndarray) -> list[tuple[list[Fraction], set[int]]]:
    """Mixtures of the rows at the corners of the columns' best-response regions.

    With each, the columns that answer it best.

    Args:
      payoff: of the player who chooses the column, whole numbers.
    """
    rows, columns = payoff.shape
    matrix = payoff.tolist()
    listed = []
    for size in range(1, min(rows, columns) + 1):
        for support in combinations(range(rows), size):
            for answers in combinations(range(columns), size):
                system = [[matrix[i][j] for i in support] + [-1, 0] for j in answers]
                values = solution([*system, [1] * size + [0, 1]])
                if values is None or min(values[:-1]) <= 0:
                    continue
                mixture = [Fraction(0)] * rows
                for i, share in zip(support, values, strict=False):
                    mixture[i] = share
                worth = [
                    sum(mixture[i] * matrix[i][j] for i in support)
                    for j in range(columns)
                ]
                if max(worth) == values[-1]:
                    best = {j for j in range(columns) if worth[j] == values[-1]}
                    if (mixture, best) not in listed:
                        listed.append((mixture, best))
    return listed


def extreme_equilibria(payoffs: np.ndarray) -> list[np.ndarray]:
    """All extreme equilibria of a two-player game, each as both mixtures in a row."""
    mine, theirs = corners(payoffs[1]), corners(payoffs[0].T)
    return [
        np.array([float(share) for share in [*x, *y]])
        for x, answers in mine
        for y, replies in theirs
        if {j for j, share in enumerate(y) if share} <= answers
        and {i for i, share in enumerate(x) if share} <= replies
    ]
