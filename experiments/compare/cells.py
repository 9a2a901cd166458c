"""Cells: one PSRO run of a method on a game with a seed, and what it amounts to.

A cell is a task of its own: its result depends on its settings alone and travels back
to the process that owns the run folder, so that workers need not share a disk.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache, partial
from typing import Any

from experiments.compare.axes_config import Method, settings_of
from experiments.compare.config import Config
from experiments.compare.results import COLUMNS, FAILED, FINISHED, SKIPPED, Result
from experiments.lab.folder import plain, slug
from experiments.lab.work import Outcome, attempt
from experiments.psro_parts.arena import assembled, built
from experiments.psro_parts.config import EXACT, Settings
from experiments.psro_parts.judging import least, pooled
from meta_solvers import get, registry
from meta_solvers.base import MetaSolution, SolverFailed, check_players
from metaspiel import files
from metaspiel.games.worlds import SIMULATORS
from metaspiel.games.zero_sum import Pools
from metaspiel.nfg.errors import UserCodeFailed, UserError
from psro.arena import Arena
from psro.executor import InProcess
from psro.metrics import row
from psro.parts import Population, State
from psro.setup import Setup, Stage
from psro.stopping import Stop, until
from psro.targets import gap_of, targets


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A method on a game with a seed.

    Attributes:
      game: as it was asked for.
      method: as it was asked for.
      settings: of the run; None where there are none.
      objection: why the method does not apply, as far as that is known before anything
        is built; empty where it does.
      code: a hash of the source of the user's own solvers, before they are run.
    """

    game: str
    method: Method
    seed: int
    settings: Settings | None
    objection: str = ""
    code: str = ""

    @property
    def kind(self) -> str:
        """Game and method: such cells take about as long."""
        return f"{self.game} {self.method.name}"

    @property
    def name(self) -> str:
        """The name of the cell's file, without its ending."""
        assert self.settings is not None
        own = [self.game, asdict(self.method), self.settings.concept]
        parts = [slug(self.game)[:24], slug(self.method.name)[:24]]
        parts += [files.digest(own)[:8], f"s{self.seed}"]
        return "-".join([*parts, f"i{self.settings.iterations}"])

    @property
    def identity(self) -> str:
        """A hash of all that decides the result."""
        assert self.settings is not None
        fields = plain(asdict(self.settings))
        for name in ("run", "trials", "executor"):
            del fields[name]
        place = self.settings.payoffs or self.settings.tree
        known = None if place is None else hashlib.sha256(place.read_bytes())
        return files.digest([fields, None if known is None else known.hexdigest()])

    @property
    def skipped(self) -> Result:
        """The result where the method does not apply."""
        return self.result(SKIPPED, self.objection)

    def result(self, outcome: str, reason: str = "", **more: Any) -> Result:
        """A result of the cell."""
        return Result(
            game=self.game,
            **asdict(self.method),
            seed=self.seed,
            outcome=outcome,
            reason=reason,
            **more,
        )

    def play(self) -> Result:
        """Plays the run from its start to its end, or to where its solver fails."""
        assert self.settings is not None
        settings = self.settings
        try:
            arena = _arena(_shared(settings))
            if isinstance(arena, UserError):
                raise arena
            setup = assembled(settings, arena, InProcess())
        except UserError as error:
            return self.result(SKIPPED, str(error))
        curves: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        seen, caveats, reason = None, list(arena.caveats), ""
        if settings.population_exploitability:
            try:
                seen = pooled(arena)
            except UserError as error:
                caveats.append(str(error))
        exact = settings.gap_is == EXACT
        judge = _Judge(arena=arena, setup=setup, exact=exact, pooled=seen)
        try:
            for measured in judge.rows(settings.iterations):
                for name, values in curves.items():
                    values.append(measured[name])
        except (SolverFailed, UserError) as error:
            refused = isinstance(error, UserError) and not curves["iteration"]
            if refused and not isinstance(error, UserCodeFailed):
                return self.result(SKIPPED, str(error))
            reason = f"iteration {len(curves['iteration'])}: {error}"
        return self.result(
            FAILED if reason else FINISHED,
            reason,
            code=self.code,
            concept=setup.concept,
            gap_is=settings.gap_is,
            caveats=caveats,
            curves=curves,
        )


def cells_of(config: Config) -> Iterator[Cell]:
    """All cells, game by game, and in a game seed by seed.

    Raises:
      UserError: there is no such game.
    """
    for game in dict.fromkeys(config.games):
        for seed in range(config.seed, config.seed + config.seeds):
            for method in config.methods:
                yield _cell(config, game, method, seed)


