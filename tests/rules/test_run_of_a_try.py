"""The run of a try: what is found or launched, what is logged, and what becomes of an error. By a table of runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_flyte import exceptions
from airflow_provider_flyte.client import FlyteConfig, Launch
from airflow_provider_flyte.client.errors import (
    ConfigError,
    InputsError,
    LaunchUncertainError,
    NoSuchTaskError,
    NoSuchTriggerError,
    RpcError,
    Status,
    error_for,
)
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.tries.attempt import TryRun, TryRuns, settled_run
from airflow_provider_flyte.tries.identity import DagRunMarks, TaskInstance, Try, launch_annotations
from airflow_provider_flyte.wait.resumption import OPERATOR, Settled
from tests.support.scripted_flyte import HERE, ScriptedFlyte, refusal

RUNNING, SUCCEEDED = RunPhase.RUNNING, RunPhase.SUCCEEDED
TASK = TaskInstance("sales", "train", "x")
SINCE = datetime(2024, 5, 1, tzinfo=timezone.utc)


@pytest.fixture
def flyte() -> ScriptedFlyte:
    return ScriptedFlyte(lambda: 0.0)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The lines of the task's log, as they are logged."""
    lines: list[str] = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, log = Noting(), logging.getLogger("task")
    caplog.set_level(logging.INFO, "task")
    log.addHandler(handler)
    yield lines
    log.removeHandler(handler)


def runs_of(flyte: ScriptedFlyte, trying: Try, **more: Any) -> TryRuns:
    given: dict[str, Any] = {
        "retry_as": "new",
        "about_templates": " As templates do.",
        "retry_for": 0.0,
        "before_create": lambda: None,
        "log": logging.getLogger("task"),
    }
    return TryRuns(flyte.client, trying, Launch("demo.train", version="v1"), **given | more)


def a_try(number: int = 1, **more: Any) -> Try:
    return Try(TASK, number, 3, **more)


def launched(flyte: ScriptedFlyte, trying: Try, name: str | None = None, phase: int = RUNNING, **changed: str) -> str:
    name = name or trying.name
    flyte.run(name, phase)
    told = {f"airflow.apache.org/{key}": value for key, value in changed.items()}
    flyte.annotations[HERE.run(name)] = launch_annotations(trying) | told
    return name


def test_what_was_settled_is_the_run(flyte: ScriptedFlyte) -> None:
    config = FlyteConfig(endpoint="flyte.example:443", insecure=True, project="other", domain="other")
    settled = Settled(OPERATOR, 1, "p", "development", ["r1"], "old:1", ours=True)
    run = settled_run(config, settled)
    assert run == TryRun(HERE.run("r1"), config.run_url(HERE.run("r1")), True, "old:1")
    assert run.new is False


def test_a_launch(flyte: ScriptedFlyte, said: list[str]) -> None:
    trying = a_try()
    made = runs_of(flyte, trying)
    assert made.key == HERE.run(trying.name)
    assert made.existing() is None
    run = made.get()
    assert run == TryRun(HERE.run(trying.name), run.url, True, "flyte.example:443", new=True)
    assert said == [f"Launched Flyte run {run.key} for try 1. {run.url}"]
    found = runs_of(flyte, trying).get()
    assert found == TryRun(run.key, run.url, True, "flyte.example:443")
    assert said[1] == (
        f"Found Flyte run {run.key}, launched by try 1 of this task: QUEUED. Nothing is launched; the task waits for "
        "this run."
    )
    assert runs_of(flyte, trying).existing() == found
    assert len(flyte.calls("CreateRun")) == 1


def test_a_run_under_a_chosen_name_that_nobody_of_airflow_launched(flyte: ScriptedFlyte, said: list[str]) -> None:
    flyte.run("nightly", SUCCEEDED)
    run = runs_of(flyte, a_try(run_name="nightly")).get()
    assert (run.ours, run.new) == (False, False)
    assert said == [
        f"Found Flyte run {run.key}, launched by somebody else than Airflow: SUCCEEDED. Nothing is launched."
    ]


