"""What the package index shows of README.md: its links lead to the repository, because an index has no other files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(
    r"(?P<code>^```.*?^```|`[^`\n]+`)|(?P<before>!\[[^]\n]*\]\(|\]\()(?!\w+:|//)(?P<to>[^)\s]+)",
    re.DOTALL | re.MULTILINE,
)
"""A relative link or picture; or code, in which nothing is one."""


def absolute(text: str, source: str, version: str) -> str:
    """The README with its relative links leading to the repository, at the tag of this version.

    :param source: the repository's address; '' while it has none, and then nothing is changed.
    """
    if not source:
        return text

    def lead(link: re.Match[str]) -> str:
        if link["code"]:
            return link[0]
        to = f"README.md{link['to']}" if link["to"].startswith("#") else link["to"]
        # What is under blob/ is a page that shows the file.
        kind = "raw" if link["before"].startswith("!") else "blob"
        return f"{link['before']}{source.rstrip('/')}/{kind}/v{version}/{to}"

    return _LINK.sub(lead, text)


class CustomMetadataHook(MetadataHookInterface):
    """Hatchling calls it."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Give the README."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source", "")
        readme = absolute(text, source, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
