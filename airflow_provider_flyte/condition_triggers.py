"""The trigger of FlyteConditionOperator: it waits for a condition, for an answer, and for Flyte to take the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.arguments import MISSING_AFTER
from airflow_provider_flyte.client.errors import ConditionError, ConfigError, FlyteError
from airflow_provider_flyte.client.outside import LONGEST_IN_EVENT, one_line, storable
from airflow_provider_flyte.client.phase import is_terminal
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat import BaseTrigger, TriggerEvent, close_persons_request, persons_answer
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.task_log import TroubleLog
from airflow_provider_flyte.wait.shared_watcher import Lease

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunWatcher, SignalledCondition
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.client.flows.conditions import Condition

SEEK, WATCH, SEND = "seek", "watch", "send"

WAITS, GONE, RUN_OVER, MISSING, LATE, SENT, REFUSED, NO_CONNECTION, CRASHED = (
    "waits",
    "gone",
    "run_over",
    "missing",
    "late",
    "sent",
    "refused",
    "no_connection",
    "crashed",
)
"""How a stage ends: the condition waits; waits no more; the run is over; there is no such run; ``response_timeout`` has
passed; the answer has arrived; several have the name; and what prevents all of that."""

LOOK_EVERY = 5.0
"""Seconds between two looks at Airflow's request; before Airflow 3.3 an answer resumes no task by itself."""


