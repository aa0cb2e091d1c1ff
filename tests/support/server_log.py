"""What the servers of the tests log, which run in threads of the tests' own process."""

from __future__ import annotations

import logging

_NAMES = ("oauthlib", "uvicorn")


def of_a_server(record: logging.LogRecord) -> bool:
    """Whether a server has logged it: it may be another test's, which somebody still knocks at."""
    # One that speaks HTTP/2 logs by hpack what it reads; its threads do nothing else.
    return record.name.startswith(_NAMES) or "(_speak)" in (record.threadName or "")
