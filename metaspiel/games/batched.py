"""Any OpenSpiel game as a batched simulator: slower, one state at a time."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyspiel
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

import metaspiel.games.bargaining_openspiel  # noqa: F401  so that its game can be loaded
from metaspiel.games.chance import cumulative_of, later_chance, later_number
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
from metaspiel.nfg.errors import UserError

_KNOWN = (
    "blotto", "connect_four", "goofspiel", "hanabi", "kuhn_poker", "leduc_poker",
    "liars_dice", "sheriff", "tic_tac_toe", "trade_comm",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenSpielPosition(Position):
    """Episodes of an OpenSpiel game.

    Not for ``simulator.merge``: OpenSpiel's states are no tensors.

    Attributes:
      uniforms: the number each episode was started with.
      states: OpenSpiel's states; they are copied before they are moved on.
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
def _root(name: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The first chance event: outcomes and their cumulative probabilities."""
    return cumulative_of(tuple(_game(name).new_initial_state().chance_outcomes()))


@dataclass(frozen=True)
class OpenSpielSimulator(RealGame):
    """An OpenSpiel game as a simulator, with a Python loop over the episodes.

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
        game = _game(self.game)
        if self.reads == "information state":
            return int(game.information_state_tensor_size())
        return int(game.observation_tensor_size())

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
            states=np.full(shape, None, dtype=object),
            chances=blank,
        )
        return self.restart(nothing, torch.ones(shape, dtype=torch.bool), uniforms)

    def restart(
        self, position: Position, where: Where, uniforms: Uniforms
    ) -> OpenSpielPosition:
        """New episodes where asked, the others as they were."""
        old = own(position, OpenSpielPosition, "OpenSpielSimulator.restart()")
        states, chances = old.states.copy(), old.chances.clone()
        numbers = torch.where(
            where[..., None].to(uniforms.device), uniforms, old.uniforms
        )
        at = np.argwhere(where.cpu().numpy())
        for s, b in at:
            states[s, b] = _game(self.game).new_initial_state()
            chances[s, b] = 0
        return self._settled(
            replace(old, states=states, chances=chances, uniforms=numbers), at
        )

    def step(
        self, position: Position, action: Moves, where: Where
    ) -> OpenSpielPosition:
        """Positions after the movers' actions where asked; the others as they were.

        Raises:
          UserError: an action is illegal where asked.
        """
        old = own(position, OpenSpielPosition, "OpenSpielSimulator.step()")
        moves, actions = (where & ~old.done).cpu().numpy(), action.cpu().numpy()
        at = np.argwhere(moves)
        states, legal = old.states.copy(), old.legal.cpu().numpy()
        for s, b in at:
            chosen = int(actions[s, b])
            if not (0 <= chosen < self.actions and legal[s, b, chosen]):
                raise UserError(
                    "OpenSpielSimulator.step(): actions must be legal; "
                    f"got {chosen} in episode ({s}, {b}) of '{self.game}'"
                )
            states[s, b] = states[s, b].clone()
            states[s, b].apply_action(chosen)
        return self._settled(replace(old, states=states), at)

    def _settled(self, position: OpenSpielPosition, at: ndarray) -> OpenSpielPosition:
        """Resolves chance in the episodes ``at`` and refreshes their observations."""
        device = position.uniforms.device
        uniforms = position.uniforms[..., 0].cpu().numpy()
        # Tensors of the old position are never written to.
        mover, done, inputs, legal, returns, chances = (
            part.cpu().numpy().copy()
            for part in (
                position.mover,
                position.done,
                position.inputs,
                position.legal,
                position.returns,
                position.chances,
            )
        )
        reads_information = self.reads == "information state"
        here = tuple(at.T)
        done[here], inputs[here], legal[here], returns[here] = True, 0, False, 0
        live, movers, tensors, actions = [], [], [], []
        for s, b in at.tolist():
            state = position.states[s, b]
            while state.is_chance_node():
                event = int(chances[s, b])
                state.apply_action(self._outcome(state, float(uniforms[s, b]), event))
                chances[s, b] += 1
            if state.is_terminal():
                returns[s, b] = state.returns()
                continue
            player = state.current_player()
            live.append((s, b))
            movers.append(player)
            actions += [(s, b, action) for action in state.legal_actions()]
            tensors.append(_tensor(state, player, reads_information))
        if live:
            here = tuple(np.array(live).T)
            done[here], mover[here], inputs[here] = False, movers, tensors
            legal[tuple(np.array(actions).T)] = True
        return replace(
            position,
            mover=torch.from_numpy(mover).to(device),
            done=torch.from_numpy(done).to(device),
            inputs=torch.from_numpy(inputs).to(device),
            legal=torch.from_numpy(legal).to(device),
            returns=torch.from_numpy(returns).to(device),
            chances=torch.from_numpy(chances),
        )

    def trail(self, history: Sequence[int], player: int) -> Trail:
        """What a player saw, as in ``inputs``, and did along a history; see ``Trail``.

        Args:
          history: all actions so far, chance included; the player is to move now.
          player: the player.
        """
        state = _game(self.game).new_initial_state()
        informed = self.reads == "information state"
        inputs, made = list[ndarray](), list[int]()
        for action in history:
            if state.current_player() == player:
                inputs.append(_tensor(state, player, informed))
                made.append(action)
            state.apply_action(action)
        inputs.append(_tensor(state, player, informed))
        return Trail(np.stack(inputs), np.array(made, dtype=np.int64))

    def _outcome(self, state: Any, uniform: float, event: int) -> int:
        """The outcome of a chance event: the quantile at this uniform number."""
        if event == 0 and state.move_number() == 0:
            outcomes, cumulative = _root(self.game)
        else:
            outcomes, cumulative = cumulative_of(tuple(state.chance_outcomes()))
        number = uniform if event == 0 else later_number(uniform, event)
        return outcomes[bisect_right(cumulative, number)]

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


def _tensor(state: Any, player: int, informed: bool) -> Float32[ndarray, " D"]:
    tensor = (
        state.information_state_tensor(player)
        if informed
        else state.observation_tensor(player)
    )
    return np.asarray(tensor, dtype=np.float32)
