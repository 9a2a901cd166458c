"""Normal-form games as values: payoffs, gaps, files, samples and known games.

>>> from metaspiel.nfg import Game, measure, named
>>> game = named("chicken").game
>>> game.players, game.actions
(2, (2, 2))

``Game`` holds the payoffs, ``measure`` the CE, CCE and NE gaps of a joint distribution,
``ImplicitGame`` is a game without its tensor, ``Products`` a joint for it;
``catalogue`` games with known equilibria, ``sample`` families of random games, and
``load`` reads files. Importing this package loads numpy and nothing heavier.
"""

from metaspiel.nfg.catalogue import named
from metaspiel.nfg.errors import UnknownGame, UnknownName, UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept, Gaps, against, expected, measure
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.reading import load
from metaspiel.nfg.sample import families
from metaspiel.nfg.simplex import marginals, product, project

__all__ = [
    "Concept",
    "Game",
    "Gaps",
    "ImplicitGame",
    "Products",
    "UnknownGame",
    "UnknownName",
    "UserError",
    "against",
    "expected",
    "families",
    "load",
    "marginals",
    "measure",
    "named",
    "product",
    "project",
    "unknown",
]
