"""Whether and why a task was killed: Airflow's ``on_kill`` also fires for tasks that were not killed.

On a worker it fires for an evicted pod, for heartbeats that failed or met another try, and on ``execution_timeout``;
in the triggerer also for all triggers of a process that stalled and came back. The task instance's state shows which.
One that cannot be read, or that may mean either, is no reason to abort anything: a task that starts anew ends what was
left running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_flyte.compat.task_states import ORPHANED, UNKNOWN, waits_as_running

if TYPE_CHECKING:
    from airflow_provider_flyte.client.run_key import RunKey

RUNNING = "running"

CLEARED = "restarting"
"""The state of a running task that was cleared."""

_WHY = {
    "failed": "the task was marked failed, or its DAG run was",
    "success": "the task was marked success",
    "skipped": "the task was marked skipped, or its DAG run timed out",
    CLEARED: "the task was cleared",
    "removed": "the task was removed from its DAG",
}

_GIVEN_UP = {
    "up_for_retry": "Airflow has given this try up, and another one comes",
    "upstream_failed": "an upstream task has failed",
}

_NOT_HERE = ("deferred", "up_for_reschedule", "awaiting_input", "queued", "scheduled")
"""States that no task has while a process executes it, but for what ``compat`` knows."""


def why_killed(state: str | None, *, deferred: bool) -> str:
    """Why the task was killed, as a clause; '' where it was not, or that is not known.

    :param state: the task instance's current state; None: it was cleared, UNKNOWN: the state could not be read.
    :param deferred: whether the task waits in the triggerer. A running task that is cleared is ``restarting``; one
        without a state was reset by the scheduler, after its worker had been lost.
    """
    if state is None:
        return "the task was cleared" if deferred else ""
    return _WHY.get(state, "")


def why_given_up(state: str | None, *, orphaned: bool) -> str:
    """Why nothing may be launched any more, as a clause: Airflow may have started another try; '' where it has not.

    :param state: the task instance's state, as above.
    :param orphaned: whether the process that supervised this one is gone.
    """
    return _WHY.get(state or "") or why_another(state, orphaned=orphaned)


def why_another(state: str | None, *, orphaned: bool) -> str:
    """Why another process may execute the task by now, or be about to, as a clause; '' where none does.

    The parameters are those above.
    """
    if orphaned or state == ORPHANED:
        return "the process that supervised this one is gone, so Airflow has given this try up"
    if state is None:
        return "the scheduler has reset the task"
    if state in _NOT_HERE and not waits_as_running(state):
        return f"the task is {state} by now, so Airflow has given this process up"
    return _GIVEN_UP.get(state, "")


def because_of(state: str | None) -> str:
    """What a state that is no reason to abort means for a process that was asked to stop, as a clause."""
    if state in (UNKNOWN, ORPHANED):
        return "and whether somebody stopped the task is not known, because its state could not be read"
    return f"but nobody stopped the task: {'the scheduler has reset it' if state is None else f'it is {state}'}"


def launched_elsewhere(run: object, launched_at: str | None, now_at: str) -> str:
    """Why nothing is aborted where the connection leads to another Flyte than that of the launch, as a clause."""
    return (
        f"The Flyte connection leads to {now_at} by now, so nothing is aborted there. Flyte run {run} was launched at "
        f"{launched_at} and may still be running there; abort it there"
    )


def elsewhere_perhaps(run: object, launched_at: str | None, now_at: str) -> str:
    """The line for a launch of which nobody knows whether it arrived, and a connection that leads elsewhere by now."""
    return (
        f"The Flyte connection leads to {now_at} by now. Flyte run {run} may have been launched at {launched_at} and "
        f"be running there: if that is another Flyte, abort it there. The task looks for it at {now_at}, and launches "
        "it there if it does not exist."
    )


def not_ours(run: object) -> str:
    """Why the run of somebody else is left alone."""
    return f"Flyte run {run} is not aborted, because this task did not launch it."


def kept_by_setting(run: object, why: str, then: str) -> str:
    """Why a run keeps running whose task was stopped.

    :param why: what has stopped the task, as `` although ...``; '' where that was not asked.
    :param then: an addition, with its punctuation.
    """
    return (
        f"Flyte run {run} is not aborted{why} (abort_on_kill=False). If it is still running, it runs until it ends or "
        f"somebody aborts it in Flyte{then}"
    )


def abort_done(why: str, done: str) -> str:
    """Why a run was to be aborted, and the abort's outcome."""
    return f"Because {why}: {done}"


def abort_failed(why: str, run: object, error: object) -> str:
    """The line for an abort that could not be carried out."""
    return (
        f"Because {why}, Flyte run {run} was to be aborted. That failed, and it may still be running: abort it in "
        f"Flyte. {error}"
    )


def interrupted(key: RunKey, url: str = "") -> str:
    """The line for somebody who pressed Ctrl-C in ``airflow dags test``."""
    page = f", or its page: {url}" if url else ""
    return (
        f"Interrupted (Ctrl-C). Flyte run {key} is not aborted: if it was launched, it keeps running in Flyte. To "
        f"end it: flyte abort run {key.name} --project {key.project} --domain {key.domain}{page}"
    )
