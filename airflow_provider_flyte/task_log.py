"""A task's log, and a log of trouble that writes each trouble once."""

from __future__ import annotations

from typing import Any, Protocol


class TaskLog(Protocol):
    """The methods that the task logs of both Airflows have."""

    def info(self, event: str, /, *args: Any) -> Any:
        """Log what happened."""

    def warning(self, event: str, /, *args: Any) -> Any:
        """Log what may need attention."""

    def error(self, event: str, /, *args: Any) -> Any:
        """Log what needs attention."""


class TroubleLog:
    """Logs once that trouble began, and once that it is over.

    :param log: the task's log.
    """

    def __init__(self, log: TaskLog) -> None:
        self._log = log
        self._logged = False

    def log(self, trouble: str, about: str, *, over: bool) -> bool:
        """Log a change between trouble and none; returns whether there is trouble.

        :param trouble: Flyte's or the client's text; '' where there is none.
        :param about: what it concerns.
        :param over: whether the wait ends with it: then its exception has the trouble.
        """
        if trouble:
            if not over and not self._logged:
                self._log.warning("No answer from Flyte%s, still waiting: %s", about, trouble)
            self._logged = True
            return True
        if self._logged:
            self._log.info("Flyte answers again.")
            self._logged = False
        return False
