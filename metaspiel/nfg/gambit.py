"""Gambit's ``.nfg`` text format: payoff and outcome versions, to a ``Game``."""

import math
import re
from fractions import Fraction

import numpy as np

from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}])|([^\s{}",]+)')


def parse(text: str) -> Game:
    """Reads a game; the first player's strategy varies fastest, as the format says.

    Raises:
      UserError: the text is not a strategic-form game.
    """
    tokens = [
        ("text", m[1])
        if m[1] is not None
        else ("mark" if m[2] else "word", m[2] or m[3])
        for m in _TOKEN.finditer(text)
    ]
    words = [value for _, value in tokens]
    if words[:2] != ["NFG", "1"] or len(words) < 4:
        raise UserError(
            "a .nfg must begin with 'NFG 1 R' or 'NFG 1 D', a title and the players; "
            f"got '{' '.join(words[:3])}'"
        )
    position = 4  # NFG 1 R "title"
    players, position = _group(tokens, position)
    sizes, position = _sizes(tokens, position)
    if len(sizes) != len(players) or not sizes:
        raise UserError(
            f"a .nfg must list the strategies of each of its {len(players)} players; "
            f"got {len(sizes)} lists"
        )
    if position < len(tokens) and tokens[position][0] == "text":
        position += 1  # an optional comment
    total = math.prod(sizes)
    if position < len(tokens) and tokens[position] == ("mark", "{"):
        rows = _outcomes(tokens, position, len(sizes), total)
    else:
        numbers = [_number(value) for _, value in tokens[position:]]
        if len(numbers) != total * len(sizes):
            raise UserError(
                f"a .nfg of {'x'.join(map(str, sizes))} strategies must hold "
                f"{total * len(sizes)} payoffs; got {len(numbers)}"
            )
        rows = np.array(numbers).reshape(total, len(sizes))
    return Game(np.moveaxis(rows.reshape(*sizes, len(sizes), order="F"), -1, 0))


def _group(tokens: list[tuple[str, str]], at: int) -> tuple[list[str], int]:
    """The items between braces at ``at``, and the position behind them."""
    if at >= len(tokens) or tokens[at] != ("mark", "{"):
        raise UserError("a .nfg must have braces where lists belong; one is missing")
    depth, items, position = 1, [], at + 1
    while depth and position < len(tokens):
        kind, value = tokens[position]
        if kind == "mark":
            depth += 1 if value == "{" else -1
        elif depth == 1:
            items.append(value)
        position += 1
    if depth:
        raise UserError("a .nfg must close every brace; one is open")
    return items, position


def _sizes(tokens: list[tuple[str, str]], at: int) -> tuple[list[int], int]:
    """Strategies a player: ``{ 2 3 }`` or ``{ { "U" "D" } { "L" "R" "S" } }``."""
    plain, end = _group(tokens, at)
    if plain:
        if not all(value.isdigit() and int(value) > 0 for value in plain):
            raise UserError(
                f"a .nfg must have whole numbers of strategies >= 1; got {plain}"
            )
        return [int(value) for value in plain], end
    sizes, position = [], at + 1
    while position < end - 1:
        items, position = _group(tokens, position)
        sizes.append(len(items))
    return sizes, end


def _outcomes(
    tokens: list[tuple[str, str]], at: int, players: int, total: int
) -> np.ndarray:
    end = _group(tokens, at)[1]
    table, position = [np.zeros(players)], at + 1
    while position < end - 1:
        items, position = _group(tokens, position)
        table.append(np.array([_number(value) for value in items[1:]]))
        if table[-1].shape != (players,):
            raise UserError(
                f"an outcome of a .nfg must have {players} payoffs; got {items}"
            )
    indices = [int(_number(value)) for _, value in tokens[end:]]
    if len(indices) != total or not all(0 <= i < len(table) for i in indices):
        raise UserError(
            f"a .nfg must name one of its {len(table) - 1} outcomes for each of "
            f"{total} profiles; got {len(indices)} names"
        )
    return np.array([table[i] for i in indices])


def _number(text: str) -> float:
    try:
        return float(Fraction(text)) if "/" in text else float(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UserError(f"a .nfg must hold numbers; got '{text}'") from None
