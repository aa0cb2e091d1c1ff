"""The triggers. FlyteRunTrigger is one deferred task's wait for one run or several, no matter who launched them,
FlyteLaunchedRunTrigger that for the run of an operator. FlyteRunsTrigger fires for assets: see ``event_triggers.py``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_flyte.arguments import LEAST_INTERVAL, POLL_INTERVAL, argument_errors, timestamp
from airflow_provider_flyte.client.arguments import (
    MISSING_AFTER,
    UNREACHABLE_AFTER,
    choice,
    optional_seconds,
    seconds,
    switch,
)
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.outside import MOST_NAMED, one_line
from airflow_provider_flyte.compat import TriggerEvent
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.event_triggers import FlyteRunsTrigger as FlyteRunsTrigger
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.shared_watcher import Lease
from airflow_provider_flyte.wait.trigger import TaskTrigger

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunWatcher
    from airflow_provider_flyte.client.flows.conditions import Condition
    from airflow_provider_flyte.client.watch.conditions import FollowedConditions
    from airflow_provider_flyte.client.watch.results import WaitResult
    from airflow_provider_flyte.client.watch.run_logs import RunLogs
    from airflow_provider_flyte.wait.run_logs import FollowedLogs

T = TypeVar("T")

_CONNECTION_RETRY = 5.0


class _ConnectionUnreadError(Exception):
    """Airflow itself could not read the connection for longer than ``unreachable_after``."""


class FlyteRunTrigger(TaskTrigger):
    """Waits until a run is over, or several are, and ends with one small event.

    Plain values only: Airflow stores them, shows them in the UI and makes the trigger again from them, elsewhere and
    after an upgrade. Times are seconds since the epoch. Invalid values raise FlyteArgumentError.

    :param run_name: the run; '' with ``run_names``.
    :param project: its project; by default the connection's.
    :param domain: its domain; by default the connection's.
    :param flyte_conn_id: the Airflow connection.
    :param poll_interval: maximum seconds until an end is noticed.
    :param deadline: when the sensor's ``timeout`` has passed; None: never.
    :param execution_deadline: when the task's ``execution_timeout`` has passed; None: never.
    :param not_before: the event is held until then, because Airflow's scheduler fails some tasks that resume a few
        seconds after they deferred.
    :param missing_after: seconds for which the run may not exist yet; None: for ever.
    :param unreachable_after: seconds of trouble after which the run's state is unknown; None: never.
    :param keep_waiting: whether a connection that cannot be read is waited for too (``silent_fail``).
    :param run_names: the runs, each once, instead of ``run_name``.
    :param any_one: one success among ``run_names`` is enough, instead of all.
    :param fail_fast: the first of ``run_names`` that ends without success ends the wait.
    :param log_progress: log how far the child actions of the run are, of several those of the first five.
    :param stream_logs: do that, and write the log of the run into the task's, of several those of the first five; None:
        by connection and configuration.
    :param logs: how far they were written before, by the names of the runs.
    :param on_paused: what comes of it where a run waits for an answer (``flyte.new_condition``): ``"log"`` writes that,
        and ``"fail"`` ends the wait, too; None: nothing, and it is not asked for.
    :param search: what is known of the run while it has no name (``wait/run_search.py``): then the event has the name
        once the run is there.
    """

    _following: Sequence[asyncio.Task[None]] = ()
    """What logs the progress; a wait without it has nothing of its own."""

    _logs: FollowedLogs | None = None
    """The logs of runs that are written."""

    # No attributes of their own where they are not set: Python 3.11 shares the names of 30 among all instances, and a
    # trigger with more took 1,700 bytes instead of 400.
    stream_logs: bool | None = None
    logs: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    on_paused: str | None = None
    _conditions: FollowedConditions | None = None
    _paused: Condition | None = None

    def __init__(
        self,
        run_name: str = "",
        project: str | None = None,
        domain: str | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        poll_interval: float = POLL_INTERVAL,
        deadline: float | None = None,
        execution_deadline: float | None = None,
        not_before: float | None = None,
        missing_after: float | None = MISSING_AFTER,
        unreachable_after: float | None = UNREACHABLE_AFTER,
        keep_waiting: bool = False,
        run_names: list[str] | None = None,
        any_one: bool = False,
        fail_fast: bool = True,
        log_progress: bool = False,
        stream_logs: bool | None = None,
        logs: dict[str, Any] | None = None,
        search: dict[str, Any] | None = None,
        on_paused: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.run_name = run_name
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        self.run_names = run_names
        self.deadline = timestamp("deadline", deadline)
        self.execution_deadline = timestamp("execution_deadline", execution_deadline)
        self.not_before = timestamp("not_before", not_before)
        with argument_errors():
            self.poll_interval = seconds("poll_interval", poll_interval, least=LEAST_INTERVAL)
            self.missing_after = optional_seconds("missing_after", missing_after)
            self.unreachable_after = optional_seconds("unreachable_after", unreachable_after)
            self.keep_waiting = switch("keep_waiting", keep_waiting)
            self.any_one = switch("any_one", any_one)
            self.fail_fast = switch("fail_fast", fail_fast)
            self.log_progress = switch("log_progress", log_progress)
            if switch("stream_logs", stream_logs, optional=True) is not None:
                self.stream_logs = stream_logs
            if choice("on_paused", on_paused, ("log", "fail", None)) is not None:
                self.on_paused = on_paused
        if logs:
            self.logs = logs
        if search:
            self.search = search

    def render_template_fields(self, context: Any, jinja_env: object = None) -> None:
        """Render nothing: the task has done it. Airflow calls this for a task that began in the triggerer."""
        from airflow_provider_flyte.wait.in_triggerer.instance import let_go_of_dag

        let_go_of_dag(context)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, whatever happens, except for a cancellation."""
        try:
            try:
                event = await self._event()
                why = self._why(event) + (f": {event.message}" if event.message else ".")
                self.log.info("The wait for %s is over: %s", self._what, why)
                await self._before(event)
            except asyncio.CancelledError:
                self._cancelled()
                raise
            if self._logs is not None:
                event = replace(event, logs=self._stop_logs(self._logs))
            # Outside the try above: ``dag.test()`` takes the event and closes the loop, which cancels what is left of
            # this.
            yield TriggerEvent(event.to_payload())
        finally:
            self._release()

    def _cancelled(self) -> None:
        """Log nothing about a run that the task only waits for."""

    async def _event(self) -> RunEvent:
        """Wait, and return the event. A thousand of these wait side by side: so one frame, and few objects."""
        try:
            from airflow_provider_flyte.client.verdict import Outcome, WaitRules, decide_together

            self._lease = Lease(self.flyte_conn_id)
            watcher = self._lease.ready
            # Only the first triggers make a timer for this: a timer stays until its time has come, even cancelled.
            if watcher is None:
                watcher = await self._within_deadline(self._watcher(self._lease))
            if watcher is None:
                return self._timed_out()
            if elsewhere := self._elsewhere(watcher):
                self._lease.retire()
                return self._ended(Ending.UNREACHABLE, message=elsewhere)
            self._log_beginning()
            if self.search:
                event = await self._within_deadline(self._find(watcher, self.search)) or self._timed_out()
                if event.ending is Ending.UNREACHABLE:
                    self._lease.retire()
                return event
            with watcher.wait_each(
                self._names,
                project=self.project,
                domain=self.domain,
                interval=self.poll_interval,
                rules=WaitRules(self.missing_after, self.unreachable_after),
                timeout=self._left,
                on_trouble=self._warn,
                on_progress=self._log_progress,
            ) as results:
                if self.log_progress or self._streams_logs(watcher):
                    self._follow(watcher)
                if self.on_paused:
                    self._follow_conditions(watcher, results.expire)
                counts: Counter[Outcome] | None = None
                async for result in results:
                    if counts is None:
                        counts = Counter({Outcome.WAITING: len(self._names)})
                    counts[Outcome.WAITING] -= 1
                    counts[result.outcome] += 1
                    self._log_end(result, len(self._names) - counts[Outcome.WAITING])
                    outcome = decide_together(counts, any_one=self.any_one, fail_fast=self.fail_fast)
                    if outcome is not Outcome.WAITING:
                        break
                else:
                    return self._paused_or_late()
            if result.outcome is Outcome.UNREACHABLE:
                self._lease.retire()
            return self._ended(
                Ending(outcome.value),
                run_name=result.name,
                phase=result.phase,
                message=result.verdict.message,
                missing=counts[Outcome.MISSING],
            )
        except _ConnectionUnreadError as error:
            return self._ended(Ending.UNREACHABLE, message=str(error))
        except (FlyteConfigurationError, ConfigError) as error:
            return self._ended(Ending.NO_CONNECTION, message=str(error))
        except Exception as error:
            # An exception that leaves run() reaches the user as "Trigger failure" without a word.
            self.log.exception(
                "The wait for %s failed in the triggerer with an unexpected error. The task resumes and reports it.",
                self._what,
            )
            return self._ended(Ending.CRASHED, message=f"{type(error).__name__}: {error}")
        finally:
            for following in self._following:
                following.cancel()
            if self._conditions is not None:
                self._conditions.stop()

    async def _find(self, watcher: RunWatcher, search: dict[str, Any]) -> RunEvent:
        from airflow_provider_flyte.client.verdict import WaitRules
        from airflow_provider_flyte.wait.run_search import find_run, sought

        looked_for = sought(search, self._now())
        return await find_run(
            watcher,
            looked_for,
            watcher.asking.config.project_domain(self.project, self.domain, str(looked_for)),
            interval=self.poll_interval,
            rules=WaitRules(self.missing_after, self.unreachable_after),
            log=self.log,
            now=self._now,
            sleep=self._sleep,
        )

    @property
    def _deadlines(self) -> dict[Ending, float | None]:
        """When the wait ends without an answer, by its ending."""
        return {Ending.TIMED_OUT: self.deadline, Ending.TASK_TIMED_OUT: self.execution_deadline}

    @property
    def _left(self) -> float | None:
        at = min((at for at in self._deadlines.values() if at is not None), default=None)
        return None if at is None else max(0.0, at - self._now())

    def _timed_out(self) -> RunEvent:
        ends = {ending: at for ending, at in self._deadlines.items() if at is not None}
        # A deadline that ends the task goes before one that only has a worker check the queue.
        final = {ending: at for ending, at in ends.items() if ending is not Ending.QUEUED and at <= self._now()}
        return self._ended(min(final or ends, key=ends.__getitem__))

    async def _within_deadline(self, step: Coroutine[Any, Any, T]) -> T | None:
        """The result of a step, or None when the deadline has passed."""
        doing = asyncio.ensure_future(step)
        try:
            await asyncio.wait({doing}, timeout=self._left)
            return doing.result() if doing.done() else None
        finally:
            doing.cancel()

    def _elsewhere(self, watcher: RunWatcher) -> str:
        """Why the runs may be none of this Flyte's; '' for runs that are waited for whoever launched them."""
        return ""

    def _log_beginning(self) -> None:
        # Not where the wait is: structlog inspects the frame that logs, which makes an object that lasts as long.
        self.log.info("Waiting for %s over the Airflow connection %r.", self._what, self.flyte_conn_id)

    def _streams_logs(self, watcher: RunWatcher) -> bool:
        return watcher.run_logs.by_default if self.stream_logs is None else self.stream_logs

    def _follow(self, watcher: RunWatcher) -> None:
        """Log the progress of what runs inside, and what it logs. In tasks of their own, which end or delay no wait."""
        from airflow_provider_flyte.wait.progress import MOST_FOLLOWED

        if self._streams_logs(watcher):
            self._begin_logs(watcher.run_logs)
        self._following = [
            asyncio.create_task(
                watcher.progress.follow(name, self.project, self.domain, on_progress=self._log_progress)
            )
            for name in self._names[:MOST_FOLLOWED]
        ]

    def _follow_conditions(self, watcher: RunWatcher, end: Callable[[], None]) -> None:
        """Log what the runs wait for.

        :param end: ends the wait, where that is what comes of it.
        """
        from airflow_provider_flyte.wait.conditions import ConditionLog

        config = watcher.asking.config
        written = ConditionLog(self.log, self.flyte_conn_id, config.run_url)

        def write(condition: Condition) -> None:
            written.write(condition)
            if self.on_paused == "fail" and condition.waits:
                self._paused = condition
                end()

        keys = [config.key(name, self.project, self.domain) for name in self._names]
        self._conditions = watcher.conditions.follow(keys, write, on_refusal=self._log_progress)

    def _paused_or_late(self) -> RunEvent:
        if self._paused is None:
            return self._timed_out()
        from airflow_provider_flyte.wait.conditions import asked

        return self._ended(Ending.PAUSED, run_name=self._paused.key.name, message=asked(self._paused))

    def _begin_logs(self, reader: RunLogs) -> None:
        """Write the runs' logs until the event is sent: lines still come right after the end."""
        from airflow_provider_flyte.wait.run_logs import FollowedLogs

        keys = [reader.config.key(name, self.project, self.domain) for name in self._names]
        self._logs = FollowedLogs(keys, reader.config.org, self.logs, on_log=self._log_progress, clock=reader.clock)
        self._logs.follow(reader)

    def _stop_logs(self, logs: FollowedLogs) -> dict[str, Any]:
        logs.stop()
        return logs.written

    def _log_end(self, result: WaitResult, ended: int) -> None:
        """Log the end of one of several runs: a line each for the first ones; a task may wait for thousands."""
        if not self.run_names:
            return
        if ended <= MOST_NAMED:
            event = self._ended(Ending(result.outcome.value), run_name=result.name, phase=result.phase)
            self.log.info("%d of %d Flyte runs: %s.", ended, len(self.run_names), event.describe())
        elif ended & (ended - 1) == 0 or ended == len(self.run_names):
            self.log.info("%d of %d Flyte runs have ended.", ended, len(self.run_names))

    def _warn(self, line: str) -> None:
        self.log.warning(line)

    def _log_progress(self, line: str) -> None:
        self.log.info(line)

    async def _watcher(self, lease: Lease) -> RunWatcher:
        """The shared watcher; a connection that cannot be read just now is not the run's failure."""
        began = self._now()
        while True:
            try:
                return await lease.watcher()
            except FlyteConfigurationError as error:
                if not self.keep_waiting:
                    raise
                problem = str(error)
            except Exception as error:
                problem = one_line(f"The Airflow connection could not be read: {type(error).__name__}: {error}")
                if self.unreachable_after is not None and self._now() - began >= self.unreachable_after:
                    raise _ConnectionUnreadError(problem) from error
            self.log.warning("Still waiting for %s. %s", self._what, problem)
            await self._sleep(_CONNECTION_RETRY)

    async def _before(self, event: RunEvent) -> None:
        """Do what comes between the end of the wait and its event."""
        await self._hold()

    def _ended(
        self, ending: Ending, *, run_name: str = "", phase: int | None = None, message: str = "", missing: int = 0
    ) -> RunEvent:
        return RunEvent(ending, run_name or self.run_name, phase, message, missing)

    @property
    def _names(self) -> list[str]:
        return self.run_names or [self.run_name]

    def _why(self, event: RunEvent) -> str:
        """What ended the wait, as a clause."""
        return event.describe()

    @property
    def _what(self) -> str:
        if self.search:
            return f"a run of Flyte task {self.search.get('task_name')}"
        return f"{len(self.run_names)} Flyte runs" if self.run_names else f"Flyte run {self.run_name}"

    def _release(self) -> None:
        if self._logs is not None:
            self._logs.stop()
        super()._release()


