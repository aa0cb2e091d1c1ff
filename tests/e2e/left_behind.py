"""Where an Airflow leaves what it knows: files, its database, and its processes' arguments and environments."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from cryptography.fernet import Fernet

from tests.support import airflow_database
from tests.support.airflow_process import StandaloneAirflow
from tests.support.background import Background

_ENCRYPTED = "gAAAA"


class ProcessNotes(Background):
    """Notes arguments and environments of an Airflow's processes for as long as its block lasts."""

    def __init__(self, airflow: StandaloneAirflow) -> None:
        super().__init__(pause=1.0)
        self._airflow = airflow
        self._seen: dict[bytes, str] = {}

    def sources(self) -> Iterator[tuple[str, bytes]]:
        """What was seen, each once."""
        for content, name in self._seen.items():
            yield name, content

    def look(self) -> None:
        """Note those that there are now."""
        for process in self._airflow.processes():
            for kind in ("cmdline", "environ"):
                with contextlib.suppress(OSError):  # it has ended
                    content = Path(f"/proc/{process.pid}/{kind}").read_bytes()
                    self._seen.setdefault(content, f"{kind} of a process")


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that was written there: an Airflow's logs, its database as it lies there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def columns(airflow: StandaloneAirflow) -> Iterator[tuple[str, str]]:
    """Every column of the metadata database; what is encrypted is decrypted, except in the connections themselves."""
    fernet = Fernet(airflow.settings["CORE__FERNET_KEY"])

    def text_of(value: object) -> str:
        if isinstance(value, memoryview):
            value = bytes(value).decode("latin-1")
        text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        encrypted = text.strip('"')
        return fernet.decrypt(encrypted).decode() if encrypted.startswith(_ENCRYPTED) else text

    for table in airflow_database.tables(airflow):
        read = str if table == "connection" else text_of
        rows = airflow_database.rows(airflow, f'SELECT * FROM "{table}"')
        for name in rows[0] if rows else ():
            yield f"{table}.{name}", "\n".join(read(row[name]) for row in rows)
