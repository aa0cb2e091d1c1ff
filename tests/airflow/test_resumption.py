"""What a deferred task resumes with: it travels, it is found where Airflow loses it, and it belongs to one try."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.exceptions import FlyteConfigurationError, FlyteRunFailed, FlyteRunMissing, FlyteUnreachable
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.tries import kill_deferred
from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.resumption import OPERATOR, XCOM_KEY
from tests.support.driving import DagRun, Driven, TaskInstance, event_of, kwargs_of, lines_of, made_again, settled
from tests.support.own_airflow import connection_json

pytestmark = pytest.mark.one_transport("connect")

made = DagRun()


def launching(ti: TaskInstance | None = None, **arguments: Any) -> Driven:
    """A try of an operator."""
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "deferrable": True, "resume_after": 0}
    task = FlyteRunOperator(**defaults | {"poll_interval": 0.1, "unreachable_after": 1.0} | arguments)
    return Driven(task, ti or TaskInstance(1, 1), made)


def waiting(ti: TaskInstance | None = None, **arguments: Any) -> Driven:
    """A try of a sensor."""
    defaults: dict[str, Any] = {"task_id": "wait", "run_name": "r1", "deferrable": True, "resume_after": 0}
    return Driven(FlyteRunSensor(**defaults | {"poke_interval": 0.1} | arguments), ti or TaskInstance(1, 1), made)


def deferral(driven: Driven) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        driven.task.execute(driven.context)
    return deferred.value


def name_of(value: Any) -> str:
    run = value["action"]["id"]["run"]
    return "/".join([run["project"], run["domain"], run["name"]])


@pytest.fixture(autouse=True)
def demo(flyte_default: LocalFlyte) -> None:
    for project in ("flytesnacks", "another"):
        flyte_default.deploy("demo.train", project=project, outputs={"o0": int})


# -- a connection that changes meanwhile


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_another_default_project_moves_no_wait(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    flyte_default.run("r1").move("RUNNING")
    tasks = [launching(), waiting()]
    deferrals = [deferral(task) for task in tasks]
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, project="another"))
    for run in flyte_default.runs():
        run.succeeds({"o0": 1})
    for task, deferred in zip(tasks, deferrals, strict=True):
        event = event_of(deferred.trigger)
        assert event["ending"] == "succeeded"
        value = task.resume(event, **({} if lost else kwargs_of(deferred)))
        assert name_of(value).startswith("flytesnacks/development/")
    assert flyte_default.calls.count("CreateRun") == 1


async def test_another_default_project_moves_no_abort(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task = launching()
    trigger = made_again(deferral(task).trigger)
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, project="another"))
    await kill_deferred.abort(trigger, "the task was cleared")
    [run] = flyte_default.runs()
    assert run.phase == RunPhase.ABORTED


@pytest.mark.parametrize("make", [launching, waiting])
def test_a_run_that_another_flyte_does_not_have_is_not_missing(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    flyte_default.run("r1").move("RUNNING")
    task = make(missing_after=0.2)
    deferred = deferral(task)
    with LocalFlyte() as other:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(other))
        event = event_of(deferred.trigger)
        # A run that a task has launched is not even waited for there.
        assert event["ending"] == ("unreachable" if make is launching else "missing")
        text = rf"led to {flyte_default.endpoint} .* leads to {other.endpoint} now, where Flyte has no such run"
        with pytest.raises(FlyteUnreachable, match=text):
            task.resume(event, **kwargs_of(deferred))


async def test_an_abort_that_another_flyte_cannot_do(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    trigger = made_again(deferral(launching()).trigger)
    lines = lines_of(trigger)
    with LocalFlyte() as other:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(other))
        await kill_deferred.abort(trigger, "the task was cleared")
    assert f"was launched at {flyte_default.endpoint} and may still be running there; abort it there" in lines[-1]


# -- a name that is another one each time


@pytest.fixture
def rendering() -> Callable[[Driven], None]:
    """Renders the operator's ``run_name`` anew, as Airflow does before each leg of a try."""
    numbers = itertools.count()

    def render(driven: Driven) -> None:
        driven.task.run_name = f"now-{next(numbers)}"

    return render


