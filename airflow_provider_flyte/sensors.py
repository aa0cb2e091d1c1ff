"""FlyteRunSensor: waits for Flyte runs by poking, by rescheduling, or deferred."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import (
    DEFAULT_DEFERRABLE,
    LEAST_INTERVAL,
    RESUME_AFTER,
    argument_errors,
    check_search,
)
from airflow_provider_flyte.client.arguments import (
    MISSING_AFTER,
    UNREACHABLE_AFTER,
    choice,
    optional_seconds,
    seconds,
    switch,
)
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
)
from airflow_provider_flyte.compat.resumption import first_reschedule
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteOutputsUnreadable,
)
from airflow_provider_flyte.links import FlyteRunLink, link_was_shown, show_link
from airflow_provider_flyte.templates import KeepsTexts
from airflow_provider_flyte.wait.from_trigger import BACKSTOP, StartInTriggerer, check_partial, check_start
from airflow_provider_flyte.wait.sensor_flags import EndsByFlags
from airflow_provider_flyte.wait.sensor_runs import RunsOfSensor

if TYPE_CHECKING:
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.client.verdict import Verdict
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.tries.held_client import HeldClient
    from airflow_provider_flyte.wait.event import Ending, RunEvent
    from airflow_provider_flyte.wait.resumption import Settled
    from airflow_provider_flyte.wait.task_wait import TaskWait


class FlyteRunSensor(KeepsTexts, RunsOfSensor, EndsByFlags, BaseSensorOperator):
    """Waits until a Flyte run is over, or several are, and returns details (``RunDetails.to_dict()``) to XCom.

    A run that ends in FAILED, ABORTED or TIMED_OUT fails the task without a retry, because another wait cannot
    change it. On failure, skip and timeout the details are in XCom under ``return_value`` too. With ``run_names``,
    XCom has a dict instead, from the name of each run that is over to its details.

    The arguments of every Airflow sensor mean the same in poke, in reschedule and deferred, with these exceptions.
    ``timeout`` counts from this try's first poke (on Airflow 2.11 in reschedule mode: from the first try's).
    Deferred, ``poke_interval`` is the longest delay until an end is noticed (at most 5 s), and
    ``exponential_backoff`` means nothing. ``execution_timeout`` bounds a deferred wait too.

    :param run_name: the run's name; a template, so that it may come from an upstream task's XCom. The run need not
        exist yet.
    :param run_names: the names of several runs, instead of ``run_name``: a list, or what gives one (an upstream task's
        ``output``). One trigger waits for all of them.
    :param wait_for: with ``run_names``: ``"all"`` of them, or ``"any"``, which one success ends.
    :param fail_fast: with ``run_names``: whether the first run that ends without success ends the wait. If not, it
        lasts until all are over (``"any"``: until one has succeeded), and then reports each.
    :param task_name: the run's Flyte task, instead of its name, of a run that somebody else launches (a Flyte schedule,
        a person); a template. Its name goes to XCom under ``run_name`` once it is found.
    :param since: with ``task_name``: since when the run was created, a datetime or its text in ISO format (UTC without
        a time zone), or so long before this try began, seconds or a timedelta; a template.
    :param until: with ``task_name``: before when it was created; None: whenever. A template.
    :param which: with ``task_name``: ``"first"``, the run that was created first; or ``"newest"``, the newest that
        there was when this try began to wait, or the first after that.
    :param labels: with ``task_name``: the labels that the run has, among others; a call for each run of the window. A
        template.
    :param project: the runs' Flyte project; by default the connection's.
    :param domain: their Flyte domain; by default the connection's.
    :param flyte_conn_id: the Airflow connection, of type ``flyte``.
    :param deferrable: wait in the triggerer instead of on a worker; by default ``[operators] default_deferrable``.
    :param start_from_trigger: begin in the triggerer too, without a worker. For Airflow 3.3 and newer.
    :param end_from_trigger: with ``start_from_trigger``: end there too, where no retry has to be ruled out.
    :param missing_after: seconds for which the run may not exist yet; None: for ever.
    :param unreachable_after: seconds of unbroken trouble with Flyte after which the task fails because the run's
        state is unknown; None: never. In reschedule mode each poke counts for itself.
    :param resume_after: minimum seconds between a deferral and its end. Airflow's scheduler fails some tasks that
        resume a few seconds after they deferred (apache/airflow#66374); 0 takes that risk, and so does a
        ``poke_interval`` below ten seconds in reschedule mode.
    :param log_progress: log how far the child actions of the run are while the task waits, of several runs those of the
        first five: on change, every 30 s at most.
    :param stream_logs: log its progress, and write its log into the task's while it waits, line by line, up to 50 a
        second; of several runs those of the first five. None: as the connection says, else ``[flyte] stream_logs``,
        which is False. Not in reschedule mode, where a poke lasts a moment.
    :param on_paused: ``"log"``: where a run waits for an answer (``flyte.new_condition``), write into the task's log
        what it asks and where to answer. None: it is not asked for. Not in reschedule mode.
    :param redact_env: replace the values of the run's environment variables, and the addresses and headers of the
        webhooks that are notified of its end, by ``***`` in XCom.
    """

    template_fields: Sequence[str] = (
        *("run_name", "run_names", "task_name", "since", "until", "labels"),
        *("project", "domain", "flyte_conn_id"),
    )
    text_collections = ("run_names", "labels")
    operator_extra_links = (FlyteRunLink(),)
    ui_color = "#e9dfff"
    start_trigger_args = StartInTriggerer()

    _began: float | None = None
    _wait: TaskWait | None = None

    def __init__(
        self,
        *,
        run_name: str | None = None,
        run_names: Sequence[str] | None = None,
        wait_for: str = "all",
        fail_fast: bool = True,
        task_name: str | None = None,
        since: datetime | timedelta | str | float | None = None,
        until: datetime | timedelta | str | float | None = None,
        which: str = "first",
        labels: Mapping[str, str] | None = None,
        project: str | None = None,
        domain: str | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = DEFAULT_DEFERRABLE,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        missing_after: float | timedelta | None = MISSING_AFTER,
        unreachable_after: float | timedelta | None = UNREACHABLE_AFTER,
        resume_after: float | timedelta = RESUME_AFTER,
        log_progress: bool = False,
        stream_logs: bool | None = None,
        on_paused: str | None = "log",
        redact_env: bool = True,
        **kwargs: Any,
    ) -> None:
        # Airflow's own: it takes 0 as a pause, and breaks with an OverflowError over infinity.
        with argument_errors():
            # Arguments that are not given are in the default_args, which Airflow has merged by here.
            given_or_default = {**(kwargs.get("default_args") or {}), **kwargs}
            for name, least in (("poke_interval", LEAST_INTERVAL), ("timeout", 0.0)):
                if name in given_or_default:
                    kwargs[name] = seconds(name, given_or_default[name], least=least)
        super().__init__(**kwargs)
        self.run_name = run_name
        self.run_names = run_names
        self.task_name = task_name
        self.since = since
        self.until = until
        self.labels = labels
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        # Arguments that are not templates are known here, so a wrong one is an import error of the DAG.
        with argument_errors():
            self.wait_for = choice("wait_for", wait_for, ("all", "any"))
            self.fail_fast = switch("fail_fast", fail_fast)
            self.which = choice("which", which, ("first", "newest"))
            check_search(self, kwargs.get("default_args") or {})
            self.deferrable = switch("deferrable", deferrable)
            self.missing_after = optional_seconds("missing_after", missing_after)
            self.unreachable_after = optional_seconds("unreachable_after", unreachable_after)
            self.resume_after = seconds("resume_after", resume_after)
            self.log_progress = switch("log_progress", log_progress)
            self.stream_logs = switch("stream_logs", stream_logs, optional=True)
            self.on_paused = choice("on_paused", on_paused, ("log", None))
            self.redact_env = switch("redact_env", redact_env)
            self.start_from_trigger = switch("start_from_trigger", start_from_trigger)
            self.end_from_trigger = switch("end_from_trigger", end_from_trigger)
            self.deferrable = self.deferrable or self.start_from_trigger
            check_start(self, kwargs.get("default_args") or {})

    if not TYPE_CHECKING:
        # Editors know Airflow's.
        @classmethod
        def partial(cls, **kwargs: Any) -> Any:
            """Begin a mapped task: Airflow's, but that it refuses at once which arguments do not go together."""
            with argument_errors():
                return check_partial(super().partial(**kwargs))

    def execute(self, context: Context) -> Any:
        """Wait in the mode that the author chose; Airflow calls this."""
        return self._start(context)

    def _start(self, context: Context) -> Any:
        from airflow_provider_flyte.tries.task_instance import may_defer
        from airflow_provider_flyte.wait.task_wait import BRIEFLY

        self._found = None
        self._check_arguments()
        if may_defer(context, self):
            with self._never_failing():
                began = time.time()
                return self._observe_or_defer(context, self._settle(context, began), BRIEFLY)
        self._began, context = first_reschedule(context, self)
        self._wait = None
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException) as end:
            if end.__cause__ is not None:
                raise
            # Airflow's own timeout; a skip that poke has decided on has a cause.
            if self._wait is not None:
                self._wait.read_ended()
            return self._end(context, self._wait, self._timed_out(self._wait))
        finally:
            if self._wait is not None:
                self._wait.close()

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Poke once, in poke and in reschedule mode."""
        from airflow_provider_flyte.wait.task_wait import BRIEFLY

        began = self._began or time.time()
        if self._wait is None:
            try:
                self._wait = self._open(context, began)
            except FlyteConfigurationError as error:
                self._end(context, None, error)
                return False
        left = max(0.0, began + self.timeout - time.time())
        # Trouble adds up over the pokes of one process; a rescheduled one remembers none and has the whole budget.
        verdict = self._wait.observe(left if self.reschedule else min(left, BRIEFLY))
        return self._conclude(context, self._wait, verdict) or False

    # -- deferred

    def execute_complete(self, context: Context, event: Any = None, **settled: Any) -> Any:
        """Resume after the trigger's event: read the runs, and let the event explain what they do not show.

        :param event: what the trigger sent.
        :param settled: what was settled before the deferral (``wait/resumption.py``). Airflow may lose it. A try that
            gets what belongs to another one starts anew.
        """
        from airflow_provider_flyte.wait.deferral import try_start
        from airflow_provider_flyte.wait.event import Ending, ended_by, read_event, settled_in
        from airflow_provider_flyte.wait.resumption import SENSOR, settled_before
        from airflow_provider_flyte.wait.task_wait import patience

        if ended_by(event, Ending.NOT_BEGUN):
            return self._start(context)
        before = settled_before(context, settled or settled_in(event), self.log)
        if before is not None and not before.belongs_to(context, SENSOR, self.log):
            return self._start(context)
        if before is not None:
            if before.run_names:
                link_was_shown(self)
            self._keep_to(before.run_names)
        self._check_arguments()
        read = read_event(event, self._what, self.log)
        if before is None:
            before = self._settle(context, try_start(context))
        return self._observe_or_defer(context, before, patience(read), read)

    def _settle(self, context: Context, began: float) -> Settled:
        """The facts that stay the same in this try. The connection, which may name project and domain, is read later.

        :param began: when it poked first, in seconds since the epoch.
        """
        from airflow_provider_flyte.wait.deferral import execution_deadline
        from airflow_provider_flyte.wait.resumption import SENSOR, Settled

        return Settled(
            SENSOR,
            context["ti"].try_number,
            self.project,
            self.domain,
            self._names,
            began=began,
            deadline=began + self.timeout,
            execution_deadline=execution_deadline(self, context),
        )

    def _observe_or_defer(
        self, context: Context, settled: Settled, retry_for: float, event: RunEvent | None = None
    ) -> Any:
        """Read the runs, and defer only if the wait is not over."""
        from airflow_provider_flyte.report.xcom import push_details
        from airflow_provider_flyte.wait.event import Ending

        if event and event.found and self.task_name is not None:
            self._found = event.found
            # Airflow writes the log of the next deferral over that of this one, where the triggerer has said more.
            self.log.info("The triggerer has found Flyte run %s.", event.found)
        wait, settled = None, settled.after(event)
        # Only the trigger knows for how long a run has been missing: one empty list proves nothing to a new process.
        began = settled.began if event and event.missing else time.time()
        try:
            with self._open(context, began, settled) as wait:
                settled = wait.settle(settled)
                verdict = wait.observe(retry_for)
                settled = wait.settle(settled)
                if verdict.over:
                    done = self._conclude(context, wait, verdict, event)
                    if done:
                        return done.xcom_value
                else:
                    if event and event.explains and (error := wait.errors.explain(event)):
                        self._end(context, wait, error)
                    if (event and event.late) or settled.late:
                        wait.read_ended()
        except FlyteConfigurationError as error:
            self._end(context, wait, error)
        ending = event.ending if event else None
        if ending is Ending.TASK_TIMED_OUT:
            push_details(self, context, wait)
            raise AirflowTaskTimeout(f"execution_timeout has passed while waiting for {self._what}.")
        if ending is Ending.TIMED_OUT or settled.late:
            self._end(context, wait, self._timed_out(wait))
        return self._defer(context, settled)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume with the same meaning of soft_fail, never_fail and silent_fail as when poking.

        Airflow's own version differs from its ``execute`` in which flag covers what, and between 2.11 and 3.3.
        """
        from airflow_provider_flyte.wait.deferral import resumption

        next_method, kwargs = resumption(self, next_method, next_kwargs, lambda: self._which_timeout(context))
        with self._never_failing():
            # Past BaseSensorOperator's override, on purpose.
            return super(BaseSensorOperator, self).resume_execution(next_method, kwargs, context)

    def _which_timeout(self, context: Context) -> Ending:
        """Which timeout ended the deferral where Airflow's backstop did; on 2.11 it serves execution_timeout too."""
        from airflow_provider_flyte.wait.deferral import execution_deadline
        from airflow_provider_flyte.wait.event import Ending

        end = execution_deadline(self, context)
        return Ending.TASK_TIMED_OUT if end is not None and end <= time.time() else Ending.TIMED_OUT

    def _defer(self, context: Context, settled: Settled) -> None:
        from airflow_provider_flyte.triggers import FlyteRunTrigger

        now = time.time()
        left = max(settled.deadline - now, self.resume_after) if settled.deadline is not None else None
        self.defer(
            trigger=FlyteRunTrigger(**self._trigger_arguments(settled), not_before=now + self.resume_after),
            method_name="execute_complete",
            kwargs=settled.keep(context, self.log),
            timeout=None if left is None else timedelta(seconds=left) + BACKSTOP,
        )

    def _trigger_arguments(self, settled: Settled) -> dict[str, Any]:
        """The arguments of FlyteRunTrigger for this wait."""
        from airflow_provider_flyte.wait.run_search import as_arguments

        sought = self._sought(settled.began)
        return {
            "run_name": self._found or self.run_name or "",
            "project": settled.project,
            "domain": settled.domain,
            "flyte_conn_id": self.flyte_conn_id,
            "poll_interval": self.poke_interval,
            "deadline": settled.deadline,
            "execution_deadline": settled.execution_deadline,
            "missing_after": None if self.silent_fail else self.missing_after,
            "unreachable_after": None if self.silent_fail else self.unreachable_after,
            "keep_waiting": self.silent_fail,
            "run_names": self._several,
            "any_one": self.wait_for == "any",
            "fail_fast": self.fail_fast,
            "log_progress": self.log_progress,
            "stream_logs": self.stream_logs,
            "logs": settled.logs,
            "on_paused": self.on_paused,
            "search": as_arguments(sought) if sought else None,
        }

    # -- common to all modes

    def _check_arguments(self) -> None:
        """Refuse what cannot work; templates are rendered only now. Of Airflow's flags only never_fail hides it."""
        try:
            self._check_names()
        except ConfigError as error:
            if self.never_fail:
                raise AirflowSkipException(f"Skipped because of never_fail. {error}") from error
            raise FlyteArgumentError(str(error)) from error

    def _show(self, context: Context, runs: list[RunKey], url: str) -> None:
        """Let Airflow know the task's runs. Each time: it clears XCom between two pokes of a rescheduled task."""
        from airflow_provider_flyte.report.xcom import push_run

        show_link(self, context, url, runs)
        if self.task_name is not None and runs:
            [self._found] = [run.name for run in runs]
            push_run(self, context, self._found, url)

    def _client(self) -> HeldClient:
        from airflow_provider_flyte.tries.held_client import HeldClient

        return HeldClient(self.flyte_conn_id, self.log)

    def _open(self, context: Context, began: float, settled: Settled | None = None) -> TaskWait:
        from airflow_provider_flyte.client.verdict import WaitRules
        from airflow_provider_flyte.wait.run_search import advise_searcher
        from airflow_provider_flyte.wait.run_wait import advise_waiter
        from airflow_provider_flyte.wait.task_wait import TaskWait

        wait = TaskWait(
            self._client(),
            self._names,
            settled.project if settled else self.project,
            settled.domain if settled else self.domain,
            sought=self._sought(settled.began if settled else began),
            on_found=partial(self._show, context),
            advise=advise_waiter if self.task_name is None else partial(advise_searcher, self.which),
            several=self.run_names is not None,
            any_one=self.wait_for == "any",
            fail_fast=self.fail_fast,
            rules=WaitRules(self.missing_after, self.unreachable_after),
            began=began,
            endpoint=settled.endpoint if settled else None,
            log=self.log,
            # Of a task that is about to defer the trigger logs it.
            log_progress=self.log_progress and settled is None,
            stream_logs=self.stream_logs if settled is None and not self.reschedule else False,
            on_paused=self.on_paused if settled is None and not self.reschedule else None,
        )
        self._show(context, wait.keys, wait.url)
        return wait

    def _conclude(
        self, context: Context, wait: TaskWait, verdict: Verdict, event: RunEvent | None = None
    ) -> PokeReturnValue | None:
        """End the task by the verdict: return the details of a success, None while waiting, else raise."""
        if verdict.succeeded and wait.complete:
            from airflow_provider_flyte.wait.outlets import report_to_outlets
            from airflow_provider_flyte.wait.task_wait import BRIEFLY

            try:
                report_to_outlets(self, context, wait, lambda run: wait.outputs(BRIEFLY, run))
            except FlyteOutputsUnreadable as error:
                self._end(context, wait, error)
                return None
            return PokeReturnValue(is_done=True, xcom_value=wait.value(redact_env=self.redact_env))
        if verdict.over:
            self._end(context, wait, wait.errors.error(verdict, event))
        return None

    def _timed_out(self, wait: TaskWait | None) -> Exception:
        if wait is None:
            return AirflowSensorTimeout(
                f"The sensor's timeout of {self.timeout:g} s has passed without a Flyte connection."
            )
        return wait.errors.timed_out(self.timeout)
