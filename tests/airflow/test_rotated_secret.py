"""A secret that is replaced while a task waits on a worker: the wait reads the connection again and continues."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteUnreachable
from airflow_provider_flyte.testing import LocalFlyte, status
from tests.support.driving import Try
from tests.support.own_airflow import connection_json

pytestmark = pytest.mark.one_transport("grpc")

OLD, NEW = "correct-horse", "battery-staple"
ENV = "AIRFLOW_CONN_FLYTE_DEFAULT"


def with_token(flyte: LocalFlyte, token: str) -> str:
    return json.dumps(json.loads(connection_json(flyte, authentication="token")) | {"password": token})


def accept(flyte: LocalFlyte, token: str) -> None:
    """And no other, from now on."""
    flyte.clear_faults()
    flyte.inject(
        "*",
        status("UNAUTHENTICATED", "token revoked"),
        when=lambda request, metadata: metadata.get("authorization") not in (None, f"Bearer {token}"),
    )


@pytest.fixture
def waiting(local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> LocalFlyte:
    monkeypatch.setenv(ENV, with_token(local_flyte, OLD))
    accept(local_flyte, OLD)
    for name in ("r1", "r2"):
        local_flyte.run(name).move("RUNNING")
    return local_flyte


@pytest.mark.parametrize("names", [{"run_name": "r1"}, {"run_names": ["r1", "r2"]}])
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_the_wait_goes_on_with_the_new_one(
    waiting: LocalFlyte, monkeypatch: pytest.MonkeyPatch, mode: str, names: dict[str, object]
) -> None:
    task = Try(deferrable=False, mode=mode, **names)
    assert not task.sensor.poke(task.context)
    monkeypatch.setenv(ENV, with_token(waiting, NEW))
    accept(waiting, NEW)
    assert not task.sensor.poke(task.context)
    for name in ("r1", "r2"):
        waiting.run(name).succeeds()
    done = task.sensor.poke(task.context)
    assert done
    assert not isinstance(done, bool)
    value: Any = done.xcom_value
    details = value if "run_name" in names else value["r2"]
    assert details["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    # What it has of the run, it has from the client with the new one.
    sent = [call.metadata["authorization"] for call in waiting.calls("GetRunDetails")]
    assert sent[-1] == f"Bearer {NEW}"
    task.task._wait.close()


@pytest.mark.parametrize("unreachable_after", [300.0, None])
def test_a_secret_that_nobody_has_replaced_is_tried_once(waiting: LocalFlyte, unreachable_after: float | None) -> None:
    task = Try(run_name="r1", deferrable=False, unreachable_after=unreachable_after)
    assert not task.sensor.poke(task.context)
    accept(waiting, NEW)
    before = waiting.calls.count("GetRunDetails")
    if unreachable_after is None:
        assert not task.sensor.poke(task.context)
    else:
        with pytest.raises(FlyteUnreachable, match="token revoked"):
            task.sensor.poke(task.context)
    assert waiting.calls.count("GetRunDetails") == before + 1
    task.task._wait.close()


def test_a_connection_that_is_gone_by_then_leaves_the_wait_where_it_was(
    waiting: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Try(run_name="r1", deferrable=False)
    assert not task.sensor.poke(task.context)
    monkeypatch.setenv(ENV, with_token(waiting, "***"))
    accept(waiting, NEW)
    with pytest.raises(FlyteUnreachable, match="token revoked"):
        task.sensor.poke(task.context)
    task.task._wait.close()


def test_the_run_may_end_in_between(waiting: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Try(run_name="r1", deferrable=False)
    assert not task.sensor.poke(task.context)
    monkeypatch.setenv(ENV, with_token(waiting, NEW))
    accept(waiting, NEW)
    waiting.run("r1").fails(message="no rows")
    with pytest.raises(FlyteRunFailed, match="no rows"):
        task.sensor.poke(task.context)
    task.task._wait.close()