def test_a_resumed_task_never_launches(flyte_default: LocalFlyte, rendering: Any) -> None:
    """``dag.test()`` loses the arguments of the resumption, a trigger that fails the event too."""
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task = launching()
    rendering(task)
    event = event_of_moved(flyte_default, deferral(task))
    ways: list[Callable[[], Any]] = [
        lambda: task.resume(event),
        lambda: task.fail("Trigger failure"),
        lambda: task.resume(event, **settled("now-0", kind=OPERATOR, ours=True)),
    ]
    for resume in ways:
        rendering(task)
        assert name_of(resume()) == "flytesnacks/development/now-0"
    assert flyte_default.calls.count("CreateRun") == 1


@pytest.mark.parametrize("whose", ["ours", "by hand"])
@pytest.mark.parametrize("end", ["succeeds", "fails"])
def test_a_resumed_task_never_launches_though_all_but_the_event_is_lost(
    flyte_default: LocalFlyte, rendering: Any, whose: str, end: str
) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task = launching()
    rendering(task)
    if whose == "by hand":
        flyte_default.run("now-0").move("RUNNING")
    deferred = deferral(task)
    for run in flyte_default.runs():
        run.succeeds({"o0": 1}) if end == "succeeds" else run.fails()
    event = event_of(deferred.trigger)
    task.ti.xcoms.clear()
    rendering(task)
    if end == "succeeds":
        assert name_of(task.resume(event)) == "flytesnacks/development/now-0"
    else:
        with pytest.raises(FlyteRunFailed, match="now-0"):
            task.resume(event)
    assert flyte_default.calls.count("CreateRun") == (1 if whose == "ours" else 0)


@pytest.mark.parametrize("left", ["RUNNING", "SUCCEEDED", "FAILED"])
def test_a_retry_finds_the_run_by_its_annotations(flyte_default: LocalFlyte, rendering: Any, left: str) -> None:
    """The worker died, and the name renders differently in the retry."""
    flyte_default.run("by-hand").move("RUNNING")
    first = launching(deferrable=False, wait=False)
    rendering(first)
    first.run()
    [run] = [run for run in flyte_default.runs() if run.name == "now-0"]
    run.fails() if left == "FAILED" else run.succeeds({"o0": 1}) if left == "SUCCEEDED" else run.phases(
        "RUNNING", "RUNNING", every=0.3
    ).succeeds({"o0": 1})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 2}))
    retry = launching(TaskInstance(2, 1), deferrable=False, retry_as="rerun")
    lines = lines_of(retry.task)
    rendering(retry)
    value = retry.run()
    assert [line for line in lines if line.startswith("WARNING: Try 1 of this task launched Flyte run now-0, under an")]
    assert name_of(value) == f"flytesnacks/development/{'now-1-2' if left == 'FAILED' else 'now-0'}"
    assert flyte_default.calls.count("CreateRun") == (2 if left == "FAILED" else 1)


@pytest.mark.parametrize("kept", ["run_after", "logical_date"])
def test_a_retry_finds_it_after_a_reset_hours_later(flyte_default: LocalFlyte, rendering: Any, kept: str) -> None:
    """Setting a DAG run to queued gives it another start."""
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.3).succeeds({"o0": 1}))
    dag_run = DagRun(trace="a" * 32)
    setattr(dag_run, kept, dag_run.start_date - timedelta(seconds=1))
    task = launching(deferrable=False, wait=False)
    first, retry = (Driven(task.task, TaskInstance(number, 1), dag_run) for number in (1, 2))
    rendering(first)
    first.run()
    dag_run.start_date += timedelta(hours=3)
    rendering(retry)
    # On 2.11 with SQLite nothing tells such a reset from a DAG run that was made again.
    logged = int(version("apache-airflow").split(".")[0]) >= 3
    assert name_of(retry.run()) == f"flytesnacks/development/{'now-0' if logged else 'now-1-2'}"
    assert flyte_default.calls.count("CreateRun") == (1 if logged else 2)


