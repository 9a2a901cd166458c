"""What a player of an OpenSpiel game knows at a state, as a string."""

from collections.abc import Callable
from typing import Any

from metaspiel.games.walk import Names
from metaspiel.nfg.errors import UserError


def information(game: Any, *, perfect: bool, observations: bool) -> Names:
    """How to read what players know: tried at a state, since a game's type may deny it.

    Args:
      game: a turn-based ``pyspiel.Game``.
      perfect: of perfect information (of a game that was simultaneous: before it was
        played turn by turn), so that the history is an information state.
      observations: read observations instead.

    Raises:
      UserError: the game shows its players no such string.
    """
    state = game.new_initial_state()
    while state.is_chance_node():
        state = state.child(state.chance_outcomes()[0][0])
    observed = _works(_observed, state)
    short = game.get_type().short_name
    if observations:
        if not observed:
            raise UserError(
                f"sequence_form(): '{short}' must provide observation strings; it has "
                "none"
            )
        return _observed
    if _works(_informed, state):
        return _informed
    if perfect:
        return _history
    more = (
        "; it has observations, which may merge histories that a player can tell apart "
        "(observations=True, --observations: play that game instead)"
    )
    raise UserError(
        f"sequence_form(): '{short}' must provide information state strings"
        f"{more if observed else ', and has not even observations'}"
    )


def _works(names: Callable[[Any, int], object], state: Any) -> bool:
    """Whether a state has such a string; OpenSpiel's games fail in many ways."""
    if state.is_terminal():
        return True
    try:
        return isinstance(names(state, state.current_player()), str)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return False


def _informed(state: Any, player: int) -> str:
    name: str = state.information_state_string(player)
    return name


def _observed(state: Any, player: int) -> str:
    name: str = state.observation_string(player)
    return name


def _history(state: Any, player: int) -> str:
    """All moves so far, without those that are made at this very moment."""
    inner = getattr(state, "simultaneous_game_state", None)
    return " ".join(map(str, (state if inner is None else inner()).history()))
