"""The run of a try, found or launched, also where Flyte gives no answer for a while: then nothing may be launched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.verdict import WaitRules
from airflow_provider_flyte.compat import AirflowTaskTimeout
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteLaunchFailed,
    FlyteUnreachable,
)
from airflow_provider_flyte.launch.deferral import defer
from airflow_provider_flyte.launch.trouble import LaunchTrouble
from airflow_provider_flyte.report.metrics import count_launch
from airflow_provider_flyte.report.xcom import push_run
from airflow_provider_flyte.templates import ABOUT_NATIVE, ABOUT_TEXTS
from airflow_provider_flyte.tries.attempt import TryRun, TryRuns
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.tries.kill import Stopping
from airflow_provider_flyte.tries.kill_reason import elsewhere_perhaps
from airflow_provider_flyte.tries.task_instance import first_launch, try_of
from airflow_provider_flyte.wait.deferral import execution_deadline
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.resumption import OPERATOR, Settled
from airflow_provider_flyte.wait.task_wait import BRIEFLY

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, Launch
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.operators import FlyteRunOperator


class Launching:
    """One execution of an operator until it has its run.

    :param task: the operator.
    :param context: its context.
    :param client: makes the calls.
    :param stopping: handles a kill meanwhile.
    """

    def __init__(self, task: FlyteRunOperator, context: Context, client: HeldClient, stopping: Stopping) -> None:
        self._task = task
        self._context = context
        self._client = client
        self._stopping = stopping

    def run(self, wanted: Launch, before: Settled | None, event: RunEvent | None) -> TryRun:
        """The run of this try, launched if need be; while Flyte gives no answer this waits, or defers.

        :param wanted: what to launch.
        :param before: what this try has settled before it deferred without a run.
        :param event: the trigger's event then. Where Airflow has lost what was settled, it still names the run.
        """
        task = self._task
        trouble = LaunchTrouble(
            self._limit,
            task.log,
            since=before.began if before else None,
            uncertain=before is not None and before.launched is None,
            answers_triggerer=event is not None and event.answered,
        )
        resumes: str | None = None
        if before is None:
            resumes = event.run_name or None if event else None
        else:
            if event is not None:
                _apply_event(event, trouble)
            if trouble.uncertain:
                [resumes] = before.run_names
        while True:
            began = time.time()
            with naming(resumes if trouble.uncertain else None):
                client = self._client.get()
                runs = self._runs(client, wanted, resumes)
            if trouble.uncertain and before is not None and before.endpoint not in (None, client.config.endpoint):
                task.log.warning(elsewhere_perhaps(runs.key, before.endpoint, client.config.endpoint))
                before = None
            with self._stopping.watching(runs.key, client.config.run_url(runs.key), runs.existing):
                try:
                    run = runs.get()
                    break
                except (FlyteUnreachable, FlyteLaunchFailed) as error:
                    trouble.met(error, began)
                if trouble.uncertain:
                    resumes = runs.key.name
                self._wait_for_flyte(runs.key, client.config.endpoint, trouble)
            # So that the connection is read again: somebody may have changed it.
            self._client.close()
        trouble.over()
        push_run(task, self._context, run.key.name, run.url)
        if run.new:
            count_launch(task.flyte_conn_id)
        return run

    @property
    def _limit(self) -> float | None:
        """Seconds of trouble that are put up with before the launch; None: for ever."""
        return self._task.unreachable_after if self._task.deferrable else self._task.launch_unreachable_after

    def _runs(self, client: FlyteClient, wanted: Launch, resumes: str | None) -> TryRuns:
        task = self._task
        try:
            trying = try_of(self._context, client.config.run_name_prefix, task.run_name, task, resumes)
        except ConfigError as error:
            raise FlyteArgumentError(str(error)) from error
        return TryRuns(
            client,
            trying,
            wanted,
            retry_as=task.retry_as,
            force_rerun_actions=task.force_rerun_actions,
            about_templates=ABOUT_NATIVE if task.rendered_natively else ABOUT_TEXTS,
            retry_for=WaitRules(unreachable_after=self._limit).at_most(BRIEFLY),
            since=first_launch(self._context),
            waits=task.wait,
            before_create=self._stopping.check_before_create,
            at_create=self._stopping.check_at_create,
            log=task.log,
        )

    def _wait_for_flyte(self, key: RunKey, endpoint: str, trouble: LaunchTrouble) -> None:
        """Give Flyte time before the next attempt: in the triggerer, or a while on this worker."""
        task = self._task
        if not task.deferrable:
            left = task.poll_interval if trouble.left is None else trouble.left
            self._stopping.sleep(min(task.poll_interval, left), self._stopping.check_before_launch)
            return
        task.log.info("The task waits in the triggerer until Flyte answers, and launches then.")
        settled = Settled(
            OPERATOR,
            self._context["ti"].try_number,
            key.project,
            key.domain,
            [key.name],
            endpoint,
            launched=None if trouble.uncertain else False,
            asked_name=task.run_name,
            returned=task.returned(),
            began=trouble.since or time.time(),
            execution_deadline=execution_deadline(task, self._context),
        )
        defer(task, self._context, settled, trouble.left)


def _apply_event(event: RunEvent, trouble: LaunchTrouble) -> None:
    """Act on the event of a try that waited for Flyte before its launch."""
    if event.ending is Ending.TASK_TIMED_OUT:
        raise AirflowTaskTimeout(
            "execution_timeout has passed while Flyte gave no answer before the launch. "
            + ("The run may have been launched." if trouble.uncertain else "Nothing was launched.")
        )
    if event.ending is Ending.CRASHED:
        # A trigger that crashes may crash again, so the try does not defer for ever.
        trouble.give_up()


@contextmanager
def naming(run: str | None) -> Iterator[None]:
    """Let the error of a connection that cannot be used name the run that may be running meanwhile, if there is one."""
    try:
        yield
    except (ConfigError, FlyteConfigurationError) as error:
        if run is None:
            raise
        kind = type(error) if isinstance(error, FlyteConfigurationError) else FlyteConfigurationError
        raise kind(f"Flyte run {run} may still be running. {error}") from error
