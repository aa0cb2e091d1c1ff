"""The runs of a task instance's earlier tries: XCom has that of the last one alone."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from sqlalchemy import select

from airflow_provider_flyte.plugin.access import AskedTask
from airflow_provider_flyte.plugin.airflow_server import TaskInstanceHistory, create_session
from airflow_provider_flyte.plugin.live_runs import LiveRuns, RunQuery
from airflow_provider_flyte.report.task_runs import TaskRuns
from airflow_provider_flyte.settings import airflow_id

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.run_key import RunKey

_FRESH = 60.0
"""Seconds: what was a try's run stays it."""


def earlier_tries(asked: AskedTask) -> RunQuery[dict[int, RunKey]]:
    """Which runs the earlier tries of a task instance have launched, by the tries' numbers, newest first.

    :param asked: the task instance. What is asked about is the run of its last try.
    """

    async def ask(client: FlyteClient, last: RunKey) -> dict[int, RunKey]:
        from airflow_provider_flyte.tries.identity import DEFAULT_PREFIX, TaskInstance
        from airflow_provider_flyte.tries.known_tries import runs_of_earlier_tries

        attempts = await asyncio.to_thread(_attempts, asked)
        if not attempts:
            return {}
        config, task = client.config, TaskInstance(*_of_task(asked), airflow=airflow_id())
        prefix = config.run_name_prefix or DEFAULT_PREFIX
        flow = runs_of_earlier_tries(last, task, attempts, prefix, config.org)
        return await client.aexecute(flow, retry_for=0.0)

    return RunQuery(f"tries of {json.dumps(asked)}", ask, lambda found: _FRESH)


async def numbers_of_tries(asked: AskedTask, stored: TaskRuns, live: LiveRuns) -> list[int]:
    """The numbers of the tries that can be shown, newest first: that of the last run, and of those before it."""
    earlier: dict[int, RunKey] = {}
    if stored.try_number > 1:
        reply = await live.ask(stored.flyte_conn_id, stored.runs[0], earlier_tries(asked))
        earlier = reply.answer or {}
    return [stored.try_number, *(number for number in earlier if number < stored.try_number)]


def _of_task(asked: AskedTask) -> tuple[str, str, str, int]:
    return asked.dag_id, asked.task_id, asked.run_id, asked.map_index


def _attempts(asked: AskedTask) -> dict[int, str | None]:
    """Airflow's ids of the tries that are over, by their numbers."""
    with create_session(scoped=False) as session:
        rows = session.execute(
            select(TaskInstanceHistory.try_number, TaskInstanceHistory.task_instance_id).where(
                TaskInstanceHistory.dag_id == asked.dag_id,
                TaskInstanceHistory.run_id == asked.run_id,
                TaskInstanceHistory.task_id == asked.task_id,
                TaskInstanceHistory.map_index == asked.map_index,
            )
        )
        return {number: None if attempt is None else str(attempt) for number, attempt in rows}
