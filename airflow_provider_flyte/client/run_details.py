"""RunDetails: the class of this name in the Flyte SDK's reference, over our client."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_flyte.client.blocking import Bound, blocking, blocking_on_class
from airflow_provider_flyte.client.client import FlyteClient, current_client
from airflow_provider_flyte.client.errors import NotFoundError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.abort import AbortedRun, abort, check_reason
from airflow_provider_flyte.client.flows.calls import Flow
from airflow_provider_flyte.client.flows.log_tail import LINES, WITHIN, LogTail, check_tail, tail_log
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.literals.message_dict import message_dict
from airflow_provider_flyte.client.literals.reader import named_values
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.phase import is_successful, is_terminal, phase_name
from airflow_provider_flyte.client.run_key import RunKey, run_key
from airflow_provider_flyte.client.timeline import timeline
from airflow_provider_flyte.client.verdict import RunError


class RunDetails:
    """Everything that Flyte has of one run (RunService/GetRunDetails).

    The members are those of ``flyte.remote.RunDetails``; there is no client for the whole process, so a read uses the
    enclosing ``with FlyteClient(config):`` block or ``client=``.

    :param pb2: the message to wrap.
    :param client: the client for :meth:`inputs`, :meth:`outputs` and :attr:`url`; by default the enclosing block's.
    """

    def __init__(self, pb2: run_definition_pb2.RunDetails, client: FlyteClient | None = None) -> None:
        self.pb2 = pb2
        self._client = client

    @blocking_on_class
    def get(cls, name: str, client: FlyteClient | None = None) -> Bound[RunDetails]:
        """Read the details of a run of the client's project and domain; ``await RunDetails.get.aio(...)`` on a loop.

        :param name: the run's name.
        :param client: by default the client of the enclosing block.
        :raises ConfigError: for a name that no run can have, or without project, domain or client.
        :raises NotFoundError: when the server answers so; from a server whose database is down it proves nothing.
        """
        used = current_client(client)
        return used, _get(calls.run_identifier(used.config.key(name), used.config.org), used)

    @blocking_on_class
    def get_details(cls, run_id: identifier_pb2.RunIdentifier, client: FlyteClient | None = None) -> Bound[RunDetails]:
        """Read the details of the run with this whole identifier.

        :param run_id: a ``RunIdentifier``: org, project, domain and name.
        :param client: by default the client of the enclosing block.
        :raises ConfigError: for an identifier without name, project or domain, and for a project or domain that the
            client's config does not allow.
        """
        used = current_client(client)
        key = run_key(run_id.name, run_id.project, run_id.domain)
        used.config.check_project_domain(key.project, key.domain)
        return used, _get(run_id, used)

    @blocking
    def inputs(self) -> Bound[dict[str, Any]]:
        """The run's inputs as plain Python values, defaults filled in (DataProxyService/GetActionData).

        What each type becomes stands in ``literals/reader.py``; a literal that cannot be read becomes a description of
        itself, never an exception.
        """
        return self._used()[0], self.read_values("inputs")

    @blocking
    def outputs(self) -> Bound[dict[str, Any]]:
        """The run's outputs (``o0``, ``o1`` ...) as plain Python values.

        :raises NotFoundError: while there are none yet. A run that has succeeded and whose task declares none gives {}.
        """
        return self._used()[0], self.read_values("outputs")

    def read_values(self, which: str) -> Flow[dict[str, Any]]:
        """The flow of :meth:`inputs` and :meth:`outputs`, for :meth:`FlyteClient.execute` with a budget of its own.

        :param which: ``inputs`` or ``outputs``.
        """
        # A message that names no run would be a request without one.
        run_key(self.name, self.key.project, self.key.domain)
        try:
            data = yield calls.get_action_data(self.action_id)
        except NotFoundError:
            # "outputs not available": of a task without outputs nothing is stored, so even its inputs are not given.
            template = self.pb2.action.task.task_template
            if which == "outputs" and is_successful(self.phase) and not template.interface.outputs.variables:
                return {}
            raise
        return named_values(getattr(data, which))

    @blocking
    def abort(self, reason: str) -> Bound[AbortedRun]:
        """Stop the run if it is not over yet; ``await details.abort.aio(...)`` on a loop.

        :param reason: why; stands in the run's details.
        """
        used, key = self._used()
        return used, abort(key, used.config.org, check_reason(reason))

    @blocking
    def log_tail(self, lines: int = LINES, within: float = WITHIN) -> Bound[LogTail]:
        """The last lines that the last attempt logged, if they can be had; ``await details.log_tail.aio()`` on a loop.

        :param lines: how many lines.
        :param within: seconds; what came until then is the result.
        """
        used, key = self._used()
        attempts = self.pb2.action.attempts
        # Whatever number a server gives it: none below 1 can be asked for.
        attempt = max(1, attempts[-1].attempt) if attempts else 1
        check_tail(attempt, lines, within)
        return used, tail_log(key, used.config.org, attempt, lines, within)

    def _used(self) -> tuple[FlyteClient, RunKey]:
        """The client to ask about this run, and the run.

        :raises ConfigError: for a project or domain that the client's config does not allow.
        """
        used = current_client(self._client)
        return used, used.config.key(self.name, self.key.project, self.key.domain)

    def timeline(self) -> list[str]:
        """What happened to the run and when, a line each: launch, attempts' phases, the cluster's warnings, end."""
        return timeline(self.pb2)

    def done(self) -> bool:
        """Whether the run is over. PAUSED is not, and neither is a phase that we do not know."""
        return is_terminal(self.phase)

    def to_dict(self) -> dict[str, Any]:
        """The message as protobuf's JSON mapping gives it, exact: environment values included."""
        return message_dict(self.pb2)

    def to_json(self) -> str:
        """:meth:`to_dict` as a JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @property
    def action_id(self) -> identifier_pb2.ActionIdentifier:
        """Identifier of the root action."""
        return self.pb2.action.id

    @property
    def name(self) -> str:
        """The run's name."""
        return self.action_id.run.name

    @property
    def key(self) -> RunKey:
        """Project, domain and name."""
        run = self.action_id.run
        return RunKey(run.project, run.domain, run.name)

    @property
    def task_name(self) -> str | None:
        """Name of the task that runs, None where the server names none."""
        task = self.pb2.action.metadata.task
        return task.id.name if self.pb2.action.metadata.HasField("task") and task.HasField("id") else None

    @property
    def phase(self) -> int:
        """The phase's number; compare with :class:`RunPhase`. A newer server may send one that is not in it."""
        return self.pb2.action.status.phase

    @property
    def error(self) -> RunError | None:
        """Why the run did not succeed: kind and message. None for FAILED means that the error is still on its way."""
        return calls.run_error(self.pb2.action)

    @property
    def url(self) -> str:
        """Address of the run's page in the Flyte console."""
        return current_client(self._client).config.run_url(self.key)

    def __repr__(self) -> str:
        error = self.error
        why = f", error={error.kind}: {error.message.strip().partition(chr(10))[0]!r}" if error else ""
        return one_line(f"RunDetails({self.key}, task={self.task_name}, phase={phase_name(self.phase)}{why})")


def _get(run_id: identifier_pb2.RunIdentifier, client: FlyteClient) -> Flow[RunDetails]:
    details = yield calls.get_run_details(run_id)
    return RunDetails(details, client)