def test_a_retry_under_a_stable_name_seeks_nothing(flyte_default: LocalFlyte) -> None:
    flyte_default.on_launch(lambda run: run.fails())
    with pytest.raises(FlyteRunFailed):
        launching(run_name="nightly").run()
    flyte_default.calls.clear()
    launching(TaskInstance(2, 1), run_name="nightly", wait=False).run()
    # At the beginning, right before CreateRun, and for what an earlier process has launched meanwhile.
    assert [call.request.WhichOneof("scope_by") for call in flyte_default.calls("ListRuns")] == ["project_id"] * 3


def test_a_backend_that_does_not_list_a_tasks_runs(flyte_default: LocalFlyte, rendering: Any) -> None:
    flyte_default.inject(
        "ListRuns", status("UNIMPLEMENTED", "no"), when=lambda request, _: request.WhichOneof("scope_by") == "task_name"
    )
    retry = launching(TaskInstance(2, 1), wait=False)
    lines = lines_of(retry.task)
    rendering(retry)
    retry.run()
    assert [line for line in lines if "Give the same run_name in each try" in line]
    assert flyte_default.calls.count("CreateRun") == 1


def test_a_retry_that_finds_no_run_logs_where_it_searched(flyte_default: LocalFlyte) -> None:
    retry = launching(TaskInstance(2, 1), wait=False)
    lines = lines_of(retry.task)
    retry.run()
    assert [
        line for line in lines if "No earlier try of this task has a run in Flyte project flytesnacks, domain" in line
    ]


def event_of_moved(flyte: LocalFlyte, deferred: TaskDeferred) -> Any:
    """The event of a trigger whose run succeeds."""
    for run in flyte.runs():
        run.succeeds({"o0": 1})
    return event_of(deferred.trigger)


def test_a_sensor_waits_for_the_run_that_it_began_with(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING")
    task = waiting()
    event = event_of_moved(flyte_default, deferral(task))
    task.task.run_name = None  # the upstream task was cleared, and with it its XCom
    assert name_of(task.resume(event)) == "flytesnacks/development/r1"


def test_a_sensor_in_a_task_loop_takes_no_other_iterations_run(flyte_default: LocalFlyte) -> None:
    """They share one XCom; the context is made up after the documentation of Airflow 3.4."""
    flyte_default.run("r1").succeeds({"o0": 1})
    flyte_default.run("r2").succeeds({"o0": 1})
    task = waiting(run_name="r2")
    task.ti.xcoms[XCOM_KEY] = settled("r1")
    event = RunEvent(Ending.SUCCEEDED, "r2").to_payload()
    assert name_of(task.resume(event)) == "flytesnacks/development/r1"
    again = waiting(run_name="r2")
    again.ti.xcoms[XCOM_KEY] = settled("r1")
    again.context["loop"] = SimpleNamespace(index=1, max_iterations=2)
    assert name_of(again.resume(event)) == "flytesnacks/development/r2"


@pytest.mark.parametrize(("before", "after"), [(["r1", "r2"], "r1"), ("r1", ["r1", "r2"]), (["r1"], "r1")])
def test_a_dag_that_is_edited_meanwhile_changes_nothing(flyte_default: LocalFlyte, before: Any, after: Any) -> None:
    def named(names: Any) -> Driven:
        one = isinstance(names, str)
        return waiting(run_name=names if one else None, run_names=None if one else names)

    for name in ("r1", "r2"):
        flyte_default.run(name).move("RUNNING")
    deferred = deferral(named(before))
    event = event_of_moved(flyte_default, deferred)
    value = json.dumps(named(after).resume(event, **kwargs_of(deferred)))
    assert [name for name in ("r1", "r2") if f'"{name}"' in value] == list(kwargs_of(deferred)["run_names"])


# -- another try


@pytest.mark.parametrize("how", ["kept", "failed trigger"])
def test_an_operators_retry_that_airflow_resumes_starts_anew(flyte_default: LocalFlyte, how: str) -> None:
    """Airflow 3.0 gives the retry what the failed try has deferred with; after a trigger's failure that too."""
    flyte_default.on_launch(lambda run: run.fails(message="no rows"))
    first = launching()
    deferred = deferral(launching_while_running(flyte_default, first))
    event = event_of(deferred.trigger)
    with pytest.raises(FlyteRunFailed, match="no rows"):
        first.resume(event, **kwargs_of(deferred))
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 2}))
    retry = launching(next_try(first.ti))
    value = retry.resume(event, **kwargs_of(deferred)) if how == "kept" else retry.fail("Trigger failure")
    assert value["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    assert len(flyte_default.runs()) == 2
    assert retry.ti.xcoms["o0"] == 2


def launching_while_running(flyte: LocalFlyte, task: Driven) -> Driven:
    """A try whose run fails only after it has deferred."""
    flyte.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.5).fails(message="no rows"))
    return task


