"""An operator's wait for its run, once it has one: poll, defer or sleep, and end as the run did."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import ConfigError, FlyteError
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome, Verdict, WaitRules
from airflow_provider_flyte.compat import AirflowTaskTimeout
from airflow_provider_flyte.exceptions import FlyteOutputsUnreadable, FlyteRunFailed, FlyteRunStuck
from airflow_provider_flyte.launch.deferral import defer
from airflow_provider_flyte.report.metrics import count_outcome
from airflow_provider_flyte.report.xcom import push_details, push_outputs
from airflow_provider_flyte.tries.attempt import TryRun
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.tries.kill import Stopping
from airflow_provider_flyte.tries.stragglers import ON_ITS_WAY, end_stragglers, not_known
from airflow_provider_flyte.tries.task_instance import task_instance_of, try_of
from airflow_provider_flyte.tries.whose import why_not_this
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.outlets import report_to_outlets, wants_outputs
from airflow_provider_flyte.wait.resumption import Settled
from airflow_provider_flyte.wait.run_wait import Advice
from airflow_provider_flyte.wait.task_wait import BRIEFLY, TaskWait, patience

if TYPE_CHECKING:
    from airflow_provider_flyte.client.idl.workflow.run_definition_pb2 import RunDetails
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.operators import FlyteRunOperator
    from airflow_provider_flyte.tries.identity import Try


class LaunchedWait:
    """One execution of an operator from the moment when it has its run.

    :param task: the operator.
    :param context: its context.
    :param client: makes the calls.
    :param stopping: handles a kill meanwhile.
    :param run: the run.
    """

    def __init__(
        self, task: FlyteRunOperator, context: Context, client: HeldClient, stopping: Stopping, run: TryRun
    ) -> None:
        self._task = task
        self._context = context
        self._client = client
        self._stopping = stopping
        self._run = run
        self._stragglers_until = time.time() + ON_ITS_WAY
        self.wait = TaskWait(
            client,
            [run.key.name],
            run.key.project,
            run.key.domain,
            rules=WaitRules(task.missing_after, task.unreachable_after),
            began=time.time(),
            endpoint=run.endpoint,
            log=task.log,
            advise=self._advise,
            doubt=self._doubt,
            # Of a task that defers the trigger logs it, and one that does not wait has nothing to log.
            log_progress=task.log_progress and task.wait and not task.deferrable,
            stream_logs=task.stream_logs if task.wait and not task.deferrable else False,
            on_paused=task.on_paused if task.wait and not task.deferrable else None,
        )

    def end(self, settled: Settled, event: RunEvent | None) -> Any:
        """Read the run, and keep waiting or end; a kill and a timeout that come meanwhile are handled.

        :param settled: what was settled in this try.
        :param event: the trigger's event; None: there is none about this run.
        :returns: what the task returns.
        """
        settled = settled.after(event)
        self._stopping.after_abort = self._end_stragglers
        self.wait.followed.written = settled.logs or {}
        with self._stopping.watching(self._run.key, self._run.url, lambda: self._run), self.wait.writing_logs():
            if self._task.wait:
                return self._observe_or_defer(settled, event)
            self.wait.observe(BRIEFLY)
            self._stopping.check(self._run)
            self._end_stragglers()
            report_to_outlets(self._task, self._context, self.wait, None)
            return self.wait.value(redact_env=self._task.redact_env)

    def _observe_or_defer(self, settled: Settled, event: RunEvent | None) -> Any:
        task, wait = self._task, self.wait
        retry_for = patience(event) if event else BRIEFLY
        while True:
            verdict = wait.observe(retry_for)
            timed_out = event is not None and event.ending is Ending.TASK_TIMED_OUT
            # The trigger may have aborted the run because of that.
            if verdict.over and not (timed_out and verdict.phase == RunPhase.ABORTED):
                return self._conclude(verdict, event)
            self._fail_if_paused(event)
            if event is not None:
                if error := self._explain(event):
                    push_details(task, self._context, wait)
                    raise error
                event = None
            if settled.queued_until is not None and time.time() >= settled.queued_until and not wait.trouble:
                self._check_queue()
                settled = replace(settled, queued_until=None)
            self._stopping.check(self._run)
            if task.deferrable or time.time() < self._stragglers_until:
                self._end_stragglers()
            if task.deferrable:
                self._stopping.check_before_deferral(self._run)
                settled = replace(settled, endpoint=self._run.endpoint)
                defer(task, self._context, settled, task.unreachable_after, self._trying())
            self._stopping.sleep(task.poll_interval, lambda: self._stopping.check(self._run))

    def _fail_if_paused(self, event: RunEvent | None) -> None:
        if self._task.on_paused != "fail":
            return
        was_paused = event is not None and event.ending is Ending.PAUSED
        if self._task.deferrable and not was_paused:
            return
        if condition := self.wait.followed.observe_conditions(at_once=was_paused):
            push_details(self._task, self._context, self.wait)
            raise self.wait.errors.paused(condition)

    def _doubt(self, details: RunDetails | None, endpoint: str) -> str:
        run = self._run
        why = why_not_this(run, task_instance_of(self._context, self._task), endpoint, details)
        if not why and run.endpoint not in (None, endpoint):
            self._task.log.warning(
                "The Flyte connection leads to %s by now, and led to %s when the task began to wait for Flyte run %s. "
                "By its annotations it is the same run, so the task waits for it there.",
                endpoint,
                run.endpoint,
                run.key,
            )
            self._run = replace(run, endpoint=endpoint)
        return why

    def _end_stragglers(self) -> None:
        client, log = self._client.get(), self._task.log
        if (trying := self._trying()) is None:
            return
        try:
            flow = end_stragglers(client.config, trying, self._run.key, self._run.endpoint, log)
            client.execute(flow, retry_for=BRIEFLY)
        except FlyteError as error:
            log.warning(not_known(error))

    def _trying(self) -> Try | None:
        """The try, where earlier ones may have launched beside it; None where they cannot, or their names are none."""
        if self._context["ti"].try_number <= 1 or not self._run.ours:
            return None
        task, prefix = self._task, self._client.get().config.run_name_prefix
        try:
            return try_of(self._context, prefix, task.run_name, task, self._run.key.name)
        except ConfigError as error:
            task.log.warning(not_known(error))
            return None

    def _explain(self, event: RunEvent) -> BaseException | None:
        if event.ending is Ending.TASK_TIMED_OUT:
            return AirflowTaskTimeout("execution_timeout has passed while the task waited for its Flyte run.")
        # The worker has already seen whether the run is still queued; the caller acts on that.
        return None if event.ending is Ending.QUEUED else self.wait.errors.explain(event)

    def _check_queue(self) -> None:
        """End a run that never left its queue: Flyte only logs it when a run cannot be enqueued."""
        task, run, details = self._task, self._run, self.wait.details
        phases = (
            {step.phase for attempt in details.pb2.action.attempts for step in attempt.phase_transitions}
            if details
            else set()
        )
        if details is None or (phases | {details.phase}) - {RunPhase.QUEUED}:
            return
        count_outcome(task.flyte_conn_id, details, Verdict(Outcome.FAILED))
        push_details(task, self._context, self.wait)
        why = f"did not leave its queue in {task.queued_timeout:g} s (queued_timeout)"
        done = self._stopping.abort(run, f"it {why}")
        raise FlyteRunStuck(
            f"Flyte run {run.key} {why}. {done} Look "
            f"at Flyte's log for an error of the enqueue, and at the queue's limits. {run.url}",
            run=run.key.name,
            project=run.key.project,
            domain=run.key.domain,
            url=run.url,
            phase="QUEUED",
        )

    def _advise(self, verdict: Verdict) -> Advice:
        task = self._task
        if task.fail_fast_on == "user" and verdict.kind == "USER":
            return Advice(
                True,
                "The error is the run's own code's, so the task is not retried (fail_fast_on='user'). Look at {url}; "
                "when the code is mended, clear this task.",
            )
        # Whether there is one, Airflow decides, by what is left of ``retries`` and by a ``retry_policy``.
        return Advice(
            False, f"Look at {{url}}; a retry, if there is one, launches another run (retry_as={task.retry_as!r})."
        )

    def _conclude(self, verdict: Verdict, event: RunEvent | None) -> Any:
        """Return the details of a success, else raise."""
        task, wait = self._task, self.wait
        self._end_stragglers()
        count_outcome(task.flyte_conn_id, wait.details, verdict)
        if verdict.outcome is not Outcome.SUCCEEDED or wait.details is None:
            push_details(task, self._context, wait)
            error = wait.errors.error(verdict, event)
            if isinstance(error, FlyteRunFailed):
                wait.log_last_lines(task.log_lines)
            raise error
        outputs: Mapping[str, Any] = {}
        if task.do_xcom_push or wants_outputs(task):
            try:
                outputs = wait.outputs(BRIEFLY)
            except FlyteOutputsUnreadable:
                push_details(task, self._context, wait)
                raise
        if task.do_xcom_push:
            push_outputs(self._context["ti"], wait.details, dict(outputs), task.log)
        report_to_outlets(task, self._context, wait, lambda run: outputs)
        return wait.value(redact_env=task.redact_env)
