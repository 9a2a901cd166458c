"""An episode of a world of particles as a moving picture: one SVG file, no script."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.games.particle_world import ParticleScene, ParticleWorld
from metaspiel.nfg.errors import UserError

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
"""Colours of agents by role."""

MARK = "#e3b23c"
"""Colour of landmarks."""

_SCALE = 200  # pixels a unit of the world
_EDGE = 1.1  # the square from -1 to 1, and some space around it
_FAINT = "0.15"  # opacity of the dead


def animated(
    game: ParticleWorld,
    scenes: Sequence[ParticleScene],
    *,
    episode: int = 0,
    pace: float = 0.2,
) -> str:
    """The text of an SVG picture in which an episode runs again and again.

    Agents glide from step to step, landmarks jump when they are taken, and the dead
    fade. A line below says what each role was paid.

    Args:
      game: what is played.
      scenes: from the first to the last, in order.
      episode: which of the batch is shown.
      pace: seconds a step.

    Raises:
      UserError: there are not two scenes, or no such episode.
    """
    if len(scenes) < 2 or not 0 <= episode < len(scenes[0].time):
        raise UserError(
            "animated(): scenes must be at least two, and hold the episode; got "
            f"{len(scenes)} and episode {episode}"
        )
    places = np.stack([scene.places[episode] for scene in scenes])
    marks = np.stack([scene.landmarks[episode] for scene in scenes])
    live = np.stack([scene.live[episode] for scene in scenes])
    edge = max(_EDGE, float(np.abs(places).max()) + 0.1)
    clock = f'dur="{pace * (len(scenes) - 1):g}s" repeatCount="indefinite"'
    times = ";".join(f"{t:.4g}" for t in np.linspace(0.0, 1.0, len(scenes)))
    jump = f'calcMode="discrete" keyTimes="{times}" {clock}'
    drawn = []
    for k, radius in enumerate(game.radii):
        parts = _path(marks[:, k], edge, jump)
        drawn.append(_circle(radius, f'fill="{MARK}" fill-opacity="0.6"', parts))
    for i, radius in enumerate(game.bodies.radius[:, 0]):
        colour = COLOURS[game.layout.roles[i] % len(COLOURS)]
        parts = _path(places[:, i], edge, clock)
        shown = ["1" if alive else _FAINT for alive in live[:, i]]
        parts.append(_varying("opacity", shown, jump))
        drawn.append(_circle(radius, f'fill="{colour}" stroke="#fff"', parts))
    return _page(drawn, edge, _paid(game, scenes, episode))


def _page(drawn: Iterable[str], edge: float, caption: str) -> str:
    """The picture around what is drawn: the square of the start, and a line below."""
    wide = round(2 * edge * _SCALE)
    corner = round((edge - 1.0) * _SCALE)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {wide + 24}" '
        'font-family="sans-serif" font-size="14">',
        f'<rect width="{wide}" height="{wide + 24}" fill="#fff"/>',
        f'<rect x="{corner}" y="{corner}" width="{2 * _SCALE}" height="{2 * _SCALE}" '
        'fill="none" stroke="#bbb"/>',
        *drawn,
        f'<text x="8" y="{wide + 16}" fill="#333">{caption}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _path(
    places: Float64[ndarray, "T 2"], edge: float, clock: str
) -> list[tuple[str, str]]:
    """Where a circle is, in a picture whose y goes down."""
    return [
        _varying(name, [f"{value * _SCALE:.1f}" for value in edge + along], clock)
        for name, along in (("cx", places[:, 0]), ("cy", -places[:, 1]))
    ]


def _varying(name: str, values: Sequence[str], clock: str) -> tuple[str, str]:
    """An attribute as it begins, and how it changes if it does."""
    begins = f'{name}="{values[0]}"'
    if len(set(values)) == 1:
        return begins, ""
    change = f'<animate attributeName="{name}" values="{";".join(values)}" {clock}/>'
    return begins, change


def _circle(radius: float, look: str, parts: Sequence[tuple[str, str]]) -> str:
    begins, changes = zip(*parts, strict=True)
    head = f'<circle r="{radius * _SCALE:g}" {look} {" ".join(begins)}>'
    return f"{head}{''.join(changes)}</circle>"


def _paid(game: ParticleWorld, scenes: Sequence[ParticleScene], episode: int) -> str:
    total = np.sum([scene.rewards[episode] for scene in scenes], axis=0)
    parts = [
        f"{name} {total[group].mean():.1f}"
        for name, group in zip(game.role_names, game.layout.groups, strict=True)
    ]
    return f"{game.name}; mean reward of an episode: {', '.join(parts)}"
