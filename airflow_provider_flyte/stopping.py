"""A worker whose task is stopped: it aborts the run that the task has launched, if somebody meant the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.launch_identity import abort_reason
from airflow_provider_flyte.compat import task_state
from airflow_provider_flyte.exceptions import FlyteTaskKilled
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.killing import CLEARED, abort_outcome, because_of, why_killed
from airflow_provider_flyte.run_wait import TaskLog
from airflow_provider_flyte.task_identity import task_instance_of
from airflow_provider_flyte.try_run import TryRun

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context


@dataclass(frozen=True)
class Stopping:
    """What may have to be done about a run whose task may have been stopped."""

    context: Context
    flyte_conn_id: str
    abort_on_kill: bool
    log: TaskLog

    def was_killed(self, run: TryRun, *, signalled: bool, ends: bool = False) -> bool:
        """Whether somebody stopped the task in Airflow; then its run is aborted, or the log says why not.

        :param signalled: whether this process was told to stop. If nobody stopped the task, the log says that its run
            is not aborted.
        :param ends: whether this process ends because of that (Airflow 2.11), instead of waiting on while it can.
        """
        state = task_state(self.context["ti"])
        why = why_killed(state, deferred=False)
        # A task that is cleared starts anew, so its run is ended whatever the setting.
        if why and (self.abort_on_kill or state == CLEARED):
            self.abort(run, why)
        elif why:
            self.log.info(
                "Flyte run %s is not aborted although %s (abort_on_kill=False). If it is still running, it runs until "
                "it ends or somebody aborts it in Flyte: %s",
                run.key,
                why,
                run.url,
            )
        elif signalled:
            self.log.warning(
                "This worker process was told to stop (SIGTERM), %s. Flyte run %s is not aborted; %s.",
                because_of(state),
                run.key,
                "a retry of the task waits for it"
                if ends
                else "this process keeps waiting for it while it can, and a retry of the task does if it cannot",
            )
        return bool(why)

    def abort(self, run: TryRun, why: str) -> str:
        """Abort the run if this task instance has launched it.

        :returns: a sentence about what was done.
        """
        if not run.ours:
            done = f"Flyte run {run.key} is not aborted, because this task did not launch it."
        else:
            try:
                with FlyteHook(self.flyte_conn_id).get_client() as client:
                    reason = abort_reason(task_instance_of(self.context), why)
                    aborted = client.abort(run.key.name, reason, project=run.key.project, domain=run.key.domain)
                    done = f"{abort_outcome(aborted, run.endpoint, client.config.endpoint)}."
            except Exception as error:
                self.log.error(
                    "Because %s, Flyte run %s was to be aborted. That failed, and it may still be running: abort it in "
                    "Flyte. %s",
                    why,
                    run.key,
                    f"{run.url} {error}",
                )
                return f"Flyte run {run.key} could not be aborted and may still be running."
        self.log.info("Because %s: %s", why, done)
        return done


def killed(run: TryRun) -> FlyteTaskKilled:
    """The error of a task that was stopped while it waited for this run."""
    return FlyteTaskKilled(
        f"The task was stopped in Airflow while it waited for Flyte run {run.key}. {run.url}",
        run=run.key.name,
        project=run.key.project,
        domain=run.key.domain,
        url=run.url,
    )
