"""The launch of a run: everything is checked first, and the one call that launches is never repeated blindly."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import (
    AlreadyExistsError,
    ClosedError,
    ConfigError,
    DeadlineExceededError,
    FlyteError,
    InputsError,
    InvalidArgumentError,
    LaunchUncertainError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    RunHiddenError,
    UnauthenticatedError,
    UnimplementedError,
)
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.flows.launch_request import Launch, inputs_context, run_spec
from airflow_provider_flyte.client.flows.named_runs import details_of, phase_of
from airflow_provider_flyte.client.flows.tasks import find_task
from airflow_provider_flyte.client.flows.triggers import find_trigger, fire
from airflow_provider_flyte.client.flows.upload import upload_large_inputs
from airflow_provider_flyte.client.idl.task import task_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.literals.inputs import make_inputs
from airflow_provider_flyte.client.phase import is_terminal, phase_name
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey


@dataclass(frozen=True)
class LaunchedRun:
    """The result of a launch."""

    key: RunKey
    """Project, domain and name."""

    phase: int
    """Its phase at that moment; 0 where it is not known."""

    new: bool
    """Whether this launch made it. Where the answer of CreateRun was lost, a name that was made here shows it, or the
    annotations; without these it is not known, and False. Else False: a run of this name existed, and nothing was
    launched."""

    url: str
    """Address of its page in the Flyte console."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.key.name

    def __str__(self) -> str:
        what = "launched" if self.new else f"existed already, {phase_name(self.phase)}"
        return f"Run {self.key} {what}: {self.url}"


@dataclass(frozen=True)
class PreparedLaunch:
    """A launch of which all is checked that can be, and that waits for its CreateRun."""

    key: RunKey
    org: str
    url: str
    request: run_service_pb2.CreateRunRequest
    own_name: bool = False
    """Whether its name was made for it, so that no other run has it."""


def launch(config: FlyteConfig, wanted: Launch) -> Flow[LaunchedRun]:
    """Launch a run, or find the one that has the name.

    The backend would overwrite the inputs of a run that exists, and enqueue it again, so a name that was given is
    searched for: at first, because a run that exists needs no task, and right before CreateRun, because what comes in
    between may take minutes.
    """
    key = config.key(wanted.run_name, wanted.project, wanted.domain) if wanted.run_name else None
    if key and (phase := (yield from phase_of(key, config.org, to_launch=True))) is not None:
        return LaunchedRun(key, phase, False, config.run_url(key))
    prepared = yield from prepare(config, wanted)
    if key and (phase := (yield from phase_of(key, config.org, to_launch=True))) is not None:
        return LaunchedRun(key, phase, False, config.run_url(key))
    return (yield from create(prepared))


def prepare(config: FlyteConfig, wanted: Launch) -> Flow[PreparedLaunch]:
    """Check all that can be checked before CreateRun, upload large inputs, and make its request.

    Whether the name is taken is not asked.
    """
    key = config.key(wanted.run_name or new_run_name(), wanted.project, wanted.domain)
    related = config.key(wanted.related_to, wanted.project, wanted.domain) if wanted.related_to else None
    request = run_service_pb2.CreateRunRequest(run_id=calls.run_identifier(key, config.org))
    saved = None
    if wanted.trigger_name:
        trigger = yield from find_trigger(wanted, key, config.org)
        saved = trigger.spec.run_spec
        yield from fire(request, trigger, wanted, key, config.org)
        name = trigger.id.name.task_name
        task_id = task_definition_pb2.TaskIdentifier(name=name, version=trigger.spec.task_version)
    else:
        version = wanted.version
        if related is not None:
            version = yield from _version_to_repeat(related, config.org, wanted)
        details = yield from find_task(key.project, key.domain, config.org, wanted.task_name, version)
        request.inputs.CopyFrom(make_inputs(details, wanted.inputs))
        task_id = details.task_id
        request.task_id.CopyFrom(task_id)
        request.task_id.org = config.org
    if request.HasField("offloaded_input_data"):
        if wanted.run_context:
            raise InputsError(
                f"Trigger {wanted.trigger_name} keeps its inputs and their context where only Flyte's tasks can read "
                "them, so run_context cannot be added to them. Give all inputs too, or leave run_context out."
            )
    else:
        context = inputs_context(wanted, request.inputs.context)
        del request.inputs.context[:]
        request.inputs.context.extend(context)
    if (start := wanted.start_time()) is not None:
        request.run_start_time.FromDatetime(start)
    request.run_spec.CopyFrom(run_spec(wanted, related, config.org, saved))
    # A Flyte trigger may bring any of them.
    run_as = request.run_spec.security_context.run_as
    for field, what in _IDENTITIES.items():
        if identity := getattr(run_as, field):
            config.check_run_as(identity, what)
    task_id.org, task_id.project, task_id.domain = config.org, key.project, key.domain
    yield from upload_large_inputs(request, task_id)
    return PreparedLaunch(key, config.org, config.run_url(key), request, own_name=not wanted.run_name)


