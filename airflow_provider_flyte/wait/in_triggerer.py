"""What a sensor that starts in the triggerer needs there: its arguments, its task instance, and the shared client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat import XCom, expand_mapped
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.wait.from_trigger import LONGEST, XCOM, arguments_there

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.watch.watcher import RunWatcher

_RENDERING = 30.0
"""Seconds after which templates count as not rendered: Airflow never answers some questions of a triggerer."""


class CannotRenderError(Exception):
    """The triggerer cannot tell what a worker could."""


@dataclass
class Instance:
    """The task instance, without its DAG: that of a triggerer's thousand tasks would be there a thousand times."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    start_date: datetime
    retries: bool
    """Whether Airflow may retry the task, by what it was told."""

    on_worker: Mapping[str, str]
    """Why a worker has to end the task in a state, by that state: Airflow does it nowhere else (3.3.2)."""

    cancelled: bool = False
    """Whether its trigger is: a thread goes on, and must put nothing into the XCom of another try."""

    def xcom_push(self, key: str, value: Any) -> None:
        """Put a value into XCom, through the XCom backend."""
        if not self.cancelled:
            XCom.set(key, value, **self._place)

    def forget_earlier_tries(self, keys: tuple[str, ...]) -> None:
        """Delete what earlier tries have put into XCom, as a worker does that starts a task."""
        if self.try_number > 1:
            for key in keys:
                XCom.delete(key=key, **self._place)

    @property
    def _place(self) -> dict[str, Any]:
        return {"dag_id": self.dag_id, "task_id": self.task_id, "run_id": self.run_id, "map_index": self.map_index}


def instance_of(context: Mapping[str, Any], ends: datetime | None, timeout: float | None, now: float) -> Instance:
    """The task instance of a trigger.

    :param ends: when Airflow ends the deferral, if the trigger does not; it has no start of the try for the triggerer.
    :param timeout: how long after its start that is, by the sensor's own arguments; None: of a mapped sensor.
    :param now: seconds since the epoch.
    """
    ti, task = context["ti"], context["task"]
    span = LONGEST.total_seconds() if timeout is None else timeout
    if task.execution_timeout is not None:
        span = min(span, task.execution_timeout.total_seconds())
    began = now if ends is None else min(now, ends.timestamp() - span)
    return Instance(
        ti.dag_id,
        ti.run_id,
        ti.task_id,
        -1 if ti.map_index is None else ti.map_index,
        ti.try_number,
        datetime.fromtimestamp(began, timezone.utc),
        bool(task.retries),
        dict(_on_worker(task)),
    )


def _on_worker(task: Any) -> Iterator[tuple[str, str]]:
    if task.outlets:
        yield "success", "Airflow has a worker alone fire the events of its outlets"
    if task.has_on_success_callback:
        yield "success", "Airflow has a worker alone call its on_success_callback"
    if task.has_on_skipped_callback:
        yield "skipped", "Airflow has a worker alone call its on_skipped_callback"
    if task.email and (task.email_on_failure or (task.email_on_retry and task.retries)):
        yield "failed", "Airflow has a worker alone send its email"
    if task.has_retry_policy and task.retries:
        yield "failed", "Airflow has a worker alone ask its retry_policy"


def let_go_of_dag(context: dict[str, Any]) -> None:
    """Empty a context, which Airflow holds for as long as its trigger runs, with the task instance and the DAG."""
    context["ti"].task = None
    context.clear()


# -- what the sensor was given


