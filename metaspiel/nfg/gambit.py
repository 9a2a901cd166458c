"""Gambit's ``.nfg`` text format: payoff and outcome versions, to a ``Game``."""

import math

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.errors import UserError
from metaspiel.nfg.gambit_tokens import Tokens
from metaspiel.nfg.game import Game

_MOST = 63  # players; numpy's arrays have at most 64 axes


def parse(text: str) -> Game:
    """Reads a game.

    Raises:
      UserError: the text is not a strategic-form game.
    """
    return Game(payoffs(text))


def payoffs(text: str) -> Float64[ndarray, "N *A"]:
    """Reads payoffs; the first player's strategy varies fastest, as the format says.

    Raises:
      UserError: the text is not a strategic-form game.
    """
    tokens = Tokens(text, "a .nfg")
    tokens.title("NFG", "1")
    players = len(_names(tokens))
    sizes = _sizes(tokens, players)
    if tokens.next.kind == "text":
        tokens.take()  # an optional comment
    total = math.prod(sizes)
    if tokens.opens():
        rows = _outcomes(tokens, players, total)
    else:
        rows = tokens.numbers(total * players, "payoffs").reshape(total, players)
    return np.moveaxis(rows.reshape(*sizes, players, order="F"), -1, 0)


def _names(tokens: Tokens) -> list[str]:
    """Names between braces."""
    tokens.open()
    names = []
    while not tokens.closes():
        if tokens.opens():
            raise tokens.refused("a name")
        names.append(tokens.take().value)
    return names


def _sizes(tokens: Tokens, players: int) -> list[int]:
    """Strategies a player: ``{ 2 3 }`` or ``{ { "U" "D" } { "L" "R" "S" } }``."""
    if not 1 <= players <= _MOST:
        raise UserError(f"a .nfg must have 1 to {_MOST} players; got {players}")
    tokens.open()
    sizes = []
    while not tokens.closes():
        if tokens.opens():
            sizes.append(len(_names(tokens)))
        else:
            sizes.append(tokens.whole("a number of strategies", least=1))
    if len(sizes) != players or 0 in sizes:
        raise UserError(
            f"a .nfg must list the strategies of each of its {players} players; got "
            f"{len(sizes)} lists, {sizes.count(0)} of them empty"
        )
    return sizes


def _outcomes(
    tokens: Tokens, players: int, total: int
) -> Float64[ndarray, "total players"]:
    """Payoffs of each profile from a list of outcomes and one index a profile."""
    tokens.open()
    nothing = np.zeros((1, players))
    table = np.concatenate([nothing, tokens.rows(players, "an outcome")])
    profiles = tokens.wholes(total, "outcomes of profiles", most=len(table) - 1)
    return table[profiles]


def written(game: Game, title: str) -> str:
    """A game in the format's payoff version, every number exact.

    Args:
      game: the game.
      title: what it is called, in one line.
    """
    names = " ".join(f'"player {player}"' for player in range(game.players))
    sizes = " ".join(map(str, game.actions))
    called = " ".join(title.replace("\\", "").replace('"', "'").split())
    rows = np.moveaxis(game.payoffs, 0, -1).reshape(-1, game.players, order="F")
    lines = [" ".join(map(repr, row)) for row in rows.tolist()]
    head = f'NFG 1 R "{called}" {{ {names} }} {{ {sizes} }}'
    return "\n".join([head, "", *lines, ""])