_IDENTITIES = {
    "k8s_service_account": "service account",
    "iam_role": "IAM role",
    "execution_identity": "execution identity",
}
"""The fields of ``run_as`` by which a run may be somebody else than the task's or Flyte's default."""


def _version_to_repeat(related: RunKey, org: str, wanted: Launch) -> Flow[str | None]:
    """The version of the earlier run, which its successful actions belong to.

    :raises ConfigError: for a run of another task, or one that cannot be recovered yet. The server may not check that.
    """
    details: run_definition_pb2.RunDetails = yield calls.get_run_details(calls.run_identifier(related, org))
    task, status = details.action.metadata.task.id, details.action.status
    if task.name and task.name != wanted.task_name:
        raise ConfigError(
            f"Run {related} is one of task {task.name}, so a launch of {wanted.task_name} cannot repeat it."
        )
    if wanted.relation == "recover" and not is_terminal(status.phase) and not status.HasField("end_time"):
        raise ConfigError(
            f"Run {related} is still {phase_name(status.phase)}: only a run that is over can be recovered."
        )
    return wanted.version or task.version or None


_REFUSALS = (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnimplementedError,
)
"""Statuses that prove, when Flyte itself answers them, that nothing was launched."""


_GATEWAY_TIMEOUT = 504


def create(prepared: PreparedLaunch, *, before_create: Callable[[], None] = lambda: None) -> Flow[LaunchedRun]:
    """Call CreateRun.

    After an answer that leaves open whether the run was launched, ListRuns is asked before anything else. If it does
    not have the run, an outage is behind us and the call is made once more: its name makes it the same run, should the
    first one still arrive. Not so after a deadline, ours or a proxy's: then Flyte has the request and may yet carry it
    out. A run that is there by then is the one that was to be launched if its name was made for it, or its annotations
    are those that were sent.

    :param before_create: called right before each CreateRun; what it raises keeps the run from being launched.
    :raises RunHiddenError: where Flyte has a run of the name that no read shows.
    """
    phase, new = yield from _create(prepared, before_create)
    return LaunchedRun(prepared.key, phase, new, prepared.url)


def _create(prepared: PreparedLaunch, before_create: Callable[[], None]) -> Flow[tuple[int, bool]]:
    """The phase of the run, and whether it is new."""
    name = prepared.key.name
    call = Call(RunService.CreateRun, prepared.request, lambda answer: answer.run.action.status.phase, run=name)
    again = True
    while True:
        before_create()
        try:
            created: int = yield call
            return created, True
        except AlreadyExistsError as error:
            # A hosted backend's answer to a second run of the name.
            existing = yield from _existing(prepared)
            if existing is None:
                raise error.turned_into(RunHiddenError) from error
            phase, sent = existing
            return phase, sent and not again
        except RpcError as error:
            if isinstance(error, ClosedError):
                raise error.turned_into(LaunchUncertainError) from error
            if error.answered and isinstance(error, _REFUSALS):
                raise
            try:
                existing = yield from _existing(prepared)
            except FlyteError as second:
                if isinstance(error, _REFUSALS) and type(second) is type(error):
                    raise error from None
                raise error.turned_into(LaunchUncertainError) from error
            if existing is not None:
                return existing
            if isinstance(error, DeadlineExceededError) or error.http_status == _GATEWAY_TIMEOUT:
                raise error.turned_into(LaunchUncertainError) from error
            if not (again and error.transient):
                raise
            again = False


def _existing(prepared: PreparedLaunch) -> Flow[tuple[int, bool] | None]:
    """The phase of the run that has the name, and whether it is known to be the one that was sent; None where there is
    none.
    """
    details = (yield from details_of([prepared.key], prepared.org)).get(prepared.key)
    if details is None:
        return None
    there, sent = details.run_spec.annotations.values, prepared.request.run_spec.annotations.values
    annotated = bool(sent) and all(there.get(name) == value for name, value in sent.items())
    return details.action.status.phase, prepared.own_name or annotated


def new_run_name() -> str:
    """A name that no run has, like those that the backend makes."""
    letters = string.ascii_lowercase + string.digits
    return "r" + "".join(random.SystemRandom().choices(letters, k=19))
