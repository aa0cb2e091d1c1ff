"""A PostgreSQL of the tests' own: Debian's programs, in a temporary folder, reached through a Unix socket there."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("psycopg2") is None:
    # `make postgres` lays it beside the environment.
    collect_ignore_glob = ["test_*.py"]


def programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian keeps off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL is missing: install Debian's package postgresql"
    return Path(on_path).parent


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of an empty database, as Airflow takes it."""
    # It refuses to run as root.
    user = "postgres" if os.getuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    shutil.chown(folder, user)
    data, log = folder / "data", folder / "log"

    def command(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as written:
            return subprocess.Popen(
                [str(programs() / name), "-D", str(data), *arguments],
                cwd=folder,
                user=None if user == getpass.getuser() else user,
                extra_groups=None if user == getpass.getuser() else [],
                stdout=written,
                stderr=written,
            )

    server = None
    try:
        made = command("initdb", "--username=airflow", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        assert made.wait(60) == 0, log.read_text()
        server = command("postgres", "-F", "-c", "listen_addresses=", "-k", str(folder))
        until = time.monotonic() + 60
        while not (folder / ".s.PGSQL.5432").exists() or "ready to accept connections" not in log.read_text():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield f"postgresql+psycopg2://airflow@/postgres?host={folder}"
    finally:
        if server is not None:
            # Ends connections that are still open.
            server.send_signal(signal.SIGINT)
            server.wait(60)
        shutil.rmtree(folder)
