"""Games that are played in batches, by name."""

from typing import cast

from metaspiel.games.bargaining import Bargaining
from metaspiel.games.bargaining_rules import Exponent
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.openspiel import OPENSPIEL
from metaspiel.games.simulator import Simulator
from metaspiel.nfg.errors import UserError

BARGAINING = ("bargaining", "bargaining_generalized")


def named_simulator(name: str, players: int | None = None) -> Simulator:
    """The batched simulator of a game: our own, or any OpenSpiel game, wrapped.

    Args:
      name: as OpenSpiel writes it, parameters included. "bargaining" is the generalised
        game of this library, "openspiel/bargaining" OpenSpiel's own.
      players: sets the game's own ``players`` parameter; None leaves it.

    Raises:
      UserError: OpenSpiel does not know the game, or it cannot be played in batches.
    """
    if ("(" in name) != name.endswith(")"):
        raise UserError(
            f"named_simulator(): brackets must be closed at the end; got '{name}'"
        )
    short, _, rest = name.removesuffix(")").partition("(")
    if short in BARGAINING:
        if players not in (None, 2):
            raise UserError(f"named_simulator(): {short} has 2 players; got {players}")
        return _bargaining(rest)
    text = name.removeprefix(OPENSPIEL)
    if players is not None:
        end = text.removesuffix(")")
        text = f"{end}{',' if '(' in end else '('}players={players})"
    return OpenSpielSimulator(text)


def _bargaining(rest: str) -> Bargaining:
    """Our Bargaining from OpenSpiel's way to write parameters."""
    values: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, _, value = pair.partition("=")
        values[key.strip()] = value.strip()
    strange = values.keys() - {"discount", "exponent"}
    if strange:
        raise UserError(
            "named_simulator(): bargaining knows the parameters discount and exponent; "
            f"got {', '.join(sorted(strange))} (OpenSpiel's own game is "
            f"{OPENSPIEL}bargaining)"
        )
    discount = values.get("discount", "0.99")
    try:
        rate = float(discount)
    except ValueError:
        raise UserError(
            f"named_simulator(): discount must be a number; got '{discount}'"
        ) from None
    # Bargaining itself refuses an exponent that it does not know.
    return Bargaining(rate, cast(Exponent, values.get("exponent", "offers")))
