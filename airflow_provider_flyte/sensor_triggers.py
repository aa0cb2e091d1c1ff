"""FlyteSensorTrigger: a FlyteRunSensor in the triggerer, for a task that starts there.

It makes the sensor of what the DAG has of it, renders its templates, and waits with FlyteRunTrigger. Where the task
ends in the triggerer too, the sensor's own code for a worker reads the details and decides, in a thread and over the
shared client, so that it means the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConfigurationError
from airflow_provider_flyte.links import FlyteRunLink, show_link
from airflow_provider_flyte.report.xcom import DETAILS, RUN_NAME, RUN_URL
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.triggers import FlyteRunTrigger
from airflow_provider_flyte.wait.event import Ending, RunEvent, with_settled
from airflow_provider_flyte.wait.from_trigger import BACKSTOP
from airflow_provider_flyte.wait.in_triggerer.client import WatcherClient
from airflow_provider_flyte.wait.in_triggerer.instance import Instance, instance_of, let_go_of_dag
from airflow_provider_flyte.wait.in_triggerer.templates import (
    bounded_rendering,
    defaults_of,
    given_to,
    rendering_context,
)
from airflow_provider_flyte.wait.resumption import XCOM_KEY
from airflow_provider_flyte.wait.shared_watcher import Lease
from airflow_provider_flyte.wait.trigger import TaskTrigger

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunWatcher
    from airflow_provider_flyte.wait.resumption import Settled

T = TypeVar("T")

_threads = ThreadPoolExecutor(32, thread_name_prefix="flyte-sensor")
"""Of our own: Airflow's and asyncio's are few, and a thread is held while Flyte is away."""


_ON_WORKER = "A worker ends this task, because %s."

_OF_A_TRY = (DETAILS, RUN_NAME, RUN_URL, FlyteRunLink().xcom_key, XCOM_KEY)
"""The keys under which a try of a sensor puts something into XCom."""

_MOST_NAMES = 20
"""How many names of runs an event has."""


class _StillWaiting(BaseException):
    """The wait is not over, where a worker would defer once more."""

    def __init__(self, settled: Settled) -> None:
        self.settled = settled


class _SensorHere(FlyteRunSensor):
    """The sensor, which neither defers nor makes a client of its own."""

    shared: WatcherClient | None = None

    def _client(self) -> Any:
        return self.shared

    def _defer(self, context: Any, settled: Settled) -> None:
        raise _StillWaiting(settled)


class _Wait(FlyteRunTrigger):
    """The wait, which settles what the connection says as soon as it is read."""

    settled: Settled
    on_begin: Callable[[RunWatcher, Settled], Settled]

    def _log_beginning(self) -> None:
        super()._log_beginning()
        if self._lease is not None and self._lease.ready is not None:
            self.settled = self.on_begin(self._lease.ready, self.settled)


class FlyteSensorTrigger(TaskTrigger):
    """A FlyteRunSensor with ``start_from_trigger=True``.

    :param sensor: its arguments, unrendered; None of a mapped one: they are in its task.
    """

    def __init__(self, sensor: dict[str, Any] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sensor = sensor
        self._context: Any = None
        self._wait: _Wait | None = None

    def render_template_fields(self, context: Any, jinja_env: object = None) -> None:
        """Keep the context until :meth:`run`, where rendering can be ended that Airflow never answers."""
        self._context = context

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, whatever happens, except for a cancellation."""
        try:
            event = await self._event()
        except Exception as error:
            self.log.exception(
                "The wait for %s failed in the triggerer with an unexpected error. The task resumes and reports it.",
                "a Flyte run",
            )
            crashed = RunEvent(Ending.CRASHED, "", message=f"{type(error).__name__}: {error}")
            event = TriggerEvent(crashed.to_payload())
        yield event

    async def cleanup(self) -> None:
        """Give the watcher back."""
        if self._wait is not None:
            await self._wait.cleanup()

    async def _event(self) -> TriggerEvent:
        if self._context is None:
            return self._not_begun("Airflow has given the trigger no context (dag.test() gives none).")
        try:
            ti, sensor = self._begin()
        except Exception as error:
            return self._not_begun(f"{type(error).__name__}: {error}")
        context: Any = {"ti": ti}
        try:
            sensor._check_arguments()
        except (FlyteArgumentError, AirflowSkipException) as error:
            return self._ended(sensor, ti, error) or self._not_begun(str(error))
        settled = sensor._settle(context, ti.start_date.timestamp())
        try:
            await _in_thread(ti.forget_earlier_tries, _OF_A_TRY)
            return await self._waited(sensor, context, settled)
        except asyncio.CancelledError:
            ti.cancelled = True
            raise

    async def _waited(self, sensor: _SensorHere, context: Any, settled: Settled) -> TriggerEvent:
        """Wait, and end the task or have a worker do it."""
        ti: Instance = context["ti"]
        not_before = None
        while True:
            self._wait = wait = _Wait(**sensor._trigger_arguments(settled), not_before=not_before)
            wait.settled, wait.on_begin = settled, partial(_begun, sensor, context)
            async for event in wait.run():
                payload = event.payload
            settled = wait.settled
            if not sensor.end_from_trigger:
                return _resumes(payload, settled)
            read = RunEvent.from_payload(payload)
            if read.ending is Ending.SUCCEEDED and self._ends_on_worker(ti, "success"):
                return _resumes(payload, settled)
            outcome = await self._conclude(sensor, context, settled, read)
            if isinstance(outcome, TriggerEvent):
                return outcome
            if outcome is None:
                return _resumes(payload, settled)
            # A wait that ends at once, again and again (silent_fail), is slowed down; that for a run just found is not.
            settled = outcome
            not_before = None if read.ending is Ending.FOUND else time.time() + sensor.resume_after

    def _begin(self) -> tuple[Instance, _SensorHere]:
        """The task instance, and its sensor with rendered arguments. The DAG is let go of."""
        context, self._context = self._context, None
        try:
            rendering: Any = rendering_context(context)
            with bounded_rendering():
                given = given_to(FlyteRunSensor, self.sensor, rendering)
                # Those of one that is not mapped are among what was stored.
                defaults = defaults_of(FlyteRunSensor, rendering) if self.sensor is None else {}
                ends = getattr(self, "timeout_after", None)
                span = None if self.sensor is None else given["timeout"] + BACKSTOP.total_seconds()
                ti = instance_of(context, ends, span, time.time())
                task = context["task"]
                given.pop("start_from_trigger", None)
                ends_here = given.pop("end_from_trigger", False)
                sensor = _SensorHere(
                    task_id=task.task_id,
                    execution_timeout=task.execution_timeout,
                    default_args=defaults,
                    render_template_as_native_obj=context["dag"].render_template_as_native_obj
                    if getattr(task, "render_template_as_native_obj", None) is None
                    else task.render_template_as_native_obj,
                    **given,
                )
                sensor.end_from_trigger = ends_here
                sensor.render_template_fields(rendering)
            return ti, sensor
        finally:
            let_go_of_dag(context)

    def _not_begun(self, why: str) -> TriggerEvent:
        self.log.warning("The triggerer cannot tell what this sensor is to wait for, so a worker begins. %s", why)
        return TriggerEvent(RunEvent(Ending.NOT_BEGUN, "", message=why).to_payload())

    async def _conclude(
        self, sensor: _SensorHere, context: Any, settled: Settled, event: RunEvent
    ) -> TriggerEvent | Settled | None:
        """End the task as a worker would; None: only a worker can; what is settled: the wait goes on."""
        from airflow_provider_flyte.wait.task_wait import patience

        lease = Lease(sensor.flyte_conn_id)
        try:
            sensor.shared = WatcherClient(sensor.flyte_conn_id, await _watcher(lease), asyncio.get_running_loop())
            ti: Instance = context["ti"]

            def conclude() -> TriggerEvent | Settled | None:
                try:
                    with sensor._never_failing():
                        value = sensor._observe_or_defer(context, settled, patience(event), event)
                        if value is not None and sensor.do_xcom_push:
                            ti.xcom_push(DETAILS, value)
                        return TaskSuccessEvent()
                except _StillWaiting as still:
                    return still.settled
                except (Exception, AirflowTaskTimeout) as error:
                    return self._ended(sensor, ti, error)

            return await _in_thread(conclude)
        finally:
            lease.release()

    def _ended(self, sensor: _SensorHere, ti: Instance, error: BaseException) -> TriggerEvent | None:
        """The event that ends the task with this error; None where only a worker can."""
        if not sensor.end_from_trigger:
            return None
        skips = isinstance(error, AirflowSkipException)
        if self._ends_on_worker(ti, "skipped" if skips else "failed"):
            return None
        if skips:
            self.log.info("The task is skipped: %s", error)
            return TaskSkippedEvent()
        if isinstance(error, (AirflowFailException, AirflowSensorTimeout)) and ti.retries:
            self.log.info(_ON_WORKER, "a trigger cannot fail it without a retry")
            return None
        self.log.error("The task fails: %s: %s", type(error).__name__, error)
        return TaskFailedEvent()

    def _ends_on_worker(self, ti: Instance, state: str) -> bool:
        """Whether a worker has to end the task in a state."""
        if state in ti.on_worker:
            self.log.info(_ON_WORKER, ti.on_worker[state])
        return state in ti.on_worker


