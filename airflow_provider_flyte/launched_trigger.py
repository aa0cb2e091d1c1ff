"""FlyteLaunchedRunTrigger: waits for a run that its task has launched, and aborts it when the task is killed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from airflow_provider_flyte.arguments import POLL_INTERVAL, argument_errors, timestamp
from airflow_provider_flyte.client.arguments import switch
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.verdict import MISSING_AFTER, UNREACHABLE_AFTER
from airflow_provider_flyte.compat import UNKNOWN, atask_state
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.tries.identity import abort_reason
from airflow_provider_flyte.tries.kill_reason import (
    abort_done,
    abort_failed,
    abort_outcome,
    because_of,
    interrupted,
    kept_by_setting,
    not_ours,
    why_killed,
)
from airflow_provider_flyte.tries.task_instance import task_instance_of
from airflow_provider_flyte.triggers import FlyteRunTrigger
from airflow_provider_flyte.wait.event import Ending, RunEvent

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.operators import FlyteRunOperator
    from airflow_provider_flyte.wait.resumption import Settled

_aborting: set[asyncio.Task[None]] = set()
"""Strong references: the loop keeps only weak ones to its tasks."""


class FlyteLaunchedRunTrigger(FlyteRunTrigger):
    """:class:`FlyteRunTrigger` for the run of an operator.

    :param run_name: the run.
    :param project: its project; by default the connection's.
    :param domain: its domain; by default the connection's.
    :param flyte_conn_id: the Airflow connection.
    :param poll_interval: most seconds until an end is noticed.
    :param execution_deadline: when the task's ``execution_timeout`` has passed; None: never.
    :param not_before: the event is held until then.
    :param missing_after: seconds for which ListRuns may not show the run; None: for ever.
    :param unreachable_after: seconds of trouble after which the run's state is unknown; None: never.
    :param queued_deadline: when a worker is to look whether the run has left its queue; None: never.
    :param abort_for: the task instance, in words, that has launched the run; None: none did, and it is never aborted.
    :param abort_on_kill: abort the run when the task is killed.
    :param endpoint: where Flyte was when the run was launched, ``host:port``; None: not known.
    :param launched: whether the run is there. If not, this waits for Flyte's answer before it is launched.
    :param abort_on_timeout: abort the run when ``execution_deadline`` has passed. Airflow 2.11 does not let the task do
        it: it fails a task that resumes past its ``execution_timeout`` before calling it.
    """

    def __init__(
        self,
        run_name: str = "",
        project: str | None = None,
        domain: str | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        poll_interval: float = POLL_INTERVAL,
        execution_deadline: float | None = None,
        not_before: float | None = None,
        missing_after: float | None = MISSING_AFTER,
        unreachable_after: float | None = UNREACHABLE_AFTER,
        queued_deadline: float | None = None,
        abort_for: str | None = None,
        abort_on_kill: bool = True,
        abort_on_timeout: bool = False,
        endpoint: str | None = None,
        launched: bool = True,
    ) -> None:
        super().__init__(
            run_name=run_name,
            project=project,
            domain=domain,
            flyte_conn_id=flyte_conn_id,
            poll_interval=poll_interval,
            execution_deadline=execution_deadline,
            not_before=not_before,
            missing_after=missing_after,
            unreachable_after=unreachable_after,
        )
        self.abort_for = abort_for
        self.queued_deadline = timestamp("queued_deadline", queued_deadline)
        with argument_errors():
            self.abort_on_kill = switch("abort_on_kill", abort_on_kill)
            self.abort_on_timeout = switch("abort_on_timeout", abort_on_timeout)
        self.endpoint = endpoint
        self.launched = launched

    @property
    def _deadlines(self) -> dict[Ending, float | None]:
        return super()._deadlines | {Ending.QUEUED: self.queued_deadline}

    @property
    def _what(self) -> str:
        return super()._what if self.launched else f"Flyte to answer ({super()._what} is not launched yet)"

    def _why(self, event: RunEvent) -> str:
        # Before the launch any answer about the run will do.
        return "Flyte answers" if event.answered and not self.launched else super()._why(event)

    def _cancelled(self) -> None:
        # A triggerer says whose trigger it is. ``dag.test()`` does not: there a cancellation is the author's Ctrl-C.
        if getattr(self, "task_instance", None) is None and self.launched:
            self.log.warning(interrupted(RunKey(self.project or "", self.domain or "", self.run_name)))

    async def _before(self, event: RunEvent) -> None:
        if event.ending is Ending.TASK_TIMED_OUT and self.abort_on_timeout:
            await self._abort("execution_timeout has passed")
        await super()._before(event)

    async def on_kill(self) -> None:
        """Abort the run, if the task was really killed. Airflow calls this from 3.3 on, and waits about a second."""
        if self.abort_for is None and not self.launched:
            self.log.info("Nothing was launched, so there is no Flyte run to abort.")
            return
        if self.abort_for is None:
            self.log.info(not_ours(self.run_name))
            return
        if not self.abort_on_kill:
            self.log.info(kept_by_setting(self.run_name, "", "; after a clear the task's next try aborts it."))
            return
        # A task of its own: Airflow cancels the trigger again a second later, and the abort is to go on.
        aborting = asyncio.ensure_future(self._abort_if_killed())
        _aborting.add(aborting)
        aborting.add_done_callback(_aborting.discard)
        await asyncio.shield(aborting)

    async def _abort_if_killed(self) -> None:
        state = await atask_state(self.task_instance)
        why = why_killed(state, deferred=True)
        if why:
            await self._abort(why)
        elif state in (UNKNOWN, "deferred"):
            self.log.info(
                "This trigger was told to stop, %s. Flyte run %s is not aborted.", because_of(state), self.run_name
            )
        else:
            # Of a task that was cleared this is its next try's state.
            self.log.info(
                "Flyte run %s is not aborted by this trigger, because its task is %s again. If it was cleared, its "
                "next try aborts the run before it launches another.",
                self.run_name,
                state,
            )

    async def _abort(self, why: str) -> None:
        from airflow_provider_flyte.hooks import FlyteHook

        if self.abort_for is None:
            return
        try:
            async with await FlyteHook(self.flyte_conn_id).aget_client() as client:
                reason = abort_reason(self.abort_for, why)
                aborted = await client.abort.aio(self.run_name, reason, project=self.project, domain=self.domain)
                done = abort_outcome(aborted, self.endpoint, client.config.endpoint)
            self.log.info(abort_done(why, f"{done}."))
        except Exception as error:
            self.log.exception(abort_failed(why, self.run_name, error))


def defer(task: FlyteRunOperator, context: Context, settled: Settled, unreachable_after: float | None) -> None:
    """Let the triggerer wait for a run, or for Flyte to answer before the launch.

    :param task: the operator.
    :param context: its context.
    :param settled: what the task resumes with.
    :param unreachable_after: seconds of trouble after which it does; None: never.
    :raises TaskDeferred: always; Airflow takes it for what it is.
    """
    launched = settled.launched is True
    now = time.time()
    queued_deadline = settled.queued_until
    if queued_deadline is not None and queued_deadline <= now:
        # Flyte could not be asked by then: now the trigger counts the trouble, and the look has to wait.
        queued_deadline = None if task.unreachable_after is None else now + task.unreachable_after
    task.defer(
        trigger=FlyteLaunchedRunTrigger(
            run_name=settled.run_names[0],
            project=settled.project,
            domain=settled.domain,
            flyte_conn_id=task.flyte_conn_id,
            poll_interval=task.poll_interval,
            execution_deadline=settled.execution_deadline,
            not_before=now + task.resume_after,
            # Before the launch Flyte's answer that there is no such run ends the wait, which is for an answer.
            missing_after=task.missing_after if launched else 0.0,
            unreachable_after=unreachable_after,
            queued_deadline=queued_deadline,
            abort_for=str(task_instance_of(context)) if settled.ours or settled.launched is None else None,
            abort_on_kill=task.abort_on_kill,
            abort_on_timeout=task.abort_on_timeout,
            endpoint=settled.endpoint,
            launched=launched,
        ),
        method_name="execute_complete",
        kwargs=settled.keep(context, task.log),
    )
