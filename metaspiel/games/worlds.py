"""Our games by name: ``load("switch(agents=4,rules=legacy)")``."""

from dataclasses import fields
from typing import Any, ClassVar

from metaspiel.games.markov import MarkovGame
from metaspiel.games.parameters import game_of

WORLDS = {
    "checkers": "metaspiel.games.checkers:Checkers",
    "switch": "metaspiel.games.switch:Switch",
    "pennies": "metaspiel.games.pennies:Pennies",
    "mini_pong": "metaspiel.games.mini_pong:MiniPong",
    "treasure": "metaspiel.games.treasure:Treasure",
    "resource": "metaspiel.games.resource:Resource",
    "pacman": "metaspiel.games.pacman:Pacman",
    "hopper": "metaspiel.games.mujoco:Hopper",
    "ant": "metaspiel.games.mujoco:Ant",
    "swimmer": "metaspiel.games.mujoco:Swimmer",
    "halfcheetah": "metaspiel.games.mujoco:HalfCheetah",
    "atari_pong": "metaspiel.games.atari:AtariPong",
}
"""Module and class of every Markov game; its parameters are the fields of the class."""

SIMULATORS = {
    "bargaining": "metaspiel.games.bargaining:Bargaining",
    "bargaining_generalized": "metaspiel.games.bargaining:Bargaining",
    "capture_the_flag_2v2": "metaspiel.games.capture_the_flag:CaptureTheFlag",
    "halfcheetah_2x3": "metaspiel.games.cheetah:TwoLegs",
}
"""The same of our simulators, which ``metaspiel.games.named`` makes."""


def load(name: str) -> MarkovGame:
    """A Markov game from its name, in OpenSpiel's notation of parameters.

    Raises:
      UserError: the game or a parameter is unknown, or a value is impossible.
    """
    game: MarkovGame = game_of(name, WORLDS, where="load", what="Markov game")
    return game


class Named:
    """A game whose name is read back, a dataclass whose fields are its parameters.

    Attributes:
      kind: its key in ``WORLDS`` or ``SIMULATORS``.
    """

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The name that is read back: the fields that are not at their defaults."""
        game: Any = self
        parts = [
            f"{field.name}={_word(getattr(game, field.name))}"
            for field in fields(game)
            if getattr(game, field.name) != field.default
        ]
        return f"{self.kind}({','.join(parts)})" if parts else self.kind


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