def next_try(ti: TaskInstance) -> TaskInstance:
    """Of a task instance whose XCom Airflow has not cleared, because it takes the try for a resumption."""
    following = TaskInstance(ti.try_number + 1, ti.max_tries)
    following.xcoms = dict(ti.xcoms)
    return following


def test_a_reset_task_that_resumes_waits_for_what_goes_on(flyte_default: LocalFlyte) -> None:
    """Airflow 2.11: the scheduler resets a task that it lost while it resumed, and counts a try."""
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    first = launching()
    deferred = deferral(first)
    [run] = flyte_default.runs()
    again = launching(next_try(first.ti))
    with pytest.raises(TaskDeferred) as second:
        again.resume(RunEvent(Ending.UNREACHABLE, run.name).to_payload(), **kwargs_of(deferred))
    assert kwargs_of(second.value)["try_number"] == 2
    assert second.value.trigger.run_name == run.name
    assert flyte_default.calls.count("CreateRun") == 1


@pytest.mark.parametrize("ending", [Ending.TIMED_OUT, Ending.MISSING, Ending.CRASHED, Ending.TASK_TIMED_OUT])
def test_a_sensors_retry_that_airflow_resumes_starts_anew(flyte_default: LocalFlyte, ending: Ending) -> None:
    flyte_default.run("r1").move("RUNNING")
    task = waiting(TaskInstance(2, 1), timeout=100)
    event = RunEvent(ending, "r1", missing=1).to_payload()
    with pytest.raises(TaskDeferred) as again:
        task.resume(event, **settled("r1", began=1.0, deadline=2.0, execution_deadline=2.0))
    assert kwargs_of(again.value)["try_number"] == 2
    assert again.value.trigger.deadline == kwargs_of(again.value)["began"] + 100
    assert again.value.trigger.execution_deadline is None


def test_a_sensors_retry_searches_for_its_run_anew(flyte_default: LocalFlyte) -> None:
    """One that was missing may be there by now, and what is missing is so only after this try's own grace."""
    task = waiting(TaskInstance(2, 1), missing_after=0.2)
    task.ti.xcoms[XCOM_KEY] = settled("r1", began=1.0, deadline=2.0)
    with pytest.raises(FlyteRunMissing):
        task.go_on(deferral_of_failure(task))


def deferral_of_failure(task: Driven) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        task.fail("Trigger failure")
    return deferred.value


# -- how it is kept


def test_what_is_kept_is_json_and_no_secret(flyte_default: LocalFlyte) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task = launching(env_vars={"PASSWORD": "correct-horse"})
    deferred = deferral(task)
    assert json.loads(json.dumps(kwargs_of(deferred))) == task.ti.xcoms[XCOM_KEY] == kwargs_of(deferred)
    assert "correct-horse" not in json.dumps(kwargs_of(deferred))


