"""Differences between Airflow's versions that the provider needs to know: names, calls and habits.

Airflow's names are imported from here and from nowhere else. ``airflow.providers.common.compat.sdk`` gives such names
too, but not with every Airflow: 3.0.6 was released with its 1.7.3, 2.11.0 with 1.7.0, which have no such module, and
``mask_secret`` exists from 1.22 on, whose Python is 3.11.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    # isort: off
    from airflow.sdk import (
        Asset as Asset,
        AssetAlias as AssetAlias,
        BaseHook as BaseHook,
        BaseOperator as BaseOperator,
        BaseOperatorLink as BaseOperatorLink,
        BaseSensorOperator as BaseSensorOperator,
        Context as Context,
        PokeReturnValue as PokeReturnValue,
        XComArg as XComArg,
        task as task,
    )
    from airflow.sdk.bases.decorator import (
        DecoratedOperator as DecoratedOperator,
        determine_kwargs as determine_kwargs,
        task_decorator_factory as task_decorator_factory,
    )
    from airflow.sdk.configuration import conf as conf
    from airflow.sdk.definitions.asset import AssetRef as AssetRef
    from airflow.sdk.exceptions import (
        AirflowException as AirflowException,
        AirflowFailException as AirflowFailException,
        AirflowNotFoundException as AirflowNotFoundException,
        AirflowSensorTimeout as AirflowSensorTimeout,
        AirflowSkipException as AirflowSkipException,
        AirflowTaskTimeout as AirflowTaskTimeout,
        TaskDeferred as TaskDeferred,
    )
    from airflow.sdk.execution_time.xcom import XCom as XCom
    from airflow.sdk.log import mask_secret as mask_secret
    from airflow.plugins_manager import AirflowPlugin as AirflowPlugin
    from airflow.triggers.base import (
        BaseEventTrigger as BaseEventTrigger,
        BaseTrigger as BaseTrigger,
        StartTriggerArgs as StartTriggerArgs,
        TaskFailedEvent as TaskFailedEvent,
        TaskSkippedEvent as TaskSkippedEvent,
        TaskSuccessEvent as TaskSuccessEvent,
        TriggerEvent as TriggerEvent,
    )
    from airflow.triggers.shared_stream import (
        AdvanceItem as AdvanceItem,
        SharedStreamProducer as SharedStreamProducer,
    )
    # isort: on

log = logging.getLogger(__name__)

T = TypeVar("T")

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")

_HOMES = {
    "AirflowPlugin": ("airflow.plugins_manager",),
    "Asset": ("airflow.sdk", "airflow.datasets"),
    "AssetAlias": ("airflow.sdk", "airflow.datasets"),
    "AssetRef": ("airflow.sdk.definitions.asset", "airflow.datasets"),
    "BaseEventTrigger": ("airflow.triggers.base", "airflow.triggers.base"),
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
    "BaseTrigger": ("airflow.triggers.base",),
    "Connection": ("airflow.sdk", "airflow.models.connection"),
    "Context": ("airflow.sdk", "airflow.utils.context"),
    "DecoratedOperator": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sensors.base"),
    "XComArg": ("airflow.sdk", "airflow.models.xcom_arg"),
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
    "determine_kwargs": ("airflow.sdk.bases.decorator", "airflow.utils.operator_helpers"),
    "mask_secret": ("airflow.sdk.log", "airflow.utils.log.secrets_masker"),
    "SharedStreamProducer": ("airflow.triggers.shared_stream",),
    "StartTriggerArgs": ("airflow.triggers.base",),
    "task": ("airflow.sdk", "airflow.decorators"),
    "task_decorator_factory": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "Stats": ("airflow.sdk.observability.stats", "airflow.stats"),
    "TaskFailedEvent": ("airflow.triggers.base",),
    "TaskSkippedEvent": ("airflow.triggers.base",),
    "TaskSuccessEvent": ("airflow.triggers.base",),
    "TriggerEvent": ("airflow.triggers.base",),
    "AirflowException": _EXCEPTIONS,
    "AirflowFailException": _EXCEPTIONS,
    "AirflowNotFoundException": _EXCEPTIONS,
    "AirflowSensorTimeout": _EXCEPTIONS,
    "AirflowSkipException": _EXCEPTIONS,
    "AirflowTaskTimeout": _EXCEPTIONS,
    "TaskDeferred": _EXCEPTIONS,
}
"""The modules of a name: in the newest Airflow, in older ones. ``airflow.sdk`` came with 3.0 and grew until 3.2."""

_BEFORE = {
    "Asset": "Dataset",
    "AssetAlias": "DatasetAlias",
    "AssetRef": "Dataset",
    "BaseEventTrigger": "BaseTrigger",
}
"""What a name was before, or what stands for it so that a class can be defined, if not used."""


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: a DAG file pays only for what it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = _find(name)
    return found


def _find(name: str) -> Any:
    *newer, oldest = _HOMES[name]
    for module in newer:
        try:
            return getattr(import_module(module), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    return getattr(import_module(oldest), _BEFORE.get(name, name))


TRIGGER_FAILED = "__fail__"
"""The next_method of a task whose trigger failed or timed out."""

TRIGGER_TIMED_OUT = frozenset({"Trigger timeout", "Trigger/execution timeout"})
"""The scheduler's error when a deferral has passed its ``timeout``: 3.x, 2.11."""


