"""Text of strangers (names, specs, paths) as people may safely be shown it."""

import re

from metaspiel.nfg.errors import escaped

_KEPT = "\n\t"
# What Markdown takes for HTML or for the target of a link.
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|(?<=])(?=\()")


def printable(text: str) -> str:
    """Text whose control characters and lone surrogates are spelled out.

    A terminal obeys some of the former; no file or stream takes the latter.
    """
    if text.isprintable():
        return text
    return "".join(c if c in _KEPT else escaped(c) for c in text)


def one_line(text: str) -> str:
    """Printable text without line breaks."""
    return " ".join(printable(text).split("\n"))


def markdown_cell(text: str) -> str:
    """Text as a cell of a table in Markdown: no other cell, line, link or HTML."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text).replace("|", r"\|"))
