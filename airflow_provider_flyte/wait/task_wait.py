"""All runs of one task on a worker: read them, log what happened, and decide how the wait stands.

Sensors use it in all their modes, and operators for their run. One run is read by itself, several together
(``several_runs.py``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import ConfigError, FlyteError, is_transient
from airflow_provider_flyte.client.outside import marked
from airflow_provider_flyte.client.verdict import Outcome, Verdict, WaitRules
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.report.xcom import xcom_value
from airflow_provider_flyte.task_log import TaskLog
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.wait.event import ANSWERED, RunEvent
from airflow_provider_flyte.wait.followed_runs import FollowedRuns
from airflow_provider_flyte.wait.resumption import Settled
from airflow_provider_flyte.wait.run_wait import Advice, Doubt, RunWait, advise_waiter, trouble_in
from airflow_provider_flyte.wait.several_runs import SeveralRuns
from airflow_provider_flyte.wait.wait_errors import WaitErrors

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunDetails
    from airflow_provider_flyte.client.flows.run_search import Sought
    from airflow_provider_flyte.client.run_key import RunKey

BRIEFLY = 5.0
"""Seconds for which a worker tolerates trouble in a call that is made again later, or that is not needed."""

PATIENTLY = 60.0
"""Seconds for which a worker tolerates trouble in a read that a task cannot end without."""


def patience(event: RunEvent | None) -> float:
    """Seconds for which a worker tolerates trouble after an event, or after one that could not be read.

    A run that is over has to be read; whatever else the trigger reports is checked only briefly.
    """
    is_over = event is None or event.ending in ANSWERED
    return PATIENTLY if is_over else BRIEFLY


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
        self.followed = FollowedRuns(
            client,
            self._runs,
            log,
            log_progress=log_progress,
            stream_logs=stream_logs,
            on_paused=on_paused,
            now=now,
        )
        """What is logged between polls."""

        self.errors = WaitErrors(self._runs, several, log)
        """What the wait ends with that has no success."""

        self.several = several
        """Whether the task has a dict of runs."""

        self._together: SeveralRuns | None = None
        if several:
            self._together = SeveralRuns(
                self._runs,
                any_one=any_one,
                fail_fast=fail_fast,
                client=client.get,
                log=log,
                now=now,
                sleep=sleep,
            )
        self._log = log
        self._now = now

    def __enter__(self) -> TaskWait:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the client; more than once does no harm."""
        self.followed.stop_logs()
        self._held.close()

    @property
    def client(self) -> FlyteClient:
        """The client to ask with."""
        return self._held.get()

    @property
    def trouble(self) -> str:
        """Why Flyte gave no answer about a run last; '' when it did about all."""
        return trouble_in(self._runs)

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
            self.followed.observe()
        return verdict

    def _refresh_client(self) -> bool:
        """Read the connection again: its secret may have been replaced during the wait."""
        changed = self._held.refresh()
        for run in self._runs:
            run.client = self.client
        return changed

    def _observe(self, end: float) -> Verdict:
        if self._together is None:
            return self._runs[0].observe(max(0.0, end - self._now()))
        return self._together.observe(end)

    def read_ended(self) -> None:
        """Read the details of those runs that are over, of a wait that ends without the others."""
        if self._together is not None:
            self._together.read_ended()

    @contextmanager
    def writing_logs(self) -> Iterator[None]:
        """Write the runs' logs no longer than this block takes."""
        try:
            yield
        finally:
            self.followed.stop_logs()

    def log_last_lines(self, lines: int) -> None:
        """Log the last lines that the last attempt of a task's only run has logged, where Flyte serves them."""
        details = self.details
        if not lines or details is None:
            return
        from airflow_provider_flyte.client.flows.run_log import LogPosition

        self.followed.stop_logs()
        attempt = max(1, details.pb2.action.status.attempts)
        written = LogPosition.from_json(self.followed.written.get(details.name))
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
