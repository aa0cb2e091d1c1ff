"""From the beginning of a task to its answer: which stage comes next, on a worker or in the triggerer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_flyte.approvals.result import Result
from airflow_provider_flyte.client.errors import ConditionError, FlyteError, RpcError, RunIsOverError
from airflow_provider_flyte.client.outside import storable
from airflow_provider_flyte.compat.human_requests import ask_person
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteRunMissing,
    FlyteWaitBroken,
)
from airflow_provider_flyte.wait.condition_event import (
    GONE,
    LATE,
    MISSING,
    NO_CONNECTION,
    REFUSED,
    RUN_OVER,
    SEEK,
    SEND,
    SENT,
    WAITS,
    WATCH,
)
from airflow_provider_flyte.wait.task_wait import BRIEFLY, PATIENTLY

if TYPE_CHECKING:
    from airflow_provider_flyte.approvals.task import ConditionTask
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.conditions import Condition
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.compat import Context


class Approval:
    """One execution of the operator.

    :param task: the operator.
    :param context: its context.
    :param client: makes the calls.
    :param key: the run.
    """

    def __init__(self, task: ConditionTask, context: Context, client: FlyteClient, key: RunKey) -> None:
        self._task = task
        self._context = context
        self._client = client
        self._key = key
        self._result = Result(task, client, key)

    def begin(self) -> Any:
        """Find the condition, and ask or defer."""
        found = None
        if self._context["ti"].try_number == 1:
            try:
                found = self._seek(retry_for=BRIEFLY)
            except ConditionError as error:
                raise FlyteArgumentError(str(error)) from error
            except FlyteError as error:
                self._task.log.warning("Flyte gives no answer, and the triggerer asks on: %s", error)
        if found is None:
            self._defer(SEEK, self._task.condition, read_earlier_response=self._context["ti"].try_number > 1)
        elif found.waits:
            self._ask(found)
        return self._result.value(found)

    def _ask(self, condition: Condition) -> NoReturn:
        from airflow_provider_flyte.wait.answering import ways_to_answer
        from airflow_provider_flyte.wait.human_request import default_response, is_request_for, request_for

        url = self._client.config.run_url(condition.key)
        if condition.kind is None:
            raise FlyteArgumentError(f"{condition.shown} asks for {condition.asks_for}. {url}")
        try:
            default = default_response(condition, self._task.default)
        except ConditionError as error:
            raise FlyteArgumentError(f"default: {error}") from error
        wanted = request_for(condition, url, default, self._task.assigned_users)
        matches = is_request_for(ask_person(self._context["ti"].id, wanted), wanted)
        if matches:
            self._task.log.info(
                "%s waits. It can be answered in Airflow (Required Actions), or in Flyte: %s", condition.shown, url
            )
            for notifier in self._task.notifiers:
                notifier(self._context)
        else:
            self._task.log.warning(
                "%s waits. Airflow cannot ask for it: it keeps the first request of a task instance, which was about "
                "another one, and that is closed now. Answer %s",
                condition.shown,
                ways_to_answer(condition, self._task.flyte_conn_id, url),
            )
        deadline = None if self._task.response_timeout is None else time.time() + self._task.response_timeout
        self._defer(
            WATCH,
            condition.action,
            request_matches=matches,
            response_deadline=deadline,
            default_response=default,
        )

    def go_on_or_wait(self, event: Any, settled: Mapping[str, Any]) -> Any:
        """Go on, or where Flyte is away wait in the triggerer until it is not: an answer may be on its way."""
        from airflow_provider_flyte.wait.human_request import is_response

        try:
            return self._go_on(event, settled)
        except RpcError as error:
            if settled.get("flyte_was_away"):
                # The triggerer has just got an answer.
                raise
            self._task.log.warning("Flyte gives no answer, and the triggerer asks on: %s", error)
            action = str(settled.get("action") or (event or {}).get("action") or self._task.condition)
            sent = {name: settled[name] for name in ("answered_by", "timed_out", "value") if name in settled}
            if is_response(event) and event.get("timedout"):
                # Airflow has no default of a request about another condition.
                sent["response"] = dict(event)
            self._defer(SEEK, action, read_earlier_response=True, flyte_was_away=True, **sent)

    def _go_on(self, event: Any, settled: Mapping[str, Any]) -> Any:
        from airflow_provider_flyte.wait.human_request import answers, is_response

        if is_response(event):
            return self._take(event, settled)
        ending = event.get("ending") if isinstance(event, Mapping) else None
        message = str(event.get("message", "")) if isinstance(event, Mapping) else ""
        if ending == WAITS:
            found = self._read(str(event.get("action", "")))
            if found is None or not found.waits:
                return self._result.value(found)
            response = settled.get("response") or event.get("response")
            named = is_response(response) and answers(response, found)
            if named and (done := self._resend(found, response)):
                return done
            self._ask(found)
        if ending in (GONE, SENT):
            action = str(event.get("action", ""))
            return self._result.value(self._read(action), settled if "value" in settled else {})
        if ending == RUN_OVER:
            raise self._result.run_is_over()
        if ending == MISSING:
            raise FlyteRunMissing(
                f"Flyte has no run {self._key}, so its condition {self._task.condition!r} gets no answer. Check "
                "run_name, project and domain.",
                **self._result.fields(),
            )
        if ending == LATE:
            raise self._result.unanswered(f"was not answered within {self._task.response_timeout:g} s")
        if ending == REFUSED:
            raise FlyteArgumentError(message)
        if ending == NO_CONNECTION:
            raise FlyteConfigurationError(f"The triggerer could not use the Airflow connection. {message}")
        raise FlyteWaitBroken(
            f"The trigger that waited for condition {self._task.condition!r} of Flyte run {self._key} failed: "
            f"{message or 'Airflow gives no reason'}. A retry waits again, and an answer that was given is not lost.",
            **self._result.fields(),
        )

    def _take(self, event: Mapping[str, Any], settled: Mapping[str, Any]) -> Any:
        """Send a person's answer, unless it is about another condition."""
        from airflow_provider_flyte.wait.human_request import answers

        action, matches = settled.get("action"), bool(settled.get("request_matches"))
        # Without one it is about the request of an earlier try.
        condition = self._read(str(action)) if action else self._seek(retry_for=PATIENTLY)
        if condition is None:
            self._defer(SEEK, self._task.condition, read_earlier_response=True)
        elif condition.over:
            return self._result.value(condition)
        elif not matches and not answers(event, condition):
            self._task.log.warning("An answer in Airflow to a request about another condition is not sent to Flyte.")
            self._ask(condition)
        if done := self._resend(condition, event):
            return done
        self._ask(condition)

    def _resend(self, condition: Condition, event: Mapping[str, Any]) -> Any:
        """Send an answer; None where it does not fit. One that Flyte does not take now is left to the triggerer."""
        from airflow_provider_flyte.client.flows.signal import answer
        from airflow_provider_flyte.wait.human_request import answered_by, value_of

        try:
            value = value_of(event, condition)
        except ConditionError as error:
            self._task.log.warning("The answer in Airflow is not sent to Flyte, and is asked for again: %s", error)
            return None
        by, late = answered_by(event), bool(event.get("timedout"))
        settled: dict[str, Any] = {"answered_by": by, "timed_out": late, "value": value}
        try:
            self._client.execute(answer(condition, self._client.config.org, value), retry_for=BRIEFLY)
        except RunIsOverError as error:
            raise self._result.run_is_over() from error
        except ConditionError:
            # Somebody was quicker, which the next read shows.
            pass
        except FlyteError as error:
            self._task.log.warning(
                "Flyte has not taken the answer, and the triggerer sends it until it does: %s", error
            )
            self._defer(SEND, condition.action, **settled)
        return self._result.value(self._read(condition.action), settled)

    def _seek(self, *, retry_for: float) -> Condition | None:
        from airflow_provider_flyte.client.flows.conditions import seek_condition

        flow = seek_condition(self._key, self._client.config.org, self._task.condition)
        return self._client.execute(flow, retry_for=retry_for)

    def _read(self, action: str) -> Condition | None:
        from airflow_provider_flyte.client.flows.conditions import read_condition

        return self._client.execute(read_condition(self._key, self._client.config.org, action), retry_for=PATIENTLY)

    def _defer(
        self,
        stage: str,
        condition: str,
        *,
        request_matches: bool = False,
        read_earlier_response: bool = False,
        response_deadline: float | None = None,
        default_response: dict[str, Any] | None = None,
        value: Any = None,
        **more: Any,
    ) -> NoReturn:
        """Wait in the triggerer; what is settled comes back with the event."""
        from airflow_provider_flyte.condition_triggers import FlyteConditionTrigger

        settled: dict[str, Any] = {"project": self._key.project, "domain": self._key.domain, **more}
        if stage != SEEK:
            condition = storable(condition)
            settled |= {"action": condition, "request_matches": request_matches}
        if value is not None:
            settled["value"] = value
        self._task.defer(
            trigger=FlyteConditionTrigger(
                stage,
                self._key.name,
                condition,
                self._key.project,
                self._key.domain,
                self._task.flyte_conn_id,
                self._task.poll_interval,
                task_instance_id=str(self._context["ti"].id),
                request_matches=request_matches,
                read_earlier_response=read_earlier_response,
                response_deadline=response_deadline,
                default_response=default_response,
                value=value,
                not_before=time.time() + self._task.resume_after,
            ),
            method_name="execute_complete",
            kwargs=settled,
        )
