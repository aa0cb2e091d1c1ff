"""What Airflow gives a task -> which try of which task it is. By tables, without an Airflow that runs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.settings import airflow_id
from airflow_provider_flyte.tries import task_instance
from airflow_provider_flyte.tries.identity import DagRunMarks, TaskInstance, launch_annotations, owner_in
from airflow_provider_flyte.tries.task_instance import (
    attempt_id,
    check_executed_once,
    dag_run_marks,
    first_launch,
    is_in_loop,
    is_inside_another,
    is_temporary,
    is_test,
    may_defer,
    task_instance_of,
    try_of,
)

IS_3 = int(version("apache-airflow").split(".")[0]) > 2
NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
OPERATOR: Any = SimpleNamespace(task_id="train", retries=2)
INSIDE: Any = SimpleNamespace(task_id="inner", retries=2)


def ti(**changed: Any) -> Any:
    given = {"dag_id": "sales", "task_id": "train", "run_id": "x", "map_index": -1, "try_number": 1, "max_tries": 3}
    return SimpleNamespace(**given | changed)


def context(dag_run: Any = None, **changed: Any) -> Any:
    return {"ti": ti(**changed), "dag_run": dag_run}


@pytest.mark.parametrize(("map_index", "means"), [(-1, -1), (None, -1), (0, 0), (7, 7)])
def test_the_task_instance(map_index: int | None, means: int) -> None:
    made, there = context(map_index=map_index), ("sales", "train", "x", means)
    assert task_instance_of(made, OPERATOR) == TaskInstance(*there, airflow=airflow_id())
    assert task_instance_of(made, INSIDE) == TaskInstance(*there, "inner", airflow_id())


def test_a_try_of_a_task() -> None:
    made = context(try_number=2, id="one")
    trying = try_of(made, "af", "nightly", OPERATOR, "r7")
    assert (trying.task, trying.number, trying.max_tries) == (task_instance_of(made, OPERATOR), 2, 3)
    assert (trying.attempt_id, trying.retries, trying.is_test) == ("one", 2, False)
    assert (trying.resumes, trying.prefix, trying.run_name) == ("r7", "af", "nightly")
    assert trying.dag_run == DagRunMarks()
    assert try_of(context(), "af", None, OPERATOR).resumes is None


@pytest.mark.parametrize(
    ("own", "base_url", "means"),
    [
        (None, None, "http://localhost:8080"),
        (None, "", "http://localhost:8080"),
        (None, "https://airflow.example/", "https://airflow.example"),
        ("prod", "https://airflow.example", "prod"),
        (" prod ", None, "prod"),
        ("", "https://airflow.example", "https://airflow.example"),
    ],
)
def test_which_airflow_it_is(
    monkeypatch: pytest.MonkeyPatch, own: str | None, base_url: str | None, means: str
) -> None:
    for name, value in (("FLYTE__AIRFLOW_ID", own), (f"{'API' if IS_3 else 'WEBSERVER'}__BASE_URL", base_url)):
        if value is None:
            monkeypatch.delenv(f"AIRFLOW__{name}", raising=False)
        else:
            monkeypatch.setenv(f"AIRFLOW__{name}", value)
    assert task_instance_of(context(), OPERATOR).airflow == means


def test_an_operator_inside_another_task() -> None:
    trying = try_of(context(), "af", None, INSIDE)
    # Its retries are not the task's.
    assert (trying.task.operator_id, trying.retries) == ("inner", None)
    assert try_of(context(), "af", None, OPERATOR).task.operator_id == ""


@pytest.mark.parametrize(
    ("run_id", "number", "means", "counts"),
    [("x", 0, 1, True), ("x", 3, 3, True), ("__airflow_temporary_run_2024__", 0, 1, False)],
)
def test_a_try_of_airflow_tasks_test(run_id: str, number: int, means: int, counts: bool) -> None:
    trying = try_of(context(run_id=run_id, try_number=number, test_mode=True), "af", None, OPERATOR)
    assert (trying.number, trying.is_test) == (means, counts)


def test_a_number_that_no_try_has_is_refused_outside_of_a_test() -> None:
    with pytest.raises(ConfigError, match="try_number is 0"):
        try_of(context(try_number=0, test_mode=False), "af", None, OPERATOR)


def test_each_iteration_of_a_task_loop_has_runs_of_its_own() -> None:
    tries = [try_of(context(), "af", None, OPERATOR)]
    for index in range(2):
        tries.append(try_of(context() | {"loop": SimpleNamespace(index=index)}, "af", None, OPERATOR))
    assert [trying.task.iteration for trying in tries] == [-1, 0, 1]
    assert len({trying.name for trying in tries}) == 3
    assert len({str(trying.task) for trying in tries}) == 3
    for trying in tries:
        assert owner_in(launch_annotations(trying)) == trying.task


@pytest.mark.parametrize(
    "loop",
    [
        7,
        "7",
        True,
        object(),
        {"index": 7},
        *(SimpleNamespace(index=index) for index in (-1, "7", 7.0, True, None, 2**70)),
    ],
    ids=lambda loop: "object" if type(loop) is object else repr(loop),
)
def test_a_task_loop_that_is_not_known_is_refused(loop: Any) -> None:
    with pytest.raises(ConfigError, match="'train' is in a task loop, and which iteration of it this is cannot"):
        try_of(context() | {"loop": loop}, "af", None, OPERATOR)
    assert is_in_loop(context() | {"loop": loop})
    assert not is_in_loop(context())


@pytest.mark.parametrize(
    ("mode", "environment", "means"),
    [
        (True, None, True),
        (False, "True", False),
        (None, "True", True),
        (None, "False", False),
        (None, "", False),
        (None, None, False),
    ],
)
def test_whether_it_is_a_test(
    monkeypatch: pytest.MonkeyPatch, mode: bool | None, environment: str | None, means: bool
) -> None:
    monkeypatch.delenv("AIRFLOW_TEST_MODE", raising=False)
    if environment is not None:
        monkeypatch.setenv("AIRFLOW_TEST_MODE", environment)
    assert is_test(ti() if mode is None else ti(test_mode=mode)) is means


def test_a_dag_run_of_a_test_has_a_name_of_its_own() -> None:
    assert is_temporary("__airflow_temporary_run_2024-01-01__")
    assert not is_temporary("manual__airflow_temporary_run_")


@pytest.mark.parametrize(("known", "means"), [({}, None), ({"id": None}, None), ({"id": 7}, "7"), ({"id": "a"}, "a")])
def test_the_id_of_an_attempt(known: dict[str, Any], means: str | None) -> None:
    assert attempt_id(ti(**known)) == means


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, line: str, *args: Any) -> None:
        self.lines.append(line % args)


@pytest.mark.parametrize(
    ("deferrable", "task_id", "may"),
    [(True, "train", True), (False, "train", False), (True, "inner", False), (False, "inner", False)],
)
def test_which_tasks_may_defer(deferrable: bool, task_id: str, may: bool) -> None:
    operator = SimpleNamespace(task_id=task_id, deferrable=deferrable, log=Log())
    assert may_defer(context(), operator) is may
    assert len(operator.log.lines) == (deferrable and not may)
    assert all(line.startswith("inner is executed inside another task") for line in operator.log.lines)


def test_which_operators_are_inside_another() -> None:
    assert is_inside_another(context(), INSIDE) is True
    assert is_inside_another(context(), OPERATOR) is False
    nobody: Any = {}
    assert is_inside_another(nobody, INSIDE) is False


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_instance, "_executed", (None, 0, set()))


@pytest.mark.usefixtures("fresh")
def test_what_is_executed_a_second_time_in_one_try_is_refused() -> None:
    first = context()
    check_executed_once(first, OPERATOR)
    check_executed_once(first, INSIDE)
    for operator in (OPERATOR, INSIDE):
        with pytest.raises(ConfigError, match=f"{operator.task_id!r} is executed a second time in one try of task 'tr"):
            check_executed_once(first, operator)
    # Another try, and another task.
    first["ti"].try_number = 2
    check_executed_once(first, OPERATOR)
    with pytest.raises(ConfigError):
        check_executed_once(first, OPERATOR)
    check_executed_once(context(try_number=2), OPERATOR)


# -- its DAG run


def dag_run(**changed: Any) -> Any:
    given = {"start_date": NOON, "clear_number": 1, "logical_date": None, "run_after": NOON - HOUR}
    return SimpleNamespace(**given | changed)


@pytest.mark.parametrize(
    ("dates", "means"),
    [
        ({}, NOON - 2 * HOUR),
        ({"run_after": NOON + HOUR}, NOON - HOUR),
        ({"run_after": None, "logical_date": NOON - 5 * HOUR}, NOON - 6 * HOUR),
        ({"run_after": NOON - 3 * HOUR, "logical_date": NOON - 5 * HOUR}, NOON - 4 * HOUR),
        ({"run_after": None}, NOON - HOUR),
        ({"start_date": None}, None),
    ],
)
def test_when_a_first_try_can_have_launched(dates: dict[str, Any], means: datetime | None) -> None:
    assert first_launch(context(dag_run(**dates))) == means


def test_without_a_dag_run_nothing_is_known() -> None:
    assert first_launch(context()) is None
    assert dag_run_marks(context()) == DagRunMarks()


def test_a_dag_run_of_2_11_has_other_dates() -> None:
    old = SimpleNamespace(start_date=NOON, clear_number=1, execution_date=NOON - 5 * HOUR)
    assert first_launch(context(old)) == NOON - HOUR
    old.logical_date = NOON - 5 * HOUR
    assert first_launch(context(old)) == NOON - 6 * HOUR


@pytest.mark.parametrize("key", [None, "7"])
def test_the_marks_of_a_dag_run(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.setattr(task_instance, "dag_run_key", lambda dag_run: key)
    marks = dag_run_marks(context(dag_run()))
    assert (marks.key, marks.run_after, marks.started) == (key, NOON - HOUR, NOON)
    assert (marks.clear_number, marks.dated) == (1, False)


@pytest.mark.parametrize(
    ("dates", "dated"),
    [
        ({}, False),
        ({"run_after": NOON}, True),
        ({"logical_date": NOON, "run_after": NOON}, True),
        # That of triggering is another moment, so it shows the same as a start.
        ({"logical_date": NOON}, False),
        ({"logical_date": NOON, "run_after": None}, True),
        ({"execution_date": NOON, "run_after": None}, True),
        ({"execution_date": NOON - HOUR, "run_after": None}, False),
        ({"start_date": None, "run_after": None}, False),
    ],
)
def test_whether_the_start_is_only_a_date(dates: dict[str, Any], dated: bool) -> None:
    assert dag_run_marks(context(dag_run(**dates))).dated is dated


@pytest.mark.parametrize("shows", [True, False])
@pytest.mark.parametrize(
    ("carrier", "trace"),
    [
        ({"context_carrier": {"traceparent": "00-abc-def-01"}}, "abc"),
        ({"context_carrier": {"traceparent": "00-abc-def"}}, None),
        ({"context_carrier": {"traceparent": "00-abc-def-01-02"}}, None),
        ({"context_carrier": {}}, None),
        ({"context_carrier": None}, None),
        ({}, None),
    ],
)
def test_the_trace_of_a_dag_run(
    monkeypatch: pytest.MonkeyPatch, shows: bool, carrier: dict[str, Any], trace: str | None
) -> None:
    monkeypatch.setattr(task_instance, "trace_shows_resets", lambda: shows)
    assert dag_run_marks(context(dag_run(), **carrier)).trace == (trace if shows else None)
