"""Aborting a run from the tab: only one that the task instance itself has launched, and only while it goes on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, HTTPException, Request, status
from pydantic import BaseModel, Field

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.compat import base_url
from airflow_provider_flyte.plugin.access import AskedTask
from airflow_provider_flyte.settings import airflow_id

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunDetails
    from airflow_provider_flyte.client.flows.abort import AbortedRun
    from airflow_provider_flyte.client.run_key import RunKey

log = logging.getLogger(__name__)

_RETRY_FOR = 5.0
"""Seconds for which the reads around an abort are repeated; the abort itself never is."""


class Wanted(BaseModel):
    """What the page sends."""

    name: str = Field(max_length=LONGEST_NAME)
    """The run's name as the page shows it: the task may have another one by now."""

    reason: str = Field(min_length=1, max_length=500)
    """Stands in the run's details."""


def _from_the_page(
    request: Request,
    x_flyte_tab: Annotated[str, Header()] = "",
    origin: Annotated[str, Header()] = "",
    sec_fetch_site: Annotated[str, Header()] = "",
    content_type: Annotated[str, Header()] = "",
) -> None:
    """Refuse what another site's page may have a browser send together with the cookie.

    The header and the content type alone make a browser ask first whether it may, which Airflow denies. The browser's
    own word on where a request comes from is looked at, too, where it gives one.
    """
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    # "null" is the origin of a page that is to have none, and has no host.
    ours = {request.headers.get("host"), urlsplit(base_url()).netloc} - {None, ""}
    here = sec_fetch_site == "same-origin" if sec_fetch_site else not origin or urlsplit(origin).netloc in ours
    if not (x_flyte_tab and is_json and here):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "This has to be asked for from the tab itself.")


FromThePage = Depends(_from_the_page)
"""Refuses what does not come from the tab."""


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

    who = one_line(user, LONGEST_NAME)
    flow = abort(
        key,
        client.config.org,
        f"Aborted in Airflow by {who}: {one_line(reason)}",
        is_ours=lambda pb2: launched_by(asked, RunDetails(pb2)),
    )
    done = await client.aexecute(flow, retry_for=_RETRY_FOR)
    log.info("%s wanted Flyte run %s aborted, in the tab of a task instance. %s.", who, key, str(done))
    return done
