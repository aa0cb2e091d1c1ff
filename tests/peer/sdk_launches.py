"""The real Flyte SDK at a local server; run by the SDK's own Python.

``sdk_launches.py ENDPOINT``: launches ``demo.train``, plainly and with all that a run can be launched with; prints the
names of the two runs as JSON.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from typing import Any

import flyte
from flyte import notify
from flyte.models import ActionPhase
from flyte.remote import Task

SETTINGS: dict[str, Any] = {
    "name": "theirs",
    "labels": {"team": "data"},
    "annotations": {"note": "✓"},
    "env_vars": {"STAGE": "test"},
    "custom_context": {"day": "2026-11-27"},
    "run_start_time": datetime(2026, 11, 27, tzinfo=timezone.utc),
    "queue": "gpu",
    "interruptible": False,
    "overwrite_cache": True,
    "cache_lookup_scope": "project-domain",
    "service_account": "trainer",
    "raw_data_path": "s3://bucket/raw",
    "run_base_dir": "s3://bucket/runs",
    "max_action_concurrency": 7,
    "notifications": (
        notify.NamedDelivery(on_phase=ActionPhase.FAILED, name="oncall"),
        notify.Email(on_phase=(ActionPhase.FAILED, ActionPhase.TIMED_OUT), recipients=("a@example.com",)),
        notify.Webhook(on_phase=ActionPhase.SUCCEEDED, url="https://example.com/hook", body={"text": "{{.Run.Name}}"}),
    ),
}


def main(endpoint: str) -> None:
    flyte.init(endpoint=f"dns:///{endpoint}", insecure=True, org="testorg", project="flytesnacks", domain="development")
    task = Task.get(name="demo.train", version="v7")
    plain = flyte.run(task, rows=8)
    whole = flyte.with_runcontext(**SETTINGS).run(task, rows=8, rate=0.25)
    rule = flyte.with_runcontext(notifications=notify.NamedRule("oncall")).run(task, rows=8)
    json.dump({"plain": plain.name, "whole": whole.name, "rule": rule.name}, sys.stdout)


main(*sys.argv[1:])
