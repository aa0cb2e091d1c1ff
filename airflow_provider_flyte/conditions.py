"""FlyteConditionOperator: asks a person in Airflow what a Flyte run waits for (Airflow 3.1 and newer)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import LEAST_INTERVAL, RESUME_AFTER, argument_errors
from airflow_provider_flyte.client.arguments import optional_seconds, seconds
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.compat import BaseOperator
from airflow_provider_flyte.compat.versions import airflow_version, has_human_requests
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConfigurationError
from airflow_provider_flyte.links import FlyteRunLink, show_link
from airflow_provider_flyte.templates import KeepsTexts

if TYPE_CHECKING:
    from airflow_provider_flyte.approvals.approval import Approval
    from airflow_provider_flyte.compat import Context


class FlyteConditionOperator(KeepsTexts, BaseOperator):
    """Waits until a Flyte run waits for an answer, asks for it in Airflow (Required Actions), and gives it to Flyte.

    It waits in the triggerer, for the condition and for the answer. An answer that is given in Flyte meanwhile, or in
    the tab, ends it just as well. It never aborts the run. One task is for one condition.

    XCom gets ``run_name``, ``project``, ``domain``, ``condition``, ``action``, ``prompt``, ``value``, ``answered_by``
    (in Airflow, or in Flyte where it tells; None for a default) and ``timed_out`` (whether the value is the default).

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
    :param poll_interval: seconds between two polls of Flyte.
    :param resume_after: minimum seconds between a deferral and its end by the triggerer. Airflow's scheduler fails some
        tasks that resume sooner. A person's answer, with which Airflow 3.3 resumes the task itself, does not wait.
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
        resume_after: float | timedelta = RESUME_AFTER,
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
            self.resume_after = seconds("resume_after", resume_after)
            if default is not None and not isinstance(default, (bool, int, float, str)):
                raise ConfigError(f"default is {type(default).__name__}; give a bool, an int, a float or a str.")
        self.default = default

    def execute(self, context: Context) -> Any:
        """Find the condition, and ask or defer; Airflow calls this."""
        # An answer that an earlier try could not send is with Airflow, where only the triggerer can read it.
        with self._approval(context, self.project, self.domain) as approval:
            return approval.begin()

    def execute_complete(self, context: Context, event: Any = None, **settled: Any) -> Any:
        """Resume after the trigger's event, or after a person's answer, which Airflow 3.3 gives to the task itself.

        :param event: either of them.
        :param settled: what was settled before the deferral: project, domain, action, and whether Airflow's request is
            about it.
        """
        where = settled or {"project": self.project, "domain": self.domain}
        with self._approval(context, where.get("project"), where.get("domain")) as approval:
            return approval.go_on_or_wait(event, settled)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a trigger that crashed, too."""
        from airflow_provider_flyte.wait.deferral import resumption

        next_method, kwargs = resumption(self, next_method, next_kwargs)
        return super().resume_execution(next_method, kwargs, context)

    @contextmanager
    def _approval(self, context: Context, project: str | None, domain: str | None) -> Iterator[Approval]:
        from airflow_provider_flyte.approvals.approval import Approval
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
            try:
                key = client.config.key(self.run_name, project, domain)
            except ConfigError as error:
                raise FlyteConfigurationError(f"{error} (Flyte connection {self.flyte_conn_id!r})") from error
            show_link(self, context, client.config.run_url(key), [key])
            yield Approval(self, context, client, key)


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
