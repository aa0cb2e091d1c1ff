"""What the tabs "Flyte" of a DAG and of a DAG run ask for: the runs of their tasks, in as few calls as Flyte allows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from airflow_provider_flyte.client.moments import time_of
from airflow_provider_flyte.client.outside import LONGEST, one_line
from airflow_provider_flyte.client.phase import is_terminal, phase_name
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.plugin.chosen_run import Live
from airflow_provider_flyte.plugin.dag_runs import DAG_RUNS, Listed, ListedTask
from airflow_provider_flyte.plugin.live_runs import FRESH_WHEN_OVER, SMALL, LiveRuns, Reply, RunQuery
from airflow_provider_flyte.plugin.view import shown_time

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.listed_runs import ListedRuns
    from airflow_provider_flyte.client.flows.runs_by_creation import RunRow

FRESH = 5.0
"""Seconds for which a list is shown again in which a run goes on."""

FRESH_ONE_BY_ONE = 30.0
"""The same where Flyte does not list by name, and each run costs a call."""

MOST_TROUBLES = 5

router = APIRouter()


@router.get("/api/runs")
async def show_runs(listed: Listed, live: Live) -> dict[str, Any]:
    """A page of the runs of a DAG, or of one DAG run."""
    replies = await _ask_all(live, listed.tasks)
    rows = [row for task in listed.tasks for row in _rows(task, replies)]
    return {
        "rows": rows,
        "following": listed.following,
        "dag_runs": DAG_RUNS,
        "over": listed.over and all(row["over"] for row in rows),
        "troubles": _troubles(replies.values()),
    }


Group = tuple[str, ProjectDomain]
"""What one call is for: a connection, and a project and domain."""

Replies = Mapping[Group, "Reply[ListedRuns]"]


async def _ask_all(live: LiveRuns, tasks: Iterable[ListedTask]) -> Replies:
    groups: dict[Group, set[str]] = {}
    for runs in (task.runs for task in tasks if task.runs):
        for key in runs.runs:
            groups.setdefault((runs.flyte_conn_id, key.project_domain), set()).add(key.name)
    replies = await asyncio.gather(*(_ask(live, group, sorted(names)) for group, names in groups.items()))
    return dict(zip(groups, replies, strict=True))


async def _ask(live: LiveRuns, group: Group, names: Sequence[str]) -> Reply[ListedRuns]:
    conn_id, where = group

    async def ask(client: FlyteClient, key: RunKey) -> ListedRuns:
        from airflow_provider_flyte.client.flows.listed_runs import listed_runs

        return await client.aexecute(listed_runs(where, names, client.config.org), retry_for=0.0)

    # Whether the connection may be used for this project and domain is seen by one of the runs.
    return await live.ask(conn_id, where.run(names[0]), RunQuery(f"list {' '.join(names)}", ask, _fresh, _size))


def _fresh(answer: ListedRuns) -> float:
    if all(is_terminal(row.phase) for row in answer.rows.values()):
        return FRESH_WHEN_OVER
    return FRESH_ONE_BY_ONE if answer.one_by_one else FRESH


def _size(answer: ListedRuns) -> int:
    return SMALL + 1_000 * len(answer.rows)


def _rows(task: ListedTask, replies: Replies) -> Iterator[dict[str, Any]]:
    about = _NOTHING | {
        "run_id": task.run_id,
        "task_id": task.task_id,
        "map_index": task.map_index,
        "state": task.state,
        "over": task.over,
        "trouble": one_line(task.trouble, LONGEST),
    }
    if task.runs is None:
        yield about
        return
    for key in task.runs.runs:
        reply = replies[task.runs.flyte_conn_id, key.project_domain]
        row = reply.answer.rows.get(key.name) if reply.answer else None
        missing = reply.answer is not None and key.name in reply.answer.missing
        yield (
            about
            | {
                "try_number": task.runs.try_number,
                "name": key.name,
                "project": key.project,
                "domain": key.domain,
                "url": reply.url_of(key),
                "missing": missing,
                "over": task.over and (missing or (row is not None and is_terminal(row.phase))),
                "left_out": task.runs.total - len(task.runs.runs) if key is task.runs.runs[-1] else 0,
            }
            | (_seen(row) if row else {})
        )


_NOTHING: dict[str, Any] = {
    "try_number": None,
    "name": "",
    "project": "",
    "domain": "",
    "url": "",
    "phase": None,
    "started": None,
    "ended": None,
    "task": "",
    "done": False,
    "missing": False,
    "left_out": 0,
}


def _seen(row: RunRow) -> dict[str, Any]:
    ended = row.ended_at if is_terminal(row.phase) else None
    return {
        "phase": phase_name(row.phase),
        "done": is_terminal(row.phase),
        "started": shown_time(time_of(row.created_at)) if row.created_at > 0 else None,
        "ended": None if ended is None else shown_time(time_of(ended)),
        "task": row.task_name,
    }


def _troubles(replies: Iterable[Reply[ListedRuns]]) -> list[str]:
    """Each once: a Flyte that is away is so for all of its projects."""
    said = dict.fromkeys(one_line(reply.trouble, LONGEST) for reply in replies if reply.trouble)
    return list(said)[:MOST_TROUBLES]
