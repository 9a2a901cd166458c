"""Runs of PSRO that exist, as values: what was measured, and what is played."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from experiments.lab.folder import read_result
from experiments.psro import summary
from experiments.psro.checkpoint import Begun
from experiments.psro.config import Config
from experiments.psro.rows import Rows
from experiments.psro_parts.config import EXACT
from meta_solvers.base import AnyGame
from metaspiel.nfg import views
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint, independent, marginals
from psro.parts import CONCEPTS, Population, Reaches, State, TargetConcept
from psro.targets import played

if TYPE_CHECKING:  # what loads OpenSpiel or torch
    from jaxtyping import Float64
    from numpy import ndarray
    from open_spiel.python.policy import Policy

    from psro.arena import Arena
    from psro.exploiting import Exploit
    from psro.mixture import Mixture
    from psro.network_policies import Networks
    from psro.openspiel_policies import Cast

Responder = Literal["best", "exact", "learned"]
RESPONDERS: tuple[Responder, ...] = get_args(Responder)
_MOST_CELLS = 2**22
_TREE_GB = 0.25  # of a tree that nobody asked the run to walk


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredRun:
    """A trial of PSRO from its folder, held against its checkpoint and its game.

    Attributes:
      folder: of the trial.
      config: what it was asked.
      begun: its last checkpoint with the rows before it.
    """

    folder: Path
    config: Config
    begun: Begun

    def __repr__(self) -> str:
        return f"<Run '{self.folder}': {', '.join(self._facts.values())}>"

    def _repr_html_(self) -> str:
        """The facts for a notebook."""
        return views.html(f"Run '{self.folder}'", self._facts)

    @property
    def _facts(self) -> dict[str, str]:
        """What there is to say, in words; the game is not built for it."""
        gap = "not measured" if self.gap is None else views.number(self.gap)
        kind = "" if self.config.gap_is == EXACT else f" ({self.config.gap_is})"
        payoffs = self.config.payoffs
        return {
            "game": self.config.game if payoffs is None else str(payoffs),
            "meta-solver": self.config.solver,
            "oracle": f"oracle {self.config.oracle}",
            "iterations": f"{self.state.iteration} iterations",
            "policies": f"{views.size(self.population.sizes)} policies",
            "gap": f"{self.concept.upper()} gap{kind} {gap}",
        }

    @property
    def name(self) -> str:
        """What tells it from others: the name of its folder."""
        trial = self.config.trials > 1
        return "/".join(self.folder.absolute().parts[-2 if trial else -1 :])

    @property
    def state(self) -> State:
        """The last state: population, payoffs, meta-strategies, responses."""
        assert self.begun.state is not None  # as ``latest`` gives it
        return self.begun.state

    @cached_property
    def metrics(self) -> Rows:
        """The rows of metrics up to that state."""
        return Rows(tuple(self.begun.rows.rows))

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """What the run amounts to, once it has ended or was interrupted.

        Raises:
          UserError: it has not, or the file is damaged.
        """
        place = self.folder / "summary.json"
        if not place.is_file():
            raise UserError(
                f"load_run(): '{self.folder}' must have ended to have a summary; it "
                f"has done {self.state.iteration} of {self.config.iterations} "
                "iterations"
            )
        known: Mapping[str, Any] = read_result(place, self.config, summary.SHAPE)
        return known

    @property
    def population(self) -> Population:
        """The pools of all players."""
        return self.state.population

    @property
    def sigma(self) -> Joint:
        """The joint meta-strategy that is responded to, over all profiles.

        Of a run without the payoff tensor it is ``Products``.
        """
        return self.state.train.joint

    @cached_property
    def meta_game(self) -> AnyGame:
        """Payoffs of all profiles of the population; of some runs by the tree."""
        if isinstance(self.state.table, Reaches):
            table = replace(self.state.table, form=self.arena.form)
            return table.game(self.population, self.config.repeats)
        return self.state.table.game(self.population, self.config.repeats)

    @cached_property
    def concept(self) -> TargetConcept:
        """What is responded to, and the gap is of: "ne", "cce" or "ce"."""
        first = next(iter(self.state.gaps))  # the run's own, then others it measured
        return next(one for one in CONCEPTS if one == first)

    @property
    def gap(self) -> float | None:
        """Full-game gap of ``sigma``; None where it was not measured."""
        return self.state.gap(self.concept)

    @cached_property
    def arena(self) -> "Arena":
        """The game and how it is played.

        Raises:
          UserError: it is not the game of the run any more.
        """
        from experiments.psro_parts.arena import built

        silent = replace(self.config, run=replace(self.config.run, quiet=True))
        made = built(silent)
        if made.fingerprint != self.begun.bound["game"]:
            raise UserError(
                f"load_run(): the game must be the one of '{self.folder}', payoffs "
                "included; it has changed"
            )
        return made

    @cached_property
    def game(self) -> Any:
        """The turn-based ``pyspiel.Game`` that policies are of.

        Raises:
          UserError: what is played is not one of OpenSpiel's games.
        """
        from metaspiel.games.openspiel import OPENSPIEL, load
        from metaspiel.games.worlds import SIMULATORS

        config = self.config
        ours = config.responder != "exact" and config.game.startswith(tuple(SIMULATORS))
        if config.tree is not None or config.payoffs is not None or ours:
            raise UserError(
                f"load_run(): the game must be one of OpenSpiel's to have its "
                f"policies; '{self.folder}' played '{self.arena.name}'"
            )
        return load(config.game.removeprefix(OPENSPIEL), config.players)

    @cached_property
    def mixture(self) -> "Mixture":
        """What is played, in the tree of the game.

        Raises:
          UserError: the tree does not fit in a quarter of a gigabyte, or, for an exact
            run or one with a referee, in what it was allowed.
        """
        from experiments.psro_parts.arena import tree_of
        from psro.mixture import Mixture

        arena = self.arena
        if arena.form is None and arena.network is None:
            raise UserError(
                f"mixture: policies must be realisation plans or networks; those of "
                f"'{self.folder}' are what '{self.config.oracle}' makes of them"
            )
        form = tree_of(self.config, arena, _TREE_GB)
        if arena.network is None:
            plans = arena.realised(self.population).stacked()
        else:
            from psro.referee import Referee

            assert arena.simulator is not None  # as an arena with a network has it
            referee = Referee.of(arena.simulator, form, arena.network)
            plans = replace(referee, realised=arena.realised).plans(self.population)
        return Mixture.of(form, plans, self.sigma, self.concept)

    @cached_property
    def fits(self) -> bool:
        """Whether what is played is known exactly, in the tree of the game."""
        arena = self.arena  # a game that has changed is no matter of size
        try:
            return arena.form is not None or self.mixture is not None
        except UserError:
            return False

    @cached_property
    def networks(self) -> "Networks":
        """What is played, as weights of networks.

        Raises:
          UserError: the policies are exact ones.
        """
        from psro.network_policies import Networks
        from psro.sampled import pools_of

        simulator, network = self.arena.simulator, self.arena.network
        if simulator is None or network is None:
            raise UserError(
                "load_run(): policies must be weights of networks; those of "
                f"'{self.folder}' are what '{self.config.oracle}' makes of them"
            )
        return Networks(
            simulator, network, pools_of(self.arena.realised(self.population))
        )

    @cached_property
    def _cast(self) -> "Cast":
        from psro.openspiel_policies import cast_of

        if self.fits:
            return cast_of(self.game, self.mixture)
        made: Cast = self.networks.cast(self.game)
        return made

    @property
    def played(self) -> Joint:
        """How often each profile is played: under NE players draw independently."""
        return played(self.sigma, self.concept)

    @property
    def cells(self) -> "Float64[ndarray, '*K']":
        """The same as an array.

        Raises:
          UserError: a run without the payoff tensor has too many profiles.
        """
        joint = self.played
        if not isinstance(joint, Products):
            return np.asarray(joint)
        if joint.size > _MOST_CELLS:
            raise UserError(
                f"load_run(): a joint must have at most {_MOST_CELLS} profiles to be "
                f"written out; got {joint.size} of '{self.folder}'"
            )
        return joint.array()

    @property
    def independent(self) -> bool:
        """Whether what one player draws tells nothing of what the others do."""
        return independent(self.played)

    def policy(self, player: int) -> "Policy":
        """What one player plays: one policy that does as its mixture does.

        It says nothing of how its draws go with the other players'; ``joint`` does.

        Args:
          player: the player's number.

        Raises:
          UserError: there is no such player, or the game is not OpenSpiel's.
        """
        if player not in range(self.sigma.ndim):
            raise UserError(
                f"policy(): the player must be one of 0 to {self.sigma.ndim - 1}; got "
                f"{player!r}"
            )
        return self._cast({player: marginals(self.sigma)[player]})

    def member(self, player: int, index: int) -> "Policy":
        """One policy of a player's population, oldest first."""
        size = self.sigma.shape[player]
        if index not in range(size):
            raise UserError(
                f"member(): the policy must be one of 0 to {size - 1}; got {index!r}"
            )
        return self._cast({player: np.eye(size)[index]})

    def joint(self) -> "Policy":
        """What all players play: of independent players one policy of OpenSpiel's.

        Where their draws are correlated it is a ``CorrelatedPolicy``, which draws a
        profile an episode and refuses to be taken for independent policies.

        Raises:
          UserError: the game is not OpenSpiel's.
        """
        from psro.openspiel_policies import joint_policy

        if self.independent:
            made: Policy = self._cast(dict(enumerate(marginals(self.played))))
            return made
        return joint_policy(self.game, self.cells, self._cast)

    def drawn(self, rng: np.random.Generator) -> "tuple[tuple[int, ...], Policy]":
        """The policies of all players for one episode: their numbers, and as one."""
        played = self.played
        if isinstance(played, Products):
            chosen = played.drawn(rng)
        else:
            number = rng.choice(played.size, p=played.ravel() / played.sum())
            chosen = tuple(map(int, np.unravel_index(number, played.shape)))
        one = {p: np.eye(played.shape[p])[k] for p, k in enumerate(chosen)}
        return chosen, self._cast(one)

    def exploit(
        self, by: Responder = "best", *, settings: Any = None, seed: int = 0
    ) -> "Exploit":
        """What players would gain by leaving the meta-strategy; says how it was found.

        Args:
          by: "exact" best responses, which need the tree; "learned" ones; or the best
            there are.
          settings: a ``DDQN`` or ``PPOResponse`` to learn with; None for the run's own.
          seed: of what is learned.

        Raises:
          UserError: the tree does not fit, or the run learned nothing.
        """
        from psro.exploiting import by_learning, exactly

        if by not in RESPONDERS:
            raise unknown("exploit()", "way to respond", by, RESPONDERS)
        if by == "exact" or (by == "best" and settings is None and self.fits):
            return exactly(self.mixture)
        return by_learning(
            self.arena, self.state, self.concept, settings=settings, seed=seed
        )
