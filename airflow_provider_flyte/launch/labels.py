"""The labels that a launched run gets of its task: Flyte puts them onto its pods, where costs are counted by them.

They are for people and their tools. Whose a run is, only its annotations say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.flows.kubernetes import label_value
from airflow_provider_flyte.settings import LABELS, label_prefix

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.operators import FlyteRunOperator


def task_labels(task: FlyteRunOperator, context: Context) -> dict[str, str]:
    """The labels of a run that this try launches; none where ``[flyte] label_prefix`` is empty.

    :param task: the operator.
    :param context: the context that it is executed in.
    :raises FlyteConfigurationError: where no label can begin with that prefix.
    """
    prefix = label_prefix()
    if not prefix:
        return {}
    ti: Any = context["ti"]
    mapped = ti.map_index is not None and ti.map_index >= 0
    # In the order of LABELS. An operator inside another task has that task's owner, whoever has made it.
    values = (
        ti.dag_id,
        ti.task_id,
        ti.run_id,
        # ``airflow tasks test`` leaves it 0.
        max(ti.try_number, 1),
        str(ti.map_index) if mapped else None,
        getattr(context.get("task") or task, "owner", None),
        # Only with [core] multi_team, and an Airflow that tells its workers.
        getattr(context.get("dag_run"), "team_name", None),
    )
    return {prefix + name: label_value(str(value)) for name, value in zip(LABELS, values, strict=True) if value}
