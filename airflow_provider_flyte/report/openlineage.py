"""OpenLineage, where its Airflow provider is installed and switched on; else nothing happens, and nothing is imported.

A launched run gets its parent's facts in annotations: an emitter that runs in Flyte can name it in its events. And the
task's own events name the run, by the facets ``externalQuery`` and ``flyte_run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import phase_name

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_flyte.client import RunDetails
    from airflow_provider_flyte.task_log import TaskLog
    from airflow_provider_flyte.tries.attempt import TryRun

_KEY = "openlineage.io/"


def parent_annotations(ti: Any, log: TaskLog) -> dict[str, str]:
    """The task as the parent of what it launches, and the root of both, as OpenLineage's ParentRunFacet has them.

    :param ti: the task instance.
    :param log: its log, which has a line where this fails: that must not fail the launch.
    """
    try:
        from airflow.providers.openlineage import conf
    except ImportError:
        return {}
    try:
        if conf.is_disabled():
            return {}
        from airflow.providers.openlineage.plugins import macros

        values = {
            "parent-job-namespace": macros.lineage_job_namespace(),
            "parent-job-name": macros.lineage_job_name(ti),
            "parent-run-id": macros.lineage_run_id(ti),
            "root-parent-job-namespace": macros.lineage_root_job_namespace(ti),
            "root-parent-job-name": macros.lineage_root_job_name(ti),
            "root-parent-run-id": macros.lineage_root_run_id(ti),
        }
    except Exception as error:
        log.warning(
            "The Flyte run gets no annotations about its OpenLineage parent, because they could not be made. %s: %s",
            type(error).__name__,
            error,
        )
        return {}
    return {_KEY + key: str(value) for key, value in values.items()}


def operator_lineage(
    task_name: str, version: str | None, run: TryRun | None, details: RunDetails | None
) -> OperatorLineage:
    """The run's facts for the task's events. Called by OpenLineage's provider alone, so that is installed.

    :param task_name: the Flyte task.
    :param version: its version, where the task names one.
    :param run: the run, once it is known.
    :param details: Flyte's last details of it.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_flyte.report.openlineage_facets import FlyteRunFacet, external_query_run

    facet = FlyteRunFacet(taskName=task_name, taskVersion=version)
    facets: dict[str, Any] = {"flyte_run": facet}
    if run is not None:
        facet.runName, facet.project, facet.domain, facet.url = run.key.name, run.key.project, run.key.domain, run.url
        facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(externalQueryId=str(run.key), source="flyte")
    if details is not None:
        action = details.pb2.action
        facet.taskVersion = one_line(action.metadata.task.id.version, LONGEST_NAME) or version
        facet.phase, facet.attempts = phase_name(details.phase), action.status.attempts
        facet.errorKind = details.error.kind if details.error else None
    return OperatorLineage(run_facets=facets)
