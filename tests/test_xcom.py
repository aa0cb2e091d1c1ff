"""What of a run reaches XCom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict

from airflow_provider_flyte.client.idl.workflow.run_definition_pb2 import RunDetails as Message
from airflow_provider_flyte.client.run_details import RunDetails
from airflow_provider_flyte.xcom import xcom_value

SECRET = "correct-horse-battery"


def details(**fields: Any) -> RunDetails:
    return RunDetails(ParseDict(fields, Message()))


def test_the_values_of_environment_variables_are_taken_out_everywhere() -> None:
    variables = [{"key": "PASSWORD", "value": SECRET}]
    pod = {
        group: [
            {"name": "main", "env": [{"name": "PASSWORD", "value": SECRET}, {"name": "B", "valueFrom": {"x": "y"}}]}
        ]
        for group in ("containers", "initContainers")
    }
    made = details(
        runSpec={"envs": {"values": variables}},
        action={"task": {"taskTemplate": {"container": {"env": variables}}}},
    )
    value = xcom_value(made, redact_env=True)
    assert SECRET not in json.dumps(value)
    assert value["runSpec"]["envs"]["values"] == [{"key": "PASSWORD", "value": "***"}]
    in_pod = details(action={"task": {"taskTemplate": {"k8sPod": {"podSpec": pod}}}})
    value = xcom_value(in_pod, redact_env=True)
    assert SECRET not in json.dumps(value)
    env = value["action"]["task"]["taskTemplate"]["k8sPod"]["podSpec"]["containers"][0]["env"]
    assert env == [{"name": "PASSWORD", "value": "***"}, {"name": "B", "valueFrom": {"x": "y"}}]


def test_the_author_can_have_them() -> None:
    made = details(runSpec={"envs": {"values": [{"key": "PASSWORD", "value": SECRET}]}})
    assert xcom_value(made, redact_env=False) == made.to_dict()


def test_what_has_no_environment_is_left_alone() -> None:
    made = details(action={"status": {"phase": "ACTION_PHASE_SUCCEEDED"}})
    assert xcom_value(made, redact_env=True) == made.to_dict()


def test_the_recorded_password_is_gone_from_every_recorded_run() -> None:
    expected = json.loads((Path(__file__).parent / "recordings" / "expected.json").read_text())
    texts = json.dumps(expected)
    assert SECRET in texts
    runs = [run["to_dict"] for run in expected.values()] if isinstance(expected, dict) else expected
    for run in runs:
        assert SECRET not in json.dumps(xcom_value(details(**run), redact_env=True))


def test_nul_is_stripped() -> None:
    """PostgreSQL's JSONB refuses it."""
    made = details(action={"errorInfo": {"message": "no\0 rows"}})
    assert xcom_value(made, redact_env=True)["action"]["errorInfo"]["message"] == "no rows"
