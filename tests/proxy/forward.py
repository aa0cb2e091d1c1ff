"""A real forward proxy, as a process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

PASSWORD = "pa%20ss"
_UNTIL_UP = 20.0


class ForwardProxy:
    """A process that tunnels and forwards for whoever knows the password, and writes down for whom."""

    def __init__(self, folder: Path) -> None:
        self._log, port_file = folder / "log", folder / "port"
        command = [
            "--hostname",
            "127.0.0.1",
            "--port",
            "0",
            "--port-file",
            str(port_file),
            "--log-file",
            str(self._log),
        ]
        workers = ["--num-workers", "1", "--num-acceptors", "1", "--basic-auth", "user:pa ss"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "proxy", *command, *workers], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + _UNTIL_UP
        while not (port_file.exists() and port_file.read_text().strip()):
            assert self.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        self.port = int(port_file.read_text())
        self._before = 0

    def url(self, password: str = PASSWORD) -> str:
        return f"http://user:{password}@127.0.0.1:{self.port}"

    def forget(self) -> None:
        """Count from now on: a test's server may have the port of an earlier one's."""
        self._before = len(self._lines())

    def saw(self, port: int) -> int:
        """How many connections went through it to that port; it notes each when it is over."""
        return sum(f"localhost:{port}" in line for line in self._lines()[self._before :])

    def _lines(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []
