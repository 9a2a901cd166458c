"""OpenSpiel games by name, and policies to and from OpenSpiel's classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyspiel
from jaxtyping import Float64
from numpy import ndarray
from open_spiel.python import policy as openspiel_policy

from metaspiel.games.information import information, reason, silenced
from metaspiel.games.sequence import SequenceForm
from metaspiel.games.walk import MEMORY_GB, Progress, walk
from metaspiel.nfg.errors import UnknownGame, UserError, shown, unknown
from metaspiel.nfg.game import Game

OPENSPIEL = "openspiel/"
"""What plays in batches and is named so is OpenSpiel's, never our own simulator."""
_KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}
_BROKEN = ("morpion_solitaire",)  # a copy of a state points into freed memory


def load(name: str, players: int | None = None) -> Any:
    """An OpenSpiel game as a turn-based ``pyspiel.Game``.

    Args:
      name: OpenSpiel's game string, parameters included: ``kuhn_poker(players=3)``.
      players: sets the game's own ``players`` parameter; None leaves it.

    Raises:
      UserError: the game or a parameter is unknown or impossible.
    """
    return _turn_based(_loaded(name, players))


def _turn_based(game: Any) -> Any:
    """A game in which simultaneous moves are made one after the other, hidden."""
    if game.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        game = pyspiel.convert_to_turn_based(game)
    if game.get_type().dynamics != pyspiel.GameType.Dynamics.SEQUENTIAL:
        raise UserError(
            "load(): the game must be turn-based or simultaneous; got "
            f"'{game.get_type().short_name}'"
        )
    return game


def _loaded(name: str, players: int | None) -> Any:
    """Loads an OpenSpiel game; a failure becomes a ``UserError`` of one sentence."""
    where = "load()"
    short = name.split("(", 1)[0].strip()
    known = pyspiel.registered_names()
    if short not in known:
        raise unknown(where, "game", short, known, error=UnknownGame)
    if short in _BROKEN:
        raise UserError(
            f"{where}: '{short}' must be a game whose states can be copied; "
            "OpenSpiel's own code ends the process there"
        )
    try:
        with silenced():
            parameters = pyspiel.game_parameters_from_string(name)
    except (pyspiel.SpielError, RuntimeError) as error:
        raise UserError(
            f"{where}: a game must be written name(parameter=value,...); "
            f"got '{name}' ({reason(error)})"
        ) from None
    parameters.pop("name", None)
    if players is not None:
        parameters["players"] = players
    allowed = {g.short_name: g for g in pyspiel.registered_games()}[short]
    for key, value in parameters.items():
        if key not in allowed.parameter_specification:
            raise unknown(
                f"{where}: game '{short}'",
                "parameter",
                key,
                allowed.parameter_specification,
            )
        if type(allowed.parameter_specification[key]) is float and type(value) is int:
            parameters[key] = value = float(value)  # OpenSpiel refuses 1 for 1.0
        wanted = type(allowed.parameter_specification[key])
        if wanted in _KINDS and type(value) is not wanted:
            raise UserError(
                f"{where}: game '{short}': {key} must be {_KINDS[wanted]}; "
                f"got '{shown(value)}'"
            )
    low, high = allowed.min_num_players, allowed.max_num_players
    counts = f"exactly {low}" if low == high else f"{low} to {high}"
    count = parameters.get("players", low)
    if not isinstance(count, int) or not low <= count <= high:
        raise UserError(
            f"{where}: '{short}' must have {counts} players; "
            f"got {parameters['players']}"
        )
    try:
        with silenced():
            return pyspiel.load_game(short, parameters)
    except (pyspiel.SpielError, RuntimeError, LookupError, ValueError) as error:
        raise UserError(
            f"{where}: OpenSpiel must accept '{name}'"
            f"{f' with players={players}' if players is not None else ''}; "
            f"it says: {reason(error)}"
        ) from None


def sequence_form(
    game: Any,
    players: int | None = None,
    memory_gb: float = MEMORY_GB,
    *,
    progress: Progress | None = None,
    observations: bool = False,
) -> SequenceForm:
    """The sequence form of a game given by name or as a ``pyspiel.Game``.

    Simultaneous games are played turn by turn with hidden moves.

    Args:
      game: OpenSpiel's name, parameters included, or the game.
      players: sets the game's own ``players`` parameter; None leaves it.
      memory_gb: refuse a game whose tree makes the process grow by more than this.
      progress: told now and then how many states were seen, and of about how many.
      observations: players know their observations instead of their information states.
        That may be another game, for games that have no information states.

    Raises:
      UserError: the game is unknown, does not fit, hides its chances, or does not say
        what players know.
    """
    asked = _loaded(game, players) if isinstance(game, str) else game
    played = _turn_based(asked)
    short = asked.get_type().short_name
    if asked.get_type().chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
        raise UserError(
            "sequence_form(): the game must tell the distribution of its chance "
            f"events; '{short}' only samples them"
        )
    perfect = pyspiel.GameType.Information.PERFECT_INFORMATION
    try:
        names = information(
            played,
            perfect=asked.get_type().information == perfect,
            observations=observations,
            name=short,
        )
        form = walk(played, memory_gb=memory_gb, progress=progress, names=names)
    except (pyspiel.SpielError, RuntimeError) as error:
        raise UserError(
            f"sequence_form(): OpenSpiel must be able to walk '{short}'; it says: "
            f"{reason(error)}"
        ) from None
    return replace(form, observations=observations)


