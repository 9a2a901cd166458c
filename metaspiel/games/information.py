"""What OpenSpiel's games show their players, and how they fail."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyspiel

from metaspiel.games.estimate import actions
from metaspiel.games.walk import Names
from metaspiel.nfg.errors import UserError

_TRIED = 1000  # states of a random path
_ENOUGH = 20  # decisions on it


def information(
    game: Any, *, perfect: bool, observations: bool, name: str = ""
) -> Names:
    """How to read what players know: tried at a state, since a game's type may deny it.

    Args:
      game: a turn-based ``pyspiel.Game``.
      perfect: of perfect information (of a game that was simultaneous: before it was
        played turn by turn), so that the history is an information state.
      observations: read observations instead.
      name: what sentences call the game, where that is not its own short name.

    Raises:
      UserError: the game shows its players no such string.
    """
    states = _decisions(game)
    observed = _works(_observed, states)
    short = name or game.get_type().short_name
    if observations:
        if not observed:
            raise UserError(
                f"sequence_form(): '{short}' must provide observation strings; it has "
                "none"
            )
        return _observed
    denied = not game.get_type().provides_information_state_string
    if _works(_informed, states) and not (
        denied
        and observed
        and all(_informed(*where) == _observed(*where) for where in states)
    ):  # Yacht's information states, which its type denies, are its observations
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


def _decisions(game: Any) -> list[tuple[Any, int]]:
    """Decisions on one random path, the same each time, and who makes them."""
    rng, state = np.random.default_rng(0), game.new_initial_state()
    made: list[tuple[Any, int]] = []
    for _ in range(_TRIED):
        if state.is_terminal() or len(made) == _ENOUGH:
            break
        if not state.is_chance_node():
            made.append((state, state.current_player()))
        state = state.child(int(rng.choice(actions(state))))
    return made


def _works(names: Names, states: list[tuple[Any, int]]) -> bool:
    """Whether states have such strings; OpenSpiel's games fail in many ways."""
    try:
        with silenced():
            return all(isinstance(names(*where), str) for where in states)
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


def has_tensors(kind: Any) -> bool:
    """Whether a game of this ``pyspiel.GameType`` can be played in batches."""
    tensors = kind.provides_information_state_tensor or kind.provides_observation_tensor
    hidden = pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
    field = pyspiel.GameType.Dynamics.MEAN_FIELD
    return tensors and kind.chance_mode != hidden and kind.dynamics != field


def with_tensors() -> list[str]:
    """OpenSpiel's games that can be played in batches, by name.

    Those that need a parameter are left out.
    """
    kinds = pyspiel.registered_games()
    return sorted(k.short_name for k in kinds if k.default_loadable and has_tensors(k))


def reason(error: Exception) -> str:
    """OpenSpiel's own words in one line, without the path of its source file."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"^/\S+ ", "", text)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Context without the messages that OpenSpiel's C++ prints besides its errors."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
