"""The recordings are copies, never edited: where the originals are at hand, both are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
ORIGINALS = HERE.parents[2] / "shared" / "recordings"


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="the originals are not at hand")
def test_copies_are_the_originals() -> None:
    copies = {path.name: path.read_bytes() for path in HERE.iterdir() if path.suffix in (".json", ".md")}
    originals = {path.name: path.read_bytes() for path in ORIGINALS.iterdir() if path.is_file()}
    assert sorted(copies) == sorted(originals)
    assert [name for name in copies if copies[name] != originals[name]] == []
