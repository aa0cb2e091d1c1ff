"""FlyteRunOperator: launches a Flyte run and waits for it; one run a try, whatever crashes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import LEAST_INTERVAL, argument_errors
from airflow_provider_flyte.client.arguments import choice, optional_seconds, seconds, switch, whole_number
from airflow_provider_flyte.client.errors import ConfigError, NotATextError
from airflow_provider_flyte.client.launch_identity import DEFAULT_PREFIX
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.waiting import Outcome, Verdict, WaitRules
from airflow_provider_flyte.compat import TRIGGER_FAILED, AirflowTaskTimeout, BaseOperator, XComArg, conf
from airflow_provider_flyte.connection import DEFAULT_CONN_ID
from airflow_provider_flyte.events import Ending, RunEvent, log_traceback, read_event
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteLaunchFailed,
    FlyteOutputsUnreadable,
    FlyteRunFailed,
    FlyteRunStuck,
    FlyteTaskKilled,
    FlyteUnreachable,
)
from airflow_provider_flyte.hidden_values import HiddenValues
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.killing import interrupted
from airflow_provider_flyte.launch_trouble import LaunchTrouble
from airflow_provider_flyte.launched_trigger import FlyteLaunchedRunTrigger
from airflow_provider_flyte.lineage import operator_lineage, parent_annotations
from airflow_provider_flyte.links import FlyteRunLink, show_link
from airflow_provider_flyte.metrics import count_launch, count_outcome
from airflow_provider_flyte.resumption import Settled, settled_before
from airflow_provider_flyte.run_wait import Advice
from airflow_provider_flyte.stopping import Stopping, killed
from airflow_provider_flyte.task_identity import (
    check_executed_once,
    first_launch,
    may_defer,
    task_instance_of,
    try_of,
)
from airflow_provider_flyte.task_wait import TaskWait
from airflow_provider_flyte.templates import ABOUT_NATIVE, ABOUT_TEXTS, KeepsTexts
from airflow_provider_flyte.try_run import RETRY_AS, TryRun, TryRuns
from airflow_provider_flyte.xcom import push_details, push_outputs, push_run

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_flyte.client import FlyteClient, Launch
    from airflow_provider_flyte.compat import Context

_PATIENTLY = 60.0
"""Seconds of trouble that a worker puts up with to read a run that is over."""

_BRIEFLY = 5.0
"""Seconds of trouble that a worker puts up with in one look where another one follows."""

_TURN = 0.5
"""Seconds after which a sleeping worker sees that its task was killed: Airflow ends it five seconds later."""


class FlyteRunOperator(KeepsTexts, BaseOperator):
    """Launches a Flyte task and waits for its run, which is there once for each try of the Airflow task.

    The run's name is made of the DAG, the task, the DAG run, the map index and the try, so a worker that crashes at
    any point finds the run again, and a retry first looks at the runs of the tries before: one that still goes on is
    waited for, one that has succeeded is the answer. Clearing the task starts anew.

    XCom gets the run's details (``RunDetails.to_dict()``) under ``return_value``, the outputs as plain values under
    ``outputs``, and each output under its own name (``o0``, ``o1`` ...).

    All arguments but the numbers and switches are templates. A template gives a text unless the DAG has
    ``render_template_as_native_obj=True``, and a text does not fit an input that is a number.

    :param task_name: the name of a deployed Flyte task, such as ``train.fit``.
    :param version: its version; by default the latest that is deployed.
    :param trigger_name: a Flyte trigger of the task: the run counts as fired by it, and has its version, inputs and
        settings where the arguments say nothing else.
    :param inputs: plain values by name; what fits which type stands in docs/launch.md.
    :param project: the Flyte project of task and run; by default the connection's.
    :param domain: their Flyte domain; by default the connection's.
    :param flyte_conn_id: the Airflow connection, of type ``flyte``.
    :param run_name: a name for the run instead of a computed one; a run that is there under it is waited for, whoever
        launched it. A retry that launches anew appends ``-2``, ``-3`` ...
    :param labels: labels of the run.
    :param annotations: annotations of the run; Airflow's own are added.
    :param env_vars: environment variables of the run. Their values are hidden in Rendered Templates.
    :param flyte_queue: the Flyte queue to run in (``queue`` is Airflow's own argument).
    :param interruptible: whether the run may use machines that can be taken away; by default the task says.
    :param overwrite_cache: compute anew what Flyte has cached.
    :param service_account: the Kubernetes service account to run as; the connection may allow only some.
    :param raw_data_prefix: URI under which the run stores its data.
    :param max_action_concurrency: how many actions of the run may go on at once; by default Flyte says.
    :param wait: wait until the run is over. If not, the task succeeds once the run is launched.
    :param deferrable: wait in the triggerer instead of on a worker; by default ``[operators] default_deferrable``.
    :param poll_interval: most seconds until an end is noticed.
    :param retry_as: what a retry after a failed run launches: ``"new"``, ``"rerun"`` (the same, as a re-run of it) or
        ``"recover"`` (keeping what had succeeded, where the backend can).
    :param fail_fast_on: ``"user"``: an error of the run's own code fails the task without a retry.
    :param queued_timeout: seconds after which a run that never left its queue is aborted and the try fails; None:
        never.
    :param abort_on_kill: abort the run when the task is marked failed, success or skipped, is cleared, or its DAG run
        times out; also while deferred, from Airflow 3.3 on. Never because a process died.
    :param abort_on_timeout: abort the run when ``execution_timeout`` has passed; if not, a retry waits for it on.
    :param missing_after: seconds for which Flyte may not list the run; None: for ever.
    :param unreachable_after: seconds of unbroken trouble with Flyte after which the try fails; None: never. The run
        may go on, and a retry finds it.
    :param launch_unreachable_after: the same before the launch, on a worker, whose slot the try holds meanwhile.
        Deferred it holds none, and ``unreachable_after`` counts.
    :param resume_after: least seconds between a deferral and its end. Airflow's scheduler fails some tasks that resume
        a few seconds after they deferred (apache/airflow#66374); 0 takes that risk.
    :param log_lines: how many of the last lines of a failed attempt's log go into the task's log; 0: none.
    :param redact_env: take the values of the run's environment variables out of what goes into XCom.
    """

    template_fields: Sequence[str] = (
        "task_name",
        "version",
        "trigger_name",
        "inputs",
        "project",
        "domain",
        "flyte_conn_id",
        "run_name",
        "labels",
        "annotations",
        "env_vars",
        "flyte_queue",
        "service_account",
        "raw_data_prefix",
    )
    text_mappings = ("labels", "annotations", "env_vars")
    typed_fields = ("inputs",)
    template_fields_renderers = {"inputs": "json", "labels": "json", "annotations": "json"}  # noqa: RUF012
    operator_extra_links = (FlyteRunLink(),)
    ui_color = "#e9dfff"

    _killed = False
    _seen: tuple[TryRun, TaskWait] | None = None
    """The run and what this process saw of it last, for OpenLineage."""

    def __init__(
        self,
        *,
        task_name: str,
        version: str | None = None,
        trigger_name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        project: str | None = None,
        domain: str | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        run_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        env_vars: Mapping[str, str] | None = None,
        flyte_queue: str | None = None,
        interruptible: bool | None = None,
        overwrite_cache: bool = False,
        service_account: str | None = None,
        raw_data_prefix: str | None = None,
        max_action_concurrency: int | None = None,
        wait: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = 5.0,
        retry_as: str = "new",
        fail_fast_on: str | None = None,
        queued_timeout: float | timedelta | None = None,
        abort_on_kill: bool = True,
        abort_on_timeout: bool = False,
        missing_after: float | timedelta | None = 60.0,
        unreachable_after: float | timedelta | None = 300.0,
        launch_unreachable_after: float | timedelta | None = 60.0,
        resume_after: float | timedelta = 10.0,
        log_lines: int = 50,
        redact_env: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.task_name = task_name
        self.version = version
        self.trigger_name = trigger_name
        self.inputs = inputs
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        self.run_name = run_name
        self.labels = labels
        self.annotations = annotations
        self.env_vars = env_vars
        self.flyte_queue = flyte_queue
        self.service_account = service_account
        self.raw_data_prefix = raw_data_prefix
        # What is no template is known by now: a wrong one is an import error of the DAG.
        with argument_errors():
            self.interruptible = switch("interruptible", interruptible, optional=True)
            self.overwrite_cache = switch("overwrite_cache", overwrite_cache)
            self.max_action_concurrency = max_action_concurrency
            self.wait = switch("wait", wait)
            self.deferrable = switch("deferrable", deferrable)
            self.poll_interval = seconds("poll_interval", poll_interval, least=LEAST_INTERVAL)
            self.retry_as = choice("retry_as", retry_as, RETRY_AS)
            self.fail_fast_on = choice("fail_fast_on", fail_fast_on, ("user", None))
            self.queued_timeout = optional_seconds("queued_timeout", queued_timeout)
            self.abort_on_kill = switch("abort_on_kill", abort_on_kill)
            self.abort_on_timeout = switch("abort_on_timeout", abort_on_timeout)
            self.missing_after = optional_seconds("missing_after", missing_after)
            self.unreachable_after = optional_seconds("unreachable_after", unreachable_after)
            self.launch_unreachable_after = optional_seconds("launch_unreachable_after", launch_unreachable_after)
            self.resume_after = seconds("resume_after", resume_after)
            self.log_lines = whole_number("log_lines", log_lines, otherwise=", 0 for none")
            self.redact_env = switch("redact_env", redact_env)
            if max_action_concurrency is not None:
                self.max_action_concurrency = whole_number("max_action_concurrency", max_action_concurrency, least=1)

    @property
    def env_vars(self) -> HiddenValues | None:
        """Environment variables of the run, which show their names only."""
        return self._env_vars

    @env_vars.setter
    def env_vars(self, values: Any) -> None:
        # From the start: Airflow 2.11 shows what the serialized DAG has of a task that has not run yet.
        self._env_vars = values if values is None or isinstance(values, HiddenValues) else HiddenValues(values)
        # Airflow does not look for upstream tasks behind what hides; those of a mapped task it has found before.
        if not getattr(self, "_BaseOperator__from_mapped", False):
            XComArg.apply_upstream_relationship(self, values)

    def execute(self, context: Context) -> Any:
        """Find or launch the run of this try, then wait for it; Airflow calls this."""
        try:
            check_executed_once(context, self)
        except ConfigError as error:
            raise FlyteArgumentError(str(error)) from error
        self.deferrable = may_defer(context, self)
        return self._start(context)

    def execute_complete(self, context: Context, event: Any = None, **settled: Any) -> Any:
        """Resume after the trigger's event: look at the run, and let the event explain what the look cannot.

        :param event: what the trigger sent.
        :param settled: what was settled before the deferral (``resumption.py``). Airflow may lose it. A try that gets
            what belongs to another one starts anew.
        """
        read = read_event(event, "the Flyte run", self.log)
        before = settled_before(context, settled, self.log)
        if before is not None and not before.belongs_to(context, self.log):
            return self._start(context)
        if before is None or before.launched is not True:
            return self._start(context, before, read)
        [name] = before.run_names
        with _naming(name):
            config = FlyteHook(self.flyte_conn_id).get_config()
            key = config.key(name, before.project, before.domain)
        return self._go_on(context, TryRun(key, config.run_url(key), before.ours, before.endpoint), before, read)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a trigger that crashed, too: what it waited for is looked at all the same."""
        kwargs = next_kwargs or {}
        if next_method == TRIGGER_FAILED:
            log_traceback(kwargs, self.log)
            event = RunEvent(Ending.CRASHED, "", message=str(kwargs.get("error", "")))
            next_method, kwargs = "execute_complete", {"event": event.to_payload()}
        return super().resume_execution(next_method, kwargs, context)

    def on_kill(self) -> None:
        """Remember it, no more: Airflow calls this in a signal handler, and also for tasks that nobody killed."""
        self._killed = True

    # -- OpenLineage's provider calls these, where it is installed

    def get_openlineage_facets_on_start(self) -> OperatorLineage:
        """The Flyte task; and the run, where this process knows it."""
        run, wait = self._seen or (None, None)
        return operator_lineage(self.task_name, self.version, run, wait.details if wait else None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage:
        """The run and how it ended; for a failed task too."""
        return self.get_openlineage_facets_on_start()

    # -- the run of this try

    def _wanted(self) -> Launch:
        """What to launch. Templates are rendered only now."""
        from airflow_provider_flyte.client.launch_request import Launch

        try:
            self._check_arguments()
            return Launch(
                task_name=self.task_name,
                version=self.version,
                inputs=self.as_written("inputs") or {},
                trigger_name=self.trigger_name,
                project=self.project,
                domain=self.domain,
                labels=self.labels or {},
                annotations=self.annotations or {},
                env_vars=self.env_vars or {},
                queue=self.flyte_queue,
                interruptible=self.interruptible,
                overwrite_cache=self.overwrite_cache,
                service_account=self.service_account,
                raw_data_prefix=self.raw_data_prefix,
                max_action_concurrency=self.max_action_concurrency,
            )
        except ConfigError as error:
            about = ABOUT_NATIVE if isinstance(error, NotATextError) and self.rendered_natively else ""
            raise FlyteArgumentError(f"{error}{about}") from error

    def _check_arguments(self) -> None:
        if isinstance(self.env_vars, HiddenValues) and self.env_vars.unfit:
            raise ConfigError(
                f"env_vars is a {self.env_vars.unfit}. Give a dict of strings by name; a template gives a text unless "
                "its DAG has render_template_as_native_obj=True."
            )

    def _start(self, context: Context, before: Settled | None = None, event: RunEvent | None = None) -> Any:
        """Have the run of this try, and wait for it.

        :param before: what this try has settled before it deferred without a run.
        """
        run = self._have_run(context, before, event)
        settled = Settled(
            context["ti"].try_number,
            run.key.project,
            run.key.domain,
            [run.key.name],
            run.endpoint,
            began=time.time(),
            execution_deadline=before.execution_deadline if before else self._execution_deadline(context),
            ours=run.ours,
            queued_until=None if self.queued_timeout is None else time.time() + self.queued_timeout,
        )
        # Before the run was there the trigger had nothing to say of it.
        return self._go_on(context, run, settled, event if before is None else None)

    def _have_run(self, context: Context, before: Settled | None, event: RunEvent | None) -> TryRun:
        """The run of this try, launched if need be; while Flyte cannot be asked this waits, or defers."""
        if before is not None:
            self.project, self.domain, self.run_name = before.project, before.domain, before.asked_name
        wanted = self._wanted()
        trouble = LaunchTrouble(
            self.unreachable_after if self.deferrable else self.launch_unreachable_after,
            self.log,
            since=before.began if before else None,
            uncertain=before is not None and before.launched is None,
        )
        if before is not None and event is not None:
            self._hear_before_launch(event, trouble)
        resumes: str | None = None
        if before is None and event is not None:
            # Where Airflow has lost what was settled, the event still names the run.
            resumes = event.run_name or None
        elif trouble.uncertain and before is not None:
            [resumes] = before.run_names
        while True:
            began = time.time()
            # Each time: somebody may have mended the connection.
            with (
                _naming(resumes if trouble.uncertain else None),
                FlyteHook(self.flyte_conn_id).get_client() as client,
            ):
                runs = self._try_runs(context, client, wanted, resumes)
                with self._seeing_to(context, runs.key, client.config.run_url(runs.key), runs.there):
                    try:
                        run = runs.get()
                        break
                    except (FlyteUnreachable, FlyteLaunchFailed) as error:
                        trouble.met(error, began)
                    if trouble.uncertain:
                        resumes = runs.key.name
                    self._wait_for_flyte(context, runs.key, client.config.endpoint, trouble)
        trouble.over()
        push_run(self, context, run.key.name, run.url)
        if run.new:
            count_launch(self.flyte_conn_id)
        return run

    def _try_runs(self, context: Context, client: FlyteClient, wanted: Launch, resumes: str | None) -> TryRuns:
        try:
            trying = try_of(context, client.config.run_name_prefix or DEFAULT_PREFIX, self.run_name, self, resumes)
        except ConfigError as error:
            raise FlyteArgumentError(str(error)) from error
        annotations = {**parent_annotations(context["ti"], self.log), **wanted.annotations}
        return TryRuns(
            client,
            trying,
            replace(wanted, annotations=annotations),
            retry_as=self.retry_as,
            about_templates=ABOUT_NATIVE if self.rendered_natively else ABOUT_TEXTS,
            retry_for=self._at_most(_BRIEFLY),
            since=first_launch(context),
            waits=self.wait,
            before_create=self._not_if_killed,
            log=self.log,
        )

    def _hear_before_launch(self, event: RunEvent, trouble: LaunchTrouble) -> None:
        """What the trigger says to a try that waited for Flyte before its launch."""
        if event.ending is Ending.TASK_TIMED_OUT:
            raise AirflowTaskTimeout(
                "execution_timeout has passed while Flyte gave no answer before the launch. "
                + ("The run may have been launched." if trouble.uncertain else "Nothing was launched.")
            )
        if event.ending is Ending.CRASHED:
            # Without a trigger nothing would wait.
            trouble.give_up()

    def _wait_for_flyte(self, context: Context, key: RunKey, endpoint: str, trouble: LaunchTrouble) -> None:
        """Give Flyte time before the next look: in the triggerer, or a while on this worker."""
        if not self.deferrable:
            left = self.poll_interval if trouble.left is None else trouble.left
            self._sleep(min(self.poll_interval, left), self._not_if_killed)
            return
        self.log.info("The task waits in the triggerer until Flyte answers, and launches then.")
        settled = Settled(
            context["ti"].try_number,
            key.project,
            key.domain,
            [key.name],
            endpoint,
            launched=None if trouble.uncertain else False,
            asked_name=self.run_name,
            began=trouble.since or time.time(),
            execution_deadline=self._execution_deadline(context),
        )
        self._defer(context, settled, trouble.left)

    def _not_if_killed(self) -> None:
        if self._killed:
            raise FlyteTaskKilled(
                "The task was stopped before its Flyte run was launched; nothing is launched.",
                run="",
                project=self.project or "",
                domain=self.domain or "",
            )

    # -- waiting

    def _go_on(self, context: Context, run: TryRun, settled: Settled, event: RunEvent | None = None) -> Any:
        """Look, and wait on or end; a kill and a timeout that come meanwhile are seen to."""
        show_link(self, context, run.url)
        with self._seeing_to(context, run.key, run.url, lambda: run), self._open(run) as wait:
            self._seen = run, wait
            if not self.wait:
                wait.look(self._at_most(_BRIEFLY))
                self._see_to_kill(context, run)
                return wait.value(redact_env=self.redact_env)
            return self._look_or_defer(context, run, wait, settled, event)

    def _look_or_defer(
        self, context: Context, run: TryRun, wait: TaskWait, settled: Settled, event: RunEvent | None
    ) -> Any:
        is_over = event is not None and event.ending in (Ending.SUCCEEDED, Ending.FAILED)
        retry_for = self._at_most(_PATIENTLY if is_over else _BRIEFLY)
        while True:
            verdict = wait.look(retry_for)
            timed_out = event is not None and event.ending is Ending.TASK_TIMED_OUT
            # The trigger may have aborted the run because of that.
            if verdict.over and not (timed_out and verdict.phase == RunPhase.ABORTED):
                return self._conclude(context, wait, verdict)
            if event is not None:
                self._explain(context, wait, event)
                event = None
            if settled.queued_until is not None and time.time() >= settled.queued_until and not wait.trouble:
                self._check_queue(context, run, wait)
                settled = replace(settled, queued_until=None)
            if self._killed:
                self._see_to_kill(context, run)
            if self.deferrable:
                self._end_if_killed_meanwhile(context, run)
                self._defer(context, settled, self.unreachable_after)
            self._sleep(self.poll_interval, lambda: self._see_to_kill(context, run))

    def _explain(self, context: Context, wait: TaskWait, event: RunEvent) -> None:
        """End a wait whose run is not over as far as the worker sees, where what the trigger says still holds."""
        error: BaseException | None = None
        if event.ending is Ending.TASK_TIMED_OUT:
            error = AirflowTaskTimeout("execution_timeout has passed while the task waited for its Flyte run.")
        elif event.ending is Ending.MISSING and wait.absent:
            error = wait.missing()
        elif event.ending in (Ending.UNREACHABLE, Ending.SUCCEEDED, Ending.FAILED) and wait.trouble:
            error = wait.unreachable(wait.trouble)
        elif event.ending is Ending.CRASHED:
            error = wait.broken(event.message)
        elif event.ending is Ending.NO_CONNECTION:
            error = FlyteConfigurationError(f"The Flyte run may still be running: {wait.url} {event.message}")
        if error is not None:
            push_details(self, context, wait)
            raise error

    def _defer(self, context: Context, settled: Settled, unreachable_after: float | None) -> None:
        launched = settled.launched is True
        self.defer(
            trigger=FlyteLaunchedRunTrigger(
                run_name=settled.run_names[0],
                project=settled.project,
                domain=settled.domain,
                flyte_conn_id=self.flyte_conn_id,
                poll_interval=self.poll_interval,
                execution_deadline=settled.execution_deadline,
                not_before=time.time() + self.resume_after,
                # Before the launch Flyte's answer that there is no such run ends the wait, which is for an answer.
                missing_after=self.missing_after if launched else 0.0,
                unreachable_after=unreachable_after,
                queued_deadline=self._queue_deadline(settled.queued_until),
                abort_for=str(task_instance_of(context)) if settled.ours or settled.launched is None else None,
                abort_on_kill=self.abort_on_kill,
                abort_on_timeout=self.abort_on_timeout,
                endpoint=settled.endpoint,
                launched=launched,
            ),
            method_name="execute_complete",
            kwargs=settled.keep(context, self.log),
        )

    def _queue_deadline(self, queued_until: float | None) -> float | None:
        """When the trigger is to wake the task for a look at its queue.

        Past that time Flyte could not be asked: then the trigger counts the trouble, and the look has to wait.
        """
        now = time.time()
        if queued_until is None or queued_until > now:
            return queued_until
        return None if self.unreachable_after is None else now + self.unreachable_after

    def _execution_deadline(self, context: Context) -> float | None:
        started = context["ti"].start_date
        if self.execution_timeout is None or started is None:
            return None
        deadline: float = started.timestamp() + self.execution_timeout.total_seconds()
        return deadline

    def _sleep(self, seconds: float, see_to_kill: Callable[[], None]) -> None:
        until = time.time() + seconds
        while (left := until - time.time()) > 0:
            see_to_kill()
            time.sleep(min(_TURN, left))

    def _check_queue(self, context: Context, run: TryRun, wait: TaskWait) -> None:
        """End a run that never left its queue: Flyte only logs it when a run cannot be enqueued."""
        details = wait.details
        phases = (
            {step.phase for attempt in details.pb2.action.attempts for step in attempt.phase_transitions}
            if details
            else set()
        )
        if details is None or (phases | {details.phase}) - {RunPhase.QUEUED}:
            return
        count_outcome(self.flyte_conn_id, details, Verdict(Outcome.FAILED))
        push_details(self, context, wait)
        why = f"did not leave its queue in {self.queued_timeout:g} s (queued_timeout)"
        done = self._stopping(context).abort(run, f"it {why}")
        raise FlyteRunStuck(
            f"Flyte run {run.key} {why}. {done} Look "
            f"at Flyte's log for an error of the enqueue, and at the queue's limits. {run.url}",
            run=run.key.name,
            project=run.key.project,
            domain=run.key.domain,
            url=run.url,
            phase="QUEUED",
        )

    def _open(self, run: TryRun) -> TaskWait:
        return TaskWait(
            self.flyte_conn_id,
            [run.key.name],
            run.key.project,
            run.key.domain,
            rules=WaitRules(self.missing_after, self.unreachable_after),
            first_look=time.time(),
            endpoint=run.endpoint,
            log=self.log,
            advise=self._advise,
        )

    def _at_most(self, seconds: float) -> float:
        return seconds if self.unreachable_after is None else min(seconds, self.unreachable_after)

    # -- how it ended

    def _advise(self, verdict: Verdict) -> Advice:
        if self.fail_fast_on == "user" and verdict.kind == "USER":
            return Advice(
                True,
                "The error is the run's own code's, so the task is not retried (fail_fast_on='user'). Look at {url}; "
                "when the code is mended, clear this task.",
            )
        return Advice(False, f"Look at {{url}}; a retry launches another run (retry_as={self.retry_as!r}).")

    def _conclude(self, context: Context, wait: TaskWait, verdict: Verdict) -> Any:
        """The details of a success, else raise."""
        count_outcome(self.flyte_conn_id, wait.details, verdict)
        if verdict.outcome is not Outcome.SUCCEEDED or wait.details is None:
            push_details(self, context, wait)
            error = wait.error(verdict)
            if isinstance(error, FlyteRunFailed):
                wait.say_log_tail(self.log_lines)
            raise error
        if self.do_xcom_push:
            try:
                outputs = wait.outputs(_BRIEFLY, self.unreachable_after)
            except FlyteOutputsUnreadable:
                push_details(self, context, wait)
                raise
            push_outputs(context["ti"], wait.details, outputs, self.log)
        return wait.value(redact_env=self.redact_env)

    # -- killed, or out of time

    @contextmanager
    def _seeing_to(self, context: Context, key: RunKey, url: str, find: Callable[[], TryRun | None]) -> Iterator[None]:
        """See to a kill, a timeout and a Ctrl-C that end this process before it knows how its run ended.

        :param find: gives the run, where there is one.
        """
        try:
            yield
        except AirflowTaskTimeout:
            if self.abort_on_timeout and (run := self._found(key, find)):
                self._stopping(context).abort(run, "execution_timeout has passed")
            raise
        except KeyboardInterrupt:
            self.log.warning(interrupted(key, url))
            raise
        except BaseException:
            # Airflow 2.11 raises out of its signal handler, wherever we are; perhaps a launch is on its way.
            if self._killed and (run := self._found(key, find)):
                self._abort_if_killed(context, run, ends=True)
            raise

    def _found(self, key: RunKey, find: Callable[[], TryRun | None]) -> TryRun | None:
        try:
            return find()
        except Exception as error:
            self.log.warning("Flyte run %s may have been launched, but could not be looked for. %s", key, error)
            return None

    def _see_to_kill(self, context: Context, run: TryRun) -> None:
        """On a worker that was told to stop: abort the run if somebody stopped the task; else wait on while we can."""
        if self._abort_if_killed(context, run, ends=False):
            raise killed(run)

    def _end_if_killed_meanwhile(self, context: Context, run: TryRun) -> None:
        """Airflow tells a worker of a kill seconds later, with a heartbeat. One that has deferred by then is not told,
        and its trigger never starts.
        """
        if self._stopping(context).was_killed(run, signalled=False):
            raise killed(run)

    def _abort_if_killed(self, context: Context, run: TryRun, *, ends: bool) -> bool:
        if not self._killed:
            return False
        self._killed = False
        return self._stopping(context).was_killed(run, signalled=True, ends=ends)

    def _stopping(self, context: Context) -> Stopping:
        return Stopping(context, self.flyte_conn_id, self.abort_on_kill, self.log)


@contextmanager
def _naming(run: str | None) -> Iterator[None]:
    """Let the error of a connection that cannot be used name the run that may be running meanwhile, if there is one."""
    try:
        yield
    except (ConfigError, FlyteConfigurationError) as error:
        if run is None:
            raise
        kind = type(error) if isinstance(error, FlyteConfigurationError) else FlyteConfigurationError
        raise kind(f"Flyte run {run} may still be running. {error}") from error
