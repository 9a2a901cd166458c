"""The moving picture of an episode shows what was played."""

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest

from metaspiel.games.pacman import Pacman
from metaspiel.games.particle_picture import COLOURS, MARK, animated
from metaspiel.games.particle_references import references
from metaspiel.games.particle_world import ParticleWorld
from metaspiel.games.resource import Resource
from metaspiel.nfg.errors import UserError

SVG = "{http://www.w3.org/2000/svg}"


def episode(game, rule, batch=3):
    rng = np.random.default_rng(0)
    scenes = [game.start(rng.random((batch, game.draws)))]
    while not scenes[-1].over.all():
        play = references(game)[rule]
        scenes.append(game.step(scenes[-1], play(scenes[-1], rng)))
    return scenes


def frames(circle, name):
    """An attribute of a circle in each frame."""
    for change in circle:
        if change.get("attributeName") == name:
            return change.get("values").split(";")
    return [circle.get(name)] * 21


@dataclass(frozen=True, kw_only=True)
class Chase(Pacman):
    """A world of two roles that gives them no names."""

    role_names = ParticleWorld.role_names


def test_roles_without_names_are_called_as_their_numbers_are():
    game = Chase(pacmen=2, ghosts=1)
    assert game.role_names == ("pacmen", "ghosts")
    picture = animated(game, episode(game, "nearest"))
    assert "pacmen " in picture and "ghosts " in picture


def test_circles_are_where_agents_and_dots_were():
    game = Pacman(pacmen=3, ghosts=3, dots=5)
    scenes = episode(game, "nearest")
    picture = animated(game, scenes, episode=1)
    root = ElementTree.fromstring(picture)
    circles = root.findall(f"{SVG}circle")
    assert [c.get("fill") for c in circles] == [
        *[MARK] * 5,
        *[COLOURS[0]] * 3,
        *[COLOURS[1]] * 3,
    ]
    assert len(scenes) == 21
    live = np.array([scene.live[1] for scene in scenes])
    assert not live[-1].all()
    for i, circle in enumerate(circles[5:]):
        x = [float(v) / 200 - 1.1 for v in frames(circle, "cx")]
        y = [1.1 - float(v) / 200 for v in frames(circle, "cy")]
        np.testing.assert_allclose(x, [s.places[1, i, 0] for s in scenes], atol=1e-3)
        np.testing.assert_allclose(y, [s.places[1, i, 1] for s in scenes], atol=1e-3)
        shown = [v == "1" for v in frames(circle, "opacity")]
        np.testing.assert_array_equal(shown, live[:, i])
        assert float(circle.get("r")) == 200 * game.bodies.radius[i, 0]
    for k, circle in enumerate(circles[:5]):
        x = [float(v) / 200 - 1.1 for v in frames(circle, "cx")]
        marks = [s.landmarks[1, k, 0] for s in scenes]
        np.testing.assert_allclose(x, marks, atol=1e-3)
    total = sum(scene.rewards[1] for scene in scenes)
    text = root.find(f"{SVG}text").text
    assert text.startswith("pacman(pacmen=3,ghosts=3,dots=5); mean reward")
    assert text.endswith(
        f"Pac-Men {total[:3].mean():.1f}, ghosts {total[3:].mean():.1f}"
    )
    assert len(picture) < 20_000 and "script" not in picture


def test_what_leaves_the_square_is_still_in_the_picture():
    game = Resource(agents=2)
    scenes = [game.start(np.full((1, game.draws), 0.1))]
    for _ in range(20):
        scenes.append(game.step(scenes[-1], np.array([[2, 4]])))
    root = ElementTree.fromstring(animated(game, scenes))
    wide = float(root.get("viewBox").split()[2])
    agent = root.findall(f"{SVG}circle")[6]
    assert all(0 < float(x) < wide for x in frames(agent, "cx"))


@pytest.mark.parametrize(("number", "shown"), [(1, 0), (3, 3), (3, -1)])
def test_scenes_without_the_episode_are_refused(number, shown):
    game = Resource(agents=2)
    scenes = episode(game, "random")[:number]
    with pytest.raises(UserError, match=r"^animated\(\): scenes must be at least two"):
        animated(game, scenes, episode=shown)
