"""A worker whose task is stopped: it aborts the run that the task has launched, if somebody stopped that task."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat import AirflowTaskTimeout
from airflow_provider_flyte.compat.task_states import task_state
from airflow_provider_flyte.exceptions import FlyteTaskKilled
from airflow_provider_flyte.tries.abort import abort_own
from airflow_provider_flyte.tries.attempt import TryRun
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.tries.kill_reason import (
    CLEARED,
    RUNNING,
    abort_done,
    abort_failed,
    because_of,
    interrupted,
    kept_by_setting,
    not_ours,
    why_another,
    why_given_up,
    why_killed,
)
from airflow_provider_flyte.tries.supervisor import supervisor
from airflow_provider_flyte.tries.task_instance import is_test, task_instance_of

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.operators import FlyteRunOperator

_TURN = 0.5
"""Seconds after which a sleeping worker sees that its task was killed: Airflow ends it five seconds later."""


class Stopping:
    """The handling of a task that is stopped while it executes, and of its run.

    :param task: the operator, whose ``stop_requested`` a signal sets.
    :param context: its context.
    :param client: makes the calls.
    """

    def __init__(self, task: FlyteRunOperator, context: Context, client: HeldClient) -> None:
        self._task = task
        self._context = context
        self._client = client
        self._log = task.log
        self._supervisor = supervisor()
        self.after_abort: Callable[[], None] = lambda: None
        """Called once the task has aborted its run, for what else it may have left running."""

    @contextmanager
    def watching(self, key: RunKey, url: str, find: Callable[[], TryRun | None]) -> Iterator[None]:
        """Handle a kill, a timeout and a Ctrl-C that end this process before it knows how its run ended.

        :param key: the run, which need not be launched yet.
        :param url: its page.
        :param find: gives the run, where there is one.
        """
        try:
            yield
        except AirflowTaskTimeout:
            if self._task.abort_on_timeout and (run := self._found(key, find)):
                self._abort_late(run)
            raise
        except KeyboardInterrupt:
            self._log.warning(interrupted(key, url))
            raise
        except BaseException:
            # Airflow 2.11 raises out of its signal handler, wherever we are; perhaps a launch is on its way.
            if self._task.stop_requested and (run := self._found(key, find)):
                self._was_stopped(run, ends=True)
            raise

    def _abort_late(self, run: TryRun) -> None:
        """Abort the run after a timeout, which a process that was given up has too: another try waits for it then."""
        if why := why_another(self._state(), orphaned=self._orphaned):
            self._log.warning(
                "After execution_timeout Flyte run %s is not aborted, because %s, and the task's next try waits "
                "for the run.",
                run.key,
                why,
            )
        else:
            self.abort(run, "execution_timeout has passed")

    def _found(self, key: RunKey, find: Callable[[], TryRun | None]) -> TryRun | None:
        try:
            return find()
        except Exception as error:
            self._log.warning("Flyte run %s may have been launched, but could not be searched for. %s", key, error)
            return None

    def sleep(self, seconds: float, check: Callable[[], None]) -> None:
        """Sleep on a worker.

        :param seconds: how long.
        :param check: called now and then; what it raises ends the sleep.
        """
        until = time.time() + seconds
        while (left := until - time.time()) > 0:
            check()
            time.sleep(min(_TURN, left))

    def check_before_launch(self) -> None:
        """Launch nothing for a task that was asked to stop.

        :raises FlyteTaskKilled: if it was.
        """
        if self._task.stop_requested:
            raise self._not_launched("The task was stopped before its Flyte run was launched; nothing is launched.")

    def _not_launched(self, text: str) -> FlyteTaskKilled:
        return FlyteTaskKilled(text, run="", project=self._task.project or "", domain=self._task.domain or "")

    def check_before_create(self) -> None:
        """Launch nothing for a try that is no longer Airflow's: another one may have launched by now.

        Where Airflow cannot be asked, the supervisor proves it: it ends this process when it is told so.

        :raises FlyteTaskKilled: if it is not.
        """
        self._check_is_airflows(self._state())

    def check_at_create(self) -> None:
        """The same without asking Airflow, so that it takes no time.

        :raises FlyteTaskKilled: if it is not.
        """
        self._check_is_airflows(RUNNING)

    def _check_is_airflows(self, state: str | None) -> None:
        self.check_before_launch()
        if why := why_given_up(state, orphaned=self._orphaned):
            raise self._not_launched(f"Nothing is launched, because {why}.")

    def _state(self) -> str | None:
        ti = self._context["ti"]
        return RUNNING if is_test(ti) else task_state(ti)

    @property
    def _orphaned(self) -> bool:
        return os.getppid() != self._supervisor

    def check(self, run: TryRun) -> None:
        """On a worker that was asked to stop: abort the run if somebody stopped the task; else keep waiting.

        :raises FlyteTaskKilled: if somebody did.
        """
        if self._was_stopped(run, ends=False):
            raise _killed(run)

    def check_before_deferral(self, run: TryRun) -> None:
        """Airflow notifies a worker of a kill seconds later, with a heartbeat. One that has deferred by then is not
        notified, and its trigger never starts.

        :raises FlyteTaskKilled: if somebody stopped the task.
        """
        if self._was_killed(run, signalled=False):
            raise _killed(run)

    def _was_stopped(self, run: TryRun, *, ends: bool) -> bool:
        if not self._task.stop_requested:
            return False
        self._task.stop_requested = False
        return self._was_killed(run, signalled=True, ends=ends)

    def _was_killed(self, run: TryRun, *, signalled: bool, ends: bool = False) -> bool:
        """Whether somebody stopped the task in Airflow; then its run is aborted, or the log has why not.

        :param signalled: whether this process was asked to stop. If nobody stopped the task, it is logged that its run
            is not aborted.
        :param ends: whether this process ends because of that (Airflow 2.11), instead of waiting on while it can.
        """
        state = task_state(self._context["ti"])
        why = why_killed(state, deferred=False)
        # A task that is cleared starts anew, so its run is ended whatever the setting.
        if why and (self._task.abort_on_kill or state == CLEARED):
            self.abort(run, why)
        elif why:
            self._log.info(kept_by_setting(run.key, f" although {why}", f": {run.url}"))
        elif signalled:
            self._log.warning(
                "This worker process was asked to stop (SIGTERM), %s. Flyte run %s is not aborted; %s.",
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
            done = not_ours(run.key)
        else:
            try:
                done = f"{self._abort(run, why)}."
            except Exception as error:
                self._log.error(abort_failed(why, run.key, f"{run.url} {error}"))
                return f"Flyte run {run.key} could not be aborted and may still be running."
        self._log.info(abort_done(why, done))
        if run.ours:
            self.after_abort()
        return done

    def _abort(self, run: TryRun, why: str) -> str:
        try:
            return self._abort_once(run, why)
        except Exception:
            # The secret may have been replaced while the task waited.
            if not self._client.refresh():
                raise
            return self._abort_once(run, why)

    def _abort_once(self, run: TryRun, why: str) -> str:
        client = self._client.get()
        task = task_instance_of(self._context, self._task)
        return client.execute(abort_own(client.config, run.key, run.endpoint, task, why))


def _killed(run: TryRun) -> FlyteTaskKilled:
    return FlyteTaskKilled(
        f"The task was stopped in Airflow while it waited for Flyte run {run.key}. {run.url}",
        run=run.key.name,
        project=run.key.project,
        domain=run.key.domain,
        url=run.url,
    )