def _resumes(payload: dict[str, Any], settled: Settled) -> TriggerEvent:
    """The event with which a worker resumes. Airflow logs it in full: the worker finds many names itself."""
    return TriggerEvent(with_settled(payload, asdict(settled)) if len(settled.run_names) <= _MOST_NAMES else payload)


def _begun(sensor: _SensorHere, context: Any, watcher: RunWatcher, settled: Settled) -> Settled:
    """Show the button, and return what is settled with the connection's project and domain."""
    config = watcher.asking.config
    try:
        where = config.project_domain(settled.project, settled.domain, sensor._what)
    except ConfigError:
        # The wait ends with this.
        return settled
    if keys := [where.run(name) for name in settled.run_names]:
        _threads.submit(copy_context().run, show_link, sensor, context, config.run_url(keys[0]), keys)
    return replace(settled, project=where.project, domain=where.domain, endpoint=settled.endpoint or config.endpoint)


async def _watcher(lease: Lease) -> RunWatcher | FlyteConfigurationError:
    try:
        return lease.ready or await lease.watcher()
    except FlyteConfigurationError as error:
        return error
    except Exception as error:
        return FlyteConfigurationError(f"The Airflow connection could not be read: {type(error).__name__}: {error}")


async def _in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """Call it in a thread of ours, with this task's context: Airflow finds the task's log by it."""
    return await asyncio.get_running_loop().run_in_executor(_threads, copy_context().run, call, *arguments)
