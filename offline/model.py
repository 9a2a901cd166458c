"""A learned ensemble as a simulator, with episodes inside the model.

One move (Nguyen & Wellman 2026, section 4 and appendix A, and the authors' code): the
next state is the mean of the members' predictions, not rounded unless asked. The
episode is over where that state is within .5 of all -1, on average over its entries,
or after the last possible move. Only where the state says so, the episode pays: the
mean of the members' payoffs, with their disagreement u as a penalty; an episode that
is cut by its length pays 0. What the players see and may do is read off the predicted
state. Players take turns. Episodes begin where a random trajectory of the data began.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, get_args

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn.functional import embedding

from metaspiel.games.simulator import Moves, Position, Uniforms, Where, merge, own
from metaspiel.nfg.errors import UserError, unknown
from offline.ensemble import Ensemble, moved, only, same, together
from offline.predict import Predictor
from offline.settings import History, Uncertainty
from offline.starts import Starts, joined, sliced


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelPosition(Position):
    """Episodes inside a learned model.

    Attributes:
      state: predicted true state.
      steps: moves made so far.
      fired: the predicted state was terminal, so that the episode paid.
      member_returns: payoffs according to each member; 0 until fired.
      emptied: how often no action at all was predicted to be legal although the episode
        went on; all actions were then taken to be legal.
    """

    state: Float32[Tensor, "S B X"]
    steps: Int64[Tensor, "S B"]
    fired: Bool[Tensor, "S B"]
    member_returns: Float32[Tensor, "S B M N"]
    emptied: Int64[Tensor, "S B"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelSimulator:
    """S learned models as one simulator (``metaspiel.games.simulator.Simulator``).

    Attributes:
      learned: the trained networks.
      starts: where episodes begin.
      history: the offers in an information state are those that the model predicts the
        next mover to see ("predicted", the authors' way) or those that were made
        ("actual").
      uncertainty: u is the largest distance of a member's payoffs from the mean
        ("deviation") or of two members' ("pairwise"); distances are means over players.
      round_state: predicted states are rounded.

    Raises:
      UserError: a name is unknown, or models and starts are of different trials.
    """

    learned: Ensemble
    starts: Starts
    history: History = "predicted"
    uncertainty: Uncertainty = "deviation"
    round_state: bool = False

    draws = 1
    reads = "information state"

    def __post_init__(self) -> None:
        for name, known in (("history", History), ("uncertainty", Uncertainty)):
            if getattr(self, name) not in get_args(known):
                raise unknown(
                    "ModelSimulator()", name, getattr(self, name), get_args(known)
                )
        if self.learned.trials != len(self.starts.count):
            raise UserError(
                "ModelSimulator(): there must be one data set for each model; got "
                f"{len(self.starts.count)} data sets and {self.learned.trials} models"
            )
        sizes = self.learned.sizes
        if self.history == "actual" and sizes.vector != sizes.kept:
            raise UserError(
                "ModelSimulator(): a history of actual offers needs vectors of "
                f"{sizes.kept} numbers, as many as are kept; got {sizes.vector}"
            )

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __hash__(self) -> int:
        return hash((self.name, self.learned.trials, self.history, self.uncertainty))

    def __getstate__(self) -> dict[str, Any]:
        # The stacked networks are left out: they are made again.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def name(self) -> str:
        """The name of the model, from the name of the game that it was learned from."""
        return f"model of {self.learned.game}"

    @property
    def players(self) -> int:
        """N, the number of players."""
        return self.learned.sizes.players

    @property
    def actions(self) -> int:
        """A, the number of actions, the same for all players."""
        return self.learned.sizes.actions

    @property
    def inputs(self) -> int:
        """Observation size D."""
        return self.learned.sizes.inputs

    @property
    def longest(self) -> int:
        """Moves after which an episode is cut."""
        return self.learned.sizes.longest

    @property
    def symmetric(self) -> bool:
        """Whether the game learned is symmetric; its model is so approximately."""
        return self.learned.symmetric

    @property
    def ensemble(self) -> int:
        """M, the number of ensemble members."""
        return self.learned.training.members

    @property
    def _switches(self) -> tuple[str, str, bool]:
        return self.history, self.uncertainty, self.round_state

    @cached_property
    def predictor(self) -> Predictor:
        """The networks, as predictors of single moves."""
        return Predictor(self.learned, self.uncertainty, self.round_state)

    def start(self, uniforms: Uniforms) -> ModelPosition:
        """New episodes, each from the beginning of a random trajectory."""
        trials, episodes, _ = uniforms.shape
        begin = self.starts
        if trials != self.learned.trials:
            raise UserError(
                f"ModelSimulator.start(): there must be uniform numbers for "
                f"{self.learned.trials} trials; got {trials}"
            )
        count = begin.count[:, None]
        index = (uniforms[..., 0] * count).long().minimum(count - 1)
        offset = torch.arange(trials, device=uniforms.device) * begin.state.shape[1]
        rows = (index + offset[:, None]).flatten()

        def of(table: Tensor) -> Tensor:
            chosen = table.flatten(0, 1).index_select(0, rows)
            return chosen.unflatten(0, (trials, episodes))

        state = of(begin.state)
        zero = torch.zeros_like(state[..., 0])
        members = (trials, episodes, self.ensemble, self.players)
        return ModelPosition(
            mover=of(begin.mover),
            done=zero.bool(),
            inputs=of(begin.inputs),
            legal=of(begin.legal),
            returns=zero[..., None].repeat(1, 1, self.players),
            penalty=zero,
            state=state,
            steps=zero.long(),
            fired=zero.bool(),
            member_returns=state.new_zeros(members),
            emptied=zero.long(),
        )

    def restart(
        self, position: Position, where: Where, uniforms: Uniforms
    ) -> ModelPosition:
        """New episodes where asked, the others as they were."""
        return merge(
            where,
            self.start(uniforms),
            own(position, ModelPosition, "ModelSimulator.restart()"),
        )

    def step(self, position: Position, action: Moves, where: Where) -> ModelPosition:
        """After the movers' actions where asked; other episodes stay as they are."""
        old = own(position, ModelPosition, "ModelSimulator.step()")
        now = self.predictor.predict(old.state, action)
        steps = old.steps + 1
        done = now.fired | (steps >= self.longest)
        empty = ~now.legal.any(2) & ~done
        mover = (old.mover + 1) % self.players
        pays = self.predictor.payoffs(old.state, action, now.fired & where & ~old.done)
        new = ModelPosition(
            mover=mover,
            done=done,
            inputs=self._information(old, mover, now.observations, action),
            legal=(now.legal | empty[..., None]) & ~done[..., None],
            returns=pays.mean(2),
            penalty=self.predictor.disagreement(pays),
            state=now.state,
            steps=steps,
            fired=now.fired,
            member_returns=pays,
            emptied=old.emptied + empty,
        )
        return merge(where & ~old.done, new, old)

    def outcomes(self, position: Position) -> Float32[Tensor, "S B M N"]:
        """What each member says the finished episodes pay."""
        return own(position, ModelPosition, "ModelSimulator.outcomes()").member_returns

    def together(self, others: Sequence["ModelSimulator"]) -> "ModelSimulator":
        """The joint simulator of all trials: this one's, then the others'.

        Raises:
          UserError: they differ in more than weights and starts.
        """
        every = [self, *others]
        for other in others:
            if other._switches != self._switches:
                raise UserError(
                    "ModelSimulator.together(): all must have the same switches; got "
                    f"{self._switches} and {other._switches}"
                )
        return replace(
            self,
            learned=together([one.learned for one in every]),
            starts=joined([one.starts for one in every]),
        )

    def trial(self, number: int) -> "ModelSimulator":
        """The simulator of one trial alone."""
        return replace(
            self,
            learned=only(self.learned, number),
            starts=sliced(self.starts, number),
        )

    def to(self, device: torch.device) -> "ModelSimulator":
        """The simulator on another device."""
        return moved(self, device)

    def _information(
        self,
        old: ModelPosition,
        mover: Int64[Tensor, "S B"],
        seen: Float32[Tensor, "S B N O"],
        action: Int64[Tensor, "S B"],
    ) -> Float32[Tensor, "S B D"]:
        """The next mover's information state: the newest head, and the past ones."""
        sizes = self.learned.sizes
        index = mover[..., None, None].expand(-1, -1, 1, sizes.observation)
        own = seen.gather(2, index)[:, :, 0]
        newest = own[..., sizes.head :]
        if self.history == "actual":
            newest = embedding(action, self.learned.vectors)
        past = old.inputs[..., sizes.head :].unflatten(2, (sizes.longest, -1))
        slots = torch.arange(sizes.longest, device=mover.device)
        here = (slots == old.steps[..., None])[..., None]
        past = torch.where(here, newest[..., None, :], past).flatten(2)
        return torch.cat([own[..., : sizes.head], past], 2)
