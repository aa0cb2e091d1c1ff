"""FlyteConditionOperator: asks a person in Airflow what a Flyte run waits for (Airflow 3.1 and newer)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_flyte.arguments import LEAST_INTERVAL, argument_errors
from airflow_provider_flyte.client.arguments import optional_seconds, seconds
from airflow_provider_flyte.client.errors import ConditionError, ConfigError, FlyteError, RpcError
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line, some_lines, storable
from airflow_provider_flyte.compat import BaseOperator, airflow_version, ask_person, has_human_requests
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConditionUnanswered,
    FlyteConfigurationError,
    FlyteRunMissing,
    FlyteWaitBroken,
)
from airflow_provider_flyte.links import FlyteRunLink, show_link
from airflow_provider_flyte.templates import KeepsTexts

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.conditions import Answer, Condition
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.compat import Context

_BRIEFLY = 5.0
"""Seconds for which a worker tries a call again, before it leaves it to the triggerer."""

_PATIENTLY = 60.0
"""The same where no trigger does it."""


class FlyteConditionOperator(KeepsTexts, BaseOperator):
    """Waits until a Flyte run waits for an answer, asks for it in Airflow (Required Actions), and gives it to Flyte.

    It waits in the triggerer, for the condition and for the answer. An answer that is given in Flyte meanwhile, or in
    the tab, ends it just as well. It never aborts the run. One task is for one condition.

    XCom gets ``run_name``, ``project``, ``domain``, ``condition``, ``action``, ``prompt``, ``value``, ``answered_by``
    (None for somebody in Flyte, and for a default) and ``timed_out`` (whether the value is the default).

    :param run_name: the run; it has to exist.
    :param condition: the condition's name (``flyte.new_condition("name")``), or its action's where several have it.
    :param project: the run's Flyte project; by default the connection's.
    :param domain: its Flyte domain; by default the connection's.
    :param flyte_conn_id: the Airflow connection, of type ``flyte``.
    :param assigned_users: who may answer in Airflow, a dict with ``id`` and ``name`` or a list of such; by default
        whoever may edit the DAG run.
    :param notifiers: Airflow's notifiers, which are called once the request is there.
    :param response_timeout: seconds or a timedelta from the request on, after which ``default`` is the answer, or else
        the task fails; None: never.
    :param default: the answer that is proposed, of the type that the condition asks for.
    :param poll_interval: seconds between two looks at Flyte.
    :raises FlyteArgumentError: for an invalid argument, and on an Airflow before 3.1.
    """

    template_fields: Sequence[str] = ("run_name", "condition", "project", "domain", "flyte_conn_id")
    operator_extra_links = (FlyteRunLink(),)
    ui_color = "#e9dfff"

    def __init__(
        self,
        *,
        run_name: str,
        condition: str,
        project: str | None = None,
        domain: str | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        assigned_users: Mapping[str, str] | Sequence[Mapping[str, str]] = (),
        notifiers: Callable[..., Any] | Sequence[Callable[..., Any]] = (),
        response_timeout: float | timedelta | None = None,
        default: bool | int | float | str | None = None,
        poll_interval: float | timedelta = 10.0,
        **kwargs: Any,
    ) -> None:
        if not has_human_requests():
            raise FlyteArgumentError(
                f"FlyteConditionOperator needs Airflow 3.1 or newer, which can ask a person; this is "
                f"{airflow_version()}. Answer with FlyteHook().signal, with "
                "`python -m airflow_provider_flyte signal`, or in Flyte's console."
            )
        super().__init__(**kwargs)
        self.run_name = run_name
        self.condition = condition
        self.project = project
        self.domain = domain
        self.flyte_conn_id = flyte_conn_id
        with argument_errors():
            self.assigned_users = [_user(each) for each in _each("assigned_users", assigned_users, Mapping)]
            self.notifiers = [_notifier(each) for each in _each("notifiers", notifiers, Callable)]
            self.response_timeout = optional_seconds("response_timeout", response_timeout)
            self.poll_interval = seconds("poll_interval", poll_interval, least=LEAST_INTERVAL)
            if default is not None and not isinstance(default, (bool, int, float, str)):
                raise ConfigError(f"default is {type(default).__name__}; give a bool, an int, a float or a str.")
        self.default = default

    def execute(self, context: Context) -> Any:
        """Look for the condition, and ask or defer; Airflow calls this."""
        # An answer that an earlier try could not send is with Airflow, where only the triggerer can read it.
        return self._with_client(context, None, lambda client, key: self._look(context, client, key))

    def execute_complete(self, context: Context, event: Any = None, **settled: Any) -> Any:
        """Resume after the trigger's event, or after a person's answer, which Airflow 3.3 gives to the task itself.

        :param event: either of them.
        :param settled: what was settled before the deferral: project, domain, action, and whether Airflow's request is
            about it.
        """
        return self._with_client(
            context, settled, lambda client, key: self._go_on_or_wait(context, client, key, event, settled)
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a trigger that crashed, too."""
        from airflow_provider_flyte.wait.deferral import resumption

        next_method, kwargs = resumption(self, next_method, next_kwargs)
        return super().resume_execution(next_method, kwargs, context)

    def _with_client(
        self, context: Context, settled: Mapping[str, Any] | None, do: Callable[[FlyteClient, RunKey], Any]
    ) -> Any:
        from airflow_provider_flyte.client.flows.signal import check_condition
        from airflow_provider_flyte.client.run_key import check_run_name
        from airflow_provider_flyte.tries.held_client import HeldClient

        try:
            check_run_name(self.run_name)
            check_condition(self.condition)
        except ConfigError as error:
            raise FlyteArgumentError(str(error)) from error
        with HeldClient(self.flyte_conn_id, self.log) as held:
            client = held.get()
            where = settled or {"project": self.project, "domain": self.domain}
            try:
                key = client.config.key(self.run_name, where.get("project"), where.get("domain"))
            except ConfigError as error:
                raise FlyteConfigurationError(f"{error} (Flyte connection {self.flyte_conn_id!r})") from error
            show_link(self, context, client.config.run_url(key), [key])
            return do(client, key)

    # -- stages

    def _look(self, context: Context, client: FlyteClient, key: RunKey) -> Any:
        from airflow_provider_flyte.client.flows.conditions import seek_condition
        from airflow_provider_flyte.condition_triggers import SEEK

        found = None
        if context["ti"].try_number == 1:
            try:
                found = client.execute(seek_condition(key, client.config.org, self.condition), retry_for=_BRIEFLY)
            except ConditionError as error:
                raise FlyteArgumentError(str(error)) from error
            except FlyteError as error:
                self.log.warning("Flyte gives no answer, and the triggerer asks on: %s", error)
        if found is None:
            self._defer(context, SEEK, key, self.condition, read_earlier_response=context["ti"].try_number > 1)
        elif found.waits:
            self._ask(context, client, found)
        return self._end(client, key, found)

    def _ask(self, context: Context, client: FlyteClient, condition: Condition) -> NoReturn:
        from airflow_provider_flyte.condition_triggers import WATCH
        from airflow_provider_flyte.wait.answering import ways_to_answer
        from airflow_provider_flyte.wait.human_request import default_response, is_request_for, request_for

        url = client.config.run_url(condition.key)
        if condition.kind is None:
            raise FlyteArgumentError(f"{condition.shown} asks for {condition.asks_for}. {url}")
        try:
            default = default_response(condition, self.default)
        except ConditionError as error:
            raise FlyteArgumentError(f"default: {error}") from error
        wanted = request_for(condition, url, default, self.assigned_users)
        matches = is_request_for(ask_person(context["ti"].id, wanted), wanted)
        if matches:
            self.log.info(
                "%s waits. It can be answered in Airflow (Required Actions), or in Flyte: %s", condition.shown, url
            )
            for notifier in self.notifiers:
                notifier(context)
        else:
            self.log.warning(
                "%s waits. Airflow cannot ask for it: it keeps the first request of a task instance, which was about "
                "another one, and that is closed now. Answer %s",
                condition.shown,
                ways_to_answer(condition, self.flyte_conn_id, url),
            )
        deadline = None if self.response_timeout is None else time.time() + self.response_timeout
        self._defer(
            context,
            WATCH,
            condition.key,
            condition.action,
            request_matches=matches,
            response_deadline=deadline,
            default_response=default,
        )

    def _go_on_or_wait(
        self, context: Context, client: FlyteClient, key: RunKey, event: Any, settled: Mapping[str, Any]
    ) -> Any:
        """Go on, or where Flyte is away wait in the triggerer until it is not: an answer may be on its way."""
        from airflow_provider_flyte.condition_triggers import SEEK
        from airflow_provider_flyte.wait.human_request import is_response

        try:
            return self._go_on(context, client, key, event, settled)
        except RpcError as error:
            if settled.get("flyte_was_away"):
                # The triggerer has just got an answer.
                raise
            self.log.warning("Flyte gives no answer, and the triggerer asks on: %s", error)
            action = str(settled.get("action") or (event or {}).get("action") or self.condition)
            sent = {name: settled[name] for name in ("answered_by", "timed_out", "value") if name in settled}
            if is_response(event) and event.get("timedout"):
                # Airflow has no default of a request about another condition.
                sent["response"] = dict(event)
            self._defer(context, SEEK, key, action, read_earlier_response=True, flyte_was_away=True, **sent)

    def _go_on(self, context: Context, client: FlyteClient, key: RunKey, event: Any, settled: Mapping[str, Any]) -> Any:
        from airflow_provider_flyte.condition_triggers import (
            GONE,
            LATE,
            MISSING,
            NO_CONNECTION,
            REFUSED,
            RUN_OVER,
            SENT,
            WAITS,
        )
        from airflow_provider_flyte.wait.human_request import answers, is_response

        if is_response(event):
            return self._take(context, client, key, event, settled)
        ending = event.get("ending") if isinstance(event, Mapping) else None
        message = str(event.get("message", "")) if isinstance(event, Mapping) else ""
        if ending == WAITS:
            found = self._read(client, key, str(event.get("action", "")))
            if found is None or not found.waits:
                return self._end(client, key, found)
            response = settled.get("response") or event.get("response")
            named = is_response(response) and answers(response, found)
            if named and (done := self._resend(context, client, found, response)):
                return done
            self._ask(context, client, found)
        if ending in (GONE, SENT):
            action = str(event.get("action", ""))
            return self._end(client, key, self._read(client, key, action), settled if "value" in settled else {})
        if ending == RUN_OVER:
            raise self._unanswered(client, key, "was not answered: its run is over")
        if ending == MISSING:
            raise FlyteRunMissing(
                f"Flyte has no run {key}, so its condition {self.condition!r} gets no answer. Check run_name, project "
                "and domain.",
                **self._fields(client, key),
            )
        if ending == LATE:
            raise self._unanswered(client, key, f"was not answered within {self.response_timeout:g} s")
        if ending == REFUSED:
            raise FlyteArgumentError(message)
        if ending == NO_CONNECTION:
            raise FlyteConfigurationError(f"The triggerer could not use the Airflow connection. {message}")
        raise FlyteWaitBroken(
            f"The trigger that waited for condition {self.condition!r} of Flyte run {key} failed: "
            f"{message or 'Airflow gives no reason'}. A retry waits again, and an answer that was given is not lost.",
            **self._fields(client, key),
        )

    def _take(
        self, context: Context, client: FlyteClient, key: RunKey, event: Mapping[str, Any], settled: Mapping[str, Any]
    ) -> Any:
        """Send a person's answer, unless it is about another condition."""
        from airflow_provider_flyte.client.flows.conditions import seek_condition
        from airflow_provider_flyte.condition_triggers import SEEK
        from airflow_provider_flyte.wait.human_request import answers

        action, matches = settled.get("action"), bool(settled.get("request_matches"))
        if action:
            condition = self._read(client, key, str(action))
        else:
            # Of the request of an earlier try.
            flow = seek_condition(key, client.config.org, self.condition)
            condition = client.execute(flow, retry_for=_PATIENTLY)
        if condition is None:
            self._defer(context, SEEK, key, self.condition, read_earlier_response=True)
        elif condition.over:
            return self._end(client, key, condition)
        elif not matches and not answers(event, condition):
            self.log.warning("An answer in Airflow to a request about another condition is not sent to Flyte.")
            self._ask(context, client, condition)
        if done := self._resend(context, client, condition, event):
            return done
        self._ask(context, client, condition)

    def _resend(self, context: Context, client: FlyteClient, condition: Condition, event: Mapping[str, Any]) -> Any:
        """Send an answer; None where it does not fit. One that Flyte does not take now is left to the triggerer."""
        from airflow_provider_flyte.client.flows.signal import answer
        from airflow_provider_flyte.condition_triggers import SEND
        from airflow_provider_flyte.wait.human_request import answered_by, value_of

        try:
            value = value_of(event, condition)
        except ConditionError as error:
            self.log.warning("The answer in Airflow is not sent to Flyte, and is asked for again: %s", error)
            return None
        by, late = answered_by(event), bool(event.get("timedout"))
        settled: dict[str, Any] = {"answered_by": by, "timed_out": late, "value": value}
        try:
            client.execute(answer(condition, client.config.org, value), retry_for=_BRIEFLY)
        except ConditionError:
            # Somebody was quicker, which the next read shows.
            pass
        except FlyteError as error:
            self.log.warning("Flyte has not taken the answer, and the triggerer sends it until it does: %s", error)
            self._defer(context, SEND, condition.key, condition.action, **settled)
        return self._end(client, condition.key, self._read(client, condition.key, condition.action), settled)

    def _end(
        self, client: FlyteClient, key: RunKey, condition: Condition | None, sent: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What the task returns.

        :param sent: who has answered here, and what; empty: nobody.
        """
        from airflow_provider_flyte.client.flows.conditions import answered_with
        from airflow_provider_flyte.client.phase import RunPhase

        if condition is None:
            raise self._unanswered(client, key, "is no condition")
        if condition.phase != RunPhase.SUCCEEDED and not (sent and condition.waits):
            raise self._unanswered(client, key, condition.outcome)
        sent = sent or {}
        value: Answer | None = condition.value if condition.value is not None else sent.get("value")
        ours = "value" in sent and sent["value"] == value
        if sent and not ours:
            self.log.warning("Somebody has answered in Flyte before: that answer counts, and this task's is dropped.")
        name = one_line(condition.name, LONGEST_NAME)
        # Flyte may have taken the answer and not shown it yet.
        outcome = condition.outcome if condition.over and not ours else answered_with(value)
        self.log.info("Condition %r of Flyte run %s %s.", name, key.name, outcome)
        return {
            "run_name": key.name,
            "project": key.project,
            "domain": key.domain,
            "condition": name,
            "action": storable(condition.action),
            "prompt": some_lines(condition.prompt),
            "value": storable(value) if isinstance(value, str) else value,
            "answered_by": sent.get("answered_by") if ours else one_line(condition.answered_by, LONGEST_NAME) or None,
            "timed_out": bool(sent.get("timed_out")) and ours,
        }

    def _read(self, client: FlyteClient, key: RunKey, action: str) -> Condition | None:
        from airflow_provider_flyte.client.flows.conditions import read_condition

        return client.execute(read_condition(key, client.config.org, action), retry_for=_PATIENTLY)

    def _unanswered(self, client: FlyteClient, key: RunKey, why: str) -> FlyteConditionUnanswered:
        fields = self._fields(client, key)
        return FlyteConditionUnanswered(
            f"Condition {self.condition!r} of Flyte run {key} {why}. The run was not aborted by this task. "
            f"{fields['url']}",
            **fields,
        )

    def _fields(self, client: FlyteClient, key: RunKey) -> dict[str, Any]:
        return {"run": key.name, "project": key.project, "domain": key.domain, "url": client.config.run_url(key)}

    def _defer(
        self,
        context: Context,
        stage: str,
        key: RunKey,
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
        from airflow_provider_flyte.condition_triggers import SEEK, FlyteConditionTrigger

        settled: dict[str, Any] = {"project": key.project, "domain": key.domain, **more}
        if stage != SEEK:
            condition = storable(condition)
            settled |= {"action": condition, "request_matches": request_matches}
        if value is not None:
            settled["value"] = value
        self.defer(
            trigger=FlyteConditionTrigger(
                stage,
                key.name,
                condition,
                key.project,
                key.domain,
                self.flyte_conn_id,
                self.poll_interval,
                task_instance_id=str(context["ti"].id),
                request_matches=request_matches,
                read_earlier_response=read_earlier_response,
                response_deadline=response_deadline,
                default_response=default_response,
                value=value,
            ),
            method_name="execute_complete",
            kwargs=settled,
        )


def _each(name: str, given: Any, one: Any) -> list[Any]:
    """What was given, as a list.

    :param one: the type of a single one.
    """
    if isinstance(given, one):
        return [given]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(f"{name} is {given!r}. Give one, or a list of them.")
    return list(given)


def _user(given: Any) -> dict[str, str]:
    named = [given.get(name) for name in ("id", "name")] if isinstance(given, Mapping) else [None]
    # An id may be a number, as the FAB auth manager has them.
    if not all(type(each) in (str, int) and str(each).strip() for each in named):
        raise ConfigError(f"assigned_users has {given!r}. Give a dict with 'id' and 'name' of a user of Airflow.")
    return {"id": str(given["id"]), "name": str(given["name"])}


def _notifier(given: object) -> Callable[..., Any]:
    if not callable(given):
        raise ConfigError(f"notifiers has {given!r}. Give Airflow's notifiers, or other functions of the context.")
    return given
