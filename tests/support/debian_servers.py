"""PostgreSQL and Redis of the tests' own: Debian's programs, each with its data in a temporary folder."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tests.support.ports import free_ports

_PATIENCE = 60.0
_Server = TypeVar("_Server", bound="DebianServer")


class DebianServer:
    """A server that can go down, and come back with its data.

    :param name: its name, also the user of Debian's package; a server of root's runs as that one.
    """

    def __init__(self, name: str) -> None:
        # PostgreSQL refuses to run as root.
        self._user = name if os.getuid() == 0 else getpass.getuser()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        shutil.chown(self.folder, self._user)
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """What starts it."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it takes connections."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = self.run(self.command())
        until = time.monotonic() + _PATIENCE
        while not self.ready():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it with its connections; more than once does no harm."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(_PATIENCE)
            self._process = None

    def freeze(self) -> None:
        """Stop its clock: its connections stay open, and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def run(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program as its user."""
        # Not by Popen's own argument: that forks, beside the threads of gRPC. A test's process hung for ever after it.
        other = ("setpriv", "--reuid", self._user, "--regid", self._user, "--clear-groups")
        with self._log.open("ab") as written:
            return subprocess.Popen(
                [*(() if self._user == getpass.getuser() else other), *command],
                cwd=self.folder,
                stdout=written,
                stderr=written,
            )

    def __enter__(self: _Server) -> _Server:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder)


class Postgres(DebianServer):
    """An empty database, reached through a Unix socket in its folder.

    :param connections: how many it takes at a time.
    """

    def __init__(self, connections: int = 100) -> None:
        super().__init__("postgres")
        self._connections = connections
        self.address = f"postgresql+psycopg2://airflow@/postgres?host={self.folder}"
        """As Airflow takes it."""

    def command(self) -> Sequence[str]:
        """Without a port on the network."""
        settings = ("listen_addresses=", f"max_connections={self._connections}")
        return (*self._program("postgres"), "-F", "-k", str(self.folder), *(f"--{each}" for each in settings))

    def ready(self) -> bool:
        """By its own tool, which asks as a client does."""
        return self.run([str(_programs() / "pg_isready"), "--quiet", "--host", str(self.folder)]).wait() == 0

    def start(self) -> None:
        """Make the database, the first time, and start."""
        if not (self.folder / "data").exists():
            how = ("--username=airflow", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
            assert self.run([*self._program("initdb"), *how]).wait(_PATIENCE) == 0, self._log.read_text()
        super().start()

    def _program(self, name: str) -> tuple[str, ...]:
        return (str(_programs() / name), "-D", str(self.folder / "data"))


class Redis(DebianServer):
    """A Redis that writes each change to a file before it answers."""

    def __init__(self) -> None:
        super().__init__("redis")
        [self.port] = free_ports(1)
        self.address = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        """On loopback, at the same port each time."""
        settings = {"bind": "127.0.0.1", "port": self.port, "appendonly": "yes", "appendfsync": "always", "save": ""}
        return ("redis-server", *(word for name, value in settings.items() for word in (f"--{name}", str(value))))

    def ready(self) -> bool:
        """Answers once it has read its data."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian keeps off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL is missing: install Debian's package postgresql"
    return Path(on_path).parent
