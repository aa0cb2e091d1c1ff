"""What to launch: a task, its inputs, and everything that a caller may set in Flyte's RunSpec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from google.protobuf.json_format import ParseDict

from airflow_provider_flyte.client.arguments import (
    CACHE_LOOKUP_SCOPES,
    action_concurrency,
    action_names,
    choice,
    printable,
    sendable,
)
from airflow_provider_flyte.client.errors import ConfigError, NotATextError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.kubernetes import (
    check_annotations,
    check_env_vars,
    check_labels,
    check_service_account,
    check_texts,
)
from airflow_provider_flyte.client.idl.common import run_pb2 as common_run_pb2
from airflow_provider_flyte.client.idl.core import literals_pb2, security_pb2
from airflow_provider_flyte.client.idl.task import run_pb2
from airflow_provider_flyte.client.literals.values import Unfit, moment
from airflow_provider_flyte.client.notifications import inline_rules, only_one
from airflow_provider_flyte.client.run_key import RunKey, check_run_name

RELATIONS = {"rerun": common_run_pb2.RELATION_TYPE_RERUN, "recover": common_run_pb2.RELATION_TYPE_RECOVER}
"""How a run may be related to an earlier one."""

_SCOPES = dict(
    zip(
        CACHE_LOOKUP_SCOPES,
        (run_pb2.CACHE_LOOKUP_SCOPE_GLOBAL, run_pb2.CACHE_LOOKUP_SCOPE_PROJECT_DOMAIN),
        strict=True,
    )
)

_RESERVED = "_u_"
"""The beginning of keys by which the SDK passes on what no task reads (SDK 2.12.1, convert.py)."""

_TRACE = "traceparent"

_TEXTS = (
    *("version", "trigger_name", "queue", "service_account", "raw_data_prefix", "run_base_dir", "notification_rule"),
    "relation",
)


@dataclass(frozen=True)
class Launch:
    """What to launch, and how it is to run. Checked when made; names and types of the inputs when launched."""

    task_name: str
    """Name of a deployed task, for instance ``train.fit``."""

    version: str | None = None
    """Its version; None takes the latest that is deployed, or that of ``related_to``."""

    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Plain values by name; what fits which type stands in ``client/literals/writer.py``."""

    trigger_name: str | None = None
    """A Flyte trigger of the task: the run counts as fired by it, and has its version, inputs and settings where the
    launch sets nothing else."""

    run_name: str | None = None
    """Name of the run; a run that has it already is not launched again. None makes a new name."""

    project: str | None = None
    """Project of task and run; None takes the config's."""

    domain: str | None = None
    """Domain of task and run; None takes the config's."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the run, as Kubernetes takes them: values of at most 63 letters, digits, ``-``, ``_`` or ``.``."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    """Annotations of the run: any texts, 256 KiB of them."""

    env_vars: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables of the run. Kept out of the repr, because they may hold secrets."""

    run_context: Mapping[str, str] = field(default_factory=dict)
    """What each action of the run reads as ``flyte.ctx().custom_context``: texts by name, outside of the
    cache's key. Cannot be sent where a trigger's uploaded inputs are taken as they are."""

    trace_context: Mapping[str, str] = field(default_factory=dict)
    """The trace that the run belongs to (W3C: ``traceparent``, ``tracestate``). Sent in the context too, unless that
    has a ``traceparent`` or cannot be sent."""

    run_start_time: datetime | date | str | None = None
    """When the run started, as tasks are told (``flyte.ctx().run_start_time``, from Flyte's SDK 2.3.6 on): a datetime,
    a date, or ISO 8601 text, in UTC where it has no zone. None leaves it to Flyte: the time of the launch."""

    queue: str | None = None
    """Queue to run in; None leaves it to the task and to Flyte."""

    interruptible: bool | None = None
    """Whether it may run on machines that can be taken away; None leaves it to the task."""

    overwrite_cache: bool = False
    """Compute anew what is cached, and cache the results."""

    cache_lookup_scope: str | None = None
    """Whose cached results it may take: ``global`` or those of its ``project-domain``; None leaves it to Flyte."""

    service_account: str | None = None
    """Kubernetes service account to run as; None leaves it to the task and to Flyte."""

    raw_data_prefix: str | None = None
    """URI under which the run stores its data, for instance ``s3://bucket/prefix``."""

    run_base_dir: str | None = None
    """URI under which Flyte keeps what the run's actions hand to each other; None leaves it to Flyte."""

    max_action_concurrency: int | None = None
    """How many of its actions may run at once, at least 2, its own included; None leaves it to Flyte."""

    notification_rule: str | None = None
    """Name of a rule that is set up in Flyte: whom it notifies of the run's end. Not together with
    ``notifications``."""

    notifications: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    """Whom Flyte notifies of the run's end, a dict each: see ``client/notifications.py``. Kept out of the repr, because
    the address of a webhook may be a secret."""

    related_to: str | None = None
    """An earlier run of the same task, project and domain that this one repeats, in its version. The inputs are those
    of the launch, not that run's."""

    relation: str | None = None
    """How it repeats that run: ``rerun`` (everything) or ``recover`` (keep what succeeded). A backend that cannot do
    this runs everything."""

    force_rerun_actions: tuple[str, ...] = ()
    """Actions that ``recover`` is to run again although they succeeded."""

    def __post_init__(self) -> None:
        if not isinstance(self.task_name, str) or not self.task_name.strip():
            raise NotATextError(
                f"task_name is {self.task_name!r}. Give the name of a deployed task, such as 'train.fit'."
            )
        printable("task_name", self.task_name)
        for name in _TEXTS:
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, str) or not value.strip():
                raise NotATextError(f"{name} is {value!r}. Give a string, or None.")
            printable(name, value)
        for name in ("run_name", "related_to"):
            if getattr(self, name) is not None:
                check_run_name(getattr(self, name))
        if self.trigger_name and self.version:
            raise ConfigError(
                "version has no meaning with trigger_name: the trigger runs the version it was deployed with."
            )
        if not isinstance(self.inputs, Mapping):
            raise ConfigError(f"inputs is a {type(self.inputs).__name__}. Give a dict of values by the inputs' names.")
        if self.run_start_time is not None:
            self.start_time()
        self._check_texts()
        for name in ("interruptible", "overwrite_cache"):
            if not isinstance(getattr(self, name), bool | None) or (name, getattr(self, name)) == (
                "overwrite_cache",
                None,
            ):
                raise ConfigError(f"{name} is {getattr(self, name)!r}. Give True or False.")
        for name in ("raw_data_prefix", "run_base_dir"):
            uri = getattr(self, name)
            if uri and "://" not in uri:
                raise ConfigError(f"{name} {uri!r} is no URI. Give one such as 's3://bucket/prefix'.")
        action_concurrency(self.max_action_concurrency)
        choice("cache_lookup_scope", self.cache_lookup_scope, (*CACHE_LOOKUP_SCOPES, None))
        inline_rules(self.notifications)
        only_one(self.notifications, self.notification_rule)
        self._check_relation()

    def start_time(self) -> datetime | None:
        """``run_start_time`` in UTC.

        :raises ConfigError: where it is no time.
        """
        if self.run_start_time is None:
            return None
        try:
            return moment(self.run_start_time)
        except Unfit as error:
            raise ConfigError(
                f"run_start_time: {error.why}. Give a time, a date or ISO 8601 text, or None to leave it to Flyte."
            ) from None

    def _check_texts(self) -> None:
        for name in ("labels", "annotations", "env_vars", "run_context", "trace_context"):
            check_texts(name, getattr(self, name))
        check_labels(self.labels)
        check_annotations(self.annotations)
        check_env_vars(self.env_vars)
        for key in (*self.run_context, *self.trace_context):
            if sendable("a key of run_context", key).startswith(_RESERVED):
                raise ConfigError(
                    f"run_context has the key {key!r}: what begins with {_RESERVED!r} is the Flyte SDK's own. Give it "
                    "another name."
                )
        if self.service_account:
            check_service_account(self.service_account)

    def _check_relation(self) -> None:
        if self.relation is not None and self.relation not in RELATIONS:
            raise ConfigError(f"relation {self.relation!r} is unknown; give one of {', '.join(RELATIONS)}.")
        if (self.related_to is None) != (self.relation is None):
            raise ConfigError(
                "related_to and relation belong together: name the earlier run, and 'rerun' or 'recover'."
            )
        if self.related_to is not None and self.related_to == self.run_name:
            raise ConfigError(
                f"related_to is {self.related_to!r}, which is the run_name too: a run cannot repeat itself."
            )
        if action_names("force_rerun_actions", self.force_rerun_actions) and self.relation != "recover":
            raise ConfigError("force_rerun_actions has a meaning only with relation='recover'.")