def test_a_task_that_does_not_wait_does_not_log_that_it_waits(flyte: ScriptedFlyte, said: list[str]) -> None:
    launched(flyte, a_try())
    runs_of(flyte, a_try(), waits=False).get()
    assert said[0].endswith("RUNNING. Nothing is launched.")


def test_a_run_of_another_dag_run_is_left_alone(flyte: ScriptedFlyte, said: list[str]) -> None:
    taken = launched(flyte, a_try(dag_run=DagRunMarks("7")))
    run = runs_of(flyte, a_try(dag_run=DagRunMarks("8"))).get()
    assert (run.new, run.key.name != taken) == (True, True)
    assert said[0].startswith(f"Flyte run p/development/{taken} was launched by {TASK}, but for another DAG run of")
    assert flyte.runs[HERE.run(taken)] == RUNNING


@pytest.mark.parametrize(
    ("retry_as", "how"), [("new", ""), ("rerun", ", as rerun of {}"), ("recover", ", as recover of {}")]
)
def test_what_a_retry_repeats(flyte: ScriptedFlyte, said: list[str], retry_as: str, how: str) -> None:
    first = launched(flyte, a_try(1), phase=RunPhase.FAILED)
    run = runs_of(flyte, a_try(2), retry_as=retry_as).get()
    assert said[-1] == f"Launched Flyte run {run.key} for try 2{how.format(first)}. {run.url}"


@pytest.mark.parametrize("number", [1, 2])
def test_a_retry_that_finds_nothing_logs_it(flyte: ScriptedFlyte, said: list[str], number: int) -> None:
    runs_of(flyte, a_try(number)).get()
    found = [
        line for line in said if line.startswith("No earlier try of this task has a run in Flyte project p, domai")
    ]
    assert len(found) == number - 1


# -- under other names


@pytest.mark.parametrize(
    ("trying", "since", "changed", "finds"),
    [
        (a_try(2, run_name="tuesday"), SINCE, {}, True),
        (a_try(2, run_name="tuesday"), None, {}, False),
        (a_try(2), SINCE, {}, False),
        (a_try(1, run_name="tuesday"), SINCE, {}, False),
        (a_try(2, run_name="tuesday"), SINCE, {"try_number": "0"}, False),
        (a_try(2, run_name="tuesday"), SINCE, {"try_number": "2"}, True),
        (a_try(2, run_name="tuesday"), SINCE, {"try_number": "3"}, False),
        (a_try(2, run_name="tuesday"), SINCE, {"try_number": "one"}, False),
        (a_try(2, run_name="tuesday", dag_run=DagRunMarks("8")), SINCE, {"dag_run_key": "7"}, False),
        (a_try(2, run_name="tuesday", dag_run=DagRunMarks("8")), SINCE, {"dag_run_key": "8"}, True),
    ],
)
def test_a_run_of_an_earlier_try_under_another_name(
    flyte: ScriptedFlyte, said: list[str], trying: Try, since: datetime | None, changed: dict[str, Any], finds: bool
) -> None:
    launched(flyte, a_try(1, run_name="monday"), **changed)
    run = runs_of(flyte, trying, since=since).get()
    assert (run.key.name == "monday", run.new) == (finds, not finds)
    line = f"Try {changed.get('try_number', '1')} of this task launched Flyte run monday, under another run_name than"
    assert [each.startswith(line) for each in said if "under another run_name" in each] == [True] * finds


@pytest.mark.parametrize("code", [Status.INVALID_ARGUMENT, Status.UNIMPLEMENTED])
def test_where_the_runs_of_a_task_are_not_listed(flyte: ScriptedFlyte, said: list[str], code: Status) -> None:
    flyte.fails = lambda asked: (
        refusal(code) if asked.rpc == "ListRuns" and asked.request.HasField("task_name") else None
    )
    assert runs_of(flyte, a_try(2, run_name="tuesday"), since=SINCE).get().new
    assert said[0].startswith("Flyte has no run named tuesday-2 or as in an earlier try, and does not list the runs")


