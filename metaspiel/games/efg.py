"""Gambit's ``.efg`` text format (extensive form) as a game that can be walked.

Outcomes may lie on any node: what a player gets at the end is their sum along the path
(Gambit's manual, "The extensive game (.efg) file format"). An outcome, an information
set or a chance move is spelled out where it is first used and may then go by its
number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metaspiel.games.sequence import SequenceForm
from metaspiel.games.walk import MEMORY_GB, Progress, walk
from metaspiel.nfg.errors import UserError, shown
from metaspiel.nfg.gambit_tokens import Tokens
from metaspiel.nfg.texts import read_text

CHANCE, END = -1, -2
_PLAYERS = 1000
_DEEPEST = 1000  # moves; the sequence form does some work for each depth
_ROUNDING = 1e-9  # by which decimals of chance probabilities may miss one


@dataclass(frozen=True, eq=False, kw_only=True)
class Move:
    """What its nodes share: an information set, or a chance move.

    Attributes:
      mover: the player, or CHANCE.
      name: the number in the file and the label behind it, if there is one.
      actions: their labels.
      chances: of a chance move the probability of each action.
    """

    mover: int
    name: str
    actions: tuple[str, ...]
    chances: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """A node of the tree.

    Attributes:
      parent: the number of the node before it, -1 at the root.
      taken: the action that leads here.
      move: whose turn it is; None at an end.
      payoffs: outcomes added up from the root to here.
      children: numbers of the nodes behind it.
    """

    parent: int
    taken: int
    move: Move | None
    payoffs: tuple[float, ...]
    children: list[int] = field(default_factory=list)


@dataclass(frozen=True, eq=False, kw_only=True)
class ExtensiveGame:
    """A game tree from a file, walked as OpenSpiel's games are.

    Attributes:
      name: what the game is called.
      title: as the file has it.
      players: their labels.
      nodes: the root first, each before those behind it.
    """

    name: str
    title: str
    players: tuple[str, ...]
    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        """What the game is called."""
        return self.name

    def num_players(self) -> int:
        """N, the number of players."""
        return len(self.players)

    def new_initial_state(self) -> "Place":
        """Where the game begins."""
        return Place(self.nodes, 0)


@dataclass(frozen=True, eq=False)
class Place:
    """A node with what a walk asks of a state.

    Attributes:
      nodes: of the game.
      number: of this one.
    """

    nodes: tuple[Node, ...]
    number: int

    @property
    def _move(self) -> Move:
        move = self.nodes[self.number].move
        assert move is not None, "the game is over here"
        return move

    def is_terminal(self) -> bool:
        """Whether the game ends here."""
        return self.nodes[self.number].move is None

    def is_chance_node(self) -> bool:
        """Whether chance moves here."""
        return self.current_player() == CHANCE

    def current_player(self) -> int:
        """Whose turn it is: a player, CHANCE or END."""
        move = self.nodes[self.number].move
        return END if move is None else move.mover

    def chance_outcomes(self) -> list[tuple[int, float]]:
        """Actions of chance with their probabilities."""
        return list(enumerate(self._move.chances))

    def legal_actions(self) -> list[int]:
        """Numbers of the actions, from 0."""
        return list(range(len(self._move.actions)))

    def information_state_string(self, player: int) -> str:
        """The information set's number in the file, and its label."""
        return self._move.name

    def child(self, action: int) -> "Place":
        """Where an action leads."""
        return Place(self.nodes, self.nodes[self.number].children[action])

    def returns(self) -> tuple[float, ...]:
        """What each player has got so far."""
        return self.nodes[self.number].payoffs

    def history(self) -> list[int]:
        """The actions that lead here, chance included."""
        actions, node = [], self.nodes[self.number]
        while node.parent >= 0:
            actions.append(node.taken)
            node = self.nodes[node.parent]
        return actions[::-1]


def load(path: Path | str, memory_gb: float = MEMORY_GB) -> ExtensiveGame:
    """A game from a file; it is called as the file is.

    Args:
      path: of the file.
      memory_gb: a larger file is refused.

    Raises:
      UserError: the file is not there, not readable, or not a game.
    """
    path = Path(path)
    try:
        return parse(read_text(path, memory_gb), path.name)
    except UserError as error:
        raise UserError(f"'{path}': {error}") from None


def from_file(
    path: Path | str,
    *,
    memory_gb: float = MEMORY_GB,
    progress: Progress | None = None,
) -> SequenceForm:
    """The sequence form of a game in a file.

    Raises:
      UserError: the file is no game, or its tree does not fit in ``memory_gb``.
    """
    game = load(path, memory_gb)
    return walk(game, memory_gb=memory_gb, progress=progress, states=len(game.nodes))


