"""A sensor that starts in the triggerer: what Airflow stores of it when it reads the DAG, and what is refused then.

Airflow's scheduler makes the trigger of ``start_trigger_args``, which lie in the serialized DAG. So they are what the
sensor was given, unrendered; ``sensor_triggers.py`` makes a sensor of them in the triggerer.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import date, timedelta
from functools import cache
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import OF_SEARCH, SEARCH_ARGUMENTS, argument_errors, check_search_names, in_utc
from airflow_provider_flyte.client.arguments import switch
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.compat import XComArg
from airflow_provider_flyte.compat.versions import airflow_version, renders_in_triggerer

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import StartTriggerArgs

BACKSTOP = timedelta(minutes=2)
"""How much later than the trigger's own deadline Airflow ends a deferral, should the trigger not."""

LONGEST = timedelta(days=3650)
"""When Airflow ends that of a mapped sensor, whose timeout it does not know."""

_CLASS_PATH = "airflow_provider_flyte.sensor_triggers.FlyteSensorTrigger"

_OF_AIRFLOW = ("timeout", "poke_interval", "soft_fail", "never_fail", "silent_fail", "do_xcom_push")
"""Those arguments of every sensor that mean something in the triggerer."""

_NOT_THERE = ("deferrable", "resume_after")
"""Those of ours that do not."""

FLAGS = ("start_from_trigger", "end_from_trigger")
"""Where a sensor starts and ends."""

_MOMENTS = ("since", "until")

XCOM = "flyte_xcom_of"
"""The key that marks a reference to an upstream task's XCom."""


