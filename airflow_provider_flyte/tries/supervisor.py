"""The process that supervises this one, noted as early as it can be: it may be killed before the task is executed."""

from __future__ import annotations

import os

_forked_by: int | None = None
"""Which process has forked this one, where this module was imported by then."""


def supervisor() -> int:
    """The id of the process that is this one's parent as long as it lives.

    Airflow forks a task's process. In one that was started in another way, as by ``sudo`` or from a shell, the parent
    at this moment is all that is known: it may end without harm before any task is executed.
    """
    return os.getppid() if _forked_by is None else _forked_by


def _note() -> None:
    global _forked_by
    _forked_by = os.getppid()


if hasattr(os, "register_at_fork"):
    # Airflow 2.11 parses the DAG file before it forks, and again after it.
    os.register_at_fork(after_in_child=_note)
