"""Where an Airflow leaves what it knows: files, its database, and its processes' arguments and environments."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from cryptography.fernet import Fernet

from tests.e2e.airflow_process import StandaloneAirflow

_ENCRYPTED = "gAAAA"


class ProcessNotes:
    """Notes arguments and environments of an Airflow's processes for as long as its block lasts."""

    def __init__(self, airflow: StandaloneAirflow) -> None:
        self._airflow = airflow
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seen: dict[bytes, str] = {}

    def __enter__(self) -> ProcessNotes:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def sources(self) -> Iterator[tuple[str, bytes]]:
        """What was seen, each once."""
        for content, name in self._seen.items():
            yield name, content

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            for process in self._airflow.processes():
                for kind in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):  # it has ended
                        content = Path(f"/proc/{process.pid}/{kind}").read_bytes()
                        self._seen.setdefault(content, f"{kind} of a process")


def files(airflow: StandaloneAirflow) -> Iterator[tuple[str, bytes]]:
    """All that it has written: its database as it lies there, and all logs."""
    for path in sorted(airflow.home.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(airflow.home)), path.read_bytes()


def columns(airflow: StandaloneAirflow) -> Iterator[tuple[str, str]]:
    """Every column of the metadata database; what is encrypted is decrypted, except in the connections themselves."""
    fernet = Fernet(airflow.settings["CORE__FERNET_KEY"])

    def text_of(value: object) -> str:
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        encrypted = text.strip('"')
        return fernet.decrypt(encrypted).decode() if encrypted.startswith(_ENCRYPTED) else text

    with contextlib.closing(sqlite3.connect(f"file:{airflow.home / 'airflow.db'}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            read = str if table == "connection" else text_of
            for name, values in zip(names, zip(*rows, strict=True), strict=False):
                yield f"{table}.{name}", "\n".join(map(read, values))
