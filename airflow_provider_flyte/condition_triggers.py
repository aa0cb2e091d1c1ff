"""The trigger of FlyteConditionOperator: it waits for a condition, for an answer, and for Flyte to take the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import ConditionError, ConfigError, FlyteError
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat import TriggerEvent
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.task_log import TroubleLog
from airflow_provider_flyte.wait.airflow_request import AirflowRequest
from airflow_provider_flyte.wait.condition_event import (
    CRASHED,
    GONE,
    LATE,
    MISSING,
    NO_CONNECTION,
    REFUSED,
    RUN_OVER,
    SEEK,
    SEND,
    SENT,
    WAITS,
    WATCH,
    condition_event,
)
from airflow_provider_flyte.wait.condition_reader import ConditionReader
from airflow_provider_flyte.wait.shared_watcher import Lease
from airflow_provider_flyte.wait.trigger import TaskTrigger

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, SignalledCondition
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.client.flows.conditions import Condition

READ_EVERY = 5.0
"""Seconds between two reads of Airflow's request; before Airflow 3.3 an answer resumes no task by itself."""


class FlyteConditionTrigger(TaskTrigger):
    """Waits for one condition of a run, in one of three stages. It aborts nothing, whatever ends it.

    :param stage: ``find_condition``, ``wait_for_answer`` in Flyte and to Airflow's request, or ``send_answer``.
    :param run_name: the run.
    :param condition: the condition's name, or its action's; once it is found its action's.
    :param project: of the run.
    :param domain: of the run.
    :param flyte_conn_id: the Airflow connection.
    :param poll_interval: seconds between two polls of Flyte.
    :param task_instance_id: whose request it is.
    :param request_matches: whether Airflow's request is about this condition; if not, it is closed and its answers are
        ignored.
    :param read_earlier_response: whether Airflow may have an answer that was not sent.
    :param response_deadline: when ``response_timeout`` has passed, in seconds since the epoch; None: never.
    :param default_response: the answer that is taken then, as ``chosen_options`` and ``params_input``; None: none.
    :param value: the answer to send.
    :param not_before: the event is held until then, in seconds since the epoch, because Airflow's scheduler fails some
        tasks that resume a few seconds after they deferred; None: not at all.
    """

    def __init__(
        self,
        stage: str,
        run_name: str,
        condition: str,
        project: str,
        domain: str,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        poll_interval: float = 10.0,
        task_instance_id: str = "",
        request_matches: bool = True,
        read_earlier_response: bool = False,
        response_deadline: float | None = None,
        default_response: dict[str, Any] | None = None,
        value: Any = None,
        not_before: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stage = stage
        self.run_name = run_name
        self.condition = condition
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        self.poll_interval = poll_interval
        self.task_instance_id = task_instance_id
        self.request_matches = request_matches
        self.read_earlier_response = read_earlier_response
        self.response_deadline = response_deadline
        self.default_response = default_response
        self.value = value
        self.not_before = not_before

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, whatever happens, except for a cancellation."""
        self._sending = TroubleLog(self.log)
        self._request = AirflowRequest(self.task_instance_id)
        try:
            event = await self._event()
            await self._hold()
            yield TriggerEvent(event)
        finally:
            self._release()

    async def _event(self) -> dict[str, Any]:
        stages: dict[str, Callable[[ConditionReader], Awaitable[dict[str, Any]]]]
        stages = {SEEK: self._seek, WATCH: self._watch, SEND: self._send}
        try:
            self._lease = Lease(self.flyte_conn_id)
            key = RunKey(self.project, self.domain, self.run_name)
            watcher = await self._lease.watcher()
            return await stages[self.stage](ConditionReader(watcher, key, self.condition, self.log, self._now))
        except ConditionError as error:
            return condition_event(REFUSED, message=str(error))
        except (FlyteConfigurationError, ConfigError) as error:
            return condition_event(NO_CONNECTION, message=str(error))
        except Exception as error:
            self.log.exception("The wait for a condition failed in the triggerer with an unexpected error.")
            return condition_event(CRASHED, message=f"{type(error).__name__}: {error}")

    async def _seek(self, reader: ConditionReader) -> dict[str, Any]:
        from airflow_provider_flyte.client.flows.conditions import seek_condition

        self.log.info("Waiting until condition %r of Flyte run %s waits for an answer.", self.condition, reader.key)
        while True:
            over, found = await reader.read(seek_condition)
            if reader.missing:
                return condition_event(MISSING)
            if found is not None:
                event = condition_event(WAITS if found.waits else GONE, action=found.action)
                response = await self._request.response() if self.read_earlier_response else None
                return event | ({} if response is None else {"response": response})
            if reader.is_hopeless(over):
                return condition_event(RUN_OVER)
            await self._sleep(self.poll_interval)

    async def _watch(self, reader: ConditionReader) -> dict[str, Any]:
        from airflow_provider_flyte.client.flows.conditions import read_condition

        if not self.request_matches:
            await self._request.close()
        read_at = None
        while True:
            response = await self._request.response() if self.request_matches else None
            if response is not None:
                return response
            now = self._now()
            late = self.response_deadline is not None and now >= self.response_deadline
            if late or read_at is None or now - read_at >= self.poll_interval:
                read_at = now
                over, condition = await reader.read(read_condition)
                if reader.missing:
                    return await self._closed(condition_event(MISSING))
                if condition is not None and condition.over:
                    return await self._gone(condition)
                if reader.is_hopeless(over):
                    return await self._closed(condition_event(RUN_OVER))
                if late:
                    # Also where the condition cannot be read: the task reads it before it sends the default.
                    return await self._late()
            await self._sleep(READ_EVERY)

    async def _gone(self, condition: Condition) -> dict[str, Any]:
        from airflow_provider_flyte.wait.human_request import as_response

        event = condition_event(GONE, action=condition.action)
        if condition.value is None:
            return await self._closed(event)
        await self._request.close(*as_response(condition, condition.value))
        return event

    async def _late(self) -> dict[str, Any]:
        default = self.default_response or {"chosen_options": [], "params_input": {}}
        # Somebody may be quicker. An answer that Airflow has taken counts, so it has to be known that there is none.
        while self.request_matches and not self._request.closed and not await self._request.close(**default):
            if response := await self._request.response():
                return response
            await self._sleep(READ_EVERY)
        return {**default, "timedout": True} if self.default_response else condition_event(LATE)

    async def _send(self, reader: ConditionReader) -> dict[str, Any]:
        from airflow_provider_flyte.client.flows.conditions import read_condition

        while True:
            over, condition = await reader.read(read_condition)
            if reader.missing:
                return condition_event(MISSING)
            if condition is not None and condition.over:
                return condition_event(GONE, action=condition.action)
            if reader.is_hopeless(over):
                return condition_event(RUN_OVER)
            if condition is not None:
                try:
                    await reader.watcher.asking.ask(partial(self._signal, condition))
                except ConditionError:
                    # It was answered in between, or the run has ended, which the next read shows.
                    pass
                except FlyteError as error:
                    self._sending.log(str(error), " to the answer", over=False)
                else:
                    return condition_event(SENT, action=condition.action)
            await self._sleep(self.poll_interval)

    def _signal(self, condition: Condition, client: FlyteClient) -> Flow[SignalledCondition]:
        from airflow_provider_flyte.client.flows.signal import answer

        return answer(condition, client.config.org, self.value)

    async def _closed(self, event: dict[str, Any]) -> dict[str, Any]:
        await self._request.close()
        return event
