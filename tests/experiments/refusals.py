"""What every page does with an impossible wish."""

from pathlib import Path
from types import ModuleType

import pytest

from experiments.lab.page import main


def refused(
    page: ModuleType,
    words: list[str],
    says: str,
    *,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Asserts exit code 2, one sentence that says so, and nothing written."""
    out = folder / "refused"
    assert main(page.page, page.Config, ["--out", str(out), *words]) == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ") and text.count("\n") == 1 and says in text
    assert not out.exists()