def first_reschedule(context: Context, sensor: BaseSensorOperator) -> tuple[float, Context]:
    """When this try poked first, in seconds since the epoch, and the context for Airflow's own sensor.

    That is now, unless the try has been rescheduled since. In ``dag.test()`` of 3.0 the date is a text, with which
    Airflow's own sensor breaks at its second poke: there, the context has a date.
    """
    if not sensor.reschedule:
        return time.time(), context
    ti: Any = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        date = ti.get_first_reschedule_date(context)
    else:
        from airflow.sensors.base import _orig_start_date

        date = _orig_start_date(
            dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index, try_number=ti.try_number
        )
    if isinstance(date, str):
        # Python 3.10 reads no Z.
        date = datetime.fromisoformat(date.replace("Z", "+00:00"))
        context = cast("Context", {**context, "ti": _Dated(ti, date)})
    return date.timestamp() if date else time.time(), context


class _Dated:
    """A task instance with another first reschedule."""

    def __init__(self, ti: Any, first: datetime) -> None:
        self._ti, self._first = ti, first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)

    def get_first_reschedule_date(self, context: Context) -> datetime:
        return self._first


async def in_airflow(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Make a blocking call into Airflow from an event loop, in a thread, and to its end.

    Such a call may ask the supervisor. From asgiref's thread that goes back to the loop which owns the supervisor's
    socket; from any other one, ``asyncio.to_thread``'s too, Airflow before 3.2 reads the socket in a second loop, and
    then all waits of the triggerer hang (3.0.6) or its runner dies (3.1.8). Nor may the call be cancelled halfway:
    those versions take its unread answer for that of the next call.
    """
    from asgiref.sync import sync_to_async

    return await asyncio.shield(sync_to_async(call)(*args, **kwargs))


async def aconnection(hook: type[BaseHook], conn_id: str) -> Any:
    """The connection, on an event loop.

    Before 3.3.2 Airflow's own ``aget_connection`` masks the secrets with a call that blocks the loop, and without
    notifying the supervisor. A blocking ``get_connection`` in a task that was started inside a trigger finds no
    connection that is in the database (3.3.2). In ``dag.test()`` it is the other way round: the supervisor that a
    trigger has there answers blocking calls alone, and ``aget_connection`` takes that for a connection that does not
    exist (3.3.2).
    """
    if hasattr(_find("Connection"), "aextra_dejson") and _supervisor_has_asend():
        return await hook.aget_connection(conn_id)
    return await in_airflow(hook.get_connection, conn_id)


def _supervisor_has_asend() -> bool:
    """Whether Airflow's supervisor can be asked on an event loop; True where there is none. For Airflow 3."""
    from airflow.sdk.execution_time import task_runner

    supervisor = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return supervisor is None or hasattr(supervisor, "asend")


def failing_backends(conn_id: str) -> list[str]:
    """The secrets backends that fail to read a connection, and how. Airflow skips them, and reports that the connection
    does not exist.

    The text of a failure is left out where it may quote the connection.
    """
    asked = (_asked(backend, conn_id) for backend in _secrets_backends())
    return [failure for _, failure in asked if failure]


async def afailing_backends(conn_id: str) -> list[str]:
    """:func:`failing_backends` on an event loop."""
    return await in_airflow(failing_backends, conn_id)


def unread_variable(conn_id: str) -> str:
    """How Airflow fails to read the connection's environment variable, or ''.

    Airflow skips it and takes a connection of that id from the database, which may be another Flyte's. '' too
    where a secrets backend that goes before the environment has the connection.
    """
    before: list[Any] = []
    for backend in _secrets_backends():
        if type(backend).__name__ == "EnvironmentVariablesBackend":
            _, failure = _asked(backend, conn_id)
            return "" if failure and any(_asked(other, conn_id)[0] for other in before) else failure
        before.append(backend)
    return ""


async def aunread_variable(conn_id: str) -> str:
    """:func:`unread_variable` on an event loop."""
    return await in_airflow(unread_variable, conn_id)


def _secrets_backends() -> list[Any]:
    """The secrets backends, in the order in which Airflow asks them."""
    try:
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
    except ImportError:
        from airflow.configuration import ensure_secrets_loaded

        return list(ensure_secrets_loaded())
    return list(ensure_secrets_backend_loaded())


def _asked(backend: Any, conn_id: str) -> tuple[bool, str]:
    """Whether a backend has a connection, and how it failed to read it, or ''."""
    try:
        if found := backend.get_connection(conn_id=conn_id):
            # Airflow caches a connection as its URI, and skips the backend where making the URI fails.
            found.get_uri()
    except Exception as error:
        text = _quoting_nothing(error)
        return False, f"{type(backend).__name__} failed with {type(error).__name__}{text and f': {text}'}"
    return bool(found), ""


def _quoting_nothing(error: Exception) -> str:
    """An error's text, where that quotes nothing of the connection."""
    if isinstance(error, json.JSONDecodeError | TypeError):
        return str(error)
    # Airflow's message for JSON, Python's for a URI. Where a password has a / in it, the port is a part of that.
    if isinstance(error, ValueError) and str(error).startswith(("Expected integer value for `port`", "Port ")):
        return "its port is not a number from 0 to 65535"
    return ""


async def amask_secret(secret: Any) -> None:
    """Mask a text, or the secrets of extra fields, on an event loop: ``mask_secret`` asks the supervisor."""
    try:
        from airflow.sdk.log import amask_secret as amask
    except ImportError:
        await in_airflow(_find("mask_secret"), secret)
    else:
        await amask(secret)


_MASKERS = ("airflow.sdk._shared", "airflow.sdk.execution_time", "airflow.utils.log")
"""Where a process's own masker is: from 3.1 on, in 3.0, in 2.11."""


def mask_here(secret: str) -> None:
    """Mask a text in what this process logs. For any thread and loop: the supervisor is not asked to do the same."""
    for home in _MASKERS:
        try:
            masker = import_module(f"{home}.secrets_masker")
        except ImportError:
            continue
        masker._secrets_masker().add_mask(secret)
        return


def push_to_database(ti: Any, key: str, value: str) -> None:
    """Put a text into XCom where the UI reads it.

    Airflow 3's UI reads the database, where a custom XCom backend would leave a reference of its own. Airflow itself
    stores links past the backend too (``task_runner._xcom_push_to_db``), but only when the task's process ends.
    Airflow 2's UI asks the backend.
    """
    backend = _find("XCom")
    if _past_the_backend(backend):
        backend._set_xcom_in_db(
            key=key, value=value, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
        )
    else:
        ti.xcom_push(key=key, value=value)


def may_be_shown(ti_key: Any, *, resumed: bool) -> bool:
    """Whether the button's address may be stored although this process has not stored it.

    :param ti_key: what Airflow asks with: in Airflow 2's webserver a key, which may have no address; in Airflow 3 the
        task instance, at the end of the task's process.
    :param resumed: whether the task had stored it before it deferred.
    """
    return resumed or not hasattr(ti_key, "task")


def _past_the_backend(backend: Any) -> bool:
    """Whether there is a custom XCom backend and a way past it. Airflow's own stores a text as it is."""
    if not hasattr(backend, "_set_xcom_in_db"):
        return False
    from airflow.sdk.bases.xcom import BaseXCom

    return backend is not BaseXCom


def base_url() -> str:
    """The address of the UI, as Airflow's configuration has it; '' where none is set."""
    section = "webserver" if _airflow_version() < (3, 0) else "api"
    return str(_find("conf").get(section, "base_url", fallback=None) or "")


def has_task_tabs() -> bool:
    """Whether a plugin may add a tab to the pages of task instances."""
    return _airflow_version() >= (3, 1)


def has_provider_commands() -> bool:
    """Whether Airflow's command line has the commands that providers add: from 3.2 on."""
    return _airflow_version() >= (3, 2)


def has_human_requests() -> bool:
    """Whether a task can ask a person (human in the loop): from 3.1 on."""
    return _airflow_version() >= (3, 1)


def ask_person(ti_id: object, request: Mapping[str, Any]) -> Any:
    """Have Airflow ask a person, on a worker; returns the request as Airflow has it now.

    Of a task instance it keeps the first request for good, over its tries, too; another one only removes the answer.

    :param ti_id: the task instance's id.
    :param request: subject, body, options, defaults, params and assigned_users.
    """
    from uuid import UUID

    comms = import_module("airflow.sdk.execution_time.comms")
    runner = import_module("airflow.sdk.execution_time.task_runner")
    made = comms.CreateHITLDetailPayload(ti_id=UUID(str(ti_id)), multiple=False, **request)
    return runner.SUPERVISOR_COMMS.send(msg=made)


async def persons_answer(ti_id: str) -> Any:
    """What a person has answered to a task instance's request, in the triggerer; None where nobody has."""
    from uuid import UUID

    from asgiref.sync import sync_to_async

    hitl = import_module("airflow.sdk.execution_time.hitl")
    answer = await sync_to_async(hitl.get_hitl_detail_content_detail)(ti_id=UUID(str(ti_id)))
    return answer if getattr(answer, "response_received", False) else None


async def close_persons_request(ti_id: str, chosen: list[str], params_input: Mapping[str, Any]) -> None:
    """Answer a task instance's request in nobody's name, in the triggerer.

    :raises Exception: Airflow's own, where it was answered already.
    """
    from uuid import UUID

    from asgiref.sync import sync_to_async

    hitl = import_module("airflow.sdk.execution_time.hitl")
    await sync_to_async(hitl.update_hitl_detail_response)(
        ti_id=UUID(str(ti_id)), chosen_options=chosen, params_input=dict(params_input)
    )


def has_event_triggers() -> bool:
    """Whether triggers can fire for assets."""
    return _airflow_version() >= (3, 0)


def confirms_events() -> bool:
    """Whether a trigger for assets is told which of its events are stored (3.3)."""
    return hasattr(_find("BaseEventTrigger"), "create_shared_stream_producer")


def renders_in_triggerer() -> bool:
    """Whether a task that starts in the triggerer has its templates rendered there (3.3)."""
    return _airflow_version() >= (3, 3)


def expand_mapped(task: Any, ti: Any) -> tuple[Mapping[str, Any], set[str]]:
    """The mapped arguments of one instance of a mapped task, and the names of those that are no templates.

    :param task: as it is serialized.
    :param ti: its instance; the outputs of upstream tasks are pulled from it.
    """
    from airflow.sdk.definitions._internal.expandinput import DictOfListsExpandInput

    def pulled(value: Any) -> Any:
        if not hasattr(value, "iter_references"):
            return value
        return ti.xcom_pull(value.operator.task_id, key=value.key)

    mapped = task._get_specified_expand_input().value
    if isinstance(mapped, dict):
        values = {name: pulled(value) for name, value in mapped.items()}
        expanded, _ = DictOfListsExpandInput(values).resolve({"ti": ti})
        return expanded, {name for name, value in mapped.items() if values[name] is not value}
    given = pulled(mapped)
    one = pulled(given[ti.map_index])
    return one, set(one) if given is not mapped else {name for name, value in one.items() if pulled(value) is not value}


def most_unread_events() -> int:
    """How many events a trigger for assets may leave unread before Airflow ends it."""
    return int(_find("conf").getint("triggerer", "shared_stream_subscriber_queue_size", fallback=1024))


def asset_stores(accessors: Any) -> list[Any]:
    """The state stores of the assets that a trigger fires for; none where this Airflow has none.

    Of the accessors that a trigger has, only those for a single asset can be used as they are, and they do not say for
    which assets they are.
    """
    if accessors is None:
        return []
    by_asset = [*getattr(accessors, "_by_name", {}).values(), *getattr(accessors, "_by_uri", {}).values()]
    return by_asset or [accessors]


def airflow_stats() -> Any:
    """Airflow's ``Stats``, which moved between its versions."""
    return _find("Stats")


def task_state(ti: Any) -> str | None:
    """The task instance's current state, read from Airflow; UNKNOWN where that fails. For a worker."""
    if getattr(ti, "test_mode", False):
        # `airflow tasks test` of 2.11 writes no state: what is stored is another execution's.
        return UNKNOWN
    try:
        if hasattr(ti, "get_task_states"):
            return state_in(ti.get_task_states(**_asking_for(ti)), ti)
        return plain_state(ti.current_state())
    except (BrokenPipeError, ConnectionResetError, EOFError):
        # Airflow 3 asks over a socket to the supervisor.
        log.warning("The supervisor of this task's process is gone, so Airflow could not be asked about the task.")
        return ORPHANED
    except Exception:
        log.warning("The state of the task could not be read from Airflow.", exc_info=True)
        return UNKNOWN


def waits_as_running(state: str) -> bool:
    """Whether a task that is being executed may have this state: in ``dag.test()`` of 2.11 it stays as it was."""
    return state in ("scheduled", "queued") and _airflow_version() < (3, 0)


async def atask_state(ti: Any) -> str | None:
    """:func:`task_state` in the triggerer, whose task instance is a plain record."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        return state_in(await in_airflow(RuntimeTaskInstance.get_task_states, **_asking_for(ti)), ti)
    except Exception:
        log.warning("The state of the task could not be read from Airflow.", exc_info=True)
        return UNKNOWN


def _asking_for(ti: Any) -> dict[str, Any]:
    """How Airflow 3 is asked for the state of one task instance."""
    index = ti.map_index if ti.map_index is not None and ti.map_index >= 0 else None
    return {"dag_id": ti.dag_id, "task_ids": [ti.task_id], "run_ids": [ti.run_id], "map_index": index}


def awaits_functions() -> bool:
    """Whether ``@task`` takes async functions, which await what Airflow has to say: from 3.2 on."""
    return _airflow_version() >= (3, 2)


def trace_shows_resets() -> bool:
    """Whether a DAG run keeps its trace when it is set to queued: measured on 3.3, not known of 3.0 to 3.2."""
    return _airflow_version() >= (3, 3)


def airflow_version() -> str:
    """Airflow's version."""
    import airflow

    return str(airflow.__version__)


def _airflow_version() -> tuple[int, int]:
    """Major and minor."""
    major, minor = airflow_version().split(".")[:2]
    return int(major), int(minor)


def dag_run_key(dag_run: Any) -> str | None:
    """The key of a DAG run's row, which a task gets on 2.11; None where another DAG run may come to have it."""
    key = getattr(dag_run, "id", None)
    if key is None:
        return None
    from airflow import settings

    # SQLite gives the key of a deleted row to the next one.
    return None if settings.engine is None or settings.engine.dialect.name == "sqlite" else str(key)


ORPHANED = "orphaned"
"""In place of a state, where the process that supervises this one is gone."""

UNKNOWN = "unknown"
"""A state that could not be read."""


def state_in(states: Any, task: Any) -> str | None:
    """The state of a task instance in Airflow's answer about many.

    :param states: from the DAG run's id to a dict by task, whose key is ``task_id``, or ``task_id_3`` for a mapped one.
    :param task: the task instance.
    """
    index = task.map_index if task.map_index is not None else -1
    key = task.task_id if index < 0 else f"{task.task_id}_{index}"
    try:
        return plain_state(states[task.run_id][key])
    except (KeyError, TypeError):
        return UNKNOWN


def plain_state(state: Any) -> str | None:
    """A state as Airflow gives it, an enum's member or its text, as a text."""
    return None if state is None else str(getattr(state, "value", state))
