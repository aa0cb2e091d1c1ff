"""Aborting a run from the tab: only one that the task instance itself has launched, and only while it goes on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.plugin.access import AskedTask
from airflow_provider_flyte.settings import airflow_id

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunDetails
    from airflow_provider_flyte.client.flows.abort import AbortedRun
    from airflow_provider_flyte.client.run_key import RunKey

log = logging.getLogger(__name__)


class Wanted(BaseModel):
    """What the page sends."""

    shown: str = Field(max_length=LONGEST_NAME)
    """The digest of the run that the page shows: the task may have another one by now."""

    reason: str = Field(min_length=1, max_length=500)
    """Stands in the run's details."""


def launched_by(asked: AskedTask, details: RunDetails) -> bool:
    """Whether the run's annotations say that this task instance of this Airflow has launched it."""
    from airflow_provider_flyte.tries.identity import owner_in

    owner = owner_in(details.pb2.run_spec.annotations.values)
    return owner is not None and (owner.dag_id, owner.run_id, owner.task_id, owner.map_index, owner.airflow) == (
        *asked,
        airflow_id(),
    )


async def abort_run(client: FlyteClient, key: RunKey, asked: AskedTask, user: str, reason: str) -> AbortedRun:
    """Abort it.

    :param user: who wants it; stands in the run's details before the reason.
    """
    from airflow_provider_flyte.client.flows.abort import abort
    from airflow_provider_flyte.client.run_details import RunDetails
    from airflow_provider_flyte.wait.task_wait import BRIEFLY

    who = one_line(user, LONGEST_NAME)
    flow = abort(
        key,
        client.config.org,
        f"Aborted in Airflow by {who}: {one_line(reason)}",
        is_ours=lambda pb2: launched_by(asked, RunDetails(pb2)),
    )
    # The reads around the abort are repeated; the abort itself never is.
    done = await client.aexecute(flow, retry_for=BRIEFLY)
    log.info("%s wanted Flyte run %s aborted, in the tab of a task instance. %s.", who, key, str(done))
    return done