# -- errors


def rpc(code: Status) -> RpcError:
    return error_for(code, "away", method="CreateRun", endpoint="here")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (InputsError("x is a text", mixes_texts=True), exceptions.FlyteArgumentError, "x is a text As templates do."),
        (InputsError("x is a text"), exceptions.FlyteArgumentError, "x is a text"),
        (NoSuchTaskError("no task"), exceptions.FlyteTaskMissing, "no task"),
        (NoSuchTriggerError("no trigger"), exceptions.FlyteTaskMissing, "no trigger"),
        (ConfigError("no key"), exceptions.FlyteConfigurationError, "no key"),
    ],
)
def test_an_error_of_the_task(flyte: ScriptedFlyte, error: Exception, kind: type, words: str) -> None:
    def raises() -> None:
        raise error

    with pytest.raises(kind) as raised:
        runs_of(flyte, a_try(), before_create=raises).get()
    assert type(raised.value) is kind
    assert (str(raised.value), raised.value.__cause__) == (words, error)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (rpc(Status.PERMISSION_DENIED), exceptions.FlyteLaunchFailed, "was not launched. "),
        (
            rpc(Status.UNAVAILABLE).turned_into(LaunchUncertainError),
            exceptions.FlyteLaunchUncertain,
            "was launched. It may still be running; a retry finds it. ",
        ),
    ],
)
def test_an_error_of_the_launch(flyte: ScriptedFlyte, error: RpcError, kind: Any, words: str) -> None:
    def raises() -> None:
        raise error

    trying = a_try()
    with pytest.raises(kind) as raised:
        runs_of(flyte, trying, before_create=raises).get()
    found: Any = raised.value
    assert type(found) is kind
    assert words in str(found)
    assert (found.run, found.project, found.domain) == (trying.name, "p", "development")
    assert trying.name in found.url


@pytest.mark.parametrize(("number", "names", "more"), [(1, 1, False), (5, 5, False), (6, 5, True)])
def test_while_flyte_cannot_be_asked_nothing_is_launched(
    flyte: ScriptedFlyte, number: int, names: int, more: bool
) -> None:
    flyte.fails = lambda asked: refusal(Status.UNAVAILABLE, "away")
    trying = Try(TASK, number, 9)
    with pytest.raises(exceptions.FlyteUnreachable, match="Nothing is launched") as raised:
        runs_of(flyte, trying).get()
    listed = str(raised.value).partition("already (")[2].partition(")")[0]
    assert len(listed.removesuffix(" ...").split(", ")) == names
    assert listed.endswith(" ...") is more
    assert raised.value.run == trying.names[0]


def test_a_name_that_is_another_tasks_is_refused(flyte: ScriptedFlyte) -> None:
    launched(flyte, Try(TaskInstance("sales", "train", "y"), 1, 3, run_name="nightly"))
    made = runs_of(flyte, a_try(run_name="nightly"))
    assert made.existing() is None
    with pytest.raises(exceptions.FlyteRunTaken, match="another task instance") as raised:
        made.get()
    assert raised.value.run == "nightly"


def test_a_connection_without_a_project(flyte: ScriptedFlyte) -> None:
    flyte.client.config = FlyteConfig(endpoint="flyte.example:443", insecure=True)
    with pytest.raises(exceptions.FlyteConfigurationError, match="roject"):
        runs_of(flyte, a_try()).get()


