"""Any OpenSpiel game as a batched simulator: a small one quickly, from its tree."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyspiel
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

import metaspiel.games.bargaining_openspiel  # noqa: F401  so that its game can be loaded
from metaspiel.games.chance import cumulative_of, event_numbers, later_chance
from metaspiel.games.information import with_tensors
from metaspiel.games.openspiel import load
from metaspiel.games.simulator import (
    Moves,
    Position,
    RealGame,
    Trail,
    Uniforms,
    Where,
    own,
)
from metaspiel.games.stepped import Rules, Stepped
from metaspiel.games.tabled import tabled
from metaspiel.nfg.errors import UserError

_KNOWN = (
    "blotto", "connect_four", "goofspiel", "hanabi", "kuhn_poker", "leduc_poker",
    "liars_dice", "sheriff", "tic_tac_toe", "trade_comm",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenSpielPosition(Position):
    """Episodes of an OpenSpiel game.

    Not for ``simulator.merge``: the states are no tensors.

    Attributes:
      uniforms: the number each episode was started with.
      states: as the game's ``Rules`` keep them.
      chances: chance events so far.
    """

    uniforms: Float64[Tensor, "S B 1"]
    states: ndarray
    chances: Int64[Tensor, "S B"]


@lru_cache(maxsize=64)
def _game(name: str) -> Any:
    """OpenSpiel's turn-based game."""
    return load(name)


@lru_cache(maxsize=64)
def _rules(name: str) -> Rules:
    """The game's tree where it is small, else its states."""
    stepped = Stepped(_game(name))
    return tabled(stepped) or stepped