class _Pulling:
    """A task instance whose ``xcom_pull`` asks for one value where Airflow would ask for all of a task's.

    That question a triggerer's supervisor does not know, and it never answers (3.3.2).
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._ti, self._dag, self._task = context["ti"], context["dag"], context["task"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)

    def xcom_pull(self, task_ids: Any = None, *args: Any, **given: Any) -> Any:
        if "map_indexes" not in given and given.get("dag_id") in (None, self._ti.dag_id) and not args:
            if task_ids is not None and not isinstance(task_ids, str):
                return [self.xcom_pull(each, **given) for each in task_ids]
            given["map_indexes"] = self._index_of(task_ids)
        return self._ti.xcom_pull(task_ids, *args, **given)

    def _index_of(self, task_id: str | None) -> int:
        upstream = self._task if task_id is None else self._dag.get_task(task_id)
        group = upstream.get_closest_mapped_task_group()
        if upstream.is_mapped and upstream is not self._task:
            raise CannotRenderError(f"Airflow does not give a triggerer the outputs of the mapped task {task_id!r}.")
        if upstream is self._task or (group is not None and group is self._task.get_closest_mapped_task_group()):
            return int(self._ti.map_index)
        if group is not None:
            raise CannotRenderError(f"Airflow does not give a triggerer the outputs of {task_id!r} in a mapped group.")
        return -1


@dataclass
class _Known:
    """A value that is no template, or an upstream task's; Airflow asks it for the value."""

    value: Any = None
    xcom: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, context: Mapping[str, Any]) -> Any:
        if self.xcom:
            return context["ti"].xcom_pull(self.xcom["task_id"], key=self.xcom["key"])
        return self.value


def rendering_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """A context that templates can be rendered with here."""
    pulling = _Pulling(context)
    return {**context, "ti": pulling, "task_instance": pulling}


def given_to(sensor_class: type, stored: Mapping[str, Any] | None, context: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a sensor, with templates that are still to be rendered.

    :param stored: what ``wait/from_trigger.py`` has stored; None of a mapped one.
    :param context: of :func:`rendering_context`.
    :raises CannotRenderError: where a mapped sensor's cannot be found out here.
    """
    if stored is not None:
        return {name: _with_references(value) for name, value in stored.items()}
    task, known = context["task"], arguments_there(sensor_class)
    given = {name: _with_references(value) for name, value in task.partial_kwargs.items() if name in known}
    try:
        expanded, known_values = expand_mapped(task, context["ti"])
    except CannotRenderError:
        raise
    except Exception as error:
        raise CannotRenderError(f"The mapped arguments cannot be told: {type(error).__name__}: {error}") from error
    for name, value in expanded.items():
        given[name] = _Known(value) if name in known_values and name in sensor_class.template_fields else value  # type: ignore[attr-defined]
    return {name: value for name, value in given.items() if name in known}


def _with_references(value: Any) -> Any:
    if isinstance(value, Mapping):
        if XCOM in value:
            return _Known(xcom=value[XCOM])
        return {key: _with_references(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_references(each) for each in value]
    operator, key = getattr(value, "operator", None), getattr(value, "key", None)
    # In the serialized task of a mapped sensor.
    return _Known(xcom={"task_id": operator.task_id, "key": key}) if operator is not None and key else value


@contextmanager
def bounded_rendering() -> Iterator[None]:
    """End what this block asks of Airflow and gets no answer to.

    :raises CannotRenderError: after half a minute.
    """
    task, late = asyncio.current_task(), False

    def stop() -> None:
        nonlocal late
        late = True
        if task is not None:
            task.cancel()

    timer = asyncio.get_running_loop().call_later(_RENDERING, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not late:
            raise
        if task is not None and hasattr(task, "uncancel"):
            task.uncancel()
        raise CannotRenderError("Airflow has not answered a question of the templates for half a minute.") from None
    finally:
        timer.cancel()


# -- the client


class SharedClient:
    """The client of the shared watcher for a sensor's blocking code in a thread; a HeldClient otherwise.

    :param watcher: the watcher, or why there is none.
    :param loop: its event loop.
    """

    def __init__(
        self, flyte_conn_id: str, watcher: RunWatcher | FlyteConfigurationError, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.flyte_conn_id = flyte_conn_id
        self._watcher = watcher
        self._loop = loop
        self._client: FlyteClient | None = None

    def get(self) -> FlyteClient:
        """The client.

        :raises FlyteConfigurationError: when the connection is missing or cannot be used.
        """
        if isinstance(self._watcher, FlyteConfigurationError):
            raise self._watcher
        if self._client is None:
            self._client = self._watcher.asking.client
        return self._client

    def refresh(self) -> bool:
        """Have the connection read again, for all that wait over it; returns whether there is another client now."""
        if isinstance(self._watcher, FlyteConfigurationError) or self._client is None:
            return False
        client = self._client
        renewing = asyncio.run_coroutine_threadsafe(self._watcher.asking.renew(client), self._loop)
        self._client = None
        return renewing.result() or self.get() is not client

    def close(self) -> None:
        """Leave it to the watcher."""
