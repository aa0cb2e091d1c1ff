"""What an operator launches: its arguments, after their templates are rendered, and what Airflow's context adds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import LOGICAL_DATE
from airflow_provider_flyte.client.errors import ConfigError, NotATextError
from airflow_provider_flyte.client.flows.launch_request import Launch
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.launch.labels import task_labels
from airflow_provider_flyte.report.openlineage import parent_annotations
from airflow_provider_flyte.report.redaction import HiddenValues
from airflow_provider_flyte.report.tracing import trace_context
from airflow_provider_flyte.templates import ABOUT_NATIVE

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.operators import FlyteRunOperator


def wanted_by(task: FlyteRunOperator, context: Context) -> Launch:
    """The launch that an operator describes.

    :param task: the operator, its templates rendered.
    :param context: the context that it is executed in.
    :raises FlyteArgumentError: where an argument cannot be sent, with what to give.
    """
    try:
        _check_env_vars(task)
        return Launch(
            task_name=task.task_name,
            version=task.version,
            inputs=task.as_written("inputs") or {},
            trigger_name=task.trigger_name,
            project=task.project,
            domain=task.domain,
            labels=_labels(task, context),
            annotations=_annotations(task, context),
            env_vars=task.env_vars or {},
            run_context=task.run_context or {},
            trace_context=trace_context(task.log),
            run_start_time=_run_start_time(task, context),
            queue=task.flyte_queue,
            interruptible=task.interruptible,
            overwrite_cache=task.overwrite_cache,
            service_account=task.service_account,
            raw_data_prefix=task.raw_data_prefix,
            max_action_concurrency=task.max_action_concurrency,
            cache_lookup_scope=task.cache_lookup_scope,
            run_base_dir=task.run_base_dir,
            notification_rule=task.notification_rule,
            notifications=task.notifications,
        )
    except ConfigError as error:
        about = ABOUT_NATIVE if isinstance(error, NotATextError) and task.rendered_natively else ""
        raise FlyteArgumentError(f"{error}{about}") from error


def processed_date(context: Context) -> datetime | None:
    """The date that a DAG run processes: its logical date, or else when it was to run after; None where it has none.

    Airflow 3 has DAG runs without a logical date (by hand, by an asset), and 2.11 none with a ``run_after``.
    """
    dag_run: Any = context.get("dag_run")
    return getattr(dag_run, "logical_date", None) or getattr(dag_run, "run_after", None)


def _run_start_time(task: FlyteRunOperator, context: Context) -> Any:
    return processed_date(context) if task.run_start_time == LOGICAL_DATE else task.run_start_time


def _labels(task: FlyteRunOperator, context: Context) -> Any:
    given = task.labels or {}
    # What is none is left for the launch to refuse.
    return {**task_labels(task, context), **given} if isinstance(given, Mapping) else given


def _annotations(task: FlyteRunOperator, context: Context) -> Any:
    given = task.annotations or {}
    # What is none is left for the launch to refuse.
    return {**parent_annotations(context["ti"], task.log), **given} if isinstance(given, Mapping) else given


def _check_env_vars(task: FlyteRunOperator) -> None:
    if isinstance(task.env_vars, HiddenValues) and task.env_vars.unfit:
        raise ConfigError(
            f"env_vars is a {task.env_vars.unfit}. Give a dict of strings by name; a template gives a text unless "
            "its DAG has render_template_as_native_obj=True."
        )
