"""Switch: agents that must cross each other in a corridor one cell wide.

The world of ma-gym (Koul, 2019; after Sunehag et al., "Value-Decomposition Networks")
that MATRL (Wen et al., Figure 4b) is measured on. Grid of 3 x 7 cells, ``#`` a wall; an
agent starts at its number and goes home to its letter::

    b0###1a
    .......
    d2###3c
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from metaspiel.games.grids import ACTIONS, MOVES, GridScene, GridWorld, Reference
from metaspiel.games.markov import joint_action
from metaspiel.nfg.errors import UserError

ROWS, COLUMNS = 3, 7
CELLS = tuple(
    (row, column)
    for row in range(ROWS)
    for column in range(COLUMNS)
    if row == 1 or column not in (2, 3, 4)
)
"""The 15 cells without a wall, row by row; an agent's place is an index into them."""

STARTS = ((0, 1), (0, 5), (2, 1), (2, 5))
HOMES = ((0, 6), (0, 0), (2, 6), (2, 0))
LIMIT = 50
COST, ARRIVAL = -0.1, 5.0
_BITS = 4  # of a state, for the place of one agent


@dataclass(frozen=True, kw_only=True)
class Switch(GridWorld):
    """Two to four agents in the corridor.

    A step costs 0.1; the step that brings an agent home pays 5 instead. An agent that
    is home stays there and blocks the cell. The episode terminates when all are home
    and is truncated after 50 steps; ma-gym says ``done`` to both. The ids of ma-gym
    are ``Switch2`` and ``Switch4`` with ``-v0`` (the defaults here), ``-v1``
    (``sight="joint"``), ``-v2`` (``clock``) and ``-v3`` (both).

    Attributes:
      agents: N, 2 to 4.
      rules: "modern", ma-gym 0.0.7 to 0.0.14: who is home pays nothing any more;
        "legacy", up to 0.0.5, as MATRL's authors had it: who is home keeps paying.
      sight: an agent sees its own place, "partial", or that of all agents, "joint".
      clock: an agent sees how much of the episode has passed.
      phantoms: the start cells of the agents that are missing are blocked, as they
        were up to ma-gym 0.0.5; impossible with four agents.

    Raises:
      UserError: a value does not exist, or no agent is missing to leave a phantom.
    """

    agents: int = 2
    rules: Literal["modern", "legacy"] = "modern"
    sight: Literal["partial", "joint"] = "partial"
    clock: bool = False
    phantoms: bool = False

    kind = "switch"
    limit = LIMIT

    def __post_init__(self) -> None:
        self.check("agents", 2, 3, 4)
        self.check("rules", "modern", "legacy")
        self.check("sight", "partial", "joint")
        if self.phantoms and self.agents == 4:
            raise UserError(
                "Switch(): phantoms must be false where no agent is missing; "
                "got true with agents=4"
            )

    @property
    def reference(self) -> Reference:
        """Reference returns for learners; sight and clock change ``attained`` only.

        With a clock every agent can play its part of the optimal plan by heart; who
        sees all places can play the optimal policy.
        """
        known = REFERENCE[self.agents, self.rules]
        if self.phantoms:
            attained, uniform = PHANTOMS[self.agents, self.rules]
            known = replace(known, attained=attained, uniform=uniform)
        if self.clock or self.sight == "joint":
            known = replace(known, attained=known.optimum)
        return known

    @property
    def inputs(self) -> int:
        """Observation size D: place and clock, of one agent or of all."""
        return (2 + self.clock) * (self.agents if self.sight == "joint" else 1)

    def first(self) -> tuple[int, Float32[ndarray, "N D"]]:
        """All agents at their start."""
        first = _first(self.agents)
        return first, _sights(self)[first]

    def step(self, scene: GridScene, actions: ndarray) -> GridScene:
        """The scene after one move of every agent, in the order of their index.

        Raises:
          UserError: the joint actions have another shape or kind than the game's.
        """
        joint_action(self, len(scene.state), actions)
        tables = _tables(self.agents, self.rules, self.phantoms)
        live = ~scene.over
        state = scene.state
        for agent, moved in enumerate(tables.moved):
            state = moved.take(state * ACTIONS.size + actions[:, agent])
        if not live.all():
            state = np.where(live, state, scene.state)
        home = tables.home.take(state)
        rewards = tables.pay.take(tables.home.take(scene.state) << 4 | home, 0)
        count = scene.count + live
        terminated = home == (1 << self.agents) - 1
        observations = _sights(self).take(state, 0)
        if self.clock:
            passed = (count / LIMIT).astype(np.float32)
            observations[..., 2::3] = passed[:, None, None]
        return GridScene(
            observations=observations,
            rewards=rewards if live.all() else rewards * live[:, None],
            terminated=terminated,
            truncated=(count >= LIMIT) & ~terminated,
            state=state,
            count=count,
        )


