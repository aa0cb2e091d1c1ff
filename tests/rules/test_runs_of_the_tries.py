"""Which runs of a task instance's tries are found. By a table of runs, without a server."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import NotFoundError, RpcError, Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.tries.identity import DagRunMarks, TaskInstance, Try, launch_annotations, next_name
from airflow_provider_flyte.tries.lookup import find_launched, find_tries
from tests.support.scripted_flyte import HERE, Asked, ScriptedFlyte, refusal

TASK = TaskInstance("sales", "train", "x")
SINCE = datetime(2024, 5, 1, tzinfo=timezone.utc)


@pytest.fixture
def flyte() -> ScriptedFlyte:
    return ScriptedFlyte(lambda: 0.0)


def launched(flyte: ScriptedFlyte, trying: Try, name: str | None = None, phase: int = RunPhase.RUNNING) -> str:
    name = name or trying.name
    flyte.run(name, phase)
    flyte.annotations[HERE.run(name)] = launch_annotations(trying)
    return name


def a_try(number: int, **more: Any) -> Try:
    return Try(TASK, number, 3, **more)


def found(flyte: ScriptedFlyte, trying: Try) -> list[str]:
    return [run.name for run in flyte.client.execute(find_tries(trying, HERE.run, ""), retry_for=0.0)]


def asked(flyte: ScriptedFlyte) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.rpc, each.names) for each in flyte.asked]


def test_runs_of_this_try_and_the_earlier_ones(flyte: ScriptedFlyte) -> None:
    first, second, third = (a_try(number) for number in (1, 2, 3))
    names = [launched(flyte, trying) for trying in (first, second, third)]
    assert sorted(found(flyte, second)) == sorted(names[:2])
    assert asked(flyte) == [
        ("ListRuns", tuple(second.names)),
        *(("GetRunDetails", (name,)) for name in flyte.asked[0].names),
    ]


@pytest.mark.parametrize(
    "marks", [DagRunMarks(), DagRunMarks("7", SINCE, SINCE, 3, "trace", dated=True), DagRunMarks(started=SINCE)]
)
def test_a_try_as_a_trigger_has_it(marks: DagRunMarks) -> None:
    trying = a_try(2, dag_run=marks, attempt_id="id", retries=1, resumes="r", prefix="x-", run_name="nightly")
    assert Try.from_json(json.loads(json.dumps(trying.to_json()))) == trying


def test_without_runs_one_list_is_enough(flyte: ScriptedFlyte) -> None:
    assert found(flyte, a_try(2)) == []
    assert len(flyte.asked) == 1


def test_the_run_that_a_try_resumes_with_may_have_any_name(flyte: ScriptedFlyte) -> None:
    launched(flyte, a_try(1), "under-another-name")
    assert found(flyte, a_try(1, resumes="under-another-name")) == ["under-another-name"]
    assert asked(flyte)[0][1] == ("under-another-name", a_try(1).name)
    # Named as it is today, it is asked for once.
    flyte.asked.clear()
    launched(flyte, a_try(1))
    assert found(flyte, a_try(1, resumes=a_try(1).name)) == [a_try(1).name]
    assert asked(flyte)[0][1] == (a_try(1).name,)


def test_a_name_that_somebody_else_has_leads_to_the_next(flyte: ScriptedFlyte) -> None:
    """A DAG run that was deleted and made again under the same id."""
    before = a_try(2, dag_run=DagRunMarks("7"))
    launched(flyte, before)
    now = a_try(2, dag_run=DagRunMarks("8"))

    def one_more(position: int) -> str:
        """The name that was searched for last, which is the next one."""
        flyte.asked.clear()
        runs = flyte.client.execute(find_tries(now, HERE.run, ""), retry_for=0.0)
        lists = [names for rpc, names in asked(flyte) if rpc == "ListRuns"]
        assert len(lists) == position + 2
        assert len(set(lists)) == len(lists)
        [name] = lists[-1]
        assert name == next_name(now, 2, position, runs[-1])
        return name

    names = [before.name]
    for position in range(3):
        names.append(one_more(position))
        launched(flyte, before, names[-1])
    launched(flyte, now, names[-1])
    assert found(flyte, now) == names


def test_what_is_known_of_a_run(flyte: ScriptedFlyte) -> None:
    name = launched(flyte, a_try(1), phase=RunPhase.ABORTED)
    flyte.reasons[HERE.run(name)] = "enough of it"
    [run] = flyte.client.execute(find_tries(a_try(1), HERE.run, ""), retry_for=0.0)
    assert (run.name, run.phase, run.abort_reason) == (name, RunPhase.ABORTED, "enough of it")
    assert run.annotations == launch_annotations(a_try(1))
    assert run.owner == TASK
    flyte.reasons.clear()
    [run] = flyte.client.execute(find_tries(a_try(1), HERE.run, ""), retry_for=0.0)
    assert run.abort_reason == ""


def test_a_list_without_its_details_proves_nothing(flyte: ScriptedFlyte) -> None:
    launched(flyte, a_try(1))
    flyte.fails = lambda call: refusal(Status.NOT_FOUND) if call.rpc == "GetRunDetails" else None
    with pytest.raises(NotFoundError):
        found(flyte, a_try(1))


def test_while_flyte_does_not_answer_nothing_is_known(flyte: ScriptedFlyte) -> None:
    flyte.fails = lambda call: refusal(Status.UNAVAILABLE)
    with pytest.raises(RpcError):
        found(flyte, a_try(1))


def test_runs_of_a_flyte_task_that_this_task_instance_launched(flyte: ScriptedFlyte) -> None:
    mine = launched(flyte, a_try(1), "monday")
    launched(flyte, Try(TaskInstance("sales", "train", "y"), 1, 3), "tuesday")
    flyte.run("nobodys", RunPhase.RUNNING)
    flyte.annotations[HERE.run("nobodys")] = {}
    runs = flyte.client.execute(find_launched(TASK, "demo.train", "p", "development", "", SINCE), retry_for=0.0)
    assert [run.name for run in runs] == [mine]
    first: Asked = flyte.asked[0]
    assert (first.request.task_name.name, first.where) == ("demo.train", HERE)
    [created] = [each for each in first.request.request.filters if each.field == "created_at"]
    assert list(created.values) == ["2024-05-01T00:00:00.000000Z"]
