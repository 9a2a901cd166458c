"""The script that draws charts is bundled once for each version of vl-convert."""

import base64
import gzip
from pathlib import Path

import pytest
import vl_convert

from experiments.lab import vega


@pytest.fixture
def bundled(monkeypatch, tmp_path: Path) -> list[str]:
    """What is bundled is short here, and counted; the cache is empty."""
    made: list[str] = []

    def bundle() -> str:
        made.append("script")
        return "script"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


def script() -> str:
    return gzip.decompress(base64.b64decode(vega.packed.__wrapped__())).decode()


def test_it_is_kept_and_made_again_where_it_is_damaged(bundled):
    assert [script(), script()] == ["script"] * 2 and len(bundled) == 1
    (kept,) = vega.cache().iterdir()
    assert vl_convert.__version__ in kept.name
    whole = kept.read_bytes()
    for damaged in (b"", b"no gzip", whole[:-3], whole[:-8] + b"\0" * 8):
        kept.write_bytes(damaged)
        assert script() == "script" and kept.read_bytes() == whole
    assert len(bundled) == 5


def test_without_a_folder_to_keep_it_in_it_is_made(bundled, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert script() == "script" and len(bundled) == 1
