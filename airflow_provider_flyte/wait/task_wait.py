"""All runs of one task on a worker: read them, log what happened, and decide how the wait stands.

Sensors use it in all their modes, and operators for their run. One run is read by itself; of several, one poll shows
which are over, and only their details are read.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import ConfigError, FlyteError, is_transient
from airflow_provider_flyte.client.outside import marked
from airflow_provider_flyte.client.verdict import (
    Absent,
    Outcome,
    Verdict,
    WaitRules,
    decide_together,
    describe,
)
from airflow_provider_flyte.exceptions import (
    FlyteConfigurationError,
    FlyteRunError,
    FlyteRunFailed,
    FlyteRunMissing,
    FlyteRunPaused,
    FlyteRunTimeout,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.report.xcom import xcom_value
from airflow_provider_flyte.settings import streams_logs
from airflow_provider_flyte.task_log import TaskLog, TroubleLog
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.wait.conditions import ConditionLog, WorkerConditions
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.progress import WorkerProgress
from airflow_provider_flyte.wait.resumption import Settled
from airflow_provider_flyte.wait.run_wait import DETAILS_LAG, PAUSE, Advice, Doubt, RunWait, advise_waiter, trouble_of

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunDetails
    from airflow_provider_flyte.client.flows.conditions import Condition
    from airflow_provider_flyte.client.flows.run_search import Sought
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.wait.run_logs import WorkerLogs

_NAMED = 20
"""How many runs a message names, and a log; a task may wait for thousands."""

_TIMELINES = 3
"""How many runs have their timeline in the log."""

BRIEFLY = 5.0
"""Seconds for which a worker tolerates trouble in one poll where another one follows."""

_PATIENTLY = 60.0
"""Seconds for which a worker tolerates trouble to read a run that is over."""


def patience(event: RunEvent | None) -> float:
    """Seconds for which a worker tolerates trouble after an event, or after one that could not be read.

    A run that is over has to be read; whatever else the trigger reports is checked only briefly.
    """
    is_over = event is None or event.ending in _ANSWERED
    return _PATIENTLY if is_over else BRIEFLY


class TaskWait:
    """The runs that one task waits for; use it as ``with TaskWait(...) as wait``.

    :param client: the client to ask with; its connection is read again when the wait would end because of trouble.
    :param run_names: the runs, each once; none where one is looked for.
    :param project: their project; by default the connection's.
    :param domain: their domain; by default the connection's.
    :param sought: the run that is looked for, whose name is not known yet.
    :param on_found: called with it and its page once it is found.
    :param several: whether the task gets a dict of runs, which may have but one.
    :param any_one: one success is enough, instead of all.
    :param fail_fast: the first run that ends without success ends the wait.
    :param rules: how long missing runs and trouble are tolerated.
    :param began: when this wait began, in seconds since the epoch.
    :param endpoint: where Flyte was when the task began to wait; by default where it is now.
    :param log: the task's log.
    :param advise: what it means for the task if a run fails.
    :param doubt: whether what is read is believed to be about a run; by default it is.
    :param log_progress: log how far the child actions of the first runs are, between polls.
    :param stream_logs: do that, and write the logs of the first runs into the task's while it waits; None: by
        connection and configuration.
    :param on_paused: ``"log"`` or ``"fail"``: look for what the runs wait for, and log it; None: do not.
    :raises FlyteConfigurationError: without a connection, a project or a domain.
    """

    def __init__(
        self,
        client: HeldClient,
        run_names: Sequence[str],
        project: str | None,
        domain: str | None,
        *,
        sought: Sought | None = None,
        on_found: Callable[[list[RunKey], str], None] = lambda keys, url: None,
        several: bool = False,
        any_one: bool = False,
        fail_fast: bool = True,
        rules: WaitRules,
        began: float,
        endpoint: str | None = None,
        log: TaskLog,
        advise: Callable[[Verdict], Advice] = advise_waiter,
        doubt: Doubt = lambda details, endpoint: "",
        log_progress: bool = False,
        stream_logs: bool | None = False,
        on_paused: str | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._held = client
        self._rules = rules
        waiting: dict[str, Any] = {"endpoint": endpoint, "doubt": doubt, "now": now, "sleep": sleep}
        waiting |= {"rules": rules, "began": began, "log": log, "advise": advise}
        try:
            if sought is None:
                keys = [self.client.config.key(name, project, domain) for name in run_names]
                self._runs = [RunWait(self.client, key, **waiting) for key in keys]
            else:
                from airflow_provider_flyte.wait.run_search import SearchedRun

                where = self.client.config.project_domain(project, domain, str(sought))
                self._runs = [SearchedRun(self.client, where, sought, on_found=on_found, **waiting)]
        except ConfigError as error:
            raise FlyteConfigurationError(f"{error} (Flyte connection {client.flyte_conn_id!r})") from error
        self._streams_logs = stream_logs is not False and streams_logs(stream_logs, self.client.config)
        self._logs_progress = log_progress or self._streams_logs
        self._progress: WorkerProgress | None = None
        self._follows_conditions = on_paused is not None
        self._conditions: WorkerConditions | None = None
        self._logs: WorkerLogs | None = None
        self.written: Mapping[str, Any] = {}
        """How far the logs of runs were written into the task's, by their names."""

        self.several = several
        """Whether the task has a dict of runs."""

        self._any_one = any_one
        self._fail_fast = fail_fast
        self._log = log
        self._logged = ""
        self._ends_logged: set[RunKey] = set()
        self._trouble_log = TroubleLog(log)
        self._now = now
        self._sleep = sleep

    def __enter__(self) -> TaskWait:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the client; more than once does no harm."""
        self.stop_logs()
        self._held.close()

    @property
    def client(self) -> FlyteClient:
        """The client to ask with."""
        return self._held.get()

    @property
    def absent(self) -> bool:
        """Whether ListRuns answered last and lacks a run."""
        return any(run.absent for run in self._runs)

    @property
    def trouble(self) -> str:
        """Why Flyte gave no answer about a run last; '' when it did about all."""
        return next((run.trouble for run in self._runs if run.trouble), "")

    @property
    def complete(self) -> bool:
        """Whether the details of each run that has succeeded were read."""
        return all(run.details for run in self._runs if run.verdict.outcome is Outcome.SUCCEEDED)

    @property
    def details(self) -> RunDetails | None:
        """Flyte's last details of a task's only run; None while nothing could be read."""
        return self._runs[0].details

    def settle(self, settled: Settled) -> Settled:
        """The same with project, domain, endpoint and the run that was found, where they were not settled before."""
        key = self._runs[0].key
        endpoint = settled.endpoint or self.client.config.endpoint
        names = settled.run_names or [key.name for key in self.keys]
        return replace(settled, project=key.project, domain=key.domain, endpoint=endpoint, run_names=names)

    @property
    def url(self) -> str:
        """The page of the run, of several that of the first."""
        return self._runs[0].url

    @property
    def keys(self) -> list[RunKey]:
        """The runs; none while the task's run is looked for."""
        return [run.key for run in self._runs if run.key.name]

    def value(self, *, redact_env: bool) -> dict[str, Any] | None:
        """What goes into XCom: the run's details or, of several, those of each run that is over, by name."""
        if not self.several:
            details = self._runs[0].details
            return xcom_value(details, redact_env=redact_env) if details else None
        return {
            run.key.name: xcom_value(run.details, redact_env=redact_env, runs=len(self._runs))
            for run in self.reported
            if run.details
        }

    @property
    def reported(self) -> list[RunWait]:
        """The runs that Airflow is told of: a task's only one or, of several, those that are over and could be read."""
        return [run for run in self._runs if not self.several or (run.details and run.details.done())]

    # -- polling

    def observe(self, retry_for: float) -> Verdict:
        """Ask Flyte once, and decide.

        :param retry_for: seconds for which a transient failure is repeated, as far as ``unreachable_after`` lasts.
        """
        end = self._now() + self._rules.at_most(retry_for)
        verdict = self._observe(end)
        if any(run.stuck for run in self._runs) and self._refresh_client():
            verdict = self._observe(end)
        if not verdict.over and self.keys:
            if self._logs_progress:
                self._log_progress()
            if self._streams_logs:
                self._begin_logs()
            if self._follows_conditions:
                self.observe_conditions()
        return verdict

    def observe_conditions(self, *, at_once: bool = False) -> Condition | None:
        """Log what the runs wait for, if the time for it has come; returns one such condition, None where none is.

        :param at_once: whatever the time is.
        """
        if self._conditions is None:
            written = ConditionLog(self._log, self._held.flyte_conn_id, self.client.config.run_url)
            self._conditions = WorkerConditions(self.keys, self._log, written.write, self._now)
        self._conditions.observe(self.client, at_once=at_once)
        return self._conditions.waiting

    def _log_progress(self) -> None:
        if self._progress is None:
            self._progress = WorkerProgress(self.keys, self._log, self._now)
        self._progress.observe(self.client)

    def _begin_logs(self) -> None:
        if self._logs is None:
            from airflow_provider_flyte.wait.run_logs import WorkerLogs

            keys = [run.key for run in self._runs]
            # A run's client is replaced at once, where ``self.client`` might be made by two threads.
            self._logs = WorkerLogs(lambda: self._runs[0].client, keys, self.written, self._log)

    @contextmanager
    def writing_logs(self) -> Iterator[None]:
        """Write the runs' logs no longer than this block takes."""
        try:
            yield
        finally:
            self.stop_logs()

    def stop_logs(self) -> None:
        """Write no more of the runs' logs; more than once does no harm."""
        if self._logs is not None:
            self.written = self._logs.end()

    def _refresh_client(self) -> bool:
        """Read the connection again: its secret may have been replaced during the wait."""
        changed = self._held.refresh()
        for run in self._runs:
            run.client = self.client
        return changed

    def _observe(self, end: float) -> Verdict:
        if not self.several:
            return self._runs[0].observe(self._until(end))
        left = [run for run in self._runs if not run.settled]
        self._ask_for_all(left, end)
        if self._together_now(run.verdict_without_details for run in self._runs).over:
            # Not before: a wait that is not over would read them again with each poke.
            self._read_details([run for run in left if run.lacks_details(run.verdict_without_details)], end)
            self._log_ends()
        verdict = self._together_now(run.verdict for run in self._runs)
        self._log_change(verdict)
        return verdict

    def _until(self, end: float) -> float:
        return max(0.0, end - self._now())

    def _together_now(self, verdicts: Iterable[Verdict]) -> Verdict:
        counts = Counter(verdict.outcome for verdict in verdicts)
        return Verdict(decide_together(counts, any_one=self._any_one, fail_fast=self._fail_fast))

    def _read_details(self, runs: list[RunWait], end: float) -> None:
        """Read the details of runs that are over, of some of which the error arrives a moment after the phase.

        :param end: of the time for which transient failures are repeated.
        """
        self._read_each(runs, end)
        lagging, until = [run for run in runs if run.lacks_details(run.verdict)], self._now() + DETAILS_LAG
        while lagging and self._now() < until:
            self._sleep(PAUSE)
            for run in lagging:
                run.read(0.0)
            lagging = [run for run in lagging if run.lacks_details(run.verdict)]

    def _read_each(self, runs: Sequence[RunWait], end: float) -> None:
        """Read runs one by one; one budget for all of them, and no more calls once trouble has spent it.

        :param end: of the time for which transient failures are repeated.
        """
        for number, run in enumerate(runs):
            run.read(self._until(end))
            # A refusal at once concerns this run alone, and costs no time.
            if run.trouble and not self._until(end):
                for other in runs[number + 1 :]:
                    run.share_trouble(other)
                return

    def _log_ends(self) -> None:
        """Log how runs ended, first those that did not succeed; of some of these also what happened when."""
        # Trouble is logged once for all of them.
        ended = [run for run in self._runs if run.is_over and not run.trouble and run.key not in self._ends_logged]
        for run in sorted(ended, key=_good):
            logged = len(self._ends_logged)
            if logged < _NAMED:
                run.log_change(run.verdict, timeline=not _good(run) and logged < _TIMELINES)
            elif logged == _NAMED:
                self._log.info("The ends of further runs are not logged one by one; XCom has their details.")
            self._ends_logged.add(run.key)

    def read_ended(self) -> None:
        """Read the details of those runs that are over, of a wait that ends without the others."""
        if self.several:
            self._read_details(
                [run for run in self._runs if run.lacks_details(run.verdict_without_details)], self._now()
            )
            self._log_ends()

    def _ask_for_all(self, runs: Sequence[RunWait], end: float) -> None:
        """Note the phase of each run by ListRuns; where it is refused, ask for each by itself."""
        from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL, chunks
        from airflow_provider_flyte.client.flows.named_runs import NameFilterRefused, list_by_name

        for some in chunks(runs, NAMES_A_CALL):
            key, names = some[0].key, [run.key.name for run in some]
            began = self._now()
            flow = list_by_name(key.project, key.domain, names, self.client.config.org)
            try:
                found = self.client.execute(flow, retry_for=self._until(end))
            except NameFilterRefused:
                self._read_each(runs, end)
                return
            except FlyteError as error:
                for run in some:
                    if not run.is_over:
                        run.note(trouble_of(error), began)
            else:
                for run in some:
                    if run.key in found:
                        run.listed(found[run.key])
                    elif not run.is_over:
                        run.note(Absent())

    def _log_change(self, verdict: Verdict) -> None:
        """Log changes of the whole, not polls and not each run."""
        if self._trouble_log.log(self.trouble, "", over=verdict.over):
            return
        phases = Counter(describe(run.verdict.phase) for run in self._runs)
        now = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
        if now != self._logged:
            self._log.info("Of %d Flyte runs: %s.", len(self._runs), now)
        self._logged = now

    def log_last_lines(self, lines: int) -> None:
        """Log the last lines that the last attempt of a task's only run has logged, where Flyte serves them."""
        details = self.details
        if not lines or details is None:
            return
        from airflow_provider_flyte.client.flows.run_log import LogPosition

        self.stop_logs()
        attempt = max(1, details.pb2.action.status.attempts)
        written = LogPosition.from_json(self.written.get(details.name))
        tail = self.client.tail_log(
            details.name,
            attempt=attempt,
            lines=lines,
            project=details.key.project,
            domain=details.key.domain,
            written=written,
        )
        if tail.lines:
            self._log.info("The end of the log of attempt %d:%s", attempt, marked("\n".join(["", *tail.lines])))
        elif written.attempt != attempt or not written.count:
            why = tail.trouble or "Flyte sent no lines of it."
            self._log.info("No log of attempt %d: %s The run's page: %s", attempt, why, self.url)

    def outputs(self, brief: float, run: RunWait | None = None) -> dict[str, Any]:
        """The outputs of a run that has succeeded, as plain values by name.

        :param brief: seconds of trouble after which it is logged; after ``unreachable_after`` they are given up.
        :param run: by default a task's only one.
        :raises FlyteOutputsUnreadable: when Flyte does not give them.
        """
        run = run or self._runs[0]
        began = self._now()
        budget = self._rules.unreachable_after
        patience = math.inf if budget is None else budget
        logged = False
        while True:
            try:
                return run.read_outputs(min(brief, patience))
            except FlyteError as error:
                # The secret may have been replaced since.
                if self._refresh_client():
                    continue
                left = began + patience - self._now()
                if not is_transient(error) or left <= 0:
                    raise run.outputs_unreadable(error) from error
                if not logged:
                    until = "until it does" if budget is None else f"for {left:.0f} s more (unreachable_after)"
                    self._log.warning(
                        "Flyte run %s has succeeded, but Flyte does not give its outputs yet. Asking %s. %s",
                        run.key,
                        until,
                        error,
                    )
                    logged = True

    # -- how it ended

    def explain(self, event: RunEvent) -> Exception | None:
        """What a wait ends with whose run is not over as far as the worker sees, where the trigger's event still
        holds; None where it does not, which is logged.

        :param event: the trigger's event; its timeouts are the caller's.
        """
        if event.ending is Ending.MISSING and self.absent:
            return self.missing()
        if self.trouble and event.ending in _ANSWERED:
            return self.unreachable(_unanswered_here(self.trouble, event))
        if self.trouble and event.ending is Ending.UNREACHABLE:
            return self.unreachable(self.trouble)
        if event.ending is Ending.CRASHED:
            return self.broken(event.message)
        if event.ending is Ending.NO_CONNECTION:
            return FlyteConfigurationError(
                "The triggerer could not use the Airflow connection, which this worker can use. The Flyte run may "
                f"still be running: {self.url} {event.message}"
            )
        if event.ending is Ending.UNREACHABLE:
            self._log.warning(
                "Flyte answers this worker, and gave the triggerer no usable answer. The task keeps waiting. If this "
                "comes again, compare how the two reach Flyte (network, proxy, DNS, certificates). %s",
                event.message,
            )
            return None
        self._log.info(
            "The trigger reported that %s. This is no longer so, and the task keeps waiting.", event.describe()
        )
        return None

    def error(self, verdict: Verdict, event: RunEvent | None = None) -> FlyteRunError:
        """The exception for a wait that ended without success.

        :param event: the trigger's, if there was one.
        """
        if not self.several:
            return _error(self._runs[0], verdict, event)
        runs = [run for run in self._runs if run.verdict.over and not _good(run)]
        if verdict.outcome is Outcome.SUCCEEDED:
            # Enough runs have succeeded, but their details cannot be read.
            runs = [run for run in runs if run.verdict.outcome is Outcome.SUCCEEDED]
        return self._together([_error(run, run.verdict, event) for run in runs])

    def missing(self) -> FlyteRunError:
        """The exception for runs that ListRuns does not have."""
        return self._together([run.missing() for run in self._those(lambda run: run.absent)])

    def paused(self, condition: Condition) -> FlyteRunError:
        """The exception for a run that waits for an answer, which nobody is to wait for."""
        return self._together([run.paused(condition) for run in self._those(lambda run: run.key == condition.key)])

    def unreachable(self, why: str) -> FlyteRunError:
        """The exception for runs whose state could not be read."""
        return self._together([run.unreachable(why) for run in self._those(lambda run: bool(run.trouble))])

    def timed_out(self, timeout: float) -> FlyteRunError:
        """The exception for the sensor's own ``timeout``."""
        return self._together([run.timed_out(timeout) for run in self._those(lambda run: not run.settled)])

    def broken(self, why: str) -> FlyteRunError:
        """The exception for a trigger that ended without an answer."""
        return self._together([run.broken(why) for run in self._those(lambda run: not run.settled)])

    def _those(self, concerned: Callable[[RunWait], bool]) -> list[RunWait]:
        """The runs that an error is about; all of them where it is about none in particular."""
        return [run for run in self._runs if concerned(run)] or self._runs

    def _together(self, errors: list[FlyteRunError]) -> FlyteRunError:
        """One error for all, of the kind whose run is least likely to succeed."""
        if not self.several:
            return errors[0]
        errors = sorted(errors, key=_hope)
        first = errors[0]
        lines = []
        for error in errors[:_NAMED]:
            line = str(error).partition("\n")[0]
            lines.append(line if error.url in line else f"{line} {error.url}")
        if len(errors) > _NAMED:
            lines.append(f"... and {len(errors) - _NAMED} more")
        if isinstance(first, FlyteRunFailed):
            lines.append(
                "Runs that are over cannot change, so the task is not retried. Launch them anew, then clear this task."
            )
        text = f"Of {len(self._runs)} Flyte runs, {len(errors)} did not succeed:\n" + "\n".join(lines)
        return type(first)(text, **(vars(first) | {"errors": errors}))


_ANSWERED = (Ending.SUCCEEDED, Ending.FAILED)
"""What a trigger reports only after an answer of Flyte's."""


def _unanswered_here(trouble: str, event: RunEvent) -> str:
    """Why the worker knows nothing of a run of which the triggerer had an answer."""
    return (
        f"Flyte answered the triggerer, which reported that {event.describe()}, and this worker got no usable "
        f"answer: compare how the two reach Flyte (network, proxy, DNS, certificates). {trouble}"
    )


def _error(run: RunWait, verdict: Verdict, event: RunEvent | None) -> FlyteRunError:
    if event and event.ending in _ANSWERED and verdict.outcome is Outcome.UNREACHABLE:
        return run.unreachable(_unanswered_here(verdict.message, event))
    return run.error(verdict)


_HOPELESS_FIRST = (FlyteRunFailed, FlyteRunTimeout, FlyteRunMissing, FlyteRunPaused, FlyteUnreachable, FlyteWaitBroken)


def _hope(error: FlyteRunError) -> int:
    return next(rank for rank, kind in enumerate(_HOPELESS_FIRST) if isinstance(error, kind))


def _good(run: RunWait) -> bool:
    return run.verdict.outcome is Outcome.SUCCEEDED and run.details is not None
