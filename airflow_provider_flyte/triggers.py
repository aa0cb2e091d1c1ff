"""FlyteRunTrigger: one deferred task's wait, in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.connection import DEFAULT_CONN_ID
from airflow_provider_flyte.events import Ending, RunEvent
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.watching import Lease

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunWatcher

_CONNECTION_RETRY = 5.0


class _ConnectionUnreadError(Exception):
    """Airflow itself could not give the connection, for longer than the budget."""


class FlyteRunTrigger(BaseTrigger):
    """Waits until a run is over, and says in one small event how that ended.

    Plain values only: Airflow stores them, shows them in the UI and makes the trigger again from them, elsewhere and
    after an upgrade. Times are seconds since the epoch.

    :param run_name: the run.
    :param project: its project; by default the connection's.
    :param domain: its domain; by default the connection's.
    :param flyte_conn_id: the Airflow connection.
    :param poll_interval: most seconds until an end is noticed.
    :param deadline: when the sensor's ``timeout`` has passed; None: never.
    :param execution_deadline: when the task's ``execution_timeout`` has passed; None: never.
    :param not_before: the event is held until then, because Airflow's scheduler fails some tasks that resume a few
        seconds after they deferred.
    :param missing_after: seconds for which the run may not exist yet; None: for ever.
    :param unreachable_after: seconds of trouble after which the run's state is unknown; None: never.
    :param keep_waiting: whether a connection that cannot be read is waited for too (``silent_fail``).
    """

    def __init__(
        self,
        run_name: str,
        project: str | None = None,
        domain: str | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        poll_interval: float = 5.0,
        deadline: float | None = None,
        execution_deadline: float | None = None,
        not_before: float | None = None,
        missing_after: float | None = 60.0,
        unreachable_after: float | None = 300.0,
        keep_waiting: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.run_name = run_name
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.execution_deadline = execution_deadline
        self.not_before = not_before
        self.missing_after = missing_after
        self.unreachable_after = unreachable_after
        self.keep_waiting = keep_waiting
        self._lease: Lease | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path, and every argument of ``__init__``."""
        return (
            f"{FlyteRunTrigger.__module__}.{FlyteRunTrigger.__qualname__}",
            {
                "run_name": self.run_name,
                "project": self.project,
                "domain": self.domain,
                "flyte_conn_id": self.flyte_conn_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "execution_deadline": self.execution_deadline,
                "not_before": self.not_before,
                "missing_after": self.missing_after,
                "unreachable_after": self.unreachable_after,
                "keep_waiting": self.keep_waiting,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, whatever happens but for a cancellation, which is nobody's success."""
        try:
            event = await self._event()
            self.log.info(
                "The wait for Flyte run %s has ended: %s. %s", self.run_name, event.ending.value, event.message
            )
            await self._hold()
            yield TriggerEvent(event.to_payload())
        finally:
            self._release()

    async def cleanup(self) -> None:
        """Give the watcher back. Airflow calls this at shutdown and redistribution too: nothing is aborted."""
        self._release()

    async def _event(self) -> RunEvent:
        deadline = min((at for at in (self.deadline, self.execution_deadline) if at is not None), default=None)
        waiting = asyncio.ensure_future(self._wait())
        try:
            await asyncio.wait({waiting}, timeout=None if deadline is None else max(0.0, deadline - self._now()))
            if waiting.done():
                return waiting.result()
            return self._ended(Ending.TIMED_OUT if deadline == self.deadline else Ending.TASK_TIMED_OUT)
        except (FlyteConfigurationError, ConfigError) as error:
            return self._ended(Ending.NO_CONNECTION, message=str(error))
        except Exception as error:
            # An exception that leaves run() reaches the user as "Trigger failure" without a word.
            self.log.exception("The wait for Flyte run %s broke", self.run_name)
            return self._ended(Ending.CRASHED, message=f"{type(error).__name__}: {error}")
        finally:
            waiting.cancel()

    async def _wait(self) -> RunEvent:
        from airflow_provider_flyte.client.waiting import WaitRules

        self._lease = Lease(self.flyte_conn_id)
        try:
            watcher = await self._watcher(self._lease)
            self.log.info("Waiting for Flyte run %s with all other waits of %s", self.run_name, self.flyte_conn_id)
        except _ConnectionUnreadError as error:
            return self._ended(Ending.UNREACHABLE, message=str(error))
        result = await watcher.wait(
            self.run_name,
            project=self.project,
            domain=self.domain,
            interval=self.poll_interval,
            rules=WaitRules(self.missing_after, self.unreachable_after),
            on_news=self.log.warning,
            on_progress=self.log.info,
        )
        ending = Ending(result.outcome.value)
        if ending is Ending.UNREACHABLE:
            self._lease.retire()
        return self._ended(ending, phase=result.phase, message=result.verdict.message)

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
                problem = f"The Airflow connection could not be read: {type(error).__name__}: {error}"
                if self.unreachable_after is not None and self._now() - began >= self.unreachable_after:
                    raise _ConnectionUnreadError(problem) from error
            self.log.warning("Still waiting for Flyte run %s. %s", self.run_name, problem)
            await self._sleep(_CONNECTION_RETRY)

    async def _hold(self) -> None:
        if self.not_before is not None and (left := self.not_before - self._now()) > 0:
            self.log.info("The task resumes in %.0f s (resume_after)", left)
            await self._sleep(left)

    def _ended(self, ending: Ending, *, phase: int | None = None, message: str = "") -> RunEvent:
        return RunEvent(ending, self.run_name, phase, message)

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    # Tests put a virtual clock here.
    _now = staticmethod(time.time)
    _sleep = staticmethod(asyncio.sleep)
