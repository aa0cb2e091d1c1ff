"""One run on a worker: read it, log what happened, and raise how it ended.

``wait/task_wait.py`` uses it for each run of a task. Nothing is decided here: ``client/verdict.py`` does that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_flyte.client.errors import FlyteError, NotFoundError, is_lasting
from airflow_provider_flyte.client.outside import marked
from airflow_provider_flyte.client.phase import RunPhase, is_terminal
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.verdict import (
    Observation,
    Outcome,
    Seen,
    Trouble,
    Verdict,
    WaitRules,
    WaitState,
    decide,
    describe,
    observe,
)
from airflow_provider_flyte.exceptions import (
    FlyteOutputsUnreadable,
    FlyteRunAborted,
    FlyteRunAbortedForGood,
    FlyteRunError,
    FlyteRunFailed,
    FlyteRunFailedForGood,
    FlyteRunMissing,
    FlyteRunPaused,
    FlyteRunTimedOut,
    FlyteRunTimedOutForGood,
    FlyteRunTimeout,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.task_log import TaskLog, TroubleLog
from airflow_provider_flyte.tries.whose import led_elsewhere
from airflow_provider_flyte.wait.conditions import asked

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunDetails
    from airflow_provider_flyte.client.flows.conditions import Condition
    from airflow_provider_flyte.client.idl.workflow import run_definition_pb2

DETAILS_LAG = 5.0
"""Seconds to wait for the details of a run that is over: Flyte shows FAILED a moment before the error."""

PAUSE = 0.5
"""Seconds between two reads of them."""

_MOST_LINES = 40
"""How many lines of a run's timeline are logged."""


Doubt = Callable[["run_definition_pb2.RunDetails | None", str], str]
"""Why what an endpoint shows under a run's name, or that it shows nothing, is not known to be about that run; '' where
it is."""


class Advice(NamedTuple):
    """What a failed run means for its task."""

    for_good: bool
    """Whether the task is not to be retried."""

    text: str
    """What to do, with ``{url}`` for the run's page."""


def advise_waiter(verdict: Verdict) -> Advice:
    """The advice for a task that only waits: a retry would wait for the same run."""
    return Advice(
        True,
        "The run is over, so the task is not retried. Look at {url}; to wait for another run, change run_name or "
        "launch the run anew, then clear this task.",
    )


def trouble_of(error: FlyteError) -> Trouble:
    """The observation that a failed call is."""
    return Trouble(str(error), lasting=is_lasting(error))


