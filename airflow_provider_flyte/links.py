"""The button "Flyte run" of a task instance: the run's page in the Flyte console."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context

log = logging.getLogger(__name__)


class FlyteRunLink(BaseOperatorLink):
    """The run's page; there from the moment when the task knows its run. Of several runs it is the first one's.

    Airflow 3 shows what XCom has under ``xcom_key``, which it fills when the task ends; a task that waits has put it
    there before.
    """

    name = "Flyte run"

    @property
    def xcom_key(self) -> str:
        """Where the address is kept, on Airflow 2 too."""
        return "_link_FlyteRunLink"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that :func:`show_link` has stored; '' where there is none."""
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""


def show_link(context: Context, url: str) -> None:
    """Let the task instance's button lead there. No button is worth a task, so a failure is only logged."""
    ti: Any = context.get("ti")
    if ti is None:
        # A user's test that calls poke({}).
        return
    try:
        ti.xcom_push(key=FlyteRunLink().xcom_key, value=url)
    except Exception:
        log.warning(
            "The button %r of this task will not work, because XCom did not take its address %s.",
            FlyteRunLink.name,
            url,
            exc_info=True,
        )
