"""Four-player capture the flag, two against two with partial views, in batches.

Its rules are those of ``metaspiel.games.capture_the_flag_rules``.

**Observation.** W = (2 view + 1)^2 cells around the player, row by row, walls hide
nothing. All is in the team's own frame, with its ground on the left:

====================  ==================================================================
from index            what it is
====================  ==================================================================
0                     W: wall, or outside the map
W                     W: the teammate stands there
2 W                   W: an enemy stands there
3 W                   W: the own flag is there
4 W                   W: the enemy's flag is there
5 W                   rows: 1 at the player's row
5 W + rows            columns: 1 at the player's column
5 W + rows + columns  the player carries the flag; share of rounds left, this one
                      included; own captures; the enemy's; place in this round's order
                      (0, 1/3, 2/3, 1); 1 for the second player of a team
====================  ==================================================================

It does not hold the history: what a player saw and did before is lost to it.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from metaspiel.games import capture_the_flag_rules as rules
from metaspiel.games.capture_the_flag_rules import PLAYERS, TEAMS, Terms
from metaspiel.games.simulator import (
    Moves,
    Position,
    RealGame,
    Uniforms,
    Where,
    merge,
    own,
)
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError

_WAIT = 0
_ORDERS = PLAYERS * len(rules.RINGS)


@dataclass(frozen=True, eq=False, kw_only=True)
class FlagPosition(Position):
    """Episodes of capture the flag.

    Attributes:
      cells: where each player stands.
      flags: where each team's flag is, carried or not.
      carries: which players carry the enemy's flag.
      captures: of each team.
      chosen: actions of this round so far; to wait of those who have not moved.
      rounds: rounds played.
      first: which of the eight orders the first round has, 4 * ring + place.
    """

    cells: Int64[Tensor, "S B 4"]
    flags: Int64[Tensor, "S B 2"]
    carries: Bool[Tensor, "S B 4"]
    captures: Int64[Tensor, "S B 2"]
    chosen: Int64[Tensor, "S B 4"]
    rounds: Int64[Tensor, "S B"]
    first: Int64[Tensor, "S B"]


class _Tables(NamedTuple):
    """The map on a device; see ``capture_the_flag_rules``.

    Attributes:
      targets: cell after an action, by (team, cell, action); -1 where it is not legal.
      legal: actions that lead somewhere, by (team, cell).
      closed: by (player, cell).
      ground: own ground, by (team, cell).
      windows: cells in view, by (team, cell).
      blocked: which of them are walls or outside, by (team, cell).
      standing: row and column, by (team, cell).
      bases: by player.
      homes: by team.
      rings: players as they follow one another, by 4 * ring + place.
      places: place in the ring, by 4 * ring + player.
      players: 0 to 3.
      teams: team of each player.
    """

    targets: Int64[Tensor, " TCA"]
    legal: Bool[Tensor, "TC A"]
    closed: Bool[Tensor, " PC"]
    ground: Bool[Tensor, " TC"]
    windows: Int64[Tensor, "TC W"]
    blocked: Float32[Tensor, "TC W"]
    standing: Float32[Tensor, "TC RC"]
    bases: Int64[Tensor, " 4"]
    homes: Int64[Tensor, " 2"]
    rings: Int64[Tensor, " 8"]
    places: Int64[Tensor, " 8"]
    players: Int64[Tensor, " 4"]
    teams: Int64[Tensor, " 4"]


@lru_cache(maxsize=16)
def _tables(terms: Terms, device: str) -> _Tables:
    targets = torch.from_numpy(rules.targets(terms))
    windows, rings = rules.windows(terms), torch.tensor(rules.RINGS)
    tables = _Tables(
        targets=targets.flatten(),
        legal=(targets >= 0).flatten(0, 1),
        closed=torch.from_numpy(rules.closed(terms)).flatten(),
        ground=torch.from_numpy(rules.grounds(terms)).flatten(),
        windows=torch.from_numpy(windows).flatten(0, 1),
        blocked=torch.from_numpy(rules.blocked(terms, windows)).float().flatten(0, 1),
        standing=torch.from_numpy(rules.standing(terms)).flatten(0, 1),
        bases=torch.from_numpy(rules.bases(terms)),
        homes=torch.from_numpy(rules.homes(terms)),
        rings=rings.flatten(),
        places=rings.argsort(-1).flatten(),
        players=torch.arange(PLAYERS),
        teams=torch.arange(PLAYERS) // TEAMS,
    )
    return _Tables(*(table.to(device) for table in tables))


@dataclass(frozen=True)
class CaptureTheFlag(Terms, Named, RealGame):
    """Capture the flag as a simulator: turn by turn, with hidden moves.

    Rules and observations: see the module. Chance only picks one of eight orders, so
    that eight ``instances`` are all there is between greedy policies.
    """

    kind = "capture_the_flag_2v2"
    players = PLAYERS
    actions = rules.ACTIONS
    draws = 1
    symmetric = False  # teammates and enemies are no matter of taste
    reads = "observation"

    @property
    def inputs(self) -> int:
        """Observation size D."""
        return rules.PLANES * self.in_view + self.rows + self.columns + rules.OWN

    @property
    def longest(self) -> int:
        """Moves of every episode."""
        return PLAYERS * self.horizon

    def start(self, uniforms: Uniforms) -> FlagPosition:
        """New episodes, on the device of the uniforms.

        Raises:
          UserError: an episode does not have one number.
        """
        if uniforms.shape[-1] != self.draws:
            raise UserError(
                "CaptureTheFlag.start(): an episode needs 1 uniform number; "
                f"got {uniforms.shape[-1]}"
            )
        tables = self._on(uniforms)
        first = (uniforms[..., 0] * _ORDERS).long()
        every = (*first.shape, PLAYERS)
        nobody = torch.zeros(every, dtype=torch.int64, device=first.device)
        position = FlagPosition(
            mover=torch.zeros_like(first),
            done=torch.zeros_like(first, dtype=torch.bool),
            inputs=torch.zeros(*first.shape, self.inputs, device=first.device),
            legal=torch.zeros(
                *first.shape, self.actions, dtype=torch.bool, device=first.device
            ),
            returns=torch.zeros(every, device=first.device),
            penalty=torch.zeros(first.shape, device=first.device),
            cells=tables.bases.expand(every),
            flags=tables.homes.expand(*first.shape, TEAMS),
            carries=nobody.bool(),
            captures=nobody[..., :TEAMS],
            chosen=nobody,
            rounds=torch.zeros_like(first),
            first=first,
        )
        return self._shown(position)

    def restart(
        self, position: Position, where: Where, uniforms: Uniforms
    ) -> FlagPosition:
        """New episodes where asked, the others as they were."""
        old = own(position, FlagPosition, "CaptureTheFlag.restart()")
        return merge(where, self.start(uniforms), old)

    def step(self, position: Position, action: Moves, where: Where) -> FlagPosition:
        """Positions after the movers' actions where asked; the others as they were.

        Actions are not checked: they must be legal where asked and not over.
        """
        old = own(position, FlagPosition, "CaptureTheFlag.step()")
        tables = self._on(action)
        moves = where & ~old.done
        mine = (tables.players == old.mover[..., None]) & moves[..., None]
        new = replace(
            old,
            mover=(old.mover + moves) % PLAYERS,
            chosen=torch.where(mine, action[..., None], old.chosen),
        )
        ends = moves & (old.mover == PLAYERS - 1)
        # To look whether a round ends would make a GPU wait, but costs a CPU nothing.
        if ends.device.type != "cpu" or bool(ends.any()):
            new = merge(ends, self._round(new), new)
        return self._shown(new)

    def instances(self) -> tuple[Float64[Tensor, "K 1"], Float64[Tensor, " K"]]:
        """A number for each of the eight orders, and their probabilities."""
        numbers = (torch.arange(_ORDERS).double() + 0.5) / _ORDERS
        return numbers[:, None], torch.full((_ORDERS,), 1 / _ORDERS).double()

    def _round(self, position: FlagPosition) -> FlagPosition:
        """Carries out all that was chosen, one player after the other."""
        tables, after = self._on(position.rounds), position
        ring = position.first // PLAYERS * PLAYERS
        for place in range(PLAYERS):
            turn = ring + (position.first + position.rounds + place) % PLAYERS
            after = self._act(after, torch.take(tables.rings, turn))
        rounds = position.rounds + 1
        done = rounds >= self.horizon
        lead = (after.captures[..., 0] - after.captures[..., 1]).float()
        won = torch.where(tables.teams == 0, lead[..., None], -lead[..., None])
        return replace(
            after,
            done=done,
            returns=torch.where(done[..., None], won, position.returns),
            chosen=torch.zeros_like(position.chosen),
            rounds=rounds,
        )

    def _act(
        self, position: FlagPosition, player: Int64[Tensor, "S B"]
    ) -> FlagPosition:
        """Carries out what one player of each episode has chosen."""
        tables, cells = self._on(player), position.cells
        me = tables.players == player[..., None]
        team = player // TEAMS
        here = _of(player, cells)
        row = (team * self.cells + here) * self.actions
        target = torch.take(tables.targets, row + _of(player, position.chosen))
        met = (cells == target[..., None]) & ~me
        home = torch.take(tables.ground, team * self.cells + target)
        enemies = tables.teams != team[..., None]
        tagged = met & enemies & home[..., None]
        shut = torch.take(tables.closed, player * self.cells + target)
        here = torch.where(met.any(-1) | shut, here, target)

        theirs, ours = _of(1 - team, position.flags), _of(team, position.flags)
        theirs = torch.where(_of(player, position.carries), here, theirs)
        takes = theirs == here
        scores = takes & torch.take(tables.ground, team * self.cells + here)
        theirs = torch.where(scores, torch.take(tables.homes, 1 - team), theirs)
        ours = torch.where(ours == here, torch.take(tables.homes, team), ours)
        mine = tables.players[:TEAMS] == team[..., None]
        carries = torch.where(
            me, (takes & ~scores)[..., None], position.carries & ~tagged
        )
        return replace(
            position,
            cells=torch.where(
                me, here[..., None], torch.where(tagged, tables.bases, cells)
            ),
            flags=torch.where(mine, ours[..., None], theirs[..., None]),
            carries=carries,
            chosen=position.chosen.masked_fill(tagged, _WAIT),
            captures=position.captures + (mine & scores[..., None]),
        )

    def _shown(self, position: FlagPosition) -> FlagPosition:
        """The position with what its movers see and may do."""
        tables, mover = self._on(position.mover), position.mover
        team, going = mover // TEAMS, ~position.done[..., None]
        row = team * self.cells + _of(mover, position.cells)
        view = tables.windows[row]
        mate = _of(mover ^ 1, position.cells)
        enemy = _of(2 * (1 - team), position.cells)
        other = _of(2 * (1 - team) + 1, position.cells)
        left = 1 - position.rounds / self.horizon
        ring = position.first // PLAYERS * PLAYERS
        place = torch.take(tables.places, ring + mover)
        place = (place - position.first - position.rounds) % PLAYERS
        facts = (
            _of(mover, position.carries),
            left,
            _of(team, position.captures),
            _of(1 - team, position.captures),
            place / (PLAYERS - 1),
            mover % TEAMS,
        )
        parts = (
            tables.blocked[row],
            view == mate[..., None],
            (view == enemy[..., None]) | (view == other[..., None]),
            view == _of(team, position.flags)[..., None],
            view == _of(1 - team, position.flags)[..., None],
            tables.standing[row],
            torch.stack([fact.float() for fact in facts], -1),
        )
        seen = torch.cat([part.float() for part in parts], -1)
        return replace(position, inputs=seen * going, legal=tables.legal[row] & going)

    def _on(self, like: Tensor) -> _Tables:
        return _tables(self, str(like.device))


def _of(which: Int64[Tensor, "S B"], values: Tensor) -> Tensor:
    """The value ``[S, B]`` of one player, or team, in each episode."""
    return values.gather(-1, which[..., None])[..., 0]