def test_an_xcom_backend_that_fails_does_not_end_the_task(flyte_default: LocalFlyte) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task = launching()
    lines = lines_of(task.task)

    def refuses(**arguments: Any) -> None:
        raise OSError("no bucket")

    task.ti.xcom_push = refuses  # type: ignore[method-assign, assignment]
    task.ti.xcom_pull = refuses  # type: ignore[method-assign, assignment]
    deferred = deferral(task)
    event = event_of_moved(flyte_default, deferred)
    for kwargs in (kwargs_of(deferred), {}):
        task.task.do_xcom_push = False
        assert task.resume(event, **kwargs)["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    assert [line for line in lines if "no bucket" in line and line.startswith("WARNING: XCom did not take what")]
    assert isinstance(deferred.trigger, FlyteLaunchedRunTrigger)


# -- a DAG that was edited meanwhile: a sensor became an operator, or the other way round


@pytest.mark.parametrize("names", [{"run_name": "r1"}, {"run_names": ["r1", "r2"]}], ids=["one", "several"])
@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_an_operator_takes_no_run_that_a_sensor_waited_for(
    flyte_default: LocalFlyte, names: dict[str, Any], lost: bool
) -> None:
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    for name in ("r1", "r2"):
        flyte_default.run(name).move("RUNNING")
    was = waiting(**{"run_name": None} | names)
    deferred = deferral(was)
    for name in ("r1", "r2"):
        flyte_default.run(name).succeeds({"o0": 0})
    event = event_of(deferred.trigger)
    task = launching(was.ti)
    task.ti.task_id = was.task.task_id
    lines = lines_of(task.task)
    assert name_of(task.resume(event, **({} if lost else kwargs_of(deferred)))).rpartition("/")[2].startswith("af-")
    [line] = [line for line in lines if "The DAG was edited" in line]
    assert "it was a FlyteRunSensor, which was to wait for r1" in line
    assert "is a FlyteRunOperator now. So this try begins from the start." in line


@pytest.mark.parametrize("reached", [True, False], ids=["launched", "not launched"])
def test_a_sensor_takes_no_run_that_an_operator_waited_for(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, reached: bool
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.launch.launching.BRIEFLY", 0.2)
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    if not reached:
        flyte_default.inject("ListRuns", status("UNAVAILABLE", "no route"))
    was = launching(unreachable_after=60.0)
    deferred = deferral(was)
    flyte_default.clear_faults()
    flyte_default.run("r1").succeeds()
    task = waiting(was.ti)
    lines = lines_of(task.task)
    assert name_of(task.resume(RunEvent(Ending.MISSING, "af-1").to_payload(), **kwargs_of(deferred))).endswith("/r1")
    [line] = [line for line in lines if "The DAG was edited" in line]
    assert "it was a FlyteRunOperator" in line
    assert "A run that was launched is not aborted" in line


# -- Flyte is reached from one of the two alone


@pytest.mark.parametrize("make", [launching, waiting])
def test_flyte_answers_the_worker_and_not_the_triggerer(flyte_default: LocalFlyte, make: Any) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    flyte_default.run("r1").move("RUNNING")
    task = make(unreachable_after=60.0)
    deferred = deferral(task)
    lines = lines_of(task.task)
    event = RunEvent(Ending.UNREACHABLE, deferred.trigger.run_name, message="no route").to_payload()
    with pytest.raises(TaskDeferred):
        task.resume(event, **kwargs_of(deferred))
    [line] = [line for line in lines if "gave the triggerer no usable answer" in line]
    assert line.startswith("WARNING: Flyte answers this worker")
    assert line.endswith("no route")


@pytest.mark.parametrize("ended", [True, False], ids=["after unreachable_after", "before"])
@pytest.mark.parametrize("make", [launching, waiting])
def test_flyte_answers_the_triggerer_and_not_the_worker(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, make: Any, ended: bool
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.PATIENTLY", 0.2)
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    flyte_default.run("r1").move("RUNNING")
    task = make(unreachable_after=0.0 if ended else 60.0)
    deferred = deferral(task)
    flyte_default.inject("*", status("UNAVAILABLE", "no route"))
    event = RunEvent(Ending.SUCCEEDED, "r1", 5).to_payload()
    text = (
        "Flyte answered the triggerer, which reported that run r1 has succeeded, and this worker got no usable answer"
    )
    with pytest.raises(FlyteUnreachable, match=f"{text}.*no route"):
        task.resume(event, **kwargs_of(deferred))


@pytest.mark.parametrize("make", [launching, waiting])
def test_a_connection_that_the_triggerer_alone_cannot_use_ends_the_wait(flyte_default: LocalFlyte, make: Any) -> None:
    """Deferred again, it would be back after ten seconds, and so on."""
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    flyte_default.run("r1").move("RUNNING")
    task = make()
    deferred = deferral(task)
    event = RunEvent(Ending.NO_CONNECTION, "r1", message="no file /etc/flyte/ca.pem").to_payload()
    text = r"The triggerer could not use the Airflow connection, which this worker can use\. .*/runs/.* no file /etc/fl"
    with pytest.raises(FlyteConfigurationError, match=text):
        task.resume(event, **kwargs_of(deferred))
