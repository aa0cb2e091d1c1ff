"""A copy of the files that git has, so that nothing that only lies about gets into what is built of them.

``make dist`` builds from one; ``scripts/mutants.py`` works in one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

_WHAT_TO_DO = "Work in a clone, or make one of this folder: `git init && git add --all` in it."


def copy_tracked(root: Path, to: Path, *, with_new: bool = False) -> list[str]:
    """Copy the files that git has, as they are in the folder now, and return their names.

    :param root: the clone.
    :param to: a folder that is empty or not there.
    :param with_new: those too that git would add.
    :raises RuntimeError: where there is no git, or this is no clone; says what to do.
    """
    new = ("--others", "--exclude-standard") if with_new else ()
    command = ["git", "ls-files", "--cached", *new, "-z"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RuntimeError("There is no git to ask which files belong to the project: install git.") from None
    if done.returncode:
        raise RuntimeError(f"git does not say which files it has in {root}: {done.stderr.strip()}\n{_WHAT_TO_DO}")
    # What was deleted is still in git's list.
    names = [name for name in done.stdout.split("\0") if (root / name).is_file()]
    if not names:
        # The folder of something else, say, that a download was unpacked into.
        raise RuntimeError(f"git has no files in {root}.\n{_WHAT_TO_DO}")
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, to / name)
    return names


def main() -> int:
    """Copy the clone's files into the folder that is named."""
    try:
        copy_tracked(ROOT, Path(sys.argv[1]))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
