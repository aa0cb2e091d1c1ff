"""The trigger of FlyteConditionOperator: it waits for a condition, for an answer, and for Flyte to take the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_flyte.client.arguments import MISSING_AFTER
from airflow_provider_flyte.client.errors import ConditionError, ConfigError, FlyteError
from airflow_provider_flyte.client.outside import LONGEST_IN_EVENT, one_line, storable
from airflow_provider_flyte.client.phase import is_terminal
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat import TriggerEvent, close_persons_request, persons_answer
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.task_log import TroubleLog
from airflow_provider_flyte.wait.shared_watcher import Lease
from airflow_provider_flyte.wait.trigger import TaskTrigger

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunWatcher, SignalledCondition
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.client.flows.conditions import Condition

_T = TypeVar("_T")

SEEK, WATCH, SEND = "find_condition", "wait_for_answer", "send_answer"

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


class FlyteConditionTrigger(TaskTrigger):
    """Waits for one condition of a run, in one of three stages. It aborts nothing, whatever ends it.

    :param stage: ``find_condition``, ``wait_for_answer`` in Flyte and to Airflow's request, or ``send_answer``.
    :param run_name: the run.
    :param condition: the condition's name, or its action's; once it is found its action's.
    :param project: of the run.
    :param domain: of the run.
    :param flyte_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks at Flyte.
    :param task_instance_id: whose request it is.
    :param request_matches: whether Airflow's request is about this condition; if not, it is closed and its answers are
        ignored.
    :param read_earlier_response: whether Airflow may have an answer that was not sent.
    :param response_deadline: when ``response_timeout`` has passed, in seconds since the epoch; None: never.
    :param default_response: the answer that is taken then, as ``chosen_options`` and ``params_input``; None: none.
    :param value: the answer to send.
    """

    _absent_since: float | None = None
    """Since when Flyte has said, without trouble in between, that it has no such run."""

    _over_since: float | None = None
    """Since when the run is over."""

    _in_trouble = False
    """Whether Flyte gave no answer last."""

    def __init__(
        self,
        stage: str,
        run_name: str,
        condition: str,
        project: str,
        domain: str,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        poll_interval: float = 10.0,
        task_instance_id: str = "",
        request_matches: bool = True,
        read_earlier_response: bool = False,
        response_deadline: float | None = None,
        default_response: dict[str, Any] | None = None,
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
        self.task_instance_id = task_instance_id
        self.request_matches = request_matches
        self.read_earlier_response = read_earlier_response
        self.response_deadline = response_deadline
        self.default_response = default_response
        self.value = value

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, whatever happens, except for a cancellation."""
        self._asking, self._sending = TroubleLog(self.log), TroubleLog(self.log)
        try:
            yield TriggerEvent(await self._event())
        finally:
            self._release()

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
            over, found = await self._look(watcher, partial(self._seen, seek_condition))
            if self._missing:
                return _event(MISSING)
            if found is not None:
                event = _event(WAITS if found.waits else GONE, action=found.action)
                response = await self._response() if self.read_earlier_response else None
                return event | ({} if response is None else {"response": response})
            if self._is_hopeless(over):
                return _event(RUN_OVER)
            await self._sleep(self.poll_interval)

    async def _watch(self, watcher: RunWatcher) -> dict[str, Any]:
        from airflow_provider_flyte.client.flows.conditions import read_condition

        if not self.request_matches:
            await self._close([], {})
        looked = None
        while True:
            response = await self._response() if self.request_matches else None
            if response is not None:
                return response
            now = self._now()
            late = self.response_deadline is not None and now >= self.response_deadline
            if late or looked is None or now - looked >= self.poll_interval:
                looked = now
                over, condition = await self._look(watcher, partial(self._seen, read_condition))
                if self._missing:
                    return await self._closed(_event(MISSING))
                if condition is not None and condition.over:
                    return await self._gone(condition)
                if self._is_hopeless(over):
                    return await self._closed(_event(RUN_OVER))
                if late:
                    # Also where the condition cannot be read: the task reads it before it sends the default.
                    return await self._late()
            await self._sleep(LOOK_EVERY)

    async def _gone(self, condition: Condition) -> dict[str, Any]:
        from airflow_provider_flyte.wait.human_request import as_response

        event = _event(GONE, action=condition.action)
        if condition.value is None:
            return await self._closed(event)
        await self._close(*as_response(condition, condition.value))
        return event

    async def _late(self) -> dict[str, Any]:
        default = self.default_response or {"chosen_options": [], "params_input": {}}
        # Somebody may be quicker. An answer that Airflow has taken counts, so it has to be known that there is none.
        while self.request_matches and not await self._close(**default):
            if response := await self._response():
                return response
            await self._sleep(LOOK_EVERY)
        return {**default, "timedout": True} if self.default_response else _event(LATE)

    async def _send(self, watcher: RunWatcher) -> dict[str, Any]:
        from airflow_provider_flyte.client.flows.conditions import read_condition

        while True:
            over, condition = await self._look(watcher, partial(self._seen, read_condition))
            if self._missing:
                return _event(MISSING)
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
                    self._sending.log(str(error), " to the answer", over=False)
                else:
                    return _event(SENT, action=condition.action)
            await self._sleep(self.poll_interval)

    # -- Flyte

    def _signal(self, condition: Condition, client: FlyteClient) -> Flow[SignalledCondition]:
        from airflow_provider_flyte.client.flows.signal import answer

        return answer(condition, client.config.org, self.value)

    @property
    def _missing(self) -> bool:
        """Whether Flyte has said for so long that it has no such run; any trouble begins that time anew."""
        return self._absent_since is not None and self._now() - self._absent_since >= MISSING_AFTER

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

    def _seen(self, read: Callable[..., Flow[Condition | None]], client: FlyteClient) -> Flow[Condition | None]:
        return read(self._key, client.config.org, self.condition)

    async def _look(
        self, watcher: RunWatcher, condition: Callable[[FlyteClient], Flow[Condition | None]]
    ) -> tuple[bool | None, Condition | None]:
        """Whether the run is over, and its condition; None for what Flyte does not tell, which is logged once.

        :param condition: how it is looked for.
        """
        # The run first, so that no condition is overlooked that came last.
        over, of_run = await _answer(self._run_is_over(watcher))
        found, of_condition = await _answer(watcher.asking.ask(condition))
        trouble = of_run or of_condition
        self._in_trouble = bool(trouble)
        # Both together: an answer to one of them does not end the trouble with the other.
        self._asking.log(trouble, f" about run {self.run_name}", over=False)
        return over, found

    # -- Airflow

    async def _response(self) -> dict[str, Any] | None:
        """What a person has answered, as Airflow 3.3 gives it to the task; None where nobody has."""
        try:
            given = await persons_answer(self.task_instance_id)
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

    async def _close(self, chosen_options: list[str], params_input: dict[str, Any]) -> bool:
        """Close the request, so that nobody answers what waits no more; False where somebody has answered before."""
        from airflow_provider_flyte.wait.human_request import CLOSED

        try:
            await close_persons_request(self.task_instance_id, chosen_options or [CLOSED], params_input)
        except Exception as error:
            self.log.debug("Airflow's request could not be closed: %s", error)
            return False
        return True


async def _answer(asked: Awaitable[_T]) -> tuple[_T | None, str]:
    """Flyte's answer, or else why there is none."""
    try:
        return await asked, ""
    except ConditionError:
        raise
    except FlyteError as error:
        return None, str(error)


def _event(ending: str, *, action: str = "", message: str = "") -> dict[str, Any]:
    return {"ending": ending, "action": storable(action), "message": one_line(message, LONGEST_IN_EVENT)}
