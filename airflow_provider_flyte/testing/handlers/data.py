"""DataProxyService: inputs and outputs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import run_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2 as pb
from airflow_provider_flyte.client.idl.task import common_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import answers
from airflow_provider_flyte.testing.calls import Call, Refusal
from airflow_provider_flyte.testing.dispatch import Handlers
from airflow_provider_flyte.testing.store import Store, action_key, require_action, require_project

LOG_BATCH = 100
"""Lines a message."""


class DataHandlers:
    """Reads and writes the blob store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.DataProxyService
        return {
            service.GetActionData: self.get_action_data,
            service.UploadInputs: self.upload_inputs,
            service.TailLogs: self.tail_logs,
        }

    def get_action_data(self, request: pb.GetActionDataRequest, call: Call) -> pb.GetActionDataResponse:
        """Inputs, defaults filled in, and after a success outputs.

        A success without outputs is NOT_FOUND, inputs and all (succeeded.json, call 6); before the success outputs
        are set but empty (outputs.json, call 1).
        """
        with self._store.lock:
            action = require_action(self._store, request.action_id)
            answer = pb.GetActionDataResponse(inputs_uri=action.inputs_uri, outputs_uri=answers.outputs_uri(action))
            answer.inputs.SetInParent()
            answer.outputs.SetInParent()
            if answer.inputs_uri:
                self._read(answer.inputs_uri, answer.inputs)
            if answer.outputs_uri:
                self._read(answer.outputs_uri, answer.outputs)
            return answer

    def _read(self, uri: str, into: common_pb2.Inputs | common_pb2.Outputs) -> None:
        found = self._store.files.get(uri)
        if found is None:
            raise Refusal("NOT_FOUND", f"path:{uri}: not found")
        into.MergeFromString(found.SerializeToString())

    def tail_logs(self, request: pb.TailLogsRequest, call: Call) -> Iterator[pb.TailLogsResponse]:
        """The log of an attempt from its beginning each time, then what it logs while its pod runs. NOT_FOUND for an
        attempt without a pod (data_plane.json, call 14).

        By Flyte's source: the log of a pod that is pending or over is sent and ends; a pod that is gone is NOT_FOUND.
        """
        if not request.attempt:
            raise Refusal("INVALID_ARGUMENT", "attempt: value must be greater than 0")
        sent = 0
        with self._store.hub.subscribe(("action", *action_key(request.action_id)), call) as changes:
            action = require_action(self._store, request.action_id)
            if request.attempt not in action.logs:
                raise Refusal("NOT_FOUND", no_log_context(request))
            if request.attempt in action.gone_pods:
                pod = f"{request.action_id.run.name}-{request.action_id.name}-{request.attempt - 1}"
                raise Refusal("NOT_FOUND", f"pod {pod} not found in namespace {request.action_id.run.project}")
            while True:
                changes.drain()
                with self._store.lock:
                    lines = action.logs[request.attempt][sent:]
                    last = (
                        request.attempt < action.attempts
                        or action.phase < RunPhase.RUNNING
                        or answers.events_are_terminal(action)
                    )
                for start in range(0, len(lines), LOG_BATCH):
                    batch = pb.TailLogsResponse.Logs(lines=lines[start : start + LOG_BATCH])
                    yield pb.TailLogsResponse(logs=[batch])
                sent += len(lines)
                if last or next(iter(changes), None) is None:
                    return

    def upload_inputs(self, request: pb.UploadInputsRequest, call: Call) -> pb.UploadInputsResponse:
        """Put inputs where CreateRun's ``offloaded_input_data`` finds them. Defaults are not filled in."""
        if request.HasField("run_id"):
            project, domain = request.run_id.project, request.run_id.domain
        elif request.HasField("project_id"):
            project, domain = request.project_id.name, request.project_id.domain
        else:
            raise Refusal("INVALID_ARGUMENT", "id is required")
        with self._store.lock:
            require_project(self._store, project)
            content = request.inputs.SerializeToString(deterministic=True)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:8]).decode().rstrip("=")
            uri = f"{self._store.storage}/{project}/{domain}/offloaded-inputs/{digest}"
            inputs = common_pb2.Inputs()
            inputs.CopyFrom(request.inputs)
            self._store.files[f"{uri}/inputs.pb"] = inputs
        return pb.UploadInputsResponse(offloaded_input_data=run_pb2.OffloadedInputData(uri=uri, inputs_hash=digest))


def no_log_context(request: pb.TailLogsRequest) -> str:
    """The text, in Go's way of printing a message."""
    asked = request.action_id
    run = " ".join(f'{described.name}:"{value}"' for described, value in asked.run.ListFields())
    return f'no log context found for action run:{{{run}}} name:"{asked.name}" attempt {request.attempt}'
