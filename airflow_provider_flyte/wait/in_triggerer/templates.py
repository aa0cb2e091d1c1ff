"""The arguments of a sensor that starts in the triggerer, and how their templates are rendered there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_flyte.compat.triggers import expand_mapped
from airflow_provider_flyte.wait.from_trigger import FLAGS, XCOM, arguments_there

_RENDERING = 30.0
"""Seconds after which templates count as not rendered: Airflow never answers some questions of a triggerer."""


class CannotRenderError(Exception):
    """The triggerer cannot tell what a worker could."""


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


def defaults_of(sensor_class: type, context: Mapping[str, Any]) -> dict[str, Any]:
    """What the DAG's ``default_args`` have for a mapped sensor: Airflow merges them when a worker makes the task.

    :param context: of :func:`rendering_context`.
    """
    known = set(arguments_there(sensor_class)) - set(FLAGS)
    return {name: _with_references(value) for name, value in context["dag"].default_args.items() if name in known}


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
