"""Whether everything that a release needs is there; `make release-check VERSION=0.1.0`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

ADDRESSES = ("Source", "Documentation", "Changelog", "Issues")
"""What `[project.urls]` has to have; the repository cannot know it before it has a public place."""

GOLDEN = ("conditions.json", "deferrals.json", "events.json", "rest.json")


def missing(root: Path, version: str) -> list[str]:
    """What is missing for a release, each as a sentence.

    :param root: the clone.
    :param version: the release's, without a ``v``.
    """
    problems = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        problems.append(f"VERSION is {version!r}; give MAJOR.MINOR.PATCH.")
    code = (root / "airflow_provider_flyte" / "__init__.py").read_text()
    if f'__version__ = "{version}"' not in code:
        problems.append("airflow_provider_flyte/__init__.py has another __version__.")
    if f"## {version} (" not in (root / "CHANGELOG.md").read_text():
        problems.append(f"CHANGELOG.md has no section for it: make changelog VERSION={version}")
    left = [file.name for file in (root / "changes").glob("+*.md")]
    if left:
        problems.append(f"changes/ still has {len(left)} fragments, such as {min(left)}.")
    problems += [
        f"tests/golden/{version}/{name} is missing: make golden"
        for name in GOLDEN
        if not (root / "tests" / "golden" / version / name).is_file()
    ]
    urls = (root / "pyproject.toml").read_text().partition("[project.urls]\n")[2].partition("\n[")[0]
    problems += [
        f"[project.urls] in pyproject.toml has no {name}: enter its public https:// address."
        for name in ADDRESSES
        if not re.search(rf'^"?{name}"? = "https://', urls, re.M)
    ]
    return problems


def main() -> int:
    """Print what is missing."""
    problems = missing(ROOT, sys.argv[1] if len(sys.argv) > 1 else "")
    print("\n".join(problems) or "Nothing is missing.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
