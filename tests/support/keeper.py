"""Ends the processes of a StandaloneAirflow when the one that started them is over, in whatever way.

It reads ``+PID`` and ``-PID`` lines, each the leader of a session that is to be ended, or no longer is. When the
pipe closes, which a killed process cannot prevent, it ends them all and removes the home.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psutil

_PATIENCE = 5.0
"""Airflow's home goes with it, so it does not matter that its API server still waits for its clients."""


def members(sessions: Collection[int]) -> list[psutil.Process]:
    """The living processes of these sessions, in whatever process group and under whatever parent."""
    found = []
    for pid in psutil.pids():
        with already_gone():
            if os.getsid(pid) in sessions:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def end(sessions: Collection[int], signals: Collection[signal.Signals] = (signal.SIGTERM, signal.SIGKILL)) -> None:
    """Signal all processes of these sessions until none is left."""
    for number in signals:
        deadline = time.monotonic() + _PATIENCE
        for process in members(sessions):
            with already_gone():
                process.send_signal(number)
        while members(sessions) and time.monotonic() < deadline:
            time.sleep(0.05)


@contextmanager
def already_gone() -> Iterator[None]:
    """For polls to a process that may have ended meanwhile."""
    with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        yield


def main() -> None:
    """Keep watch until the pipe closes."""
    sessions: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            sessions.add(int(line))
        else:
            sessions.discard(-int(line))
    end(sessions)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
