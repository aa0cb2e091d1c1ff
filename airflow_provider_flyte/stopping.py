"""A worker whose task is stopped: it aborts the run that the task has launched, if somebody meant the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_flyte.airflow_facts import task_state
from airflow_provider_flyte.client.launch_identity import abort_reason
from airflow_provider_flyte.exceptions import FlyteTaskKilled
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.killing import CLEARED, why_killed
from airflow_provider_flyte.run_wait import TaskLog
from airflow_provider_flyte.try_run import TryRun, task_instance_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


@dataclass(frozen=True)
class Stopping:
    """What may have to be done about a run whose task may have been stopped."""

    context: Context
    flyte_conn_id: str
    abort_on_kill: bool
    log: TaskLog

    def was_killed(self, run: TryRun, *, told: bool) -> bool:
        """Whether somebody meant the task; then its run is aborted.

        :param told: whether this process was told to end. If nobody meant the task, the log says that the run goes on.
        """
        state = task_state(self.context["ti"])
        why = why_killed(state, deferred=False)
        # A task that is cleared starts anew, so its run is ended whatever the setting.
        if why and (self.abort_on_kill or state == CLEARED):
            self.abort(run, why)
        elif told and not why:
            self.log.warning(
                "This process was told to end, but nobody killed the task (it is %s): Flyte run %s goes on, and the "
                "next try finds it.",
                state,
                run.key,
            )
        return bool(why)

    def abort(self, run: TryRun, why: str) -> str:
        """Abort the run if this task instance has launched it, and say what was done."""
        if not run.ours:
            done = f"Flyte run {run.key} goes on: this task did not launch it."
        else:
            try:
                with FlyteHook(self.flyte_conn_id).get_client() as client:
                    reason = abort_reason(task_instance_of(self.context), why)
                    done = f"{client.abort(run.key.name, reason, project=run.key.project, domain=run.key.domain)}."
            except Exception as error:
                done = f"Flyte run {run.key} may go on: it could not be aborted. {error}"
        self.log.info("%s: %s", why, done)
        return done


def killed(run: TryRun) -> FlyteTaskKilled:
    """The error of a task that was killed while it had this run."""
    return FlyteTaskKilled(
        f"The task was killed. {run.url}",
        run=run.key.name,
        project=run.key.project,
        domain=run.key.domain,
        url=run.url,
    )
