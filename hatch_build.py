"""What the package index shows of README.md: its links lead to the repository, because an index has no other files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)\s]+)(?=\))")


def absolute(text: str, source: str, version: str) -> str:
    """The README with its relative links leading to the repository, at the tag of this version.

    :param source: the repository's address; '' while it has none, and then nothing is changed.
    """
    if not source:
        return text
    files = f"{source.rstrip('/')}/blob/v{version}/"
    return _LINK.sub(lambda link: files + (f"README.md{link[1]}" if link[1].startswith("#") else link[1]), text)


class CustomMetadataHook(MetadataHookInterface):
    """Hatchling calls it."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Give the README."""
        text = (Path(self.root) / "README.md").read_text()
        source = metadata.get("urls", {}).get("Source", "")
        readme = absolute(text, source, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