def parse(text: str, name: str = "efg") -> ExtensiveGame:
    """Reads a game.

    Args:
      text: of a file.
      name: what the game is called.

    Raises:
      UserError: the text is not an extensive game.
    """
    tokens = Tokens(text, "a .efg")
    title = tokens.title("EFG", "2")
    tokens.open()
    players = []
    while not tokens.closes():
        players.append(tokens.text("a player's name"))
    if not 1 <= len(players) <= _PLAYERS:
        raise UserError(f"a .efg must have 1 to {_PLAYERS} players; got {len(players)}")
    if tokens.next.kind == "text":
        tokens.take()  # an optional comment
    nodes = _Reader(tokens, len(players)).nodes()
    tokens.end()
    return ExtensiveGame(
        name=name, title=title, players=tuple(players), nodes=tuple(nodes)
    )


class _Reader:
    """Reads nodes, and knows the moves and outcomes that were spelled out so far."""

    def __init__(self, tokens: Tokens, players: int) -> None:
        self._tokens, self._players = tokens, players
        self._moves: dict[tuple[int, int], Move] = {}
        self._outcomes: dict[int, tuple[float, ...]] = {}

    def nodes(self) -> list[Node]:
        """All nodes, in the order of the file: first a node, then what is behind it."""
        made: list[Node] = []
        # Where the next nodes belong: number of the parent, action, depth.
        waiting = [(-1, -1, 0)]
        while waiting:
            parent, taken, depth = waiting.pop()
            before = made[parent].payoffs if made else (0.0,) * self._players
            move, outcome = self._node()
            if depth > _DEEPEST:
                raise UserError(
                    f"a .efg must be at most {_DEEPEST} moves deep; this one is deeper"
                )
            total = tuple(a + b for a, b in zip(before, outcome, strict=True))
            if not all(map(math.isfinite, total)):
                raise UserError("a .efg must have payoffs with finite sums along paths")
            number = len(made)
            made.append(Node(parent=parent, taken=taken, move=move, payoffs=total))
            if parent >= 0:
                made[parent].children.append(number)
            count = 0 if move is None else len(move.actions)
            waiting += [(number, a, depth + 1) for a in reversed(range(count))]
        return made

    def _node(self) -> tuple[Move | None, Sequence[float]]:
        """The next node's move, None at an end, and its outcome's payoffs."""
        tokens = self._tokens
        kind = tokens.word("c", "p", "t")
        tokens.text("a node's label")
        if kind == "t":
            return None, self._outcome()
        mover = CHANCE
        if kind == "p":
            mover = tokens.whole("a player", least=1, most=self._players) - 1
        number = tokens.whole("an information set")
        if tokens.next.kind == "text" or tokens.opens():
            self._spelled(mover, number)
        elif (mover, number) not in self._moves:
            raise tokens.refused(f"the actions of information set {number}")
        return self._moves[mover, number], self._outcome()

    def _spelled(self, mover: int, number: int) -> None:
        """Takes an information set's label and actions; the same as before, if any."""
        tokens = self._tokens
        label = tokens.take().value if tokens.next.kind == "text" else ""
        known = self._moves.get((mover, number))
        if known is not None and not tokens.opens():
            return  # the label alone, once more
        tokens.open()
        actions, chances = [], []
        while not tokens.closes():
            actions.append(tokens.text("an action's label"))
            if mover == CHANCE:
                chances.append(tokens.number("a probability"))
        whose = "chance" if mover == CHANCE else f"player {mover + 1}"
        where = f"information set {number} of {whose}"
        if not actions:
            raise UserError(f"a .efg must have actions in {where}; there are none")
        if known is not None:
            if (known.actions, known.chances) != (tuple(actions), tuple(chances)):
                raise UserError(
                    f"a .efg must spell out {where} alike at all its nodes; got "
                    "other actions or probabilities than before"
                )
            return
        if mover == CHANCE and not (
            min(chances) >= 0 and abs(math.fsum(chances) - 1) <= _ROUNDING
        ):
            raise UserError(
                f"a .efg must have probabilities >= 0 that sum to one in {where}; got "
                f"the sum {math.fsum(chances):.12g}, the least {min(chances):g}"
            )
        self._moves[mover, number] = Move(
            mover=mover,
            name=f"{number} {label}".rstrip(),
            actions=tuple(actions),
            chances=tuple(chances),
        )

    def _outcome(self) -> Sequence[float]:
        """Payoffs of the outcome at a node; those of outcome 0 are 0."""
        tokens = self._tokens
        number = tokens.whole("an outcome")
        if tokens.next.kind == "text" or tokens.opens():
            if number == 0:
                raise tokens.refused("no payoffs for outcome 0, which is none,")
            if tokens.next.kind == "text":
                tokens.take()  # its label
            tokens.open()
            payoffs = tuple(tokens.number("a payoff") for _ in range(self._players))
            tokens.close()
            if self._outcomes.setdefault(number, payoffs) != payoffs:
                raise UserError(
                    f"a .efg must give outcome {number} the same payoffs wherever it "
                    f"spells them out; got {shown(payoffs)} after "
                    f"{shown(self._outcomes[number])}"
                )
        elif number and number not in self._outcomes:
            raise tokens.refused(f"the payoffs of outcome {number}")
        return self._outcomes.get(number, (0.0,) * self._players)