@cache
def arguments_there(sensor_class: type) -> tuple[str, ...]:
    """Names of the sensor's arguments that are stored for the triggerer; its attributes have the same names."""
    own = [each.name for each in signature(sensor_class).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
    return (*(name for name in own if name not in _NOT_THERE and name not in _OF_AIRFLOW), *_OF_AIRFLOW)


class StartInTriggerer:
    """The ``start_trigger_args`` of a sensor: its own, or of the class, which Airflow takes for a mapped one."""

    def __get__(self, sensor: Any, owner: type) -> StartTriggerArgs | None:
        if sensor is None:
            # A mapped sensor's arguments are in its serialized task.
            return _start({}, LONGEST) if renders_in_triggerer() else None
        if not sensor.start_from_trigger:
            return None
        _check_dag(sensor.dag if sensor.has_dag() else None)
        group = sensor.get_closest_mapped_task_group()
        given = {name: stored(name, getattr(sensor, name), group) for name in arguments_there(_ours(owner))}
        return _start({"sensor": given}, timedelta(seconds=sensor.timeout) + BACKSTOP)


def _start(kwargs: dict[str, Any], timeout: timedelta) -> StartTriggerArgs:
    from airflow_provider_flyte.compat import StartTriggerArgs

    return StartTriggerArgs(
        trigger_cls=_CLASS_PATH,
        next_method="execute_complete",
        trigger_kwargs=kwargs,
        next_kwargs={},
        timeout=timeout,
    )


def _ours(owner: type) -> type:
    """The provider's class, which the triggerer makes in place of a DAG file's own."""
    return next(each for each in owner.__mro__ if each.__module__.startswith("airflow_provider_flyte."))


def check_start(sensor: Any, default_args: Mapping[str, Any]) -> None:
    """Refuse what cannot start, or end, in the triggerer.

    :param default_args: those of its DAG.
    :raises ConfigError: with what to do.
    """
    _check_flags(sensor.start_from_trigger, sensor.end_from_trigger)
    if sensor.start_from_trigger:
        _check_mode(sensor.mode, default_args)
        _check_dag(sensor.dag if sensor.has_dag() else None)
        for name in sensor.template_fields:
            stored(name, getattr(sensor, name), sensor.get_closest_mapped_task_group())


def _check_dag(dag: Any) -> None:
    """Airflow stores no more of how a DAG renders templates than that it gives native values."""
    if getattr(dag, "jinja_environment_kwargs", None):
        raise ConfigError(
            "The DAG has jinja_environment_kwargs, which Airflow does not give the triggerer: it would render this "
            "sensor's templates otherwise. Give deferrable=True instead of start_from_trigger=True."
        )


def _check_mode(mode: object, default_args: Mapping[str, Any]) -> None:
    # For all sensors of a DAG it is what those do that do not defer.
    if mode == "reschedule" and "mode" not in default_args:
        raise ConfigError(
            "mode='reschedule' has no meaning with start_from_trigger=True: the triggerer waits, and no worker pokes. "
            "Give one of them."
        )


def _check_flags(start: object, end: object) -> None:
    if switch("end_from_trigger", end) and not switch("start_from_trigger", start):
        raise ConfigError("end_from_trigger=True has a meaning only with start_from_trigger=True; give both.")
    if start and not renders_in_triggerer():
        raise ConfigError(
            "start_from_trigger=True needs Airflow 3.3 or newer, where Airflow renders templates in the triggerer; "
            f"this is {airflow_version()}. Give deferrable=True instead: a worker starts the wait, and hands it over."
        )


def check_partial(partial: Any) -> Any:
    """Refuse what a mapped sensor cannot do, now and when it is expanded.

    :param partial: Airflow's, before it is expanded.
    :raises ConfigError: with what to do.
    """
    given = partial.kwargs
    # Another one takes its place, so Airflow is not to warn that this one was never expanded.
    partial._expand_called = True
    # Airflow looks for them among these alone. It gives a sensor both defaults when it makes it of the mapped one.
    defaults: dict[str, Any] = {}
    for where in ("dag", "task_group"):
        defaults |= getattr(given.get(where), "default_args", None) or {}
    for name in FLAGS:
        if name in defaults:
            given.setdefault(name, defaults[name])
    _check_flags(given.get("start_from_trigger", False), given.get("end_from_trigger", False))
    if given.get("start_from_trigger"):
        _check_mode(given.get("mode"), defaults)
        _check_dag(given.get("dag"))
        given.update({name: in_utc(given[name]) for name in _MOMENTS if name in given})
        _check_none(_ours(partial.operator_class), given, defaults)
        for name in partial.operator_class.template_fields:
            stored(name, given.get(name))
    kind: Any = type(partial)
    made = _checking(kind)(operator_class=partial.operator_class, kwargs=given, params=partial.params)
    made.flyte_defaults = defaults
    return made


def _check_none(sensor_class: type, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse a None that means something: Airflow leaves it out of a mapped sensor's serialized task (3.3.2)."""
    by_default = {name: each.default for name, each in signature(sensor_class).parameters.items()} | dict(defaults)
    for name in arguments_there(sensor_class):
        if name in given and given[name] is None and by_default.get(name) is not None:
            raise ConfigError(
                f"{name}=None of a mapped sensor does not reach the triggerer, because Airflow does not store it. Give "
                "deferrable=True instead of start_from_trigger=True."
            )


@cache
def _checking(partial_class: Hashable) -> Any:
    """Airflow's class, which looks at what is mapped."""
    airflows: Any = partial_class

    class Partial(airflows):  # type: ignore[misc]
        flyte_defaults: Mapping[str, Any] = {}

        def _expand(self, expand_input: Any, *args: Any, **kwargs: Any) -> Any:
            self._expand_called = True
            with argument_errors():
                _check_mapped(expand_input.value, bool(self.kwargs.get("start_from_trigger")))
                if self.kwargs.get("start_from_trigger"):
                    _check_group(_ours(self.operator_class), self.kwargs, expand_input.value)
                # A class of a DAG's own may give the others itself.
                if self.operator_class is _ours(self.operator_class):
                    _check_together(self.kwargs, expand_input.value, self.flyte_defaults)
            return super()._expand(expand_input, *args, **kwargs)

    return Partial


def _check_together(partial: Mapping[str, Any], mapped: Any, defaults: Mapping[str, Any]) -> None:
    """Refuse arguments that do not go together, whatever their values will be."""
    if isinstance(mapped, Mapping) and any(
        isinstance(mapped.get(name), list) and None in mapped[name] for name in OF_SEARCH
    ):
        # Airflow combines each with each.
        return
    for each in _each_of(mapped):
        # What upstream tasks give is known when they have.
        if isinstance(each, Mapping):
            values = {**defaults, **partial, **each}
            check_search_names({name for name in OF_SEARCH if values.get(name) is not None}, defaults)


def _check_group(sensor_class: type, partial: Mapping[str, Any], mapped: Any) -> None:
    """Refuse what only the ``default_args`` of a task group have: those of a DAG are in the serialized one."""
    of_each = [set(each) for each in _each_of(mapped) if isinstance(each, Mapping)]
    given = set(partial) | (set.intersection(*of_each) if of_each else set())
    if not of_each or given & {"run_name", "run_names"}:
        # Nobody needs them, or who does is known when the upstream task has ended.
        given.update(SEARCH_ARGUMENTS)
    known = set(arguments_there(sensor_class)) - given - set(FLAGS)
    if lost := sorted(known & set(getattr(partial.get("task_group"), "default_args", None) or ())):
        raise ConfigError(
            f"{', '.join(lost)} is in the default_args of a task group, which Airflow does not give the triggerer for "
            "a mapped sensor. Give it to partial(), or deferrable=True instead of start_from_trigger=True."
        )


def _each_of(mapped: Any) -> Any:
    """What ``expand_kwargs()`` is given, a mapping for each instance; or what ``expand()`` is."""
    return mapped if isinstance(mapped, (list, tuple)) else [mapped]


def _check_mapped(mapped: Any, start: bool) -> None:
    for each in _each_of(mapped):
        if isinstance(each, XComArg):
            if start:
                _reference("What expand_kwargs() is given", each)
            continue
        for name in FLAGS:
            if name in each:
                raise ConfigError(f"{name} is mapped, and Airflow has to know it before that; give it to partial().")
        if not start:
            continue
        for name, value in each.items():
            if isinstance(value, XComArg):
                _reference(name, value)
            elif name in _MOMENTS:
                each[name] = [in_utc(item) for item in value] if isinstance(value, list) else in_utc(value)


def stored(name: str, value: Any, group: Any = None) -> Any:
    """A value that the triggerer can render: a text, a list or a dict of such, or the XCom of an upstream task.

    :param group: the mapped task group that the sensor is in.
    :raises ConfigError: naming the argument and what to give.
    """
    if value is None or isinstance(value, (str, int, float, date, timedelta)):
        return value
    if isinstance(value, (list, tuple)):
        return [stored(name, each, group) for each in value]
    if isinstance(value, Mapping):
        return {key: stored(name, each, group) for key, each in value.items()}
    if isinstance(value, XComArg):
        return _reference(name, value, group)
    raise ConfigError(
        f"{name} is {type(value).__name__}, which the triggerer cannot compute. With start_from_trigger=True give a "
        "text, a template, or an upstream task's output."
    )


def _reference(name: str, arg: Any, group: Any = None) -> dict[str, Any]:
    operator, key = getattr(arg, "operator", None), getattr(arg, "key", None)
    if operator is None or key is None:
        raise ConfigError(
            f"{name} is computed from upstream tasks' outputs ({type(arg).__name__}), which the triggerer cannot do. "
            "With start_from_trigger=True give one task's output as it is, or deferrable=True instead."
        )
    if operator.is_mapped or operator.get_closest_mapped_task_group() not in (None, group):
        raise ConfigError(
            f"{name} is the output of the mapped task {operator.task_id!r}, which Airflow does not give the triggerer. "
            "Have a task collect it and give that one's output, or give deferrable=True instead of "
            "start_from_trigger=True."
        )
    return {XCOM: {"task_id": operator.task_id, "key": key}}
