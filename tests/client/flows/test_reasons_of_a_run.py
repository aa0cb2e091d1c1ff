"""Why a run did not succeed comes from outside, and is cleaned where it is read."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.client.flows.calls import run_error
from airflow_provider_flyte.client.idl.workflow.run_definition_pb2 import AbortInfo, ActionDetails, ErrorInfo

ODD = "no\x1b[31m rows\x07\nsecond" + "x" * 5000


@pytest.mark.parametrize(
    "action",
    [ActionDetails(abort_info=AbortInfo(reason=ODD)), ActionDetails(error_info=ErrorInfo(message=ODD))],
    ids=["abort", "error"],
)
def test_a_reason_is_clean_and_bounded(action: ActionDetails) -> None:
    error = run_error(action)
    assert error is not None
    assert error.message.startswith("no rows\N{REPLACEMENT CHARACTER}\nsecond")
    assert len(error.message) <= 2000
