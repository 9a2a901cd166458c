"""Tokens of Gambit's text formats ``.nfg`` and ``.efg``, read in one linear pass.

``Tokens`` is a cursor over a text::

    tokens = Tokens(text, "a .efg")
    title = tokens.title("EFG", "2")   # EFG 2 R "a title", or a sentence
    tokens.open()                      # {
    while not tokens.closes():         # takes a } where one is next
        names.append(tokens.text("a player's name"))
    if tokens.next.kind == "text":     # look at the next token without taking it
        comment = tokens.take().value
    chance, payoff = tokens.number("a probability"), tokens.number("a payoff")
    node = tokens.whole("an information set")
    tokens.end()                       # nothing may follow
    raise tokens.refused("the number of a player, 0 to 2")

A comma counts as a space. A text ends at the first quote that follows no backslash, as
Gambit reads it. A number is ASCII: whole, decimal, with an exponent, or a fraction of
whole numbers. ``tokens.start`` is the position of the next token in the text, and every
sentence names its line. ``numbers``, ``wholes`` and ``rows`` read long tables in
pieces, fast and with little memory.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from metaspiel.nfg.errors import UserError, shown
from metaspiel.nfg.number_text import number, numbers_in, rows_in, wholes_in

Kind = Literal["text", "mark", "word", "end"]

_AHEAD = re.compile(r'[\s,]*([{}"]|[^\s{}",]+|)', re.ASCII)
_STOP = re.compile(r'[\s{}",]', re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_PIECE = 1 << 19  # characters that are read at once


class Token(NamedTuple):
    """One token: a quoted text, a brace, any other word, or the end of the text.

    Attributes:
      kind: which.
      value: the text without its quotes, the brace, or the word.
      start: its position in the whole text.
    """

    kind: Kind
    value: str
    start: int


class Tokens:
    """A cursor over the tokens of a text; see the module.

    Attributes:
      next: the token that ``take`` takes; of the kind "end" where there is none.
    """

    def __init__(self, text: str, what: str) -> None:
        """Begins at the start of ``text``; sentences say that ``what`` must have ..."""
        self._text, self._what = text, what
        self._behind = 0  # position behind the next token
        self._read()

    def _read(self) -> None:
        match = _AHEAD.match(self._text, self._behind)
        value, start = (match[1], match.start(1)) if match else ("", self._behind)
        if value == '"':
            self.next = self._quoted(start)
            return
        kind: Kind = "mark" if value in ("{", "}") else "word" if value else "end"
        self.next = Token(kind, value, start)
        self._behind = start + len(value)

    def _quoted(self, start: int) -> Token:
        end = self._text.find('"', start + 1)
        while end > 0 and self._text[end - 1] == "\\":
            end = self._text.find('"', end + 1)
        if end < 0:
            line = self._line(start)
            raise UserError(
                f"{self._what} must close every quote; that of line {line} is open"
            )
        self._behind = end + 1
        return Token("text", self._text[start + 1 : end].replace('\\"', '"'), start)

    @property
    def start(self) -> int:
        """Position of the next token in the text."""
        return self.next.start

    @property
    def left(self) -> int:
        """Characters from the next token to the end: no fewer than tokens are left."""
        return len(self._text) - self.start

    def take(self) -> Token:
        """The next token; the cursor goes on to the one behind it."""
        token = self.next
        self._read()
        return token

    def word(self, *known: str) -> str:
        """Takes a word that is one of these.

        Raises:
          UserError: another token is next.
        """
        if self.next.kind != "word" or self.next.value not in known:
            raise self.refused(" or ".join(f"'{one}'" for one in known))
        return self.take().value

    def title(self, kind: str, version: str) -> str:
        """Takes the beginning of a file, as ``NFG 1 R "a title"``; returns the title.

        Raises:
          UserError: the file begins otherwise.
        """
        head = [self.take().value for _ in range(3)]
        if head not in ([kind, version, "R"], [kind, version, "D"]):
            raise UserError(
                f"{self._what} must begin with '{kind} {version} R' or '{kind} "
                f"{version} D', a title and the players; got '{shown(' '.join(head))}'"
            )
        return self.text("a title")

    def text(self, wanted: str) -> str:
        """Takes a quoted text.

        Raises:
          UserError: another token is next; the sentence says what was ``wanted``.
        """
        if self.next.kind != "text":
            raise self.refused(f"{wanted} in quotes")
        return self.take().value

    def open(self) -> None:
        """Takes an opening brace.

        Raises:
          UserError: another token is next.
        """
        if not self.opens():
            raise self.refused("'{'")
        self.take()

    def opens(self) -> bool:
        """Whether an opening brace is next; it is not taken."""
        return self.next.kind == "mark" and self.next.value == "{"

    def closes(self) -> bool:
        """Whether a closing brace is next; it is taken.

        Raises:
          UserError: the text ends, so that the brace is never closed.
        """
        if self.next.kind == "end":
            raise UserError(f"{self._what} must close every brace; one is open")
        closing = self.next.kind == "mark" and self.next.value == "}"
        if closing:
            self.take()
        return closing

    def close(self) -> None:
        """Takes a closing brace.

        Raises:
          UserError: another token is next.
        """
        if not self.closes():
            raise self.refused("'}'")

    def number(self, wanted: str) -> float:
        """Takes a number.

        Raises:
          UserError: the next token is none, or no float holds it.
        """
        value = number(self.next.value) if self.next.kind == "word" else None
        if value is None:
            line, got = self._line(self.start), self._shown()
            raise UserError(
                f"{self._what} must hold numbers; got {got} for {wanted} in line {line}"
            )
        self.take()
        return value

    def whole(self, wanted: str, least: int = 0, most: int = 10**18) -> int:
        """Takes a whole number from ``least`` to ``most``, written with digits alone.

        Raises:
          UserError: the next token is none.
        """
        token = self.next
        digits = token.kind == "word" and _WHOLE.fullmatch(token.value)
        if not digits or not least <= int(token.value) <= most:
            range_ = f">= {least}" if most >= 10**18 else f"from {least} to {most}"
            raise self.refused(f"{wanted}, a whole number {range_},")
        return int(self.take().value)

    def numbers(self, count: int, wanted: str) -> Float64[ndarray, " count"]:
        """Takes ``count`` numbers, up to the end of the text.

        Raises:
          UserError: there are fewer or more tokens, or one is no number.
        """
        one = f"one of {count} {wanted}"
        return self._series(count, wanted, numbers_in, lambda: self.number(one))

    def wholes(self, count: int, wanted: str, most: int) -> Int64[ndarray, " count"]:
        """Takes ``count`` whole numbers from 0 to ``most``, up to the end of the text.

        Raises:
          UserError: there are fewer or more tokens, or one is no such number.
        """
        one = f"one of {count} {wanted}"
        values = self._series(
            count,
            wanted,
            lambda piece: wholes_in(piece, most),
            lambda: self.whole(one, most=most),
        )
        return values.astype(np.int64)

    def _series(
        self,
        count: int,
        wanted: str,
        fast: Callable[[str], ndarray | None],
        careful: Callable[[], float],
    ) -> Float64[ndarray, " count"]:
        """``count`` numbers to the end: pieces at once, odd ones token by token."""
        if count > self.left // 2 + 1:  # a digit and a space each, but for the last
            raise UserError(f"{self._what} must hold {count} {wanted}; it is too short")
        values, done = np.empty(count), 0
        while self.next.kind != "end":
            start, stop = self.start, self._stop()
            piece = fast(self._text[start:stop])
            if piece is None:
                piece = np.array([careful() for _ in self._until(stop)])
            else:
                self._move(stop)
            if done + len(piece) > count:
                self._move(start)
                for _ in range(count - done):
                    self.take()
                raise UserError(
                    f"{self._what} must hold {count} {wanted}; got more, the first in "
                    f"line {self._line(self.start)}"
                )
            values[done : done + len(piece)] = piece
            done += len(piece)
        if done < count:
            raise UserError(f"{self._what} must hold {count} {wanted}; got {done}")
        return values

    def rows(self, width: int, wanted: str) -> Float64[ndarray, "k {width}"]:
        """Takes rows ``{ "name" 1 2 }`` of ``width`` numbers, and the brace behind.

        Raises:
          UserError: a row is otherwise.
        """
        every = [np.empty((0, width))]
        while not self.closes():
            start, stop = self.start, self._stop()
            piece = rows_in(self._text[start:stop], width)
            if piece is not None:
                every.append(piece[0])
                self._move(start + piece[1])
                continue
            for _ in self._until(stop):
                if self.next[:2] == ("mark", "}"):
                    break
                every.append(self._row(width, wanted))
        return np.concatenate(every)

    def _row(self, width: int, wanted: str) -> Float64[ndarray, "1 {width}"]:
        self.open()
        self.text(f"the name of {wanted}")
        row = [self.number(f"a payoff of {wanted}") for _ in range(width)]
        self.close()
        return np.array([row])

    def _stop(self) -> int:
        """The end of a word, about a piece behind the next token."""
        stop = _STOP.search(self._text, min(self.start + _PIECE, len(self._text)))
        return stop.start() if stop else len(self._text)

    def _move(self, position: int) -> None:
        self._behind = position
        self._read()

    def _until(self, stop: int) -> Iterator[None]:
        """One turn for each time that a token before ``stop`` is next."""
        while self.next.kind != "end" and self.start < stop:
            yield

    def end(self) -> None:
        """Refuses anything that follows.

        Raises:
          UserError: the text goes on.
        """
        if self.next.kind != "end":
            raise self.refused("nothing more")

    def refused(self, wanted: str) -> UserError:
        """An error that names the next token, its line, and what was ``wanted``."""
        line, got = self._line(self.start), self._shown()
        return UserError(f"{self._what} must have {wanted} in line {line}; got {got}")

    def _shown(self) -> str:
        token = self.next
        return "the end" if token.kind == "end" else f"'{shown(token.value)}'"

    def _line(self, position: int) -> int:
        return self._text.count("\n", 0, position) + 1
