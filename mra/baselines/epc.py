"""Evolutionary Population Curriculum: few agents first, then crosses of the best sets.

Long et al. 2020 (ICLR). Several sets of agents learn side by side, each in a game of
its own. A stage lasts as many episodes in every size, smallest first. At the next size,
every two sets (and every set with itself) are crossed, the crosses play the larger game
as they are, and those that earn most go on.

EPC has networks for every agent, so that a cross is the union of two populations. Here
agents of a set share networks: the smallest game has one a role, a cross has those of
both parents, and they share its agents evenly, side by side (``Method.copies``). The
networks of a set with n stages behind it are thus 2^n a role, which learn apart. These
are choices, for lack of a source on shared networks: all roles are crossed by the same
two parents (EPC draws combinations), and a set crossed with itself has two copies that
learn on as two networks.

The total of training episodes is that of the other arms: ``sweeps`` turns a game, one
after the other by the sets of the stage, which so share the budget. Episodes in which
crosses and sets are compared are counted apart.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn.agents import Trainable
from metaspiel.nfg.errors import UserError
from mra import state as files
from mra import train
from mra.baselines.settings import EPC
from mra.measuring import measure
from mra.settings import Method, Training
from mra.state import DELAYED, MRAState

__all__ = ["EPC", "EPCState", "load", "save", "start", "sweep"]
_SETS, _CROSSES, _RANKS = 1, 2, 3  # stages of randomness


@dataclass(frozen=True, eq=False, kw_only=True)
class EPCState:
    """A run between two sweeps.

    Attributes:
      games: names of the games of all stages.
      seed: seed of the run.
      turns: batches of episodes played so far, by all sets.
      updates: gradient steps so far, by all sets.
      evaluations: episodes so far in which sets and crosses were compared.
      sets: those of the stage; each is a run in its game alone.
      best: the one that earned most when they were last compared.
      method: the networks of the sets.
    """

    games: tuple[str, ...]
    seed: int
    turns: int
    updates: int
    evaluations: int
    sets: tuple[MRAState, ...]
    best: int
    method: Method

    @property
    def champion(self) -> MRAState:
        """The set that earned most."""
        return self.sets[self.best]

    @property
    def weights(self) -> dict[str, Tensor]:
        """The champion's weights, which fit ``method``."""
        return self.champion.weights


def start(
    games: Sequence[Populated], settings: EPC, training: Training, seed: int
) -> EPCState:
    """The state before the first sweep: untrained sets in the smallest game.

    Raises:
      UserError: the sizes do not ascend, or the method does not fit.
    """
    totals = [game.agents for game in games]
    if sorted(set(totals)) != totals:
        raise UserError(
            "EPC: games must be in the order of their numbers of agents, which differ; "
            f"got {', '.join(game.name for game in games)}"
        )
    for stage, game in enumerate(games):
        if min(game.sizes) < 2**stage:
            raise UserError(
                f"EPC: {game.name} must have {2**stage} agents of each role, one for "
                f"each crossed network; got {','.join(map(str, game.sizes))}"
            )
    return EPCState(
        games=tuple(game.name for game in games),
        seed=seed,
        turns=0,
        updates=0,
        evaluations=0,
        sets=tuple(
            train.start(games[:1], settings.at(0), training, _seed(seed, _SETS, 0, k))
            for k in range(settings.sets)
        ),
        best=0,
        method=settings.at(0),
    )


