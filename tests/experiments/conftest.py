"""What tests of pages share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def without_reports() -> Iterator[None]:
    """Runs of PSRO in this process draw no report, which takes most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.psro.report.write_report", lambda *given: None)
        yield
