"""FlyteRunOperator: launches a Flyte run and waits for it, one run for each try, whatever crashes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import (
    DEFAULT_DEFERRABLE,
    LEAST_INTERVAL,
    LOGICAL_DATE,
    POLL_INTERVAL,
    RESUME_AFTER,
    argument_errors,
    check_starts_on_worker,
    forced_actions,
    run_notifications,
)
from airflow_provider_flyte.client.arguments import (
    CACHE_LOOKUP_SCOPES,
    MISSING_AFTER,
    UNREACHABLE_AFTER,
    action_concurrency,
    choice,
    optional_seconds,
    seconds,
    switch,
    whole_number,
)
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.compat import BaseOperator, XComArg
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.links import FlyteRunLink, link_was_shown, show_link
from airflow_provider_flyte.report.redaction import HiddenValues
from airflow_provider_flyte.templates import KeepsTexts
from airflow_provider_flyte.tries import supervisor  # noqa: F401  # notes who forks this process

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.tries.attempt import TryRun
    from airflow_provider_flyte.tries.held_client import HeldClient
    from airflow_provider_flyte.tries.kill import Stopping
    from airflow_provider_flyte.wait.event import RunEvent
    from airflow_provider_flyte.wait.resumption import Settled
    from airflow_provider_flyte.wait.task_wait import TaskWait


class FlyteRunOperator(KeepsTexts, BaseOperator):
    """Launches a Flyte task and waits for its run. Each try of the Airflow task has one run.

    The run's name is made of the DAG, the task, the DAG run, the map index and the try, so a worker that crashes at
    any point finds the run again, and a retry first reads the runs of the tries before: one that is still running is
    waited for, one that has succeeded is the answer. Clearing the task starts anew.

    XCom gets the run's details (``RunDetails.to_dict()``) under ``return_value``, the outputs as plain values under
    ``outputs``, and each output under its own name (``o0``, ``o1`` ...).

    All arguments but the numbers, switches, choices and lists are templates. A template gives a text unless the DAG has
    ``render_template_as_native_obj=True``, and a text does not fit an input that is a number.

    :param task_name: the name of a deployed Flyte task, such as ``train.fit``.
    :param version: its version; by default the latest that is deployed.
    :param trigger_name: a Flyte trigger of the task: the run counts as fired by it, and has its version, inputs and
        settings where the arguments set nothing else.
    :param inputs: plain values by name; what fits which type stands in docs/launch.md.
    :param run_start_time: when the run started, as it is told (``flyte.ctx().run_start_time``): a datetime, a date or
        ISO 8601 text, in UTC where it has no zone. By default ``"logical_date"``: the DAG run's logical date, else its
        ``run_after``. None leaves it to Flyte. Tasks of Flyte's SDK before 2.3.6 do not read it.
    :param project: the Flyte project of task and run; by default the connection's.
    :param domain: their Flyte domain; by default the connection's.
    :param flyte_conn_id: the Airflow connection, of type ``flyte``.
    :param run_name: a name for the run instead of a computed one; a run that exists under it is waited for, no
        matter who launched it. A retry that launches anew appends ``-2``, ``-3`` ...
    :param labels: labels of the run; over those of DAG, task, DAG run, try, owner and team that it gets by itself.
    :param annotations: annotations of the run; Airflow's own are added.
    :param env_vars: environment variables of the run. Their values are hidden in Rendered Templates.
    :param run_context: what each action of the run reads as ``flyte.ctx().custom_context``: texts by name, outside of
        the cache's key. Where OpenTelemetry is active, ``traceparent`` is added.
    :param flyte_queue: the Flyte queue to run in (``queue`` is Airflow's own argument).
    :param interruptible: whether the run may use machines that can be taken away; by default as the task is defined.
    :param overwrite_cache: compute anew what Flyte has cached.
    :param cache_lookup_scope: whose cached results the run may take: ``"global"`` or those of its ``"project-domain"``;
        by default Flyte's setting.
    :param service_account: the Kubernetes service account to run as; the connection may allow only some.
    :param raw_data_prefix: URI under which the run stores its data.
    :param run_base_dir: URI under which Flyte keeps what the run's actions hand to each other; by default Flyte's.
    :param max_action_concurrency: how many actions of the run may run at once, at least 2, its own included; by default
        Flyte's limit.
    :param notification_rule: the name of a rule that is set up in Flyte: whom it notifies of the run's end.
    :param notifications: whom Flyte notifies of the run's end, a dict each: ``on_phase``, and ``delivery``, ``email``
        or ``webhook``; see docs/launch.md. Not a template: Flyte has its own in it.
    :param wait: wait until the run is over. If not, the task succeeds once the run is launched.
    :param deferrable: wait in the triggerer instead of on a worker; by default ``[operators] default_deferrable``.
    :param poll_interval: maximum seconds until an end is noticed.
    :param retry_as: what a retry after a failed run launches: ``"new"``, ``"rerun"`` (the same, as a re-run of it) or
        ``"recover"`` (keeping what had succeeded, where the backend can).
    :param force_rerun_actions: names of actions that such a retry with ``"recover"`` is to run again although they
        succeeded.
    :param fail_fast_on: ``"user"``: an error of the run's own code fails the task without a retry.
    :param queued_timeout: seconds after which a run that never left its queue is aborted and the try fails; None:
        never.
    :param abort_on_kill: abort the run when the task is marked failed, success or skipped, is cleared, or its DAG run
        times out; also while deferred, from Airflow 3.3 on. Never because a process died.
    :param abort_on_timeout: abort the run when ``execution_timeout`` has passed; if not, a retry keeps waiting for it.
    :param missing_after: seconds for which Flyte may not list the run; None: for ever.
    :param unreachable_after: seconds of unbroken trouble with Flyte after which the try fails; None: never. The run
        may keep running, and a retry finds it.
    :param launch_unreachable_after: the same before the launch, on a worker, whose slot the try holds meanwhile.
        Deferred it holds none, and ``unreachable_after`` counts.
    :param resume_after: minimum seconds between a deferral and its end. Airflow's scheduler fails some tasks that
        resume a few seconds after they deferred (apache/airflow#66374); 0 takes that risk.
    :param log_progress: log how far the run's child actions are while the task waits, on change, every 30 s at most.
    :param stream_logs: log its progress, and write its log into the task's while it waits, line by line, up to 50 a
        second; None: as the connection says, else ``[flyte] stream_logs``, which is False.
    :param on_paused: where the run waits for an answer (``flyte.new_condition``): ``"log"`` writes into the task's log
        what it asks and where to answer, ``"fail"`` fails the try then, without an abort. None: it is not asked for.
    :param log_lines: how many of the last lines of a failed attempt's log go into the task's log; 0: none.
    :param redact_env: replace the values of the run's environment variables, and the addresses and headers of the
        webhooks that are notified of its end, by ``***`` in XCom.
    """

    template_fields: Sequence[str] = (
        "task_name",
        "version",
        "trigger_name",
        "inputs",
        "run_start_time",
        "project",
        "domain",
        "flyte_conn_id",
        "run_name",
        "labels",
        "annotations",
        "env_vars",
        "run_context",
        "flyte_queue",
        "service_account",
        "raw_data_prefix",
        "run_base_dir",
        "notification_rule",
    )
    text_collections = ("labels", "annotations", "env_vars", "run_context")
    typed_fields = ("inputs",)
    template_fields_renderers = dict.fromkeys(("inputs", "labels", "annotations", "run_context"), "json")
    operator_extra_links = (FlyteRunLink(),)
    ui_color = "#e9dfff"

    stop_requested = False
    """Whether a signal asked this process to stop."""

    _seen: tuple[TryRun, TaskWait] | None = None
    """The run and its last state in this process, for OpenLineage."""

    def __init__(
        self,
        *,
        task_name: str,
        version: str | None = None,
        trigger_name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        run_start_time: str | date | None = LOGICAL_DATE,
        project: str | None = None,
        domain: str | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        run_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        env_vars: Mapping[str, str] | None = None,
        run_context: Mapping[str, str] | None = None,
        flyte_queue: str | None = None,
        interruptible: bool | None = None,
        overwrite_cache: bool = False,
        cache_lookup_scope: str | None = None,
        service_account: str | None = None,
        raw_data_prefix: str | None = None,
        run_base_dir: str | None = None,
        max_action_concurrency: int | None = None,
        notification_rule: str | None = None,
        notifications: Sequence[Mapping[str, Any]] = (),
        wait: bool = True,
        deferrable: bool = DEFAULT_DEFERRABLE,
        poll_interval: float | timedelta = POLL_INTERVAL,
        retry_as: str = "new",
        force_rerun_actions: Sequence[str] = (),
        fail_fast_on: str | None = None,
        queued_timeout: float | timedelta | None = None,
        abort_on_kill: bool = True,
        abort_on_timeout: bool = False,
        missing_after: float | timedelta | None = MISSING_AFTER,
        unreachable_after: float | timedelta | None = UNREACHABLE_AFTER,
        launch_unreachable_after: float | timedelta | None = 60.0,
        resume_after: float | timedelta = RESUME_AFTER,
        log_progress: bool = False,
        stream_logs: bool | None = None,
        on_paused: str | None = "log",
        log_lines: int = 50,
        redact_env: bool = True,
        **kwargs: Any,
    ) -> None:
        with argument_errors():
            check_starts_on_worker(kwargs)
        super().__init__(**kwargs)
        self.task_name = task_name
        self.version = version
        self.trigger_name = trigger_name
        self.inputs = inputs
        self.run_start_time = run_start_time
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        self.run_name = run_name
        self.labels = labels
        self.annotations = annotations
        self.env_vars = env_vars
        self.run_context = run_context
        self.flyte_queue = flyte_queue
        self.service_account = service_account
        self.raw_data_prefix = raw_data_prefix
        self.run_base_dir = run_base_dir
        self.notification_rule = notification_rule
        # Arguments that are not templates are known here, so a wrong one is an import error of the DAG.
        with argument_errors():
            self.interruptible = switch("interruptible", interruptible, optional=True)
            self.overwrite_cache = switch("overwrite_cache", overwrite_cache)
            self.cache_lookup_scope = choice("cache_lookup_scope", cache_lookup_scope, (*CACHE_LOOKUP_SCOPES, None))
            self.max_action_concurrency = action_concurrency(max_action_concurrency)
            self.notifications = run_notifications(notifications, notification_rule)
            self.wait = switch("wait", wait)
            self.deferrable = switch("deferrable", deferrable)
            self.poll_interval = seconds("poll_interval", poll_interval, least=LEAST_INTERVAL)
            self.retry_as = choice("retry_as", retry_as, ("new", "rerun", "recover"))
            self.force_rerun_actions = forced_actions(force_rerun_actions, retry_as)
            self.fail_fast_on = choice("fail_fast_on", fail_fast_on, ("user", None))
            self.queued_timeout = optional_seconds("queued_timeout", queued_timeout)
            self.abort_on_kill = switch("abort_on_kill", abort_on_kill)
            self.abort_on_timeout = switch("abort_on_timeout", abort_on_timeout)
            self.missing_after = optional_seconds("missing_after", missing_after)
            self.unreachable_after = optional_seconds("unreachable_after", unreachable_after)
            self.launch_unreachable_after = optional_seconds("launch_unreachable_after", launch_unreachable_after)
            self.resume_after = seconds("resume_after", resume_after)
            self.log_progress = switch("log_progress", log_progress)
            self.stream_logs = switch("stream_logs", stream_logs, optional=True)
            self.on_paused = choice("on_paused", on_paused, ("log", "fail", None))
            self.log_lines = whole_number("log_lines", log_lines, otherwise=", 0 for none")
            self.redact_env = switch("redact_env", redact_env)

    @property
    def env_vars(self) -> HiddenValues | None:
        """Environment variables of the run, which show their names only."""
        return self._env_vars

    @env_vars.setter
    def env_vars(self, values: Any) -> None:
        # Hidden from the start: Airflow 2.11 shows the serialized DAG's values of a task that has not run yet.
        self._env_vars = values if values is None or isinstance(values, HiddenValues) else HiddenValues(values)
        # Airflow does not find upstream tasks behind what hides values; those of a mapped task it has found before.
        if not getattr(self, "_BaseOperator__from_mapped", False):
            XComArg.apply_upstream_relationship(self, values)

    def execute(self, context: Context) -> Any:
        """Find or launch the run of this try, then wait for it; Airflow calls this."""
        from airflow_provider_flyte.tries.task_instance import check_executed_once, may_defer

        try:
            check_executed_once(context, self)
        except ConfigError as error:
            raise FlyteArgumentError(str(error)) from error
        self.deferrable = may_defer(context, self)
        return self._start(context)

    def execute_complete(self, context: Context, event: Any = None, **settled: Any) -> Any:
        """Resume after the trigger's event: read the run, and let the event explain what the run does not show.

        :param event: what the trigger sent.
        :param settled: what was settled before the deferral (``wait/resumption.py``). Airflow may lose it. A try that
            gets what belongs to another one starts anew.
        """
        from airflow_provider_flyte.wait.event import read_event
        from airflow_provider_flyte.wait.resumption import OPERATOR, settled_before

        read = read_event(event, "the Flyte run", self.log)
        before = settled_before(context, settled, self.log)
        if before is not None and not before.belongs_to(context, OPERATOR, self.log):
            before = read = None
        return self._start(context, before, read)

    def _start(self, context: Context, before: Settled | None = None, event: RunEvent | None = None) -> Any:
        """Find or launch the run of this try, and wait for it.

        :param before: what this try has settled before it deferred; None: nothing that is known.
        :param event: the trigger's event then.
        """
        from airflow_provider_flyte.launch.launched_wait import LaunchedWait
        from airflow_provider_flyte.launch.launching import naming
        from airflow_provider_flyte.tries.attempt import settled_run
        from airflow_provider_flyte.tries.held_client import HeldClient
        from airflow_provider_flyte.tries.kill import Stopping

        with HeldClient(self.flyte_conn_id, self.log) as client:
            stopping = Stopping(self, context, client)
            if before is not None:
                # As it was rendered then: a template may give another text each time.
                self.project, self.domain, self.run_name = before.project, before.domain, before.asked_name
            if before is not None and before.launched is True:
                link_was_shown(self)
                with naming(before.run_names[0]):
                    run, settled = settled_run(client.get().config, before), before
            else:
                run, settled = self._launch(context, client, stopping, before, event)
                # The event of a trigger from before the launch is not about the run.
                event = event if before is None else None
            show_link(self, context, run.url, [run.key])
            wait = LaunchedWait(self, context, client, stopping, run)
            self._seen = run, wait.wait
            return wait.end(settled, event)

    def _launch(
        self, context: Context, client: HeldClient, stopping: Stopping, before: Settled | None, event: RunEvent | None
    ) -> tuple[TryRun, Settled]:
        from airflow_provider_flyte.launch.launching import Launching
        from airflow_provider_flyte.launch.wanted import wanted_by
        from airflow_provider_flyte.wait.deferral import execution_deadline
        from airflow_provider_flyte.wait.resumption import OPERATOR, Settled

        run = Launching(self, context, client, stopping).run(wanted_by(self, context), before, event)
        now = time.time()
        return run, Settled(
            OPERATOR,
            context["ti"].try_number,
            run.key.project,
            run.key.domain,
            [run.key.name],
            run.endpoint,
            asked_name=self.run_name,
            began=now,
            execution_deadline=before.execution_deadline if before else execution_deadline(self, context),
            ours=run.ours,
            queued_until=None if self.queued_timeout is None else now + self.queued_timeout,
        )

    def returned(self) -> str | None:
        """What a function has returned for the launch, for the resumption; an operator has none (``decorators.py``)."""
        return None

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a trigger that crashed, too: what it waited for is read all the same."""
        from airflow_provider_flyte.wait.deferral import resumption

        next_method, kwargs = resumption(self, next_method, next_kwargs)
        return super().resume_execution(next_method, kwargs, context)

    def on_kill(self) -> None:
        """Set a flag, no more: Airflow calls this in a signal handler, and also for tasks that were not killed."""
        self.stop_requested = True

    # -- OpenLineage's provider calls these, where it is installed

    def get_openlineage_facets_on_start(self) -> OperatorLineage:
        """The Flyte task; and the run, where this process knows it."""
        from airflow_provider_flyte.report.openlineage import operator_lineage

        run, wait = self._seen or (None, None)
        return operator_lineage(self.task_name, self.version, run, wait.details if wait else None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage:
        """The run and how it ended; for a failed task too."""
        return self.get_openlineage_facets_on_start()
