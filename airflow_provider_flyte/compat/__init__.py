"""Where Airflow's versions differ: its names here, its calls and habits in a file for each subject.

Airflow's names are imported from here and from nowhere else. ``airflow.providers.common.compat.sdk`` gives such names
too, but not with every Airflow: 3.0.6 was released with its 1.7.3, 2.11.0 with 1.7.0, which have no such module, and
``mask_secret`` exists from 1.22 on, whose Python is 3.11.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    globals()[name] = found = find(name)
    return found


def find(name: str) -> Any:
    """A name of Airflow's, wherever it is."""
    *newer, oldest = _HOMES[name]
    for module in newer:
        try:
            return getattr(import_module(module), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    return getattr(import_module(oldest), _BEFORE.get(name, name))


def airflow_stats() -> Any:
    """Airflow's ``Stats``, which moved between its versions."""
    return find("Stats")