def matrix_game(name: str, players: int | None = None) -> Game:
    """The payoffs of one of OpenSpiel's one-shot (matrix or tensor) games.

    Raises:
      UserError: the game is unknown or is not one-shot.
    """
    short = name.split("(", 1)[0].strip()
    known = pyspiel.registered_names()
    if short not in known:
        raise unknown("matrix_game()", "game", short, known, error=UnknownGame)
    game = _loaded(name, players)
    one_shot = (
        pyspiel.GameType.Information.ONE_SHOT,
        pyspiel.GameType.Dynamics.SIMULTANEOUS,
    )
    if (game.get_type().information, game.get_type().dynamics) != one_shot:
        raise UserError(
            "matrix_game(): the game must be one-shot with simultaneous moves; "
            f"got '{name}' (metaspiel psro plays it)"
        )
    state = game.new_initial_state()
    legal = [state.legal_actions(p) for p in range(game.num_players())]
    payoffs = np.empty((len(legal), *map(len, legal)))
    for index in np.ndindex(*payoffs.shape[1:]):
        child = state.clone()
        child.apply_actions([own[i] for own, i in zip(legal, index, strict=True)])
        payoffs[(slice(None), *index)] = child.returns()
    return Game(payoffs)


class SequencePolicy(openspiel_policy.Policy):
    """Behaviours of a ``SequenceForm`` as an OpenSpiel Python policy.

    It finds its place by replaying the state's history, so it also serves games whose
    information state strings do not recall the player's own actions.

    Args:
      game: the turn-based ``pyspiel.Game`` of the form.
      form: its sequence form.
      behaviours: one of each player; or those of some players alone, by their numbers.
    """

    def __init__(
        self,
        game: Any,
        form: SequenceForm,
        behaviours: Sequence[ndarray] | Mapping[int, ndarray],
    ) -> None:
        if not isinstance(behaviours, Mapping):
            behaviours = dict(enumerate(behaviours))
        super().__init__(game, list(behaviours))
        self._form, self._behaviours = form, behaviours
        # Where a game does not say what players know, it has a form if they know all.
        self._names = information(game, perfect=True, observations=form.observations)
        self._place = [
            {
                (int(tree.parent[i]), name): (
                    int(tree.first[i]),
                    int(tree.first[i + 1]),
                )
                for i, name in enumerate(tree.names)
            }
            for tree in form.trees
        ]

    def action_probabilities(
        self, state: Any, player_id: int | None = None
    ) -> dict[int, float]:
        """Probabilities of the legal actions at ``state``."""
        player = state.current_player() if player_id is None else player_id
        if player not in self._behaviours:
            raise UserError(
                f"SequencePolicy: the player must be of {self.player_ids}; got {player}"
            )
        own, replay = 0, self.game.new_initial_state()
        for action in state.history():
            if replay.current_player() == player:
                begin, end = self._find(replay, player, own)
                legal = self._form.trees[player].action[begin:end]
                own = begin + int(np.flatnonzero(legal == action)[0])
            replay.apply_action(action)
        begin, end = self._find(state, player, own)
        actions = self._form.trees[player].action[begin:end]
        chances = self._behaviours[player][begin:end]
        return {int(a): float(p) for a, p in zip(actions, chances, strict=True)}

    def tabular(self) -> "pyspiel.TabularPolicy":
        """The same as a table of OpenSpiel's; see ``to_tabular``.

        Raises:
          UserError: it has not one policy a player, or as ``to_tabular``.
        """
        players = range(self._form.players)
        if list(self._behaviours) != list(players):
            raise UserError(
                f"tabular(): there must be a policy of each of {len(players)} players; "
                f"got those of {self.player_ids}"
            )
        return to_tabular(self._form, [self._behaviours[p] for p in players])

    def _find(self, state: Any, player: int, own: int) -> tuple[int, int]:
        return self._place[player][(own, self._names(state, player))]


def to_tabular(
    form: SequenceForm, behaviours: Sequence[ndarray]
) -> "pyspiel.TabularPolicy":
    """One behaviour a player as a joint ``pyspiel.TabularPolicy``.

    Raises:
      UserError: an information state string stands for several information sets with
        different probabilities (imperfect recall); ``SequencePolicy`` serves then.
    """
    table: dict[str, list[tuple[int, float]]] = {}
    for tree, behaviour in zip(form.trees, behaviours, strict=True):
        for i, name in enumerate(tree.names):
            span = slice(int(tree.first[i]), int(tree.first[i + 1]))
            row = [
                (int(a), float(p))
                for a, p in zip(tree.action[span], behaviour[span], strict=True)
            ]
            if table.setdefault(name, row) != row:
                raise UserError(
                    "to_tabular(): each information state string must have one set of "
                    f"probabilities; got two for {name!r} in '{form.name}', whose "
                    "strings do not recall own actions (use SequencePolicy)"
                )
    return pyspiel.TabularPolicy(table)


def from_openspiel(
    form: SequenceForm, game: Any, policy: Any, player: int
) -> Float64[ndarray, " S"]:
    """The behaviour of one player under any OpenSpiel policy, Python or C++.

    Args:
      form: the sequence form of ``game``.
      game: the turn-based ``pyspiel.Game`` that ``form`` was built from.
      policy: anything with ``action_probabilities(state)``, such as
        ``open_spiel.python.policy.TabularPolicy`` or ``pyspiel.TabularPolicy``.
      player: player whose behaviour is read.
    """
    tree = form.trees[player]
    behaviour = np.zeros(tree.sequences)
    behaviour[0] = 1.0
    for i, history in enumerate(tree.histories):
        state = game.new_initial_state()
        for action in history:
            state.apply_action(action)
        chances = dict(policy.action_probabilities(state))
        span = slice(int(tree.first[i]), int(tree.first[i + 1]))
        behaviour[span] = [chances.get(int(a), 0.0) for a in tree.action[span]]
    return behaviour