STARTED = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("marks", "theirs", "forbids"),
    [
        (DagRunMarks("7"), {}, True),
        (DagRunMarks(trace="t"), {}, True),
        # Another task of the DAG run was cleared since.
        (DagRunMarks(started=STARTED, clear_number=0), {"clear_number": "1"}, True),
        (DagRunMarks("7"), {"dag_run_key": "8"}, False),
        (DagRunMarks(started=STARTED), {"dag_run_started": "2024-05-02T12:00:00+00:00"}, False),
        # What dag.test() does again may have the same.
        (DagRunMarks(started=STARTED, dated=True), {}, False),
        (DagRunMarks(), {}, False),
        (DagRunMarks("7"), {"run_id": "y"}, False),
        (DagRunMarks("7"), {"try_number": "1"}, False),
    ],
)
@pytest.mark.parametrize("run_name", [None, "nightly"])
@pytest.mark.parametrize(("number", "later"), [(1, 2), (1, 4), (3, 4), (4, 5)])
def test_what_a_later_try_has_launched_forbids_a_launch(
    flyte: ScriptedFlyte,
    marks: DagRunMarks,
    theirs: dict[str, str],
    forbids: bool,
    run_name: str | None,
    number: int,
    later: int,
) -> None:
    """Airflow has given this process up without its notice: its machine was paused."""
    launched(flyte, a_try(later, dag_run=marks, run_name=run_name), phase=SUCCEEDED, **theirs)
    made = runs_of(flyte, a_try(number, dag_run=marks, run_name=run_name))
    if forbids:
        with pytest.raises(exceptions.FlyteTaskKilled, match=f"because try {later} of this task has launched Flyte"):
            made.get()
    else:
        assert made.get().new
    assert len(flyte.calls("CreateRun")) == (not forbids)


def test_names_of_later_tries_that_are_too_long_are_left_out(flyte: ScriptedFlyte) -> None:
    assert runs_of(flyte, Try(TASK, 9, 8, run_name="x" * 28)).get().new
    assert flyte.calls()[-1].names == tuple(["x" * 28 + f"-{number}" for number in range(9, 1, -1)] + ["x" * 28])


@pytest.mark.parametrize(("number", "max_tries", "to"), [(1, 0, 2), (1, 3, 4), (4, 3, 5), (1, 9, 6)])
def test_which_later_tries_are_looked_for(flyte: ScriptedFlyte, number: int, max_tries: int, to: int) -> None:
    trying = Try(TASK, number, max_tries)
    runs_of(flyte, trying).get()
    first, second = flyte.calls()
    assert second.names == first.names + tuple(trying.name_of(later) for later in range(number + 1, to + 1))
    assert not Try(TASK, number, max_tries, is_test=True).later_numbers


def test_the_search_ends_where_each_next_name_is_taken(flyte: ScriptedFlyte) -> None:
    def taken(asked: Any) -> None:
        for name in asked.names:
            launched(flyte, a_try(dag_run=DagRunMarks("7")), name)

    flyte.fails = taken
    with pytest.raises(
        exceptions.FlyteRunTaken, match="Flyte has 100 runs and perhaps more under the names that try 1"
    ):
        runs_of(flyte, a_try(dag_run=DagRunMarks("8"))).get()
    assert len(flyte.calls()) == 100
    assert flyte.calls("CreateRun") == []


def test_what_was_cleared_is_aborted_first(flyte: ScriptedFlyte, said: list[str]) -> None:
    before = launched(flyte, Try(TASK, 1, 0))
    asked: list[str] = []
    run = runs_of(flyte, Try(TASK, 2, 1), before_create=lambda: asked.append("may I")).get()
    assert run.new
    assert flyte.reasons == {HERE.run(before): f"Airflow: {TASK}: the task was cleared and starts anew"}
    # Before the abort, and before the launch.
    assert len(asked) == 2
    assert said[0].startswith("The task was cleared or its DAG run reset: the run that it had left running is aborted")


def test_after_a_launch_was_interrupted_its_run_is_that_of_the_try(flyte: ScriptedFlyte) -> None:
    """Whatever the name of the try's first run would have been."""
    taken = launched(flyte, a_try(dag_run=DagRunMarks("7")))

    def interrupted() -> None:
        raise KeyboardInterrupt

    made = runs_of(flyte, a_try(dag_run=DagRunMarks("8")), before_create=interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.get()
    assert made.key.name != taken