def _cell(config: Config, game: str, method: Method, seed: int) -> Cell:
    settings, objection = None, ""
    try:
        settings = settings_of(
            game,
            method,
            seed=seed,
            iterations=config.length,
            concept=config.concept,
            population=config.population_exploitability,
        )
    except UserError as error:
        objection = str(error)
    code = ""
    if settings is not None:
        objection = _objection(settings)
        specs = (settings.solver, settings.eval_solver)
        code = "".join(_code(spec) for spec in specs if spec is not None)
    return Cell(
        game=game,
        method=method,
        seed=seed,
        settings=settings,
        objection=objection,
        code=code,
    )


def _objection(settings: Settings) -> str:
    """Why the solvers of a run do not fit its game, by the number of players."""
    players = _players(settings.game, settings.payoffs or settings.tree)
    try:
        for spec in (settings.solver, settings.eval_solver):
            if spec is not None and players is not None:
                check_players(get(spec), players)
    except UserError as error:
        return str(error)
    return ""


@cache
def _players(game: str, place: Any) -> int | None:
    """The number of players; None where only building the game would tell.

    Raises:
      UserError: there is no such game, or no such file.
    """
    from metaspiel.games.openspiel import OPENSPIEL, load

    if place is not None:
        if not place.is_file():
            raise UserError(f"--games: '{place}' must be a file; there is none")
        return None
    if game.partition("(")[0] in SIMULATORS:
        return None
    return int(load(game.removeprefix(OPENSPIEL)).num_players())


@cache
def _code(spec: str) -> str:
    return registry.code(spec)


def _shared(settings: Settings) -> Settings:
    """The settings that decide what is played on, all others as usual."""
    usual = Settings()
    return replace(
        settings,
        solver=usual.solver,
        eval_solver=None,
        concept=usual.concept,
        iterations=usual.iterations,
        seed=usual.seed,
    )


@lru_cache(maxsize=2)  # games can be large; cells of one game follow each other
def _arena(settings: Settings) -> Arena | UserError:
    """What is played on, or why there is none: a tree too large is estimated once."""
    try:
        return built(settings)
    except UserError as error:
        return error


@dataclass(frozen=True, eq=False, kw_only=True)
class _Judge:
    """What is measured of the states of a run.

    Attributes:
      arena: what is played on.
      setup: the parts of the run.
      exact: responses are exact, and so are the gaps that the loop knows.
      pooled: how populations are seen in the tree; None where nobody asks.
    """

    arena: Arena
    setup: Setup
    exact: bool
    pooled: Callable[[Population], Pools] | None = None

    def rows(self, iterations: int) -> Iterator[dict[str, Any]]:
        """What is known about each state, by name of the column."""
        best: float | None = None
        for state, _ in until(Stop(iterations=iterations), self.setup):
            made = row(state, self.setup.concept)
            train_gap, judged = self._gap(state, state.train)
            train_welfare = made.value_sum if judged is None else judged
            gap, welfare = train_gap, train_welfare
            if self.setup.evaluation is not None:
                gap, _ = self._gap(state, state.evaluation)
                welfare = made.eval_value_sum
            best = min((v for v in (best, gap) if v is not None), default=None)
            yield {
                "iteration": state.iteration,
                "gap": gap,
                "best": best,
                "train_gap": train_gap,
                "own_gap": made.gap,
                "welfare": welfare,
                "train_welfare": train_welfare,
                "support": made.support,
                "policies": made.unique_policies,
                "status": made.status,
                "cpu_seconds": sum(made.cpu_seconds.values()),
                "population_exploitability": None
                if self.pooled is None
                else least(self.pooled, state.population),
            }

    def _gap(
        self, state: State, solution: MetaSolution
    ) -> tuple[float | None, float | None]:
        """Exact gap of what is played, and its welfare where a referee knows it.

        The gap is that of CCE, whatever the run responds to: what a player gains that
        leaves what is played. Of a product (NE) it is the NE gap.
        """
        setup = self.setup
        concept = "cce" if setup.concept == "ce" else setup.concept
        if self.arena.referee is not None:
            return self.arena.referee.judge(state.population, solution.joint, concept)
        if not self.exact:
            return None, None
        if concept == setup.concept:
            train = solution is state.train
            return state.gap(concept) if train else state.evaluation_gap, None
        game = state.table.game(state.population, setup.repeats)
        asked = targets(game, solution.joint, concept)
        rng = setup.rng(state.iteration, Stage.RESPOND)
        answers = setup.oracle.measure(state.population, asked, rng)
        if answers is None:
            return None, None
        return float(gap_of(game.players, answers).sum()), None


def do(cells: Sequence[Cell]) -> list[Outcome]:
    """Plays cells, in this process or in a worker."""
    return [one for cell in cells for one in _do(cell)]


def _do(cell: Cell) -> list[Outcome]:
    made: list[Result] = []
    outcomes = attempt([cell.name], partial(_play, cell, made))
    return [replace(one, made=made[0] if made else None) for one in outcomes]


def _play(cell: Cell, made: list[Result]) -> None:
    made.append(cell.play())
