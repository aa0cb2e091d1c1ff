"""What was settled -> the trigger that an operator defers to. By tables, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.launch.deferral import defer
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.wait.resumption import OPERATOR, XCOM_KEY, Settled
from tests.support.driving import MINE, DagRun, TaskInstance

NOW = 1000.0
SETTLED: dict[str, Any] = {
    "kind": OPERATOR,
    "try_number": 1,
    "project": "p",
    "domain": "d",
    "run_names": ["r1"],
    "endpoint": "f:443",
}
ARGUMENTS: dict[str, Any] = {
    "poll_interval": 7.0,
    "missing_after": 8.0,
    "unreachable_after": 9.0,
    "resume_after": 10.0,
    "flyte_conn_id": "c",
}


class Deferral:
    """What an operator defers with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settled: dict[str, Any], arguments: dict[str, Any]) -> None:
        task = FlyteRunOperator(**{"task_id": "train", "task_name": "demo.train"} | ARGUMENTS | arguments)
        self.ti = TaskInstance()
        context: Any = {"ti": self.ti, "dag_run": DagRun()}
        self.settled = Settled(**SETTLED | settled)
        with monkeypatch.context() as patched:
            patched.setattr("airflow_provider_flyte.launch.deferral.time.time", lambda: NOW)
            with pytest.raises(TaskDeferred) as deferred:
                defer(task, context, self.settled, 11.0)
        self.deferred = deferred.value
        self.trigger: dict[str, Any] = self.deferred.trigger.serialize()[1]


@pytest.fixture
def deferral(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda arguments=None, **settled: Deferral(monkeypatch, settled, arguments or {})


def test_a_run_that_is_there(deferral: Any) -> None:
    made = deferral(ours=True, execution_deadline=1500.0, queued_until=1200.0)
    assert made.trigger == {
        "run_name": "r1",
        "project": "p",
        "domain": "d",
        "flyte_conn_id": "c",
        "poll_interval": 7.0,
        "execution_deadline": 1500.0,
        "not_before": 1010.0,
        "missing_after": 8.0,
        "unreachable_after": 11.0,
        "queued_deadline": 1200.0,
        "abort_for": MINE,
        "trying": None,
        "abort_on_kill": True,
        "abort_on_timeout": False,
        "endpoint": "f:443",
        "launched": True,
        "log_progress": False,
        "on_paused": "log",
        "stream_logs": None,
        "logs": None,
    }
    assert made.deferred.method_name == "execute_complete"
    assert Settled(**made.deferred.kwargs) == made.settled
    assert Settled(**made.ti.xcoms[XCOM_KEY]) == made.settled


@pytest.mark.parametrize(
    ("launched", "ours", "aborts", "is_there"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (False, False, False, False),
        # Nobody could say: if it was launched, then for this task.
        (None, False, True, False),
        (None, True, True, False),
    ],
)
def test_which_runs_a_trigger_may_abort(
    deferral: Any, launched: bool | None, ours: bool, aborts: bool, is_there: bool
) -> None:
    trigger = deferral({"log_progress": True, "stream_logs": True}, launched=launched, ours=ours).trigger
    assert trigger["abort_for"] == (MINE if aborts else None)
    assert trigger["launched"] is is_there
    # Before the launch there is nothing to follow.
    assert trigger["log_progress"] is trigger["stream_logs"] is is_there
    # Before the launch the answer that there is no such run is the answer.
    assert trigger["missing_after"] == (8.0 if is_there else 0.0)


@pytest.mark.parametrize(
    ("queued_until", "unreachable_after", "deadline"),
    [
        (None, 9.0, None),
        (1000.1, 9.0, 1000.1),
        (1000.0, 9.0, 1009.0),
        (10.0, 9.0, 1009.0),
        (10.0, None, None),
    ],
)
def test_when_a_worker_is_to_check_the_queue(
    deferral: Any, queued_until: float | None, unreachable_after: float | None, deadline: float | None
) -> None:
    made = deferral({"unreachable_after": unreachable_after}, queued_until=queued_until)
    assert made.trigger["queued_deadline"] == deadline


@pytest.mark.parametrize("on_kill", [False, True])
@pytest.mark.parametrize("on_timeout", [False, True])
def test_what_the_author_wants_aborted(deferral: Any, on_kill: bool, on_timeout: bool) -> None:
    trigger = deferral({"abort_on_kill": on_kill, "abort_on_timeout": on_timeout}).trigger
    assert (trigger["abort_on_kill"], trigger["abort_on_timeout"]) == (on_kill, on_timeout)