class FlyteLaunchedRunTrigger(FlyteRunTrigger):
    """:class:`FlyteRunTrigger` for the run of an operator.

    :param queued_deadline: when a worker is to check whether the run has left its queue; None: never.
    :param abort_for: the task instance that has launched the run, as the fields of ``tries/identity.py``'s
        TaskInstance; the run is aborted only if its annotations name the same one. None: none did, and it is never
        aborted.
    :param trying: the try, as ``Try.to_json`` of ``tries/identity.py`` has it: with its run those are aborted that
        earlier tries have launched beside it. None: none can have.
    :param abort_on_kill: abort the run when the task is killed.
    :param abort_on_timeout: abort the run when ``execution_deadline`` has passed. Airflow 2.11 does not let the task do
        it: it fails a task that resumes past its ``execution_timeout`` before calling it.
    :param endpoint: where Flyte was when the run was launched, ``host:port``; None: not known.
    :param launched: whether the run exists. If not, this waits for Flyte's answer before it is launched.
    :param waiting: the arguments of FlyteRunTrigger.
    """

    # No attribute of its own where it is not set, as above.
    trying: dict[str, Any] | None = None

    def __init__(
        self,
        *,
        queued_deadline: float | None = None,
        abort_for: dict[str, Any] | None = None,
        trying: dict[str, Any] | None = None,
        abort_on_kill: bool = True,
        abort_on_timeout: bool = False,
        endpoint: str | None = None,
        launched: bool = True,
        **waiting: Any,
    ) -> None:
        super().__init__(**waiting)
        self._further = tuple(waiting)
        self.abort_for = abort_for
        if trying:
            self.trying = trying
        self.queued_deadline = timestamp("queued_deadline", queued_deadline)
        with argument_errors():
            self.abort_on_kill = switch("abort_on_kill", abort_on_kill)
            self.abort_on_timeout = switch("abort_on_timeout", abort_on_timeout)
        self.endpoint = endpoint
        self.launched = launched

    @property
    def _deadlines(self) -> dict[Ending, float | None]:
        return super()._deadlines | {Ending.QUEUED: self.queued_deadline}

    @property
    def _what(self) -> str:
        return super()._what if self.launched else f"Flyte to answer ({super()._what} is not launched yet)"

    def _why(self, event: RunEvent) -> str:
        # Before the launch any answer about the run ends the wait.
        return "Flyte answers" if event.answered and not self.launched else super()._why(event)

    def _elsewhere(self, watcher: RunWatcher) -> str:
        now_at = watcher.run_logs.config.endpoint
        if not self.launched or self.endpoint in (None, now_at):
            return ""
        from airflow_provider_flyte.tries.whose import led_elsewhere

        return led_elsewhere(self.endpoint, now_at, "and a worker checks whether Flyte has this run there")

    def _cancelled(self) -> None:
        # A triggerer sets whose trigger it is. ``dag.test()`` does not: there a cancellation is the author's Ctrl-C.
        if getattr(self, "task_instance", None) is None and self.launched:
            from airflow_provider_flyte.tries.kill_deferred import interrupt

            interrupt(self)

    async def _before(self, event: RunEvent) -> None:
        if event.ending is Ending.TASK_TIMED_OUT and self.abort_on_timeout:
            from airflow_provider_flyte.tries.kill_deferred import abort

            await abort(self, "execution_timeout has passed")
        await super()._before(event)

    async def on_kill(self) -> None:
        """Abort the run, if the task was really killed. Airflow calls this from 3.3 on, and waits about a second."""
        from airflow_provider_flyte.tries.kill_deferred import stopped

        await stopped(self)
