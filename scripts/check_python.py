"""Finds the Python to make an environment with, or says what is missing.

``check_python.py`` alone checks the Python that runs it; ``check_python.py ">=3.10,<3.13" UV`` prints the path of a
Python in that range: this one if it fits, else one that uv finds on this machine.
"""

from __future__ import annotations

import re
import subprocess
import sys

OURS = ">=3.10,<3.15"


def fits(versions: str) -> bool:
    """Whether the Python that runs this is in the range."""
    low, high = (tuple(map(int, pair)) for pair in re.findall(r"(\d+)\.(\d+)", versions))
    return low <= sys.version_info[:2] < high


def main() -> int:
    """Print a path, or fail with a sentence."""
    versions, uv = (sys.argv[1], sys.argv[2]) if len(sys.argv) > 2 else (OURS, None)
    if fits(versions):
        print(sys.executable)
        return 0
    if uv is not None:
        found = subprocess.run(
            [uv, "python", "find", "--system", versions], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            print(found.stdout.strip())
            return 0
    print(
        f"This needs a Python {versions}, and {sys.executable} is {sys.version.split()[0]}. Install one that fits, "
        "or name it: make PYTHON=python3.12 ...",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
