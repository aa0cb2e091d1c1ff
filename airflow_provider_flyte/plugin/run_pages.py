"""What the tab's page asks for: a run's details, and those of its parts that are open."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query

from airflow_provider_flyte.client.flows.calls import ROOT_ACTION
from airflow_provider_flyte.client.outside import LONGEST, LONGEST_NAME, one_line
from airflow_provider_flyte.plugin.abort import Wanted, abort_run, launched_by
from airflow_provider_flyte.plugin.access import (
    Editor,
    LogReader,
    MayEdit,
    MayReadLogs,
    MayReadXCom,
    ReadableTask,
    UserName,
    XComReader,
)
from airflow_provider_flyte.plugin.actions_view import MOST_LEVELS, Level, levels_view
from airflow_provider_flyte.plugin.airflow_server import redact
from airflow_provider_flyte.plugin.chosen_run import ChosenRun, Index, Live, TryNumber, choose
from airflow_provider_flyte.plugin.earlier_tries import numbers_of_tries
from airflow_provider_flyte.plugin.from_the_page import FromThePage
from airflow_provider_flyte.plugin.live_runs import DETAILS
from airflow_provider_flyte.plugin.queries import ACTIONS, FAILED_ACTIONS, LINES, VALUES, log_of
from airflow_provider_flyte.plugin.stored_task import Stored
from airflow_provider_flyte.plugin.view import run_view, values_text
from airflow_provider_flyte.settings import shows_values

router = APIRouter()


@router.get("/api/run")
async def show(
    logs: MayReadLogs,
    xcom: MayReadXCom,
    edit: MayEdit,
    asked: ReadableTask,
    stored: Stored,
    live: Live,
    run: Index = 0,
    of_try: TryNumber = None,
) -> dict[str, Any]:
    """A task instance's runs, and one of them as Flyte has it now.

    :param run: which of the stored ones; no request can name another.
    :param of_try: the number of an earlier try, whose run is shown instead.
    """
    runs = stored.runs
    shown: dict[str, Any] = {"over": stored.over, "trouble": stored.trouble, "runs": [], "run": None}
    if runs is None:
        return shown
    chosen = await choose(asked, stored, live, run, of_try)
    reply = await chosen.ask(DETAILS)
    details = reply.answer
    earlier = of_try not in (None, runs.try_number)
    return shown | {
        "runs": [chosen.key.name] if earlier else [each.name for each in runs.runs],
        "total": 1 if earlier else runs.total,
        "try_number": of_try or runs.try_number,
        "tries": await numbers_of_tries(asked, runs, live),
        "shown": chosen.digest(),
        "name": chosen.key.name,
        "project": chosen.key.project,
        "domain": chosen.key.domain,
        "url": reply.url_of(chosen.key),
        "trouble": one_line(reply.trouble, LONGEST),
        "run": run_view(details, logs=logs) if details else None,
        "logs": logs,
        "values": xcom and shows_values(),
        "abortable": details is not None and edit and not details.done() and launched_by(asked, details),
    }


@router.get("/api/log", dependencies=[LogReader])
async def show_log(chosen: ChosenRun) -> dict[str, Any]:
    """The end of the log of a run's last attempt."""
    details = (await chosen.ask(DETAILS)).answer
    attempts = details.pb2.action.attempts if details else ()
    attempt = max(1, attempts[-1].attempt) if attempts else 1
    reply = await chosen.ask(log_of(attempt))
    lines, trouble = (reply.answer.lines, reply.answer.trouble) if reply.answer else ((), reply.trouble)
    return {"attempt": attempt, "lines": list(lines), "most": LINES, "trouble": one_line(trouble)}


@router.get("/api/failed", dependencies=[LogReader])
async def show_failed(chosen: ChosenRun) -> dict[str, Any]:
    """The child actions of a run that failed first."""
    reply = await chosen.ask(FAILED_ACTIONS)
    if reply.answer is None:
        return {"actions": [], "more": 0, "trouble": one_line(reply.trouble)}
    actions = [{"name": each.name, "task": each.task, "why": each.why} for each in reply.answer.first]
    return {"actions": actions, "more": reply.answer.more, "trouble": one_line(reply.answer.trouble)}


Names = Annotated[list[Annotated[str, Query(max_length=LONGEST_NAME)]], Query(max_length=MOST_LEVELS)]
Numbers = Annotated[list[Annotated[int, Query(ge=0, lt=2**31)]], Query(max_length=MOST_LEVELS)]


@router.get("/api/actions")
async def show_actions(chosen: ChosenRun, parent: Names, group: Names, first: Numbers) -> dict[str, Any]:
    """Child actions of a run: a page of each level that the browser has open, each named by its place in the lists.

    :param parent: the actions whose children are shown. These names are looked up in what Flyte has sent, and are
        not sent to it.
    :param group: the groups of them, '' for what stands outside of groups.
    :param first: how many are left out before the first that is shown.
    """
    reply = await chosen.ask(ACTIONS)
    if reply.answer is None:
        return {"levels": [], "total": 0, "left_out": 0, "trouble": one_line(reply.trouble)}
    levels = [Level(*each) for each in zip(parent, group, first, strict=False)]
    # In a thread: there may be thousands.
    return await asyncio.to_thread(levels_view, reply.answer, levels, ROOT_ACTION)


@router.get("/api/values", dependencies=[XComReader])
async def show_values(chosen: ChosenRun) -> dict[str, Any]:
    """The inputs and outputs of a run, as texts."""
    reply = await chosen.ask(VALUES)
    inputs, outputs = (reply.answer.inputs, reply.answer.outputs) if reply.answer else ({}, {})
    # In a thread: a value may be large, and Airflow's masker looks at all of it.
    texts = [await asyncio.to_thread(values_text, values, redact) for values in (inputs, outputs)]
    return {"inputs": texts[0], "outputs": texts[1], "trouble": one_line(reply.trouble)}


@router.post("/api/abort", dependencies=[Editor, FromThePage])
async def abort(asked: ReadableTask, user: UserName, chosen: ChosenRun, wanted: Wanted) -> dict[str, Any]:
    """Abort a run that the task instance has launched."""
    chosen.check_shown(wanted.shown, "Nothing is aborted.")
    done = await chosen.do(lambda client, key: abort_run(client, key, asked, user, wanted.reason))
    return {"said": one_line(done.trouble if done.answer is None else f"{done.answer}.")}