class RunWait:
    """One run in one worker process.

    :param client: the client to ask with.
    :param key: the run.
    :param rules: how long a missing run and trouble are tolerated.
    :param began: when this wait began, in seconds since the epoch.
    :param endpoint: where Flyte was when the task began to wait, ``host:port``; by default where it is now.
    :param log: the task's log.
    :param advise: what it means for the task if the run fails.
    :param doubt: whether what is read is believed to be about this run; by default it is, whoever launched it.
    """

    def __init__(
        self,
        client: FlyteClient,
        key: RunKey,
        *,
        rules: WaitRules,
        began: float,
        endpoint: str | None = None,
        log: TaskLog,
        advise: Callable[[Verdict], Advice] = advise_waiter,
        doubt: Doubt = lambda details, endpoint: "",
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.key = key
        self.details: RunDetails | None = None
        """Flyte's last details; None while nothing could be read."""
        self._rules = rules
        self._endpoint = self._read_at = endpoint or client.config.endpoint
        self._doubt = doubt
        self._state = WaitState(absent_since=began)
        self._log = log
        self._advise = advise
        self._logged: str | None = None
        self._trouble_log = TroubleLog(log)
        self._now = now
        self._sleep = sleep

    @property
    def url(self) -> str:
        """The run's page in the console."""
        return self.client.config.run_url(self.key)

    @property
    def verdict(self) -> Verdict:
        """Decide on what is known so far. A run that is over counts only once its details were read."""
        verdict = self.verdict_without_details
        if self.trouble and self.lacks_details(verdict):
            # It is over by a list, and its details cannot be read just now.
            verdict = decide(replace(self._state, seen=None), self._now(), self._rules)
        return verdict

    @property
    def verdict_without_details(self) -> Verdict:
        """Decide on what is known so far, whether or not the details can be read."""
        return decide(self._state, self._now(), self._rules)

    @property
    def settled(self) -> bool:
        """Whether the run is over and all its details have been read: another read cannot change it."""
        verdict = self.verdict
        return verdict.outcome in (Outcome.SUCCEEDED, Outcome.FAILED) and not self.lacks_details(verdict)

    @property
    def is_good(self) -> bool:
        """Whether it has succeeded and its details were read."""
        return self.verdict.outcome is Outcome.SUCCEEDED and self.details is not None

    @property
    def absent(self) -> bool:
        """Whether ListRuns answered last and does not have the run."""
        return self._state.absent and self._state.trouble is None

    def share_trouble(self, other: RunWait) -> None:
        """Pass this wait's trouble on to another wait: it is not this run's alone."""
        if self._state.trouble:
            other.note(self._state.trouble, self._state.trouble_since)

    def listed(self, phase: int) -> None:
        """Note the phase from a list. Once the run is over, a list ends no trouble with its details."""
        if not self.is_over:
            self.note(Seen(phase))

    @property
    def is_over(self) -> bool:
        """Whether the run was seen to be over, if only in a list."""
        return self._state.seen is not None and is_terminal(self._state.seen.phase)

    @property
    def trouble(self) -> str:
        """Why Flyte gave no answer last; '' when it did."""
        return self._state.trouble.message if self._state.trouble else ""

    @property
    def stuck(self) -> bool:
        """Whether a repetition is hopeless: Flyte refuses, or has given no answer for too long."""
        trouble = self._state.trouble
        return trouble is not None and (trouble.lasting or self.verdict.outcome is Outcome.UNREACHABLE)

    @property
    def state(self) -> str:
        """What is known of the run, as a clause."""
        if self.trouble:
            return f"its state is unknown ({self.trouble})"
        if self._state.absent:
            return "Flyte does not have it"
        return f"it is {describe(self._state.seen.phase if self._state.seen else None)}"

    def observe(self, retry_for: float | None = None) -> Verdict:
        """Ask Flyte once, wait a moment for the details of a run that is over, and decide.

        :param retry_for: seconds for which a transient failure is repeated; by default the client's budget.
        """
        verdict = self.read(retry_for)
        until = self._now() + DETAILS_LAG
        while self.lacks_details(verdict) and self._now() < until:
            self._sleep(PAUSE)
            verdict = self.read(retry_for)
        self.log_change(verdict)
        return verdict

    def lacks_details(self, verdict: Verdict) -> bool:
        """Whether the run is over but Flyte does not show all its details yet."""
        if verdict.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
            return False
        if self.details is None or not self.details.done():
            return True
        return verdict.phase == RunPhase.FAILED and self.details.error is None

    def read(self, retry_for: float | None) -> Verdict:
        """Ask for the run's details, and decide; nothing is logged."""
        from airflow_provider_flyte.client.flows.named_runs import observe_run
        from airflow_provider_flyte.client.run_details import RunDetails

        began = self._now()
        try:
            seen, message = self.client.execute(observe_run(self.key, self.client.config.org), retry_for=retry_for)
        except FlyteError as error:
            # Counted from the first call: its retries are part of the trouble.
            return self.note(trouble_of(error), began)
        endpoint = self.client.config.endpoint
        if why := self._doubt(message, endpoint):
            return self.note(Trouble(why, lasting=True), began)
        if message is not None:
            self._read_at = endpoint
            self.details = RunDetails(message, self.client)
        return self.note(seen)

    def read_outputs(self, retry_for: float) -> dict[str, Any]:
        """The outputs of a run that has succeeded, as plain values by name.

        :param retry_for: seconds for which a transient failure is repeated.
        :raises FlyteError: when Flyte does not give them.
        :raises FlyteUnreachable: where the connection leads elsewhere by now, and the run is not known to be there.
        """
        assert self.details is not None
        if self.client.config.endpoint != self._read_at:
            self.read(retry_for)
            if self.trouble:
                raise self.unreachable(self.trouble)
        until = self._now() + DETAILS_LAG
        while True:
            try:
                return self.client.execute(self.details.read_values("outputs"), retry_for=retry_for)
            except NotFoundError:
                # Their address is in the events of the last attempt, which Flyte shows after the phase.
                if self._now() >= until:
                    raise
                self._sleep(PAUSE)

    def note(self, observation: Observation, at: float | None = None) -> Verdict:
        """Apply an observation of this run, and decide.

        :param at: when it was made; by default now.
        """
        self._state = observe(self._state, observation, self._now() if at is None else at)
        return self.verdict

    def log_change(self, verdict: Verdict, *, timeline: bool = True) -> None:
        """Log transitions, not polls.

        :param timeline: whether to log what happened to a run that is over, and when.
        """
        if self._trouble_log.log(self.trouble, f" about run {self.key.name}", over=verdict.over):
            return
        now = describe(None if self._state.absent else verdict.phase)
        if self._logged is None:
            self._log.info("Flyte run %s: %s. %s", self.key, now, self.url)
        elif now != self._logged:
            self._log.info("Flyte run %s: %s -> %s.", self.key.name, self._logged, now)
        self._logged = now
        if timeline and verdict.over and self.details is not None:
            # Nothing of it was logged while the task was deferred.
            for line in _shortened(self.details.timeline()):
                self._log.info("Flyte: %s", line)
            if verdict.phase in (RunPhase.FAILED, RunPhase.TIMED_OUT):
                self._log_failed_actions()

    def _log_failed_actions(self) -> None:
        """Log which child actions failed, and why: the run's own message often says only that one did."""
        from airflow_provider_flyte.client.flows.failed_actions import FailedActions, failed_actions

        try:
            found = self.client.execute(failed_actions(self.key, self.client.config.org), retry_for=0.0)
        except FlyteError as error:
            found = FailedActions(trouble=str(error))
        if found.trouble:
            self._log.info(
                "The failed child actions of Flyte run %s are not listed here. %s", self.key.name, found.trouble
            )
        if found.first:
            more = [f"... and {found.more} more"] if found.more else []
            text = "\n".join(["", *map(str, found.first), *more])
            self._log.info("Child actions of Flyte run %s that failed:%s", self.key.name, marked(text))

    def error(self, verdict: Verdict) -> FlyteRunError:
        """The exception for a wait that ended without success."""
        if verdict.outcome is Outcome.MISSING:
            return self.missing()
        if verdict.outcome is Outcome.UNREACHABLE:
            return self.unreachable(verdict.message)
        if verdict.outcome is Outcome.SUCCEEDED:
            # By ListRuns; and GetRunDetails answers NOT_FOUND, as to any error of its database.
            return self.unreachable("Its details could not be read. Look at Flyte's database.")
        return self._failed(verdict)

    def _failed(self, verdict: Verdict) -> FlyteRunFailed:
        phase = describe(verdict.phase)
        attempts = self.details.pb2.action.status.attempts if self.details else 0
        kind = f" ({verdict.kind} error)" if verdict.kind in ("USER", "SYSTEM") else ""
        after = f" after {attempts} attempts" if attempts > 1 else ""
        why = marked(verdict.message.strip()) or "Flyte gives no reason"
        advice = self._advise(verdict)
        retried, for_good = _FAILED.get(verdict.phase or 0, (FlyteRunFailed, FlyteRunFailedForGood))
        return (for_good if advice.for_good else retried)(
            f"Flyte run {self.key} is {phase}{kind}{after}: {why}\n{advice.text.format(url=self.url)}",
            **self._fields(),
            phase=phase,
            kind=verdict.kind,
            message=verdict.message,
            attempts=attempts,
        )

    def missing(self) -> FlyteRunMissing | FlyteUnreachable:
        """The exception for a run that ListRuns does not have. One that another Flyte does not have is not missing."""
        endpoint = self.client.config.endpoint
        if endpoint != self._endpoint:
            return self.unreachable(led_elsewhere(self._endpoint, endpoint, "where Flyte has no such run"))
        return self._not_there()

    def _not_there(self) -> FlyteRunMissing:
        return FlyteRunMissing(
            f"Flyte has no run {self.key.name!r} in project {self.key.project!r}, domain {self.key.domain!r}: "
            f"{_for(self._rules.missing_after)} passed and ListRuns still does not show it. Check run_name, project "
            "and domain; if the run is launched later than that, raise missing_after.",
            **self._fields(),
        )

    def unreachable(self, why: str) -> FlyteUnreachable:
        """The exception for a run whose state could not be read."""
        known = f" It was last seen {describe(self._state.seen.phase)}." if self._state.seen else ""
        return FlyteUnreachable(
            f"The state of Flyte run {self.key} is not known; the run itself may still be running.{known} {why}",
            **self._fields(),
        )

    def paused(self, condition: Condition) -> FlyteRunPaused:
        """The exception for a run that waits for an answer, which nobody is to wait for."""
        return FlyteRunPaused(
            f"Flyte run {self.key} waits for an answer (on_paused='fail'): {asked(condition)} The run is not "
            "aborted, and a retry waits for it again, which succeeds once somebody has answered. To clear the task "
            f"launches another run. Answer or abort this one: {self.url}",
            **self._fields(),
        )

    def outputs_unreadable(self, error: FlyteError) -> FlyteOutputsUnreadable:
        """The exception for a run that has succeeded and whose outputs Flyte does not give."""
        if isinstance(error, NotFoundError):
            outlook = (
                "The task declares outputs, so their file is gone from Flyte's store, or Flyte could not read it; a "
                "retry helps only in the second case"
            )
        elif is_lasting(error):
            outlook = "A retry helps only after that is mended"
        else:
            outlook = "A retry may find Flyte better"
        return FlyteOutputsUnreadable(
            f"Flyte run {self.key} has succeeded, but its outputs could not be read: {error} {outlook}; it reads them "
            "again and launches nothing. To clear the task that has launched the run launches it anew. A task that "
            f"needs no outputs has do_xcom_push=False, and no AssetAlias among its outlets. {self.url}",
            **self._fields(),
        )

    def timed_out(self, timeout: float) -> FlyteRunTimeout:
        """The exception for the sensor's own ``timeout``."""
        return FlyteRunTimeout(
            f"The sensor's timeout of {timeout:g} s has passed and Flyte run {self.key} is not over: {self.state}. "
            f"The run is not aborted; look at {self.url}. Raise timeout if it needs longer.",
            **self._fields(),
        )

    def broken(self, why: str) -> FlyteWaitBroken:
        """The exception for a trigger that ended without an answer."""
        return FlyteWaitBroken(
            f"The trigger that waited for Flyte run {self.key} failed: {why or 'Airflow gives no reason'}. "
            "The run itself may still be running. Look at the triggerer's log; a retry waits for the run again.",
            **self._fields(),
        )

    def _fields(self) -> dict[str, Any]:
        return {"run": self.key.name, "project": self.key.project, "domain": self.key.domain, "url": self.url}


_FAILED: dict[int, tuple[type[FlyteRunFailed], type[FlyteRunFailed]]] = {
    RunPhase.ABORTED: (FlyteRunAborted, FlyteRunAbortedForGood),
    RunPhase.TIMED_OUT: (FlyteRunTimedOut, FlyteRunTimedOutForGood),
}
"""The exceptions of a failed run by its phase: to be retried, and not."""


def trouble_in(runs: Iterable[RunWait]) -> str:
    """Why Flyte gave no answer about one of these last; '' when it did about all."""
    return next((run.trouble for run in runs if run.trouble), "")


def _shortened(lines: list[str]) -> list[str]:
    """The first lines and the last ones, which show how it began and why it ended."""
    if len(lines) <= _MOST_LINES:
        return lines
    begin, end = lines[: _MOST_LINES // 4], lines[_MOST_LINES // 4 - _MOST_LINES :]
    return [*begin, f"({len(lines) - _MOST_LINES} more lines are left out here)", *end]


def _for(seconds: float | None) -> str:
    return "the grace period" if seconds is None else f"the grace period of {seconds:g} s"