_PLANS = {
    (2, "modern"): "04 34 34 34 34 30 21 41 41 41 41 42",
    (3, "modern"): "044 342 343 343 343 343 243 400 414 414 414 414 414 424",
    (4, "modern"): "0444 3424 3434 3434 3434 3434 2432 4401 4041 4141 4141 4140 4141 "
    "4144 4244",
    (2, "legacy"): "04 34 34 34 34 30 41 41 41 41 41 22",
    (3, "legacy"): "442 443 043 343 343 343 340 304 414 414 414 414 414 224",
    (4, "legacy"): "4424 4434 0434 3434 3434 3434 3443 0022 4141 4141 4141 4141 2141 "
    "2400 3201",
}
_RETURNS = {  # optimum, attained, uniform
    (2, "modern"): (8.3, 8.3, -9.0932716),
    (3, "modern"): (12.4, 11.98, -13.8448038),
    (4, "modern"): (16.1, 12.72, -19.0370940),
    (2, "legacy"): (7.8, 7.8, -9.2905128),
    (3, "legacy"): (11.1, 10.28, -14.1018637),
    (4, "legacy"): (14.4, 10.94, -19.2465329),
}
REFERENCE = {
    (agents, rules): Reference(
        optimum=optimum,
        plan=_PLANS[agents, rules],
        attained=attained,
        waiting=LIMIT * COST * agents,
        uniform=uniform,
    )
    for (agents, rules), (optimum, attained, uniform) in _RETURNS.items()
}
"""Reference returns by number of agents and rules, without phantoms.

``optimum`` and ``plan`` come from dynamic programming over all joint places (32760 with
four agents), ``uniform`` from the same recursion with means in place of maxima.
``attained`` belongs to random policies of the agent's own place, found by gradient
ascent on their exact value; with two agents a policy that draws nothing has it.
"""

PHANTOMS = {
    (2, "modern"): (7.89, -9.0043233),
    (3, "modern"): (11.04, -14.0527011),
    (2, "legacy"): (7.29, -9.2238529),
    (3, "legacy"): (8.74, -14.2624356),
}
"""``attained`` and ``uniform`` of games with phantoms; all else is unchanged."""


class _Tables(NamedTuple):
    """Look-up tables of the rules, by state: S = 16^N, 4 bits for an agent's place.

    Attributes:
      moved: for each agent, the state after its move, at state * 5 + action.
      home: a bit for each agent that is home.
      pay: rewards at the bits before a step * 16 + those after it.
    """

    moved: tuple[Int64[ndarray, " S5"], ...]
    home: Int64[ndarray, " S"]
    pay: Float64[ndarray, "256 N"]


@cache
def _first(agents: int) -> int:
    return sum(CELLS.index(STARTS[i]) << _BITS * i for i in range(agents))


def _places(agents: int) -> Int64[ndarray, "N S"]:
    """Every agent's place in every state; the code 15 is no cell."""
    states = np.arange(1 << _BITS * agents, dtype=np.int64)
    shifts = _BITS * np.arange(agents, dtype=np.int64)
    return states >> shifts[:, None] & 15


@cache
def _tables(agents: int, rules: str, phantoms: bool) -> _Tables:
    places = _places(agents)
    states = np.arange(places.shape[1], dtype=np.int64)
    # The cell to which a move leads: itself at a wall, at the border and from nowhere.
    leads = np.arange(16, dtype=np.int64)[:, None].repeat(len(MOVES), 1)
    for place, (row, column) in enumerate(CELLS):
        for action, (down, right) in enumerate(MOVES):
            if (row + down, column + right) in CELLS:
                leads[place, action] = CELLS.index((row + down, column + right))
    homes = [CELLS.index(cell) for cell in HOMES[:agents]]
    blocked = [CELLS.index(cell) for cell in STARTS[agents:] if phantoms]
    moved = []
    for agent in range(agents):
        here = places[agent][:, None]
        there = leads[places[agent]]
        stays = (here == homes[agent]) | np.isin(there, blocked)
        for other in range(agents):
            stays |= (other != agent) & (there == places[other][:, None])
        after = states[:, None] + ((there - here) << _BITS * agent)
        moved.append(np.where(stays, states[:, None], after).astype(np.int64).ravel())
    home = sum((places[i] == homes[i]).astype(np.int64) << i for i in range(agents))
    before, after = np.divmod(np.arange(256)[:, None], 16)
    bit = 1 << np.arange(agents)
    stay = COST if rules == "legacy" else 0.0
    pay = np.where(before & bit, stay, np.where(after & bit, ARRIVAL, COST))
    return _Tables(tuple(moved), np.asarray(home), pay)


def _sights(game: Switch) -> Float32[ndarray, "S N D"]:
    return _seen(game.agents, game.sight == "joint", game.clock)


@cache
def _seen(agents: int, joint: bool, clock: bool) -> Float32[ndarray, "S N D"]:
    """Observations in every state, with 0 in the place of the clock."""
    cells = [
        [round(row / (ROWS - 1), 2), round(column / (COLUMNS - 1), 2)] + [0.0] * clock
        for row, column in (*CELLS, (0, 0))
    ]
    seen = np.array(cells, np.float32)[_places(agents).T]
    if joint:
        seen = np.repeat(seen.reshape(len(seen), 1, -1), agents, 1)
    seen.flags.writeable = False
    return seen
