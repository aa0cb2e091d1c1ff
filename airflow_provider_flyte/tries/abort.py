"""The abort of a run that a task instance has launched, and of no other: whose it is, is read right before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_flyte.tries.identity import TaskInstance, abort_reason, owner_in
from airflow_provider_flyte.tries.kill_reason import launched_elsewhere

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteConfig
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.client.run_key import RunKey


def abort_own(config: FlyteConfig, key: RunKey, launched_at: str | None, task: TaskInstance, why: str) -> Flow[str]:
    """Abort a run if this task instance has launched it; the outcome, as a clause.

    :param config: of the client that asks.
    :param launched_at: where Flyte was when the run was launched, ``host:port``: another Flyte may have a run of this
        name, and nothing is aborted there; None: not known.
    :param task: whose the run has to be, by its annotations.
    :param why: the reason, as a clause.
    """
    from airflow_provider_flyte.client.flows.abort import abort

    if launched_at not in (None, config.endpoint):
        return launched_elsewhere(key, launched_at, config.endpoint)
    aborted = yield from abort(
        key,
        config.org,
        abort_reason(task, why),
        is_ours=lambda details: owner_in(details.run_spec.annotations.values) == task,
    )
    return str(aborted)
