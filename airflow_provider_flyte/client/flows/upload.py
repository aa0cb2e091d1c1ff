"""Inputs that are too large for CreateRun: they go to the data plane before it (DataProxyService/UploadInputs)."""

from __future__ import annotations

from airflow_provider_flyte.client.errors import GarbledAnswerError, Status, UnimplementedError
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.idl.common import run_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.rpc import DataProxyService

MOST_INLINE = 1 << 20
"""Bytes of inputs that go with CreateRun; the SDK (2.12.1) uploads all. A body of 1 MiB passes every proxy as it is
set up by default (nginx's client_max_body_size), and saves a call on the way of each launch."""


def upload_large_inputs(
    request: run_service_pb2.CreateRunRequest, task_id: task_definition_pb2.TaskIdentifier
) -> Flow[None]:
    """Put an upload's address into the request in place of inputs that are too large for it.

    Where the backend has no uploads they stay where they are.

    :param task_id: the task, which says what of the inputs counts for the cache.
    """
    if request.inputs.ByteSize() <= MOST_INLINE:
        return
    upload = dataproxy_service_pb2.UploadInputsRequest(
        run_id=request.run_id, task_id=task_id, inputs=request.inputs, base_dir=request.run_spec.run_base_dir
    )
    method = DataProxyService.UploadInputs
    try:
        uploaded: run_pb2.OffloadedInputData = yield Call(
            method, upload, lambda response: response.offloaded_input_data, run=request.run_id.name
        )
    except UnimplementedError:
        return
    if not uploaded.uri:
        details = "the answer has no address of the inputs"
        raise GarbledAnswerError(Status.INTERNAL, details, method=method.name, endpoint="the Flyte endpoint")
    request.offloaded_input_data.CopyFrom(uploaded)
