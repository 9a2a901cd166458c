"""PSRO of a game whose tree fits where the tensor of its population would not.

Independent players (concept "ne"), exact best responses and a solver whose answer is a
product: then nothing in an iteration asks for more than what policies are worth against
strategies. K policies of N players cost ``K N`` plans instead of ``K^N`` cells.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import MetaSolver, Progress, Status
from meta_solvers.without_tensor import ProductSolution, solve_product
from metaspiel import files
from metaspiel.games.population import population_game
from metaspiel.nfg.archives import read_archive
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.implicit import ImplicitGame
from psro.exact import ExactOracle
from psro.parts import Member, Population, Response, Target
from psro.selection import Selection, select
from psro.setup import Stage
from psro.targets import gap_of

FORMAT = 1
KEPT = 2
DENSE_CELLS = 50_000_000
"""Cells ``N prod K_p`` of a table from which on a run had better do without."""


@dataclass(frozen=True, kw_only=True)
class ProductSetup:
    """The parts of a run without the tensor.

    Attributes:
      oracle: exact best responses, with the tree.
      solver: a meta-solver of ``meta_solvers.without_tensor``.
      seed: all randomness derives from (seed, iteration, stage).
      selection: which responses join the population.
      repeats: policies found again count again in the meta-game.
      horizon: how many iterations solvers are to reckon with, or None.
    """

    oracle: ExactOracle
    solver: MetaSolver
    seed: int = 0
    selection: Selection = "largest_gap"
    repeats: bool = True
    horizon: int | None = None

    def rng(self, iteration: int, stage: Stage) -> np.random.Generator:
        """The generator of one stage of one iteration."""
        return np.random.default_rng([self.seed, iteration, stage])

    def game(self, population: Population) -> ImplicitGame:
        """The meta-game of a population."""
        counts = None
        if self.repeats and any(m.repeats > 1 for p in population.pools for m in p):
            counts = tuple(
                np.array([m.repeats for m in pool]) for pool in population.pools
            )
        return population_game(self.oracle.form, population.stacked(), counts)


@dataclass(frozen=True, eq=False, kw_only=True)
class ProductState:
    """The state of such a run between two iterations.

    Attributes:
      iteration: number of steps done.
      population: the pools.
      solution: the meta-strategies that are responded to.
      responses: one best response a player.
      gaps: what each player gains by it in the full game ``[N]``; their sum is
        NashConv.
      cpu: CPU seconds so far.
    """

    iteration: int
    population: Population
    solution: ProductSolution
    responses: tuple[Response, ...]
    gaps: Float64[ndarray, " N"]
    cpu: float

    @property
    def gap(self) -> float:
        """NashConv of the meta-strategies in the full game."""
        return float(self.gaps.sum())


def start(setup: ProductSetup) -> ProductState:
    """The state before the first iteration."""
    population = setup.oracle.initial(setup.rng(0, Stage.INITIAL))
    progress = Progress(iteration=0, horizon=setup.horizon)
    return _settled(setup, progress, population, 0.0)


def step(setup: ProductSetup, state: ProductState) -> ProductState:
    """One iteration: choose, grow, solve, respond."""
    begin = time.process_time()
    rng = setup.rng(state.iteration, Stage.SELECT)
    players = range(len(state.population.pools))
    chosen = select(setup.selection, state.population, state.responses, players, rng)
    rng = setup.rng(state.iteration, Stage.GROW)
    population = setup.oracle.grow(state.population, chosen, rng)
    progress = Progress(
        iteration=state.iteration + 1, horizon=setup.horizon, gap=state.gap
    )
    spent = state.cpu + time.process_time() - begin
    return _settled(setup, progress, population, spent)


def run(
    setup: ProductSetup, state: ProductState, iterations: int
) -> Iterator[ProductState]:
    """Yields the states after ``state`` until ``iterations`` steps are done."""
    while state.iteration < iterations:
        state = step(setup, state)
        yield state


def _settled(
    setup: ProductSetup, progress: Progress, population: Population, cpu: float
) -> ProductState:
    """Solves a population and responds to its meta-strategies."""
    begin = time.process_time()
    solution = solve_product(setup.solver, setup.game(population), progress)
    plans = population.stacked()
    pairs = zip(solution.profile, plans, strict=True)
    # Players draw each alone, so a mixture plays as one policy does (Kuhn 1953).
    pools = tuple((Member(0, own @ pool),) for own, pool in pairs)
    once = np.ones((1,) * (len(pools) - 1))
    asked = [
        Target(player=p, co_play=once, own=np.ones(1), value=float(value))
        for p, value in enumerate(solution.values)
    ]
    rng = setup.rng(progress.iteration, Stage.RESPOND)
    responses = tuple(setup.oracle.respond(Population(pools), asked, rng))
    return ProductState(
        iteration=progress.iteration,
        population=population,
        solution=solution,
        responses=responses,
        gaps=gap_of(len(pools), responses),
        cpu=cpu + time.process_time() - begin,
    )


_STATE = {
    "format": int,
    "iteration": int,
    "cpu": float,
    "next_uid": int,
    "uids": list[list[int]],
    "repeats": list[list[int]],
    "status": Literal[tuple(Status.__members__)],
    "diagnostics": dict[str, Any],
    "solver": dict[str, Any],
    "seconds": float,
    "responses": list[list[float]],
    "sha256": str,
}


def save(state: ProductState, folder: Path) -> Path:
    """Writes ``folder/<iteration>`` whole; older checkpoints but the last go away."""
    place = folder / f"{state.iteration:06d}"
    pools, solution = state.population.pools, state.solution
    arrays: dict[str, ndarray] = {
        "gaps": state.gaps,
        "solution_gaps": solution.gaps,
        "values": solution.values,
    }
    for player, pool in enumerate(pools):
        arrays[f"policies_{player}"] = np.stack([m.policy for m in pool])
        arrays[f"profile_{player}"] = solution.profile[player]
        arrays[f"response_{player}"] = state.responses[player].policy
    text = {
        "format": FORMAT,
        "iteration": state.iteration,
        "cpu": state.cpu,
        "next_uid": state.population.next_uid,
        "uids": [[m.uid for m in pool] for pool in pools],
        "repeats": [[m.repeats for m in pool] for pool in pools],
        "status": solution.status.name,
        "diagnostics": dict(solution.diagnostics),
        "solver": dict(solution.solver),
        "seconds": solution.seconds,
        "responses": [[r.value, r.gain] for r in state.responses],
    }
    text = files.spelled(text, "NaN")
    with files.new_folder(place) as aside:
        files.write_bytes(aside / "arrays.npz", files.npz(arrays))
        text["sha256"] = files.digest([text, files.checksum(aside / "arrays.npz")])
        files.write_json(aside / "state.json", text)
    for old in files.numbered(folder)[:-KEPT]:
        files.remove_folder(old)
    return place


def load(place: Path) -> ProductState:
    """Reads one checkpoint; a run goes on from it with the same bits.

    Raises:
      UserError: it is not there, or is damaged.
    """
    where = f"checkpoint '{place}'"
    for name in ("state.json", "arrays.npz"):
        if not (place / name).is_file():
            raise UserError(
                f"{where}: it must hold state.json and arrays.npz; {name} is missing"
            )
    text = files.read_json(place / "state.json")
    files.check_shape(where, text, _STATE)
    recorded = text.pop("sha256")
    if files.digest([text, files.checksum(place / "arrays.npz")]) != recorded:
        raise UserError(
            f"{where}: arrays.npz and state.json must have the checksum recorded with "
            "them; one was changed or only partly written"
        )
    try:
        return _read(text, read_archive(place / "arrays.npz"))
    except files.UNREADABLE as error:
        raise UserError(
            f"{where}: state.json and arrays.npz must describe one state; {error!r}"
        ) from None


def _read(text: Mapping[str, Any], arrays: Mapping[str, ndarray]) -> ProductState:
    players = range(len(text["uids"]))
    pools = tuple(
        tuple(
            Member(uid, policy, repeats=repeats)
            for uid, policy, repeats in zip(
                text["uids"][p],
                arrays[f"policies_{p}"],
                text["repeats"][p],
                strict=True,
            )
        )
        for p in players
    )
    solution = ProductSolution(
        profile=tuple(arrays[f"profile_{p}"] for p in players),
        gaps=arrays["solution_gaps"],
        values=arrays["values"],
        status=Status[text["status"]],
        diagnostics=text["diagnostics"],
        solver=text["solver"],
        seconds=text["seconds"],
    )
    responses = tuple(
        Response(player=p, policy=arrays[f"response_{p}"], value=value, gain=gain)
        for p, (value, gain) in enumerate(text["responses"])
    )
    return ProductState(
        iteration=text["iteration"],
        population=Population(pools, next_uid=text["next_uid"]),
        solution=solution,
        responses=responses,
        gaps=arrays["gaps"],
        cpu=text["cpu"],
    )
