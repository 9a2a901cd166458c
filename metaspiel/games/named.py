"""Games that are played in batches, by name."""

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.openspiel import OPENSPIEL
from metaspiel.games.parameters import class_of, game_of
from metaspiel.games.simulator import Simulator
from metaspiel.games.worlds import SIMULATORS
from metaspiel.nfg.errors import UnknownName, UserError

BARGAINING = ("bargaining", "bargaining_generalized")


def named_simulator(name: str, players: int | None = None) -> Simulator:
    """The batched simulator of a game: our own, or any OpenSpiel game, wrapped.

    Args:
      name: as OpenSpiel writes it, parameters included. "bargaining" is the generalised
        game of this library, "openspiel/bargaining" OpenSpiel's own; "capture_the_flag"
        is OpenSpiel's, "capture_the_flag_2v2" ours.
      players: sets the game's own ``players`` parameter; None leaves it.

    Raises:
      UserError: OpenSpiel does not know the game, or it cannot be played in batches.
    """
    if ("(" in name) != name.endswith(")"):
        raise UserError(
            f"named_simulator(): brackets must be closed at the end; got '{name}'"
        )
    short = name.partition("(")[0]
    if short in SIMULATORS:
        seats = class_of(short, SIMULATORS).players
        if players not in (None, seats):
            raise UserError(
                f"named_simulator(): {short} has {seats} players; got {players}"
            )
        return _ours(name)
    text = name.removeprefix(OPENSPIEL)
    if players is not None:
        end = text.removesuffix(")")
        text = f"{end}{',' if '(' in end else '('}players={players})"
    return OpenSpielSimulator(text)


def _ours(name: str) -> Simulator:
    """A simulator of our own, from its name."""
    try:
        game: Simulator = game_of(
            name, SIMULATORS, where="named_simulator", what="simulator"
        )
    except UnknownName as error:
        if not name.startswith(BARGAINING):
            raise
        raise UnknownName(
            f"{error} (OpenSpiel's own game is {OPENSPIEL}bargaining)"
        ) from None
    return game
