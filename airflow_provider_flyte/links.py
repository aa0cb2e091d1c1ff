"""The button "Flyte run" of a task instance: the run's page in the Flyte console."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow_provider_flyte.compat import BaseOperatorLink, XCom
from airflow_provider_flyte.compat.ui import may_be_shown, push_to_database

if TYPE_CHECKING:
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.compat import Context

log = logging.getLogger(__name__)


class FlyteRunLink(BaseOperatorLink):
    """The run's page, from the moment when the task knows its run. Of several runs it is the first one's.

    Airflow 3 shows what its database has under ``xcom_key``, and puts there what :meth:`get_link` returns when a task's
    process ends; a task that waits has put it there before. Airflow 2 calls :meth:`get_link` in the webserver.
    """

    name = "Flyte run"

    @property
    def xcom_key(self) -> str:
        """The XCom key of the address, on Airflow 2 too."""
        return "_link_FlyteRunLink"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that :func:`show_link` has stored; '' where there is none."""
        # What lies in Airflow 3's database by itself, a custom XCom backend need not be able to read. And Airflow 3
        # logs an error for a key that XCom does not have: it is read only where it can exist.
        shown: object = getattr(operator, _SHOWN, None)
        if shown is None and may_be_shown(ti_key, resumed=getattr(operator, _RESUMED, False)):
            shown = XCom.get_value(key=self.xcom_key, ti_key=ti_key)
        return shown if _is_page(shown) else ""


_SHOWN = "_flyte_url_shown"
"""The operator's attribute with the address, in the process that has stored it."""

_RESUMED = "_flyte_url_shown_before"
"""The operator's attribute that is set where an earlier process has stored the address."""


def link_was_shown(task: Any) -> None:
    """Note that the task has stored its address before it deferred.

    :param task: the operator.
    """
    setattr(task, _RESUMED, True)


def show_link(task: Any, context: Context, url: str, runs: Sequence[RunKey] = ()) -> None:
    """Let the task instance's button lead there, and its tab show the runs. A failure is only logged: neither must fail
    the task.

    :param task: the operator.
    :param context: the task's.
    :param url: the run's page.
    :param runs: what the tab shows.
    """
    from airflow_provider_flyte.report.task_runs import tell_runs

    tell_runs(task, context, runs)
    if not _is_page(url):
        return
    setattr(task, _SHOWN, url)
    ti: Any = context.get("ti")
    if ti is None:
        # A user's test that calls poke({}).
        return
    try:
        push_to_database(ti, FlyteRunLink().xcom_key, url)
    except Exception:
        log.warning(
            "The button %r of this task will not work, because XCom did not take its address %s.",
            FlyteRunLink.name,
            url,
            exc_info=True,
        )


def _is_page(address: object) -> TypeGuard[str]:
    """Whether a browser may follow it: an address of another scheme (``javascript:``) would run where Airflow does."""
    return isinstance(address, str) and address.startswith(("http://", "https://"))
