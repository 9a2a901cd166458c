"""What tests of pages share."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.lab import vega

ENDINGS = (".png", ".svg", ".pdf")


@pytest.fixture(scope="module")
def without_reports() -> Iterator[None]:
    """Runs of PSRO in this process draw no report, which takes most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.psro.report.write_report", lambda *given: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def drawn_once() -> Iterator[None]:
    """Equal pictures of a module are drawn once: drawing takes .3 s each."""
    drawn: dict[str, dict[str, bytes]] = {}
    draw = vega.save

    def save(ready: vega.Ready, place: Path) -> None:
        spec = json.dumps(ready.file_spec, sort_keys=True)
        if spec not in drawn:
            draw(ready, place)
            files = {end: place.with_name(place.name + end) for end in ENDINGS}
            drawn[spec] = {end: one.read_bytes() for end, one in files.items()}
        for end, content in drawn[spec].items():
            place.with_name(place.name + end).write_bytes(content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vega, "save", save)
        yield
