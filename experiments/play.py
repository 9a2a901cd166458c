"""A person plays in the terminal against what a run has found.

Example: metaspiel play runs/a --seat 0

The other seats draw their policies once an episode, as the run plays them. What is
shown is OpenSpiel's own text of what the person at the seat knows, nothing else; who
was drawn is said when the episode is over. Moves are given by number or by name. The
end of the input, or Ctrl-C, ends the game.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.lab.escaping import printable
from experiments.lab.options import Flat, Printing, least
from experiments.lab.page import Answer, main
from metaspiel.nfg.errors import UserError, shown

if TYPE_CHECKING:  # what loads scipy
    from experiments.psro.stored import StoredRun


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a game against a run."""

    first = "folder"
    folder: Path | None = None
    """Run folder; of a run of several trials that of one, runs/x/trial_0."""
    seat: int = 0
    """The player that the person is."""
    episodes: int | None = None
    """How many to play (default: until the input ends)."""
    seed: int = 0
    """Seed of chance and of what the others draw."""
    run: Flat[Printing] = Printing()


class _Left(Exception):
    """The person has left."""


@dataclass(frozen=True)
class Table:
    """A table at which a person sits with what a run plays.

    Attributes:
      stored: the run.
      seat: of the person.
      rng: chance, and what the others draw and do.
      quiet: nothing is printed on stdout.
    """

    stored: "StoredRun"
    seat: int
    rng: np.random.Generator
    quiet: bool

    def say(self, text: str = "", end: str = "\n") -> None:
        """Prints for the person; beside the JSON that was asked for, as errors are."""
        out = sys.stderr if self.quiet else sys.stdout
        print(printable(text), file=out, end=end, flush=True)

    def episode(self) -> dict[str, Any]:
        """Plays one episode; what came of it as JSON values.

        Raises:
          _Left: the input ended.
        """
        drawn, policy = self.stored.drawn(self.rng)
        state = self.stored.game.new_initial_state()
        while not state.is_terminal():
            if state.is_chance_node():
                state.apply_action(self._drawn(dict(state.chance_outcomes())))
            elif state.current_player() == self.seat:
                state.apply_action(self._asked(state))
            else:
                state.apply_action(self._drawn(policy.action_probabilities(state)))
        returns = list(map(float, state.returns()))
        self.say(f"\nThe episode is over. Your payoff: {returns[self.seat]:g}")
        played = self.stored.played
        for player, index in enumerate(drawn):
            if player != self.seat:
                chance = float(np.moveaxis(played, player, 0)[index].sum())
                self.say(
                    f"player {player} was policy {index} of 0 to "
                    f"{played.shape[player] - 1}, which is drawn with probability "
                    f"{chance:.3g}"
                )
        others = {str(p): k for p, k in enumerate(drawn) if p != self.seat}
        return {"returns": returns, "drawn": others}

    def _drawn(self, chances: dict[int, float]) -> int:
        actions, weights = list(chances), np.array(list(chances.values()))
        return int(actions[self.rng.choice(len(actions), p=weights / weights.sum())])

    def _asked(self, state: Any) -> int:
        """The person's move; asked until it is a legal one."""
        legal = state.legal_actions()
        names = {a: state.action_to_string(self.seat, a) for a in legal}
        self.say(f"\nYou are player {self.seat} and know:\n{self._known(state)}")
        self.say("Moves: " + ", ".join(f"{a} = {name}" for a, name in names.items()))
        while True:
            self.say("Your move: ", end="")
            line = sys.stdin.readline()
            if not line:
                raise _Left
            word = line.strip()
            for action, name in names.items():
                if word in (str(action), name):
                    return int(action)
            self.say(f"That must be one of the moves; got '{shown(word)}'")

    def _known(self, state: Any) -> str:
        kind = self.stored.game.get_type()
        if kind.provides_information_state_string:
            return str(state.information_state_string(self.seat))
        return str(state.observation_string(self.seat))


def page(config: Config) -> Answer:
    """Plays until the input ends, or as many episodes as were asked for."""
    least(config, seat=0, episodes=1, seed=0)
    if config.folder is None:
        raise UserError("--folder must name a run folder; got none")
    from experiments.psro.loading import opened

    stored = opened(config.folder, trusted=config.run.trust)
    players = stored.game.num_players()
    if config.seat >= players:
        raise UserError(f"--seat must be one of 0 to {players - 1}; got {config.seat}")
    table = Table(
        stored, config.seat, np.random.default_rng(config.seed), config.run.json
    )
    played: list[dict[str, Any]] = []
    try:
        while config.episodes is None or len(played) < config.episodes:
            played.append(table.episode())
    except (_Left, KeyboardInterrupt):
        table.say("\nYou have left the table.")
    total = sum(one["returns"][config.seat] for one in played)
    text = f"{len(played)} episodes, your payoff in all: {total:g}"
    return Answer(summary={"episodes": played, "payoff": total}, text=text)


if __name__ == "__main__":
    sys.exit(main(page, Config))
