"""The site's pages that stand outside of docs/, and links that lead to them; a hook of MkDocs.

README, changelog, example DAGs and the like have their places in the repository, and their links are made for it. On
the site each is a page, and a link to a file is a link to the file's page. A link to what is no page is left alone, so
that MkDocs finds it broken.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "protos/README.md": "protos.md",
    "example_dags": "examples.md",
}
"""Pages by the file or folder that they are made of."""

START = "<!-- towncrier release notes start -->\n"
"""Where the releases begin in the changelog."""

_LINK = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside of docs/."""
    for source, page in PAGES.items():
        path = ROOT / source
        text = _examples(path) if path.is_dir() else path.read_text()
        if source == "CHANGELOG.md":
            text = text.replace(START, START + _unreleased())
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to pages; those in code are no links, and none of ours looks like one."""
    uri = page.file.src_uri
    source = next((source for source, made in PAGES.items() if made == uri), f"docs/{uri}")

    def target(link: re.Match[str]) -> str:
        path, anchor = link[1], link[2] or ""
        if not path or "://" in path or path.startswith("mailto:"):
            return link[0]
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if meant in PAGES:
            there = PAGES[meant]
        elif meant.startswith("docs/"):
            there = meant.removeprefix("docs/")
        else:
            return link[0]
        return posixpath.relpath(there, posixpath.dirname(uri) or ".") + anchor

    return _LINK.sub(target, markdown)


def _examples(folder: Path) -> str:
    """A page of all example DAGs."""
    parts = ["# Example DAGs\n"]
    parts += [f"## {file.name}\n\n```python\n{file.read_text()}```\n" for file in sorted(folder.glob("*.py"))]
    return "\n".join(parts)


def _unreleased() -> str:
    """What the fragments in changes/ say."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "Unreleased", "--dir", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PluginError(f"towncrier cannot read changes/: {done.stderr}")
    return "\n" + done.stdout