def inputs_context(wanted: Launch, saved: Iterable[literals_pb2.KeyValuePair]) -> list[literals_pb2.KeyValuePair]:
    """The context that goes with the inputs: a trace's first, over it a trigger's, over both the launch's.

    :param saved: the context of a Flyte trigger.
    """
    context = {pair.key: pair.value for pair in saved} | dict(wanted.run_context)
    if _TRACE not in context:
        context = {**wanted.trace_context, **context}
    return [literals_pb2.KeyValuePair(key=key, value=value) for key, value in context.items()]


def run_spec(wanted: Launch, related: RunKey | None, org: str, saved: run_pb2.RunSpec | None = None) -> run_pb2.RunSpec:
    """The part of CreateRun that sets how to run.

    :param saved: the settings of a Flyte trigger, which those of the launch override.
    """
    # Fields that were not set stay unset, and the cache's is set in both fields, as the SDK does.
    spec = run_pb2.RunSpec()
    if saved is not None:
        spec.CopyFrom(saved)
        for own in ("relation", "related_to", "recover", "run_start_time"):
            spec.ClearField(own)
    if wanted.queue is not None:
        spec.queue = wanted.queue
    if wanted.max_action_concurrency is not None:
        spec.max_action_concurrency = wanted.max_action_concurrency
    if wanted.labels:
        spec.labels.values.update(wanted.labels)
    if wanted.annotations:
        spec.annotations.values.update(wanted.annotations)
    if wanted.env_vars:
        variables = {pair.key: pair.value for pair in spec.envs.values} | dict(wanted.env_vars)
        pairs = [literals_pb2.KeyValuePair(key=key, value=value) for key, value in variables.items()]
        spec.envs.CopyFrom(run_pb2.Envs(values=pairs))
    if wanted.interruptible is not None:
        spec.interruptible.value = wanted.interruptible
    if wanted.overwrite_cache:
        spec.overwrite_cache = True
        spec.cache_config.overwrite_cache = True
    if wanted.cache_lookup_scope is not None:
        spec.cache_config.cache_lookup_scope = _SCOPES[wanted.cache_lookup_scope]
    if wanted.service_account:
        spec.security_context.CopyFrom(
            security_pb2.SecurityContext(run_as=security_pb2.Identity(k8s_service_account=wanted.service_account))
        )
    if wanted.raw_data_prefix:
        spec.raw_data_storage.raw_data_prefix = wanted.raw_data_prefix
    if wanted.run_base_dir:
        spec.run_base_dir = wanted.run_base_dir
    if wanted.notification_rule:
        spec.notification_rule_name = wanted.notification_rule
    if rules := inline_rules(wanted.notifications):
        spec.notification_rules.CopyFrom(ParseDict({"rules": rules}, run_pb2.InlineRuleList()))
    if related is not None and wanted.relation is not None:
        spec.relation.related_to.CopyFrom(calls.run_identifier(related, org))
        spec.relation.relation_type = RELATIONS[wanted.relation]
        if wanted.force_rerun_actions:
            spec.recover.force_rerun_actions.extend(wanted.force_rerun_actions)
    return spec
