"""The value of the game that a run plays, where it costs next to nothing to know."""

from numpy.linalg import LinAlgError

from metaspiel.games.zero_sum import equilibrium, objection
from psro.arena import Arena

MOST_ENDS = 30_000
"""Terminals, merged, of the largest tree whose value is worked out for a report."""


def game_values(arena: Arena) -> list[float] | None:
    """What each player gets in every equilibrium of the game; None where unknown.

    Known are the values of two-player zero-sum trees of at most ``MOST_ENDS`` ends;
    ``metaspiel value`` works out those of larger ones.
    """
    form = arena.form if arena.referee is None else arena.referee.form
    if form is None or form.ends.shape[1] > MOST_ENDS or objection(form) is not None:
        return None
    try:
        made = equilibrium(form)
    except LinAlgError:
        return None
    return made.values.tolist() if made.certain else None
