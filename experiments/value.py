"""Value and Nash equilibrium of a two-player zero-sum game, by one linear program.

Example: metaspiel value --game leduc_poker
         metaspiel value --game liars_dice --to equilibrium.npz --json

The game is an OpenSpiel name or a tree in Gambit's format. The certificate is measured,
not believed of the program: what exact best responses gain against the policies, which
is NashConv (the gap); half of it is OpenSpiel's exploitability. --to writes the
policies, in the format of metaspiel export.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.ending import NotOK
from experiments.lab.options import Flat, Printing
from experiments.lab.page import Answer, main
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:  # what loads scipy
    from metaspiel.games.sequence import SequenceForm
    from metaspiel.games.zero_sum import Equilibrium


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a value."""

    game: str = "kuhn_poker"
    """OpenSpiel game, parameters included: "liars_dice(dice_sides=5)", or a tree in
    Gambit's format, "game.efg"."""
    players: int | None = None
    """Number of players, where the game has that parameter."""
    to: Path | None = None
    """File to write the policies to, which ends in .npz (default: none)."""
    memory_gb: float = 0.5
    """Refuse games whose tree makes the process grow by more than this; it is estimated
    before it is walked. The program itself takes some times as much."""
    observations: bool = False
    """Players know their observations and own moves, for OpenSpiel games without
    information states. That may be another game, and the answer says so."""
    run: Flat[Printing] = Printing()


def page(config: Config) -> Answer:
    """Solves the game, measures the answer and writes the policies."""
    import numpy as np

    from experiments.psro.exporting import check_new
    from metaspiel import files
    from metaspiel.games.zero_sum import equilibrium

    if config.to is not None:
        if config.to.suffix.lower() != ".npz":
            raise UserError(f"--to: a file must end in .npz; got '{config.to}'")
        check_new(config.to)
    try:
        made = equilibrium(_tree(config))
    except np.linalg.LinAlgError as error:
        raise NotOK(f"value: {error}") from None
    text = _text(made)
    if config.to is not None:
        files.write_bytes(config.to, _written(made))
        text += f"\npolicies of both players  -> {config.to}"
    fault = None
    if not made.certain:
        fault = NotOK(f"value: known only up to a gap of {made.gap:.3g}")
    return Answer(summary=_record(made), text=text, fault=fault)


def _tree(config: Config) -> "SequenceForm":
    """The tree of the game; that of another number of players is not walked.

    Raises:
      UserError: there is no such game, or no tree of it that fits.
    """
    from experiments.psro_parts.arena import walked
    from experiments.psro_parts.config import Run, Settings
    from metaspiel.games.openspiel import load
    from metaspiel.games.walk import TreeTooBig

    asked = Settings(
        game=config.game,
        players=config.players,
        memory_gb=config.memory_gb,
        observations=config.observations,
        run=Run(quiet=config.run.silent),
    )
    if asked.tree is None:
        players = load(config.game, config.players).num_players()
        if players != 2:
            raise UserError(
                f"--game: it must have exactly 2 players; got '{config.game}' with "
                f"{players}"
            )
    try:
        return walked(asked)
    except TreeTooBig as error:
        raise TreeTooBig(f"{error}; --memory-gb sets the limit") from None


def _record(made: "Equilibrium") -> dict[str, Any]:
    """The answer as JSON values."""
    form = made.form
    return {
        "game": form.name,
        "played": form.played,
        "caveats": list(form.caveats),
        "value": made.values.tolist(),
        "value_between": list(made.bounds),
        "gap": made.gap,
        "gap_per_player": made.gains.tolist(),
        "nash_conv": made.gap,
        "exploitability": made.exploitability,
        "infosets": [tree.infosets for tree in form.trees],
        "sequences": [tree.sequences for tree in form.trees],
        "terminals": int(form.ends.shape[1]),
    }


def _text(made: "Equilibrium") -> str:
    """The answer for people."""
    form, (first, second) = made.form, made.values + 0.0
    sizes = " and ".join(f"{tree.infosets:,}" for tree in form.trees)
    lines = [
        f"{form.name}: {sizes} information sets",
        f"value {first:.9g} (player 0), {second:.9g} (player 1)",
        f"gap (NashConv) {made.gap:.3g}, exploitability (NashConv / 2) "
        f"{made.exploitability:.3g}, by exact best responses",
        *form.caveats,
    ]
    return "\n".join(lines)


def _written(made: "Equilibrium") -> bytes:
    """The policies in the format of ``metaspiel export``."""
    import numpy as np

    from experiments.psro.exporting import archive
    from psro.mixture import Mixture

    pairs = zip(made.form.trees, made.behaviours, strict=True)
    plans = [tree.plan(own)[None] for tree, own in pairs]
    mixture = Mixture.of(made.form, plans, np.ones((1, 1)), "ne")
    return archive(mixture, ((0,), (0,)))


if __name__ == "__main__":
    sys.exit(main(page, Config))
