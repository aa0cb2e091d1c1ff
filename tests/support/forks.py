"""Runs Python files in forks of one process that has imported Airflow: by itself each would need seconds for that."""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path


class Forks:
    """Forks of one process.

    :param server: that process.
    """

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(self, file: Path, *, seconds: int) -> subprocess.CompletedProcess[str]:
        """Run a file as ``python file`` does, and wait for its end.

        :param seconds: after which it is killed.
        """
        assert self._server.stdin
        assert self._server.stdout
        output = file.with_suffix(".output")
        self._server.stdin.write(json.dumps([str(file), str(output), seconds]) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return subprocess.CompletedProcess([str(file)], code, stderr=output.read_text())


@contextmanager
def forks_after(modules: Sequence[str], options: Sequence[str] = ()) -> Iterator[Forks]:
    """Forks of a process that has imported these modules.

    :param options: of Python itself.
    """
    command = [sys.executable, *options, __file__, *modules]
    pipe = subprocess.PIPE
    server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
    try:
        yield Forks(server)
    finally:
        # With a fork that is still there.
        os.killpg(server.pid, signal.SIGKILL)
        server.communicate()


def _fork_for_files() -> str:
    """Fork for each file that is asked for. Only the forks return, with their file."""
    for line in sys.stdin:
        file, output, seconds = json.loads(line)
        if (fork := os.fork()) == 0:
            signal.alarm(seconds)
            with open(output, "w") as written:
                os.dup2(written.fileno(), 1)
                os.dup2(written.fileno(), 2)
            sys.argv, sys.path[0] = [file], str(Path(file).parent)
            return str(file)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])}\n")
        sys.stdout.flush()
    sys.exit()


_code = 1


def _leave() -> None:
    """End without a look at each object that Airflow's modules have made, which takes most of a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_code)


if __name__ == "__main__":
    # The first one, so that it is called last.
    atexit.register(_leave)
    for module in sys.argv[1:]:
        import_module(module)
    try:
        runpy.run_path(_fork_for_files(), run_name="__main__")
        _code = 0
    except SystemExit as end:
        _code = int(bool(end.code))