@lru_cache(maxsize=64)
def _root(name: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The first chance event: outcomes and their cumulative probabilities."""
    return cumulative_of(tuple(_game(name).new_initial_state().chance_outcomes()))


@dataclass(frozen=True)
class OpenSpielSimulator(RealGame):
    """An OpenSpiel game as a simulator.

    A game whose tree is small is played in a table of it, with the same bits as in a
    Python loop over the episodes, in which larger games are played.

    Simultaneous games are played turn by turn with hidden moves. The first chance event
    of an episode is chosen by its uniform number itself (inverse distribution function,
    outcomes in OpenSpiel's order), the n-th one by the n-th number of a stream that the
    uniform number seeds: episodes with the same number meet the same chance.

    Attributes:
      game: OpenSpiel's game string, parameters included.
      symmetric: whether exchanging the players changes nothing. This is believed.

    Raises:
      UserError: the game is unknown, shows its players no tensor, or hides the
        distribution of its chance events.
    """

    game: str
    symmetric: bool = False

    draws = 1

    def __post_init__(self) -> None:
        kind = _game(self.game).get_type()
        if not (
            kind.provides_information_state_tensor or kind.provides_observation_tensor
        ):
            others = len(with_tensors()) - len(_KNOWN)
            raise UserError(
                "OpenSpielSimulator(): the game must provide an information state "
                f"tensor or an observation tensor; got '{self.game}' (those that do: "
                f"{', '.join(_KNOWN)} and {others} others, which "
                "metaspiel.games.information.with_tensors() lists)"
            )
        if kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
            raise UserError(
                "OpenSpielSimulator(): the game must tell the distribution of its "
                f"chance events; got '{self.game}'"
            )

    @property
    def name(self) -> str:
        """The game's name, as OpenSpiel reads it."""
        return self.game

    @property
    def players(self) -> int:
        """N, the number of players."""
        return int(_game(self.game).num_players())

    @property
    def actions(self) -> int:
        """A, the number of actions, the same for all players."""
        return int(_game(self.game).num_distinct_actions())

    @property
    def reads(self) -> str:
        """The kind of ``inputs``: "information state", or else "observation"."""
        kind = _game(self.game).get_type()
        informed = kind.provides_information_state_tensor
        return "information state" if informed else "observation"

    @property
    def caveats(self) -> tuple[str, ...]:
        """A sentence on each way in which players see less than they may know."""
        perfect = pyspiel.GameType.Information.PERFECT_INFORMATION
        if (
            self.reads == "information state"
            or _game(self.game).get_type().information == perfect
        ):
            return ()
        return (
            "observations: the game shows its players no information state tensors, "
            "and what they observe at a move may not tell what they saw and did before",
        )

    @property
    def inputs(self) -> int:
        """Observation size D."""
        return Stepped(_game(self.game)).inputs

    @property
    def longest(self) -> int:
        """OpenSpiel's bound on the number of moves."""
        return int(_game(self.game).max_game_length())

    def start(self, uniforms: Uniforms) -> OpenSpielPosition:
        """New episodes, one number in [0, 1) each; see the class.

        Raises:
          UserError: an episode does not have one number.
        """
        if uniforms.shape[-1] != self.draws:
            raise UserError(
                "OpenSpielSimulator.start(): an episode needs 1 uniform number; "
                f"got {uniforms.shape[-1]}"
            )
        shape = tuple(uniforms.shape[:2])
        blank = torch.zeros(shape, dtype=torch.int64)
        nothing = OpenSpielPosition(
            mover=blank,
            done=torch.ones(shape, dtype=torch.bool),
            inputs=torch.zeros(*shape, self.inputs),
            legal=torch.zeros(*shape, self.actions, dtype=torch.bool),
            returns=torch.zeros(*shape, self.players),
            penalty=torch.zeros(shape, device=uniforms.device),
            uniforms=uniforms,
            states=np.resize(_rules(self.game).begin(1), shape),
            chances=blank,
        )
        return self.restart(nothing, torch.ones(shape, dtype=torch.bool), uniforms)

    def restart(
        self, position: Position, where: Where, uniforms: Uniforms
    ) -> OpenSpielPosition:
        """New episodes where asked, the others as they were."""
        old = own(position, OpenSpielPosition, "OpenSpielSimulator.restart()")
        numbers = torch.where(
            where[..., None].to(uniforms.device), uniforms, old.uniforms
        )
        at = np.flatnonzero(where.cpu().numpy())
        chances = old.chances.clone()
        chances.view(-1)[at] = 0
        fresh = replace(old, chances=chances, uniforms=numbers)
        return self._settled(fresh, at, _rules(self.game).begin(len(at)))

    def step(
        self, position: Position, action: Moves, where: Where
    ) -> OpenSpielPosition:
        """Positions after the movers' actions where asked; the others as they were.

        Raises:
          UserError: an action is illegal where asked.
        """
        old = own(position, OpenSpielPosition, "OpenSpielSimulator.step()")
        at = np.flatnonzero((where & ~old.done).cpu().numpy())
        actions = action.cpu().numpy().reshape(-1)[at]
        known = (actions >= 0) & (actions < self.actions)
        legal = old.legal.cpu().numpy().reshape(-1, self.actions)
        known &= legal[at, np.where(known, actions, 0)]
        if not known.all():
            wrong = int(known.argmin())
            s, b = divmod(int(at[wrong]), old.done.shape[1])
            raise UserError(
                "OpenSpielSimulator.step(): actions must be legal; "
                f"got {actions[wrong]} in episode ({s}, {b}) of '{self.game}'"
            )
        moved = _rules(self.game).after(old.states.reshape(-1)[at], actions)
        return self._settled(old, at, moved)

    def _settled(
        self, position: OpenSpielPosition, at: Int64[ndarray, " M"], states: ndarray
    ) -> OpenSpielPosition:
        """The position with new states in the episodes ``at``, once chance has acted.

        Args:
          position: the position before; its tensors are never written to.
          at: which episodes, counted through all trials.
          states: theirs; chance may be to move.
        """
        rules, device = _rules(self.game), position.uniforms.device
        uniforms = position.uniforms.cpu().numpy().reshape(-1)[at]
        chances = position.chances.numpy().reshape(-1)[at]
        while (chancy := rules.chancy(states).nonzero()[0]).size:
            numbers = event_numbers(uniforms[chancy], chances[chancy])
            states[chancy] = rules.met(states[chancy], numbers)
            chances[chancy] += 1
        shown = rules.shown(states)

        def put(part: Tensor, rows: ndarray) -> Tensor:
            return torch.from_numpy(_put(part.cpu().numpy(), at, rows)).to(device)

        # The mover stays the one of the last move where the episode is over.
        before = position.mover.cpu().numpy().reshape(-1)[at]
        return replace(
            position,
            mover=put(position.mover, np.where(shown.done, before, shown.mover)),
            done=put(position.done, shown.done),
            inputs=put(position.inputs, shown.inputs),
            legal=put(position.legal, shown.legal),
            returns=put(position.returns, shown.returns),
            states=_put(position.states, at, states),
            chances=torch.from_numpy(_put(position.chances.numpy(), at, chances)),
        )

    def history(self, position: Position, trial: int, episode: int) -> list[int]:
        """All actions of an episode so far, chance included."""
        asked = own(position, OpenSpielPosition, "OpenSpielSimulator.history()")
        return _rules(self.game).history(asked.states[trial, episode])

    def trail(self, history: Sequence[int], player: int) -> Trail:
        """What a player saw, as in ``inputs``, and did along a history; see ``Trail``.

        Args:
          history: all actions so far, chance included; the player is to move now.
          player: the player.
        """
        state = _game(self.game).new_initial_state()
        look = Stepped(_game(self.game)).look
        inputs, made = list[ndarray](), list[int]()
        for action in history:
            if state.current_player() == player:
                inputs.append(look(state, player))
                made.append(action)
            state.apply_action(action)
        inputs.append(look(state, player))
        return Trail(np.stack(inputs), np.array(made, dtype=np.int64))

    def instances(self) -> tuple[Float64[Tensor, "K 1"], Float64[Tensor, " K"]]:
        """All outcomes of chance: the uniform number that starts each, its probability.

        For deterministic policies the mean of the returns of these K episodes, weighted
        by the probabilities, is the expected return.

        Raises:
          UserError: there is chance after the root; 32 random episodes look for it.
            ``OpenSpielPosition.chances`` above 1 would show what they missed.
        """
        root = _game(self.game).new_initial_state()
        if later_chance(root):
            raise UserError(
                "OpenSpielSimulator.instances(): chance must act at the root only; "
                f"got '{self.game}'"
            )
        if not root.is_chance_node():
            return torch.full((1, 1), 0.5).double(), torch.ones(1).double()
        high = np.array(_root(self.game)[1])
        low = np.concatenate([[0.0], high[:-1]])
        real = high > low
        middles, weights = ((low + high) / 2)[real], (high - low)[real]
        return torch.from_numpy(middles)[:, None], torch.from_numpy(weights)


def _put(part: ndarray, at: Int64[ndarray, " M"], rows: ndarray) -> ndarray:
    """A copy of an array ``[S, B, ...]`` with other rows in the episodes ``at``."""
    copy = part.copy()
    copy.reshape(-1, *part.shape[2:])[at] = rows
    return copy