def sweep(
    games: Sequence[Populated], settings: EPC, training: Training, state: EPCState
) -> tuple[EPCState, dict[str, Any]]:
    """As many turns as there are games, in whichever games the stage has reached.

    The row is like that of ``mra.train.sweep``: by game means over the turns in it;
    besides, ``stage`` from 0, ``best`` set, its ``scores`` by set, and ``evaluations``,
    the episodes so far in which sets and crosses were compared (not in ``episodes``).

    Args:
      games: of one family, smallest first.
      settings: of the curriculum.
      training: how a set learns.
      state: where to go on. It is used up.

    Raises:
      UserError: the state is of other games, or its run is over.
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    begun = time.process_time()
    _check(games, settings, state)
    rows: dict[str, list[dict[str, Any]]] = {}
    for turn in range(state.turns, state.turns + len(games)):
        stage, within = divmod(turn, settings.sweeps)
        if stage and not within:
            state = _grown(games[stage], settings, training, state)
        game, who = games[stage], within % settings.sets
        before = _updates(game, training, state.sets[who].sweep)
        one, row = train.sweep((game,), state.method, training, state.sets[who])
        rows.setdefault(game.name, []).append(row["games"][game.name])
        state = replace(
            state,
            turns=turn + 1,
            updates=state.updates + row["updates"] - before,
            sets=(*state.sets[:who], one, *state.sets[who + 1 :]),
        )
    game = games[(state.turns - 1) // settings.sweeps]
    seed = _seed(state.seed, _RANKS, state.turns)
    scores = _scores(game, settings, state.sets, method=state.method, seed=seed)
    state = replace(
        state,
        best=int(np.argmax(scores)),
        evaluations=state.evaluations + settings.evaluations * settings.sets,
    )
    return state, {
        "sweep": state.turns // len(games),
        "games": {name: _means(turns) for name, turns in rows.items()},
        "stage": (state.turns - 1) // settings.sweeps,
        "best": state.best,
        "scores": scores,
        "episodes": state.turns * training.envs,
        "evaluations": state.evaluations,
        "updates": state.updates,
        "seconds": round(time.process_time() - begun, 6),
    }


def crossed(one: MRAState, other: MRAState, roles: int) -> dict[str, Any]:
    """Learners and delayed networks of both, role by role: first one's, then other's.

    A role's networks come from the first parent, then from the second, and so do
    Adam's moments.
    """

    def both(a: Tensor, b: Tensor) -> Tensor:
        parts = [x.view(roles, -1, *x.shape[1:]) for x in (a, b)]
        return torch.cat(parts, 1).flatten(0, 1)

    return {
        "learners": {
            name: Trainable(
                *map(both, one.learners[name].parts, other.learners[name].parts)
            )
            for name in one.learners
        },
        "delayed": {n: both(one.delayed[n], other.delayed[n]) for n in DELAYED},
    }


def _grown(
    game: Populated, settings: EPC, training: Training, state: EPCState
) -> EPCState:
    """The sets of the next stage: those crosses that earn most in its game."""
    stage = state.turns // settings.sweeps
    roles, method = len(game.sizes), settings.at(stage)
    blank = train.start((game,), settings.at(0), training, 0)
    crosses = [
        replace(blank, **crossed(one, other, roles))
        for one, other in combinations_with_replacement(state.sets, 2)
    ]
    seed = _seed(state.seed, _CROSSES, stage)
    scores = _scores(game, settings, crosses, method=method, seed=seed)
    kept = np.argsort(-np.array(scores), kind="stable")[: settings.sets]
    replays = [train.start((game,), method, training, 0).replays for _ in kept]
    return replace(
        state,
        method=method,
        sets=tuple(
            replace(
                crosses[cross],
                seed=_seed(state.seed, _SETS, stage, k),
                replays=replays[k],
            )
            for k, cross in enumerate(kept)
        ),
        best=0,
        evaluations=state.evaluations + settings.evaluations * len(crosses),
    )


def _scores(
    game: Populated,
    settings: EPC,
    sets: Sequence[MRAState],
    *,
    method: Method,
    seed: int,
) -> list[float]:
    """Mean reward of every set, over roles, in the same episodes."""
    count = settings.evaluations
    return [
        measure(game, method, one.weights, count=count, seed=seed).mean for one in sets
    ]


def _means(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over turns; None where no turn has a number."""
    made: dict[str, Any] = {}
    for name in turns[0]:
        values = [turn[name] for turn in turns if turn[name] is not None]
        made[name] = np.mean(values, 0).tolist() if values else None
    return made


def _updates(game: Populated, training: Training, sweeps: int) -> int:
    return training.inner * training.cycles(sweeps, game.limit)


def _seed(*numbers: int) -> int:
    (made,) = np.random.SeedSequence(list(numbers)).generate_state(1)
    return int(made)


def _check(games: Sequence[Populated], settings: EPC, state: EPCState) -> None:
    names = tuple(game.name for game in games)
    if state.games != names:
        raise UserError(
            f"EPC: the state must be one of {', '.join(names)}; got one of "
            f"{', '.join(state.games)}"
        )
    if len(state.sets) != settings.sets:
        raise UserError(
            f"EPC: the state must have {settings.sets} sets, as the settings ask; got "
            f"{len(state.sets)}"
        )
    if state.turns + len(games) > settings.sweeps * len(games):
        raise UserError(
            f"EPC: a run must have at most {settings.sweeps} sweeps, which its stages "
            "share; got one that is over"
        )


def save(state: EPCState, folder: Path) -> None:
    """Writes ``folder/state.safetensors``, whole or not at all; replays included."""
    facts: dict[str, Any] = {
        name: getattr(state, name)
        for name in ("seed", "turns", "updates", "evaluations", "best")
    }
    facts |= {"epc": list(state.games), "copies": state.method.copies, "sets": []}
    arrays: dict[str, Any] = {}
    for number, one in enumerate(state.sets):
        own, tensors = files.packed(one)
        facts["sets"].append(own)
        arrays |= {f"set.{number}.{name}": array for name, array in tensors.items()}
    files.write(folder, facts, arrays)


def load(folder: Path, settings: EPC) -> EPCState:
    """Reads what ``save`` has written in a run of these settings.

    Raises:
      UserError: there is nothing, or it is damaged or of another format.
    """
    with files.reading(folder) as (facts, arrays):
        sets = []
        for number, own in enumerate(facts["sets"]):
            begin = f"set.{number}."
            mine = {
                name.removeprefix(begin): array
                for name, array in arrays.items()
                if name.startswith(begin)
            }
            sets.append(files.unpacked(own, mine))
        names = ("seed", "turns", "updates", "evaluations", "best")
        counts = {name: int(facts[name]) for name in names}
        return EPCState(
            games=tuple(facts["epc"]),
            sets=tuple(sets),
            method=replace(settings.method, copies=int(facts["copies"])),
            **counts,
        )
