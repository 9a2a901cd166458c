"""What is trained: a world at some population sizes, by a method, for so long."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from metaspiel import files
from metaspiel.nfg.errors import UserError, unknown
from mra.baselines.settings import EPC
from mra.settings import METHODS, Method, Training

if TYPE_CHECKING:
    from metaspiel.games.entities import Populated

BASELINES = {"epc": "plain", "rl2": "plain"}
"""Methods that are no ``Method``, and the one whose networks they have."""
_RULES = 1  # raised where the same settings learn something else than before


_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")  # each is written in one way
WORLDS = ("treasure", "resource", "pacman")
"""Worlds of agents and landmarks."""


def size_of(text: str, name: str = "--sizes") -> tuple[int, ...]:
    """``"8,4"`` as ``(8, 4)``: the number of agents of each role."""
    parts = text.split(",")
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise UserError(
            f"{name}: a size must be a number of agents such as 6, or one number a "
            f"role such as 8,4, without zeros in front; got '{text}'"
        )
    return tuple(int(part) for part in parts)


def named(size: Sequence[int]) -> str:
    """``(8, 4)`` as ``"8,4"``."""
    return ",".join(map(str, size))


def crowd(size: str, roles: Sequence[str]) -> str:
    """``"8,4"`` as ``"8,4 Pac-Men and ghosts"``."""
    return f"{size} {' and '.join(roles)}"


def by_role(roles: Sequence[str]) -> str:
    """What cells with a number a role are; empty where there is one role."""
    return f"; a cell is {' / '.join(roles)}" if len(roles) > 1 else ""


def world_of(world: str) -> "Populated":
    """A world of agents and landmarks, at its own size.

    Raises:
      UserError: there is no such world, or a parameter is impossible.
    """
    from metaspiel.games.worlds import load

    if world.partition("(")[0].strip() not in WORLDS:
        raise unknown("--world", "world", world, WORLDS)
    game: Any = load(world)
    made: Populated = game
    return made


def games_of(
    world: str, sizes: Sequence[str], flag: str = "--sizes"
) -> "tuple[Populated, ...]":
    """The games of a world at some population sizes.

    Args:
      world: by name.
      sizes: as words.
      flag: where they are from, for errors.

    Raises:
      UserError: there is no such world, it has no population, or a size does not fit.
    """
    from metaspiel.games.entities import family

    game = world_of(world)
    roles = game.role_names
    for one in sizes:
        if len(size_of(one, flag)) != len(roles):
            raise UserError(
                f"{flag}: a size in {world} must be {len(roles)} "
                f"number{'s' * (len(roles) > 1)} ({' and '.join(roles)}); got '{one}'"
            )
    return family(game, [size_of(one, flag) for one in sizes])


@dataclass(frozen=True, kw_only=True)
class Task:
    """A training from its first sweep to its last.

    Attributes:
      world: by name, as ``metaspiel.games.worlds.load`` reads it.
      sizes: population sizes that are learned, as words.
      method: one of ``METHODS`` or ``BASELINES``.
      training: how it learns.
      seed: of everything random.
      sweeps: turns of every game.
      measure_every: sweeps between measurements; the last one is measured too.
      episodes: of a measurement of a size.
    """

    world: str
    sizes: tuple[str, ...]
    method: str
    training: Training
    seed: int
    sweeps: int
    measure_every: int
    episodes: int

    @property
    def how(self) -> Method:
        """The method; of a baseline, that of its networks.

        Raises:
          UserError: there is none of that name.
        """
        if self.method not in (*METHODS, *BASELINES):
            raise unknown("--method", "method", self.method, [*METHODS, *BASELINES])
        return METHODS[BASELINES.get(self.method, self.method)]

    @property
    def games(self) -> "tuple[Populated, ...]":
        """The games that are learned."""
        return games_of(self.world, self.sizes)

    @property
    def roles(self) -> tuple[str, ...]:
        """What agents of each role are called."""
        return world_of(self.world).role_names

    @property
    def total(self) -> int:
        """Episodes of all games together."""
        return self.sweeps * len(self.sizes) * self.training.envs

    @property
    def comparisons(self) -> int:
        """Episodes besides, from which nothing is learned: EPC ranks its sets."""
        if self.method != "epc":
            return 0
        return EPC(sweeps=self.sweeps).comparisons(len(self.sizes))

    @property
    def besides(self) -> str:
        """The same as the end of a sentence; empty where there are none."""
        count = self.comparisons
        if not count:
            return ""
        more = f"{count} episodes more a run to compare its sets"
        return f"; {self.method} plays {more}, and learns nothing from them"

    @property
    def facts(self) -> dict[str, Any]:
        """What agents of this training are stored with."""
        names = ("world", "method", "seed")
        return {n: getattr(self, n) for n in names} | {"sizes": list(self.sizes)}

    @property
    def identity(self) -> str:
        """A hash of all that decides what is learned."""
        return files.digest([_RULES, asdict(self), asdict(self.how)])
