"""What a worker does about one run: look at it, say in the task's log what happened, and name how it ended.

The sensor uses it in all its modes; nothing here decides anything, that is ``client/waiting.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timezone
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_flyte.client.errors import ConfigError, FlyteError, is_lasting
from airflow_provider_flyte.client.phase import RunPhase, phase_name
from airflow_provider_flyte.client.waiting import (
    Outcome,
    Trouble,
    Verdict,
    WaitRules,
    WaitState,
    decide,
    describe,
    observe,
)
from airflow_provider_flyte.exceptions import (
    FlyteConfigurationError,
    FlyteRunError,
    FlyteRunFailed,
    FlyteRunMissing,
    FlyteRunTimeout,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.hooks import FlyteHook

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunDetails

DETAILS_LAG = 5.0
"""Seconds to wait for the details of a run that is over: Flyte shows FAILED a moment before the error."""

_PAUSE = 0.5


class TaskLog(Protocol):
    """What both Airflows' task logs can do."""

    def info(self, event: str, /, *args: Any) -> Any:
        """Log what happened."""

    def warning(self, event: str, /, *args: Any) -> Any:
        """Log what may need somebody."""


class RunWait:
    """One run as one worker process sees it; use it as ``with RunWait(...) as wait``.

    :param flyte_conn_id: the Airflow connection, read once.
    :param run_name: the run.
    :param project: its project; by default the connection's.
    :param domain: its domain; by default the connection's.
    :param rules: how long a missing run and trouble are put up with.
    :param first_look: when this wait began, in seconds since the epoch.
    :param log: the task's log.
    :raises FlyteConfigurationError: without a connection, a project or a domain.
    """

    def __init__(
        self,
        flyte_conn_id: str,
        run_name: str,
        project: str | None,
        domain: str | None,
        *,
        rules: WaitRules,
        first_look: float,
        log: TaskLog,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = FlyteHook(flyte_conn_id).get_client()
        try:
            self.key = self._client.config.key(run_name, project, domain)
        except ConfigError as error:
            raise FlyteConfigurationError(f"{error} (Flyte connection {flyte_conn_id!r})") from error
        self.url = self._client.config.run_url(self.key)
        self.details: RunDetails | None = None
        """What Flyte said last; None while nothing could be read."""
        self._rules = rules
        self._state = WaitState(absent_since=first_look)
        self._log = log
        self._logged: str | None = None
        self._told_of_trouble = False
        self._now = now
        self._sleep = sleep

    def __enter__(self) -> RunWait:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the channel back; more than once does no harm."""
        self._client.close()

    @property
    def absent(self) -> bool:
        """Whether ListRuns answered at the last look and does not have the run."""
        return self._state.absent and self._state.trouble is None

    @property
    def trouble(self) -> str:
        """Why the last look gave no answer; '' when it did."""
        return self._state.trouble.message if self._state.trouble else ""

    def look(self, retry_for: float | None = None) -> Verdict:
        """Ask Flyte once, and decide.

        :param retry_for: seconds for which a transient failure is repeated; by default the client's budget.
        """
        verdict = self._look(retry_for)
        until = self._now() + DETAILS_LAG
        while self._lacks_details(verdict) and self._now() < until:
            self._sleep(_PAUSE)
            verdict = self._look(retry_for)
        self._say(verdict)
        return verdict

    def _lacks_details(self, verdict: Verdict) -> bool:
        """Whether the run is over but Flyte does not show yet what is to be handed on."""
        if verdict.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
            return False
        if self.details is None or not self.details.done():
            return True
        return verdict.phase == RunPhase.FAILED and self.details.error is None

    def _look(self, retry_for: float | None) -> Verdict:
        from airflow_provider_flyte.client.calls import look_at
        from airflow_provider_flyte.client.run_details import RunDetails

        began = self._now()
        try:
            seen, message = self._client.run(look_at(self.key, self._client.config.org), retry_for=retry_for)
        except FlyteError as error:
            # Counted from the first try: the retries are part of the trouble.
            self._state = observe(self._state, Trouble(str(error), lasting=is_lasting(error)), began)
        else:
            self._state = observe(self._state, seen, self._now())
            if message is not None:
                self.details = RunDetails(message, self._client)
        return decide(self._state, self._now(), self._rules)

    def _say(self, verdict: Verdict) -> None:
        """Log transitions, not looks."""
        if self.trouble:
            if not verdict.over and not self._told_of_trouble:
                self._log.warning("No answer about Flyte run %s, still waiting: %s", self.key.name, self.trouble)
            self._told_of_trouble = True
            return
        if self._told_of_trouble:
            self._log.info("Flyte answers again.")
            self._told_of_trouble = False
        now = describe(None if self._state.absent else verdict.phase)
        if self._logged is None:
            self._log.info("Flyte run %s: %s. %s", self.key, now, self.url)
        elif now != self._logged:
            self._log.info("Run %s: %s -> %s", self.key.name, self._logged, now)
        self._logged = now
        if verdict.over and self.details is not None:
            self._say_history(self.details)

    def _say_history(self, details: RunDetails) -> None:
        """The phases of each attempt, which nobody watched while the task was deferred."""
        for attempt in details.pb2.action.attempts:
            phases = " -> ".join(
                f"{phase_name(step.phase)} {step.start_time.ToDatetime(timezone.utc):%H:%M:%S}"
                for step in attempt.phase_transitions
            )
            error = f": {attempt.error_info.message}" if attempt.error_info.message else ""
            self._log.info("Attempt %d: %s%s", attempt.attempt, phases or phase_name(attempt.phase), error)

    def error(self, verdict: Verdict) -> FlyteRunError:
        """The exception for a wait that ended without success."""
        if verdict.outcome is Outcome.MISSING:
            return self.missing()
        if verdict.outcome is Outcome.UNREACHABLE:
            return self.unreachable(verdict.message)
        if verdict.outcome is Outcome.SUCCEEDED:
            # ListRuns says so, and GetRunDetails says NOT_FOUND, as for any error of its database.
            return self.unreachable("Its details could not be read. Look at Flyte's database.")
        return self._failed(verdict)

    def _failed(self, verdict: Verdict) -> FlyteRunFailed:
        phase = describe(verdict.phase)
        attempts = self.details.pb2.action.status.attempts if self.details else 0
        kind = f" ({verdict.kind})" if verdict.kind else ""
        after = f" after {attempts} attempts" if attempts > 1 else ""
        why = verdict.message.strip() or "Flyte gives no reason"
        return FlyteRunFailed(
            f"Flyte run {self.key} is {phase}{kind}{after}: {why}\n"
            f"The run is over, so the task is not retried. Look at {self.url}; to wait for another run, change "
            "run_name or launch the run anew, then clear this task.",
            **self._fields(),
            phase=phase,
            kind=verdict.kind,
            message=verdict.message,
            attempts=attempts,
        )

    def missing(self) -> FlyteRunMissing:
        """For a run that ListRuns does not have."""
        return FlyteRunMissing(
            f"Flyte has no run {self.key.name!r} in project {self.key.project!r}, domain {self.key.domain!r}: "
            f"{_for(self._rules.missing_after)} passed and ListRuns still does not show it. Check run_name, project "
            "and domain; if the run is launched later than that, raise missing_after.",
            **self._fields(),
        )

    def unreachable(self, why: str) -> FlyteUnreachable:
        """For a run whose state could not be read."""
        known = f" It was last seen {describe(self._state.seen.phase)}." if self._state.seen else ""
        return FlyteUnreachable(
            f"The state of Flyte run {self.key} is unknown, the run itself may go on.{known} {why}", **self._fields()
        )

    def timed_out(self, timeout: float) -> FlyteRunTimeout:
        """For the sensor's own ``timeout``."""
        if self.trouble:
            state = f"its state is unknown ({self.trouble})"
        elif self._state.absent:
            state = "Flyte does not have it"
        else:
            state = f"it is {describe(self._state.seen.phase if self._state.seen else None)}"
        return FlyteRunTimeout(
            f"The sensor's timeout of {timeout:g} s has passed and Flyte run {self.key} is not over: {state}. The run "
            f"goes on; look at {self.url}. Raise timeout if it needs longer.",
            **self._fields(),
        )

    def broken(self, why: str) -> FlyteWaitBroken:
        """For a trigger that ended without an answer."""
        return FlyteWaitBroken(
            f"The wait for Flyte run {self.key} broke in the triggerer; the run itself may go on. "
            f"{why or 'No reason was given'}. Look at the triggerer's log; a retry waits again.",
            **self._fields(),
        )

    def _fields(self) -> dict[str, Any]:
        return {"run": self.key.name, "project": self.key.project, "domain": self.key.domain, "url": self.url}


def _for(seconds: float | None) -> str:
    return "the grace period" if seconds is None else f"the grace period of {seconds:g} s"
