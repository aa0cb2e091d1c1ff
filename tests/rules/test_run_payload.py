"""A run -> what an event of an asset has of it. By tables, without a server."""

from __future__ import annotations

import json

from airflow_provider_flyte.client.flows.runs_by_creation import RunRow
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.report.run_payload import MOST_LABELS, run_payload

ROW = RunRow(RunKey("p", "d", "r1"), RunPhase.SUCCEEDED, "demo.train", "v1", 1_700_000_000_000_000, None)


def test_an_event_has_so_many_labels() -> None:
    labels = {f"{number:04}": "x" * 200 for number in range(2000)}
    payload = run_payload(ROW, "", dict(reversed(labels.items())))
    assert list(payload["labels"]) == list(labels)[:MOST_LABELS]
    assert len(json.dumps(payload)) < 30_000
    assert run_payload(ROW, "", {})["labels"] == {}
    assert "labels" not in run_payload(ROW, "")