class FlyteConditionTrigger(BaseTrigger):
    """Waits for one condition of a run, in one of three stages. It aborts nothing, whatever ends it.

    :param stage: ``seek`` the condition, ``watch`` it and Airflow's request, or ``send`` the answer.
    :param run_name: the run.
    :param condition: the condition's name, or its action's; from ``watch`` on its action's.
    :param project: of the run.
    :param domain: of the run.
    :param flyte_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks at Flyte.
    :param ti_id: the task instance, whose request it is.
    :param asked: whether Airflow's request is about this condition; if not, it is closed and its answers are ignored.
    :param look_back: whether an earlier try may have an answer that was not sent.
    :param deadline: when ``response_timeout`` has passed, in seconds since the epoch; None: never.
    :param default: the answer that is taken then; None: none.
    :param value: the answer to send.
    """

    def __init__(
        self,
        stage: str,
        run_name: str,
        condition: str,
        project: str,
        domain: str,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        poll_interval: float = 10.0,
        ti_id: str = "",
        asked: bool = True,
        look_back: bool = False,
        deadline: float | None = None,
        default: Any = None,
        value: Any = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stage = stage
        self.run_name = run_name
        self.condition = condition
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        self.poll_interval = poll_interval
        self.ti_id = ti_id
        self.asked = asked
        self.look_back = look_back
        self.deadline = deadline
        self.default = default
        self.value = value
        self._lease: Lease | None = None
        self._trouble = TroubleLog(self.log)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path, and the arguments of ``__init__``, each of which is an attribute too."""
        kind = type(self)
        names = signature(kind).parameters
        return f"{kind.__module__}.{kind.__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, whatever happens, except for a cancellation."""
        try:
            yield TriggerEvent(await self._event())
        finally:
            self._release()

    async def cleanup(self) -> None:
        """Give the watcher back. Airflow calls this at shutdown and redistribution too."""
        self._release()

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    async def _event(self) -> dict[str, Any]:
        stages: dict[str, Callable[[RunWatcher], Awaitable[dict[str, Any]]]]
        stages = {SEEK: self._seek, WATCH: self._watch, SEND: self._send}
        try:
            self._lease = Lease(self.flyte_conn_id)
            return await stages[self.stage](await self._lease.watcher())
        except ConditionError as error:
            return _event(REFUSED, message=str(error))
        except (FlyteConfigurationError, ConfigError) as error:
            return _event(NO_CONNECTION, message=str(error))
        except Exception as error:
            self.log.exception("The wait for a condition failed in the triggerer with an unexpected error.")
            return _event(CRASHED, message=f"{type(error).__name__}: {error}")

    @property
    def _key(self) -> RunKey:
        return RunKey(self.project, self.domain, self.run_name)

    async def _seek(self, watcher: RunWatcher) -> dict[str, Any]:
        from airflow_provider_flyte.client.flows.conditions import seek_condition

        self.log.info("Waiting until condition %r of Flyte run %s waits for an answer.", self.condition, self._key)
        while True:
            # Before the condition is looked for, so that none is overlooked that came last.
            over = await self._answer(self._run_is_over(watcher))
            if self._missing:
                return _event(MISSING)
            found = await self._answer(
                watcher.asking.ask(lambda client: seek_condition(self._key, client.config.org, self.condition))
            )
            if found is not None:
                event = _event(WAITS if found.waits else GONE, action=found.action)
                response = await self._response() if self.look_back else None
                return event | ({} if response is None else {"response": response})
            if self._is_hopeless(over):
                return _event(RUN_OVER)
            await self._sleep(self.poll_interval)

    async def _watch(self, watcher: RunWatcher) -> dict[str, Any]:
        if not self.asked:
            await self._close([], {})
        looked = None
        while True:
            response = await self._response() if self.asked else None
            if response is not None:
                return response
            now = self._now()
            if looked is None or now - looked >= self.poll_interval:
                looked = now
                over = await self._answer(self._run_is_over(watcher))
                if self._missing:
                    return await self._closed(_event(MISSING))
                condition = await self._answer(self._read(watcher))
                if condition is not None and condition.over:
                    return await self._gone(condition)
                if self._is_hopeless(over):
                    return await self._closed(_event(RUN_OVER))
                if self.deadline is not None and now >= self.deadline and condition is not None:
                    return await self._late(condition)
            await self._sleep(LOOK_EVERY)

    async def _gone(self, condition: Condition) -> dict[str, Any]:
        from airflow_provider_flyte.wait.human_request import as_response

        event = _event(GONE, action=condition.action)
        if condition.value is None:
            return await self._closed(event)
        await self._close(*as_response(condition, condition.value))
        return event

    async def _late(self, condition: Condition) -> dict[str, Any]:
        from airflow_provider_flyte.wait.human_request import as_response

        chosen, fields = ([], {}) if self.default is None else as_response(condition, self.default)
        # Somebody may be quicker. An answer that Airflow has taken counts, so it has to be known that there is none.
        while self.asked and not await self._close(chosen, fields):
            if response := await self._response():
                return response
            await self._sleep(LOOK_EVERY)
        if self.default is None:
            return _event(LATE)
        return {"chosen_options": chosen, "params_input": fields, "timedout": True}

    async def _send(self, watcher: RunWatcher) -> dict[str, Any]:
        while True:
            over = await self._answer(self._run_is_over(watcher))
            if self._missing:
                return _event(MISSING)
            condition = await self._answer(self._read(watcher))
            if condition is not None and condition.over:
                return _event(GONE, action=condition.action)
            if self._is_hopeless(over):
                return _event(RUN_OVER)
            if condition is not None:
                try:
                    await watcher.asking.ask(partial(self._signal, condition))
                except ConditionError:
                    # It was answered in between, which the next read shows.
                    pass
                except FlyteError as error:
                    self._trouble.log(str(error), " to the answer", over=False)
                else:
                    return _event(SENT, action=condition.action)
            await self._sleep(self.poll_interval)

    # -- Flyte

    def _signal(self, condition: Condition, client: FlyteClient) -> Flow[SignalledCondition]:
        from airflow_provider_flyte.client.flows.signal import answer

        return answer(condition, client.config.org, self.value)

    _absent_since: float | None = None

    @property
    def _missing(self) -> bool:
        """Whether Flyte has said for so long that it has no such run; any trouble begins that time anew."""
        return self._absent_since is not None and self._now() - self._absent_since >= MISSING_AFTER

    _over_since: float | None = None

    def _is_hopeless(self, over: bool | None) -> bool:
        """Whether no answer can come any more: the run is over, and its condition was read after that.

        Or it could not be read for so long.

        :param over: whether the run was over before the condition was read; None where Flyte gave no answer.
        """
        if not over:
            self._over_since = None
            return False
        if self._over_since is None:
            self._over_since = self._now()
        return not self._in_trouble or self._now() - self._over_since >= MISSING_AFTER

    async def _run_is_over(self, watcher: RunWatcher) -> bool:
        from airflow_provider_flyte.client.flows.named_runs import phase_of

        absent_since, self._absent_since = self._absent_since, None
        phase = await watcher.asking.ask(lambda client: phase_of(self._key, client.config.org))
        if phase is None:
            self._absent_since = self._now() if absent_since is None else absent_since
        return phase is not None and is_terminal(phase)

    async def _read(self, watcher: RunWatcher) -> Condition | None:
        from airflow_provider_flyte.client.flows.conditions import read_condition

        return await watcher.asking.ask(lambda client: read_condition(self._key, client.config.org, self.condition))

    _in_trouble = False

    async def _answer(self, asked: Awaitable[Any]) -> Any:
        """Flyte's answer; None, which is logged once, where it gives none."""
        try:
            answer = await asked
        except ConditionError:
            raise
        except FlyteError as error:
            self._in_trouble = True
            self._trouble.log(str(error), f" about run {self.run_name}", over=False)
            return None
        self._in_trouble = False
        if self.stage != SEND:
            self._trouble.log("", "", over=False)
        return answer

    # -- Airflow

    async def _response(self) -> dict[str, Any] | None:
        """What a person has answered, as Airflow 3.3 gives it to the task; None where nobody has."""
        try:
            given = await persons_answer(self.ti_id)
        except Exception as error:
            self.log.debug("Airflow's request could not be read: %s", error)
            return None
        if given is None or not given.chosen_options:
            return None
        user = given.responded_by_user
        return {
            "chosen_options": list(given.chosen_options),
            "params_input": dict(given.params_input or {}),
            "responded_by_user": None if user is None else {"id": user.id, "name": user.name},
            "timedout": user is None,
        }

    async def _closed(self, event: dict[str, Any]) -> dict[str, Any]:
        await self._close([], {})
        return event

    async def _close(self, chosen: list[str], fields: dict[str, Any]) -> bool:
        """Close the request, so that nobody answers what waits no more; False where somebody has answered before."""
        from airflow_provider_flyte.wait.human_request import CLOSED

        try:
            await close_persons_request(self.ti_id, chosen or [CLOSED], fields)
        except Exception as error:
            self.log.debug("Airflow's request could not be closed: %s", error)
            return False
        return True

    # Tests put a virtual clock here.
    _now = staticmethod(time.time)
    _sleep = staticmethod(asyncio.sleep)


def _event(ending: str, *, action: str = "", message: str = "") -> dict[str, Any]:
    return {"ending": ending, "action": storable(action), "message": one_line(message, LONGEST_IN_EVENT)}
