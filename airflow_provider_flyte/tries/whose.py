"""Whether what Flyte shows under the name of an operator's run is that run: another one may have the name by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_flyte.tries.identity import TaskInstance, owner_in

if TYPE_CHECKING:
    from airflow_provider_flyte.client.idl.workflow.run_definition_pb2 import RunDetails
    from airflow_provider_flyte.tries.attempt import TryRun


def why_not_this(run: TryRun, task: TaskInstance, now_at: str, details: RunDetails | None) -> str:
    """Why it is not known to be that run, in sentences; '' where it is.

    A run that this task instance launched is known by its annotations, at whichever endpoint: Flyte may have moved. Any
    other one has nothing but its endpoint.

    :param run: the run that the try has.
    :param task: the task instance.
    :param now_at: where the connection leads by now, ``host:port``.
    :param details: what Flyte shows there; None: it has no run of the name, or not its details.
    """
    moved = run.endpoint not in (None, now_at)
    if details is None:
        return led_elsewhere(run.endpoint, now_at, "where Flyte has no such run") if moved else ""
    if not run.ours:
        return led_elsewhere(run.endpoint, now_at, "where a run of this name may be another one") if moved else ""
    owner = owner_in(details.run_spec.annotations.values)
    if owner == task:
        return ""
    named = f"its annotations name {owner}" if owner else "its annotations name no Airflow task"
    if moved:
        return led_elsewhere(run.endpoint, now_at, f"where the run of this name is another one: {named}")
    return (
        f"Under its name Flyte has another run by now, which this task did not launch: {named}. Look in Flyte who "
        "deleted the one and launched the other. To launch a run of its own, give the task another run_name, or the "
        "Flyte connection another run name prefix."
    )


def led_elsewhere(before: str | None, now_at: str, what: str) -> str:
    """The sentences about a connection that leads to another endpoint than when the task began to wait for its run.

    :param what: what is there now, as a relative clause.
    """
    return (
        f"The Flyte connection led to {before} when the task began to wait for this run. It leads to {now_at} now, "
        f"{what}. Change it back, or look for the run there."
    )
