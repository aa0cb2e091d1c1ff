"""A deferred task that is stopped: its trigger aborts the run that the task launched, if somebody stopped that task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat.task_states import UNKNOWN, atask_state
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.tries.abort import abort_own
from airflow_provider_flyte.tries.identity import TaskInstance, Try
from airflow_provider_flyte.tries.kill_reason import (
    abort_done,
    abort_failed,
    because_of,
    interrupted,
    kept_by_setting,
    not_ours,
    why_killed,
)

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger

_aborting: set[asyncio.Task[None]] = set()
"""Strong references: the loop keeps only weak ones to its tasks."""


async def stopped(trigger: FlyteLaunchedRunTrigger) -> None:
    """Abort the run of a trigger that Airflow notifies of a kill, where that is due."""
    if trigger.abort_for is None and not trigger.launched:
        trigger.log.info("Nothing was launched, so there is no Flyte run to abort.")
        return
    if trigger.abort_for is None:
        trigger.log.info(not_ours(trigger.run_name))
        return
    if not trigger.abort_on_kill:
        trigger.log.info(kept_by_setting(trigger.run_name, "", "; after a clear the task's next try aborts it."))
        return
    # A task of its own: Airflow cancels the trigger again a second later, and the abort is to finish.
    aborting = asyncio.ensure_future(_abort_if_killed(trigger))
    _aborting.add(aborting)
    aborting.add_done_callback(_aborting.discard)
    await asyncio.shield(aborting)


async def _abort_if_killed(trigger: FlyteLaunchedRunTrigger) -> None:
    state = await atask_state(trigger.task_instance)
    why = why_killed(state, deferred=True)
    if why:
        await abort(trigger, why)
    elif state in (UNKNOWN, "deferred"):
        trigger.log.info(
            "This trigger was asked to stop, %s. Flyte run %s is not aborted.", because_of(state), trigger.run_name
        )
    else:
        # Of a task that was cleared this is its next try's state.
        trigger.log.info(
            "Flyte run %s is not aborted by this trigger, because its task is %s again. If it was cleared, its "
            "next try aborts the run before it launches another.",
            trigger.run_name,
            state,
        )


async def abort(trigger: FlyteLaunchedRunTrigger, why: str) -> None:
    """Abort the run if its task instance has launched it.

    :param why: the reason, as a clause.
    """
    if trigger.abort_for is None:
        return
    try:
        async with await FlyteHook(trigger.flyte_conn_id).aget_client() as client:
            key = client.config.key(trigger.run_name, trigger.project, trigger.domain)
            task = TaskInstance(**trigger.abort_for)
            done = await client.aexecute(abort_own(client.config, key, trigger.endpoint, task, why))
            trigger.log.info(abort_done(why, f"{done}."))
            if trigger.trying is not None:
                await _end_stragglers(trigger, client, key, trigger.trying)
    except Exception as error:
        trigger.log.exception(abort_failed(why, trigger.run_name, error))


async def _end_stragglers(
    trigger: FlyteLaunchedRunTrigger, client: FlyteClient, key: RunKey, trying: dict[str, Any]
) -> None:
    from airflow_provider_flyte.tries.stragglers import end_stragglers, not_known

    try:
        flow = end_stragglers(client.config, Try.from_json(trying), key, trigger.endpoint, trigger.log)
        await client.aexecute(flow)
    except Exception as error:
        # The abort is done, and its line is not taken back.
        trigger.log.warning(not_known(error))


def interrupt(trigger: FlyteLaunchedRunTrigger) -> None:
    """Name the run, which keeps running, to somebody who pressed Ctrl-C in ``airflow dags test``."""
    trigger.log.warning(interrupted(RunKey(trigger.project or "", trigger.domain or "", trigger.run_name)))
