"""Trained agents of any method: what they earn, how they adapt, and their file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from experiments.mra.task_config import BASELINES
from metaspiel import files
from metaspiel.games.entities import Populated
from metaspiel.learn.agents import Trainable
from metaspiel.nfg.errors import UserError, unknown
from mra.adaptation import adapt, adapted_score, begin
from mra.baselines import rl2
from mra.measuring import best_mode, measure
from mra.play import Score
from mra.settings import METHODS, Method, Training
from mra.state import DELAYED, MRAState

_FORMAT = 1
_SHAPE = {
    "world": str,
    "method": str,
    "seed": int,
    "sizes": [str],
    "sweep": int,
    "copies": int,
    "games": [str],
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Agents:
    """The agents of a state.

    Attributes:
      facts: the training: world, sizes, method, seed.
      games: that were learned.
      state: with their weights; of EPC that of its best set.
      sweep: after which they are.
      copies: networks of a role, which EPC has several of.
    """

    facts: Mapping[str, Any]
    games: tuple[Populated, ...]
    state: MRAState
    sweep: int
    copies: int = 1

    @cached_property
    def how(self) -> Method:
        """The method that says which networks they have.

        Raises:
          UserError: there is no such method.
        """
        name = self.facts["method"]
        if name not in (*METHODS, *BASELINES):
            raise unknown("method", "method", name, (*METHODS, *BASELINES))
        return replace(METHODS[BASELINES.get(name, name)], copies=self.copies)

    @property
    def remembers(self) -> bool:
        """Whether they are those of RL^2."""
        return bool(self.facts["method"] == "rl2")

    def score(self, game: Populated, *, count: int, seed: int) -> Score:
        """What they earn; those of RL^2 after a trial, one episode of each game.

        Raises:
          UserError: they do not fit the game.
        """
        weights = self.state.weights
        if self.remembers:
            return rl2.measure(
                game, rl2.RL2(), weights, count=count, seed=seed, before=self.games
            )
        return measure(game, self.how, weights, count=count, seed=seed)

    def best_latent(self, game: Populated, *, count: int, seed: int) -> Score | None:
        """What they earn when all have the latent that is best; None where all do."""
        if self.how.relations.latents == 1:
            return None
        weights = self.state.weights
        return best_mode(game, self.how, weights, count=count, seed=seed).score

    def begin(self, game: Populated, training: Training, seed: int) -> MRAState:
        """The state before they adapt to a game.

        Raises:
          UserError: they do not fit it.
        """
        if self.remembers:
            return rl2.begin(game, rl2.RL2(), training, self.state, seed)
        return begin(game, self.how, training, self.state, seed)

    def adapt(
        self, game: Populated, training: Training, state: MRAState
    ) -> tuple[MRAState, dict[str, Any]]:
        """A round of adaptation."""
        if self.remembers:
            return rl2.adapt(game, rl2.RL2(), training, state)
        return adapt(game, self.how, training, state)

    def adapted(
        self, game: Populated, state: MRAState, *, count: int, seed: int
    ) -> Score:
        """What they earn in the course of it, each with the latent it keeps."""
        if self.remembers:
            return rl2.measure(game, rl2.RL2(), state.weights, count=count, seed=seed)
        return adapted_score(game, self.how, state, count=count, seed=seed)

    def write(self, path: Path) -> None:
        """Writes their weights, without replays and moments."""
        state = self.state
        tensors = dict(state.weights)
        tensors |= {f"slow.{name}": state.delayed[name] for name in DELAYED}
        arrays = {name: one.detach().numpy() for name, one in tensors.items()}
        facts = {
            **self.facts,
            "format": _FORMAT,
            "sweep": self.sweep,
            "copies": self.copies,
            "games": list(state.games),
        }
        files.write_arrays(path, arrays, facts)


def both_of(folder: Path, games: tuple[Populated, ...]) -> dict[str, Agents]:
    """The "best" and the "last" agents of a finished run.

    Raises:
      UserError: a file is missing, or damaged or of another format.
    """
    names = ("best", "last")
    return {name: read(folder / f"{name}.safetensors", games) for name in names}


def _check(path: Path, state: MRAState) -> None:
    """Refuses weights that no network can have.

    Raises:
      UserError: a part is missing, or its numbers are not those of weights.
    """
    weights = state.weights
    for name in ("graph", *DELAYED):
        if name not in weights:
            raise UserError(f"'{path}' must hold '{name}'; it is missing")
    rows = {len(one) for one in weights.values() if one.dim() == 2}
    for name, one in {**weights, **state.delayed}.items():
        sound = one.dim() == 2 and one.dtype == torch.float32
        if not sound or len(rows) != 1 or one.shape != weights[name].shape:
            raise UserError(
                f"'{path}' must hold weights float32 [groups, numbers] of '{name}'; "
                f"got {one.dtype} {list(one.shape)}"
            )
        if not one.isfinite().all():
            raise UserError(f"'{path}' must hold finite weights of '{name}'")


def read(path: Path, games: tuple[Populated, ...] | None = None) -> Agents:
    """What ``Agents.write`` wrote.

    Args:
      path: of the file.
      games: that were learned; None makes them as the file says.

    Raises:
      UserError: there is no such file, or it is damaged or of another format.
    """
    from experiments.mra.task_config import games_of

    facts, arrays = files.read_arrays(path)
    files.check_shape(f"'{path}'", facts, _SHAPE)
    if facts.get("format") != _FORMAT:
        raise UserError(f"'{path}' must hold agents of format {_FORMAT}")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    try:
        delayed = {name: tensors.pop(f"slow.{name}") for name in DELAYED}
        state = MRAState(
            games=tuple(facts["games"]),
            seed=facts["seed"],
            sweep=facts["sweep"],
            learners={name: Trainable.fresh(one) for name, one in tensors.items()},
            delayed=delayed,
            replays=(),
        )
    except KeyError as gone:
        raise UserError(f"'{path}' must hold {gone}; it is missing") from None
    _check(path, state)
    known = {name: facts[name] for name in ("world", "method", "seed", "sizes")}
    return Agents(
        facts=known,
        games=games or games_of(facts["world"], facts["sizes"]),
        state=state,
        sweep=facts["sweep"],
        copies=facts["copies"],
    )
