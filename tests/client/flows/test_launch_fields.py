"""Each field of CreateRunRequest and RunSpec: which argument sets it, or why none does. A new flyteidl2 shows here."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest

from airflow_provider_flyte.client import Launch
from airflow_provider_flyte.client.idl.task import common_pb2, run_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.flows.test_launch import launch, sent

TYPES: dict[str, Any] = {
    "": run_service_pb2.CreateRunRequest,
    "inputs": common_pb2.Inputs,
    "run_spec": run_pb2.RunSpec,
    "run_spec.cache_config": run_pb2.CacheConfig,
    "run_spec.raw_data_storage": run_pb2.RawDataStorage,
    "run_spec.recover": run_pb2.Recover,
    "run_spec.notification_rules.rules": run_pb2.InlineRule,
}

RECOVER: dict[str, Any] = {"related_to": "earlier", "relation": "recover"}
NOTIFIED: dict[str, Any] = {"on_phase": "FAILED", "email": {"recipients": "a@example.com"}}

SET_BY: dict[str, dict[str, Any]] = {
    "run_id": {"run_name": "r1", "project": "flytesnacks", "domain": "development"},
    "task_id": {"task_name": "demo.train", "version": "v1"},
    "trigger_name": {"trigger_name": "nightly"},
    "inputs": {"inputs": {"rows": 1}},
    "inputs.literals": {"inputs": {"rows": 1}},
    "inputs.context": {"run_context": {"a": "b"}},
    "run_spec": {"queue": "gpu"},
    "run_start_time": {"run_start_time": "2026-11-27"},
    "run_spec.labels": {"labels": {"team": "data"}},
    "run_spec.annotations": {"annotations": {"note": "a"}},
    "run_spec.envs": {"env_vars": {"A": "b"}},
    "run_spec.interruptible": {"interruptible": False},
    "run_spec.overwrite_cache": {"overwrite_cache": True},
    "run_spec.queue": {"queue": "gpu"},
    "run_spec.raw_data_storage": {"raw_data_prefix": "s3://bucket/raw"},
    "run_spec.raw_data_storage.raw_data_prefix": {"raw_data_prefix": "s3://bucket/raw"},
    "run_spec.security_context": {"service_account": "trainer"},
    "run_spec.cache_config": {"overwrite_cache": True},
    "run_spec.cache_config.overwrite_cache": {"overwrite_cache": True},
    "run_spec.cache_config.cache_lookup_scope": {"cache_lookup_scope": "project-domain"},
    "run_spec.notification_rule_name": {"notification_rule": "oncall"},
    "run_spec.notification_rules": {"notifications": [NOTIFIED]},
    "run_spec.notification_rules.rules.on_phases": {"notifications": [NOTIFIED]},
    "run_spec.notification_rules.rules.delivery_config_name": {
        "notifications": [{"on_phase": ["FAILED"], "delivery": "oncall"}]
    },
    "run_spec.notification_rules.rules.delivery_template": {"notifications": [NOTIFIED]},
    "run_spec.max_action_concurrency": {"max_action_concurrency": 2},
    "run_spec.run_base_dir": {"run_base_dir": "s3://bucket/runs"},
    "run_spec.relation": RECOVER,
    "run_spec.recover": {**RECOVER, "force_rerun_actions": ("a3",)},
    "run_spec.recover.force_rerun_actions": {**RECOVER, "force_rerun_actions": ("a3",)},
}

SET_BY_NONE = {
    "project_id": "instead of run_id: the server would choose the name, and a try could not find its run again",
    "task_spec": "instead of task_id: a deployed task runs, whose image and code are not Airflow's",
    "offloaded_input_data": "instead of inputs: those that are too large, and those of a Flyte trigger",
    "source": "who launched: the server says so of a trigger; the SDK sets none, and flyteidl2 has no word for Airflow",
    "run_spec.run_start_time": "the server's note of CreateRunRequest's (recordings/start_time.json)",
    "run_spec.related_to": "deprecated: relation",
    "run_spec.cluster_pool": "the SDK 2.12.1 sets it of apps alone; where a run goes says its queue",
    "run_spec.task_spec_source": "the server's note on whether the task was deployed",
    "run_spec.default_settings": "nothing in the SDK 2.12.1 knows it; a pod template and limits are the installation's",
}

ARGUMENTS = {"queue": "flyte_queue", "related_to": "retry_as", "relation": "retry_as"}
"""What the operator calls them, where that is something else."""


def fields() -> set[str]:
    return {f"{path}.{name}".lstrip(".") for path, kind in TYPES.items() for name in kind.DESCRIPTOR.fields_by_name}


def test_nothing_is_forgotten() -> None:
    assert fields() == set(SET_BY) | set(SET_BY_NONE)
    assert not set(SET_BY) & set(SET_BY_NONE)


@pytest.mark.parametrize("path", SET_BY)
def test_the_argument_sets_the_field(local_flyte: LocalFlyte, path: str) -> None:
    local_flyte.deploy("demo.train", version="v1", inputs={"rows": (int, 0)})
    local_flyte.deploy_trigger("nightly", task="demo.train")
    local_flyte.run("earlier").fails()
    launch(local_flyte, "blocking", **SET_BY[path])
    found: Any = sent(local_flyte)
    *outer, last = path.split(".")
    for name in outer:
        found = getattr(found, name)
        found = found[0] if name == "rules" else found
    assert last in {field.name for field, _ in found.ListFields()}


def test_the_operator_has_all_that_a_launch_has() -> None:
    known = signature(FlyteRunOperator.__init__).parameters
    given = {name for arguments in SET_BY.values() for name in arguments}
    assert {ARGUMENTS.get(name, name) for name in given} <= set(known)
    # The trace is found and not given.
    assert set(signature(Launch).parameters) - given == {"trace_context"}
