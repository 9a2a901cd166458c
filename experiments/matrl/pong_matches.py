"""Games between trained agents, and against opponents that do not learn.

Every match has a file of its own in ``matches/``; what is there is not played again.
Random numbers belong to a match by its name, whatever else is played.
"""

import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from torch import Tensor

from experiments.matrl import cells as _cells
from experiments.matrl.cells import Cell
from metaspiel import files
from metaspiel.games.markov import MarkovGame
from metaspiel.games.mini_pong import MiniPong, tracker
from metaspiel.games.worlds import load
from metaspiel.learn.actors import Policies
from metaspiel.learn.ppo import students
from metaspiel.learn.random import stream
from metaspiel.learn.rollout import act, look, play
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments.matrl.pong_config import Config

FIGURES = ("score", "deviation", "won", "drawn")
"""Of a pair's games, for the first side; the last axis of every array of matches."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """What is played in one go.

    Attributes:
      kind: "matrix": all checkpoints of both, first as agent 0 and then as agent 1.
        "league": the final agents, first as agent 0. "script": all checkpoints of the
        first against every opponent that does not learn, on either side.
      first: a run.
      second: its opponent; the same run for "script".
      folder: of the page.
      games: to play by a pair on one side.
      seed: of the page.
    """

    kind: str
    first: Cell
    second: Cell
    folder: Path
    games: int
    seed: int

    @property
    def name(self) -> str:
        """The match's name: its kind and the names of the runs."""
        rivals = [self.first.slug, self.second.slug]
        return f"{self.kind}-{'~'.join(dict.fromkeys(rivals))}"

    @property
    def place(self) -> Path:
        """The file of the match's results."""
        return self.folder / "matches" / f"{self.name}.json"

    @property
    def bound(self) -> dict[str, Any]:
        """What its file belongs to."""
        rivals = [self.first.identity, self.second.identity]
        return {"match": self.name, "runs": rivals, "of": [self.games, self.seed]}

    def read(self) -> ndarray:
        """Reads the match's results from its file.

        Raises:
          UserError: it is damaged, or that of another match.
        """
        try:
            return np.array(files.read_sealed(self.place, self.bound))
        except UserError as error:
            raise UserError(
                f"{error} (remove the file and resume: it is then played again)"
            ) from None

    def rng(self, *number: int) -> np.random.Generator:
        """Random numbers of one of its pairs."""
        return stream(self.seed, zlib.crc32(self.name.encode()), *number)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """All that was played, with ``FIGURES`` on the last axis.

    Attributes:
      matrix: seeds, side of the first method, its checkpoint, that of the second.
      league: run as agent 0, run as agent 1; runs in the order of ``cells``.
      script: runs, checkpoints, opponents, side.
      runs: method and seed of each run.
      checkpoints: iterations at which they were kept.
      opponents: that do not learn.
    """

    matrix: Float64[ndarray, "S 2 C C 4"]
    league: Float64[ndarray, "R R 4"]
    script: Float64[ndarray, "R C O 2 4"]
    runs: tuple[tuple[str, int], ...]
    checkpoints: tuple[int, ...]
    opponents: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Writes the arrays as ``.npz``."""
        arrays = {
            "matrix": self.matrix,
            "league": self.league,
            "script": self.script,
            "methods": np.array([method for method, _ in self.runs]),
            "seeds": np.array([seed for _, seed in self.runs]),
            "checkpoints": np.array(self.checkpoints),
            "opponents": np.array(self.opponents),
        }
        files.write_arrays(path, arrays)


def opponents(game: MarkovGame) -> tuple[str, ...]:
    """Those that do not learn and can play this game."""
    return ("random", "tracker") if isinstance(game, MiniPong) else ("random",)


def played(
    config: "Config", cells: Sequence[Cell], folder: Path, silent: bool
) -> Scores:
    """Plays what is missing, in ``jobs`` processes, and reads everything."""
    from psro.workers import Processes

    half = config.games // 2

    def match(kind: str, one: Cell, two: Cell) -> Match:
        return Match(
            kind=kind,
            first=one,
            second=two,
            folder=folder,
            games=half,
            seed=config.seed,
        )

    named = {(cell.method, cell.seed): cell for cell in cells}
    a, b = config.methods[:2]
    seeds = range(config.seed, config.seed + config.seeds)
    matrix = [match("matrix", named[a, s], named[b, s]) for s in seeds]
    script = [match("script", cell, cell) for cell in cells]
    league = [match("league", one, two) for one in cells for two in cells]
    todo = [m for m in (*matrix, *script, *league) if not m.place.is_file()]
    (folder / "matches").mkdir(exist_ok=True)
    progress = _Progress(len(todo), silent)
    if config.run.jobs == 1 or len(todo) < 2:
        for number, one in enumerate(todo, 1):
            work([one])
            progress(number, len(todo))
    else:
        with Processes(min(config.run.jobs, len(todo)), progress=progress) as executor:
            executor.answer(work, todo)
    results = {m: m.read() for m in (*matrix, *script, *league)}
    size = len(cells)
    return Scores(
        matrix=np.stack([results[m] for m in matrix]),
        league=np.stack([results[m] for m in league]).reshape(size, size, len(FIGURES)),
        script=np.stack([results[m] for m in script]),
        runs=tuple(named),
        checkpoints=tuple(_cells.kept(cells[0], folder)),
        opponents=opponents(load(config.game)),
    )


class _Progress:
    """A line on stderr for every tenth of the matches."""

    def __init__(self, total: int, silent: bool) -> None:
        self._step = max(1, total // 10)
        self._silent = silent

    def __call__(self, done: int, total: int) -> None:
        if not self._silent and (done % self._step == 0 or done == total):
            print(f"{done}/{total} matches", file=sys.stderr, flush=True)


def work(asked: Sequence[Match]) -> list[None]:
    """Plays matches and writes their files; what a worker process is asked."""
    torch.set_num_threads(1)
    for match in asked:
        files.write_sealed(match.place, _KINDS[match.kind](match).tolist(), match.bound)
    return [None] * len(asked)


def _weights(cell: Cell, folder: Path) -> list[Float32[Tensor, "2 P"]]:
    """Actors of both agents at every checkpoint."""
    places = _cells.kept(cell, folder).values()
    return [_cells.state(cell, place).agents.actor.weights for place in places]


def figures(score: Float64[ndarray, " M"]) -> Float64[ndarray, " 4"]:
    """``FIGURES`` of the scores of M games."""
    won, drawn = (score > 0).mean(), (score == 0).mean()
    return np.array([score.mean(), score.std(ddof=min(1, len(score) - 1)), won, drawn])


def _pair(
    match: Match,
    zero: Float32[Tensor, "2 P"],
    one: Float32[Tensor, "2 P"],
    number: Sequence[int],
) -> Float64[ndarray, " M"]:
    """Scores of agent 0 of ``zero`` against agent 1 of ``one``."""
    game = load(match.first.game)
    policies = students(game, match.first.settings.ppo).policies
    weights = torch.stack([zero[0], one[1]])
    returns, _ = play(game, policies, weights, match.games, match.rng(*number))
    score: ndarray = (returns[:, 0] - returns[:, 1]) / 2
    return score


def _matrix(match: Match) -> ndarray:
    ours, theirs = (_weights(c, match.folder) for c in (match.first, match.second))
    scores = np.empty((2, len(ours), len(theirs), len(FIGURES)))
    for i, one in enumerate(ours):
        for j, two in enumerate(theirs):
            scores[0, i, j] = figures(_pair(match, one, two, (0, i, j)))
            scores[1, i, j] = figures(-_pair(match, two, one, (1, i, j)))
    return scores


def _league(match: Match) -> ndarray:
    ours, theirs = (_weights(c, match.folder)[-1] for c in (match.first, match.second))
    return figures(_pair(match, ours, theirs, ()))


def _script(match: Match) -> ndarray:
    game = load(match.first.game)
    policies = students(game, match.first.settings.ppo).policies
    names, weights = opponents(game), _weights(match.first, match.folder)
    scores = np.empty((len(weights), len(names), 2, len(FIGURES)))
    for i, own in enumerate(weights):
        for j, name in enumerate(names):
            for side in (0, 1):
                rng = match.rng(i, j, side)
                score = scripted(
                    game,
                    policies,
                    own,
                    side=side,
                    opponent=name,
                    games=match.games,
                    rng=rng,
                )
                scores[i, j, side] = figures(score)
    return scores


def scripted(
    game: MarkovGame,
    policies: Policies,
    weights: Float32[Tensor, "2 P"],
    side: int,
    opponent: str,
    games: int,
    rng: np.random.Generator,
) -> Float64[ndarray, " M"]:
    """Scores of the agent that plays on ``side`` against a script.

    Args:
      game: to play.
      policies: of the agents.
      weights: of both agents, of which one plays.
      side: its number.
      opponent: one of ``opponents``.
      games: M, to play.
      rng: of games and actions.
    """
    scene = game.start(rng.random((games, game.draws)))
    score = np.zeros(games)
    players, other = policies.bound(weights), 1 - side
    while not scene.over.all():
        seen = look(scene, numbered=False)
        actions = act(players, seen, rng.random((2, games, policies.draws)))
        actions[:, other] = (
            tracker(seen[:, other])
            if opponent == "tracker"
            else rng.integers(policies.actions.size, size=games)
        )
        scene = game.step(scene, actions)
        score += (scene.rewards[:, side] - scene.rewards[:, other]) / 2
    return score


_KINDS: dict[str, Callable[[Match], Any]] = {
    "matrix": _matrix,
    "league": _league,
    "script": _script,
}
