"""FlyteRunOperator on a worker and deferred: launching, attaching, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import airflow
import pytest

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.compat import AirflowFailException, AirflowTaskTimeout, TaskDeferred
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteLaunchUncertain,
    FlyteRunAborted,
    FlyteRunFailed,
    FlyteRunStuck,
    FlyteRunTaken,
    FlyteRunTimedOut,
    FlyteTaskKilled,
    FlyteTaskMissing,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.report.redaction import HiddenValues
from airflow_provider_flyte.testing import LocalFlyte, lost_answer, unavailable
from airflow_provider_flyte.tries.kill import Stopping
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.resumption import OPERATOR
from tests.support.driving import DagRun, Driven, TaskInstance, event_of, kwargs_of, settled

pytestmark = pytest.mark.one_transport("connect")

Make = Callable[..., Driven]


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def operator(request: pytest.FixtureRequest, flyte_default: LocalFlyte) -> Make:
    """Makes one try of an operator, of the first try by default."""
    flyte_default.deploy("demo.train", inputs={"rows": int, "rate": (float, 0.5)}, outputs={"o0": int})
    made = DagRun()

    def make(number: int = 1, max_tries: int = 0, dag_run: DagRun | None = None, **arguments: Any) -> Driven:
        defaults: dict[str, Any] = {
            "task_id": "train",
            "task_name": "demo.train",
            "inputs": {"rows": 3},
            "deferrable": request.param,
            "poll_interval": 0.1,
            "resume_after": 0,
            "unreachable_after": 1.0,
            "launch_unreachable_after": 1.0,
        }
        return Driven(FlyteRunOperator(**defaults | arguments), TaskInstance(number, max_tries), dag_run or made)

    return make


def phase(value: Any) -> str:
    return str(value["action"]["status"]["phase"]).removeprefix("ACTION_PHASE_")


def test_launch_wait_and_hand_on(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 2**60}))
    task = operator(labels={"team": "a"}, env_vars={"PASSWORD": "correct-horse"})
    value = task.run()
    [run] = flyte_default.runs()
    assert phase(value) == "SUCCEEDED"
    assert (run.name[:3], run.enqueued) == ("af-", 1)
    with FlyteHook().get_client():
        assert RunDetails.get(run.name).inputs() == {"rows": 3, "rate": 0.5}
    assert task.ti.xcoms["outputs"] == {"o0": 2**60}
    assert task.ti.xcoms["o0"] == 2**60
    assert task.ti.xcoms["_link_FlyteRunLink"].endswith(f"/runs/{run.name}")
    assert "correct-horse" not in json.dumps(
        [value, task.events, [each.trigger.serialize() for each in task.deferrals]]
    )
    annotations = dict(run.run_spec.annotations.values)
    assert annotations["airflow.apache.org/dag_id"] == "sales"
    assert annotations["airflow.apache.org/try_number"] == "1"
    # OpenLineage is not installed here; with it, tests/lineage.
    assert [key for key in annotations if not key.startswith("airflow.apache.org/")] == []


def test_without_waiting(flyte_default: LocalFlyte, operator: Make) -> None:
    task = operator(wait=False)
    value = task.run()
    assert phase(value) == "QUEUED"
    assert task.deferrals == []


@pytest.mark.parametrize("then", ["goes on", "is over"])
def test_a_try_that_starts_again_finds_its_run(flyte_default: LocalFlyte, operator: Make, then: str) -> None:
    """The worker crashed after the launch."""
    operator(wait=False).run()
    [run] = flyte_default.runs()
    if then == "is over":
        run.succeeds({"o0": 1})
    else:
        run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 1})
    task = operator()
    assert phase(task.run()) == "SUCCEEDED"
    assert len(flyte_default.runs()) == 1
    assert flyte_default.calls.count("CreateRun") == 1
    assert task.ti.xcoms["o0"] == 1


def test_a_retry_after_a_failure_launches_anew(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.fails(kind="SYSTEM", message="node lost"))
    words = r"FAILED \(SYSTEM error\): node lost\n.*a retry, if there is one, launches another run"
    with pytest.raises(FlyteRunFailed, match=words) as failed:
        operator(1, 1).run()
    assert not isinstance(failed.value, AirflowFailException)
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    assert phase(operator(2, 1).run()) == "SUCCEEDED"
    assert len(flyte_default.runs()) == 2


@pytest.mark.parametrize("retry_as", ["rerun", "recover"])
def test_a_retry_may_repeat_the_run_before(flyte_default: LocalFlyte, operator: Make, retry_as: str) -> None:
    flyte_default.on_launch(lambda run: run.fails())
    with pytest.raises(FlyteRunFailed):
        operator(1, 1, retry_as=retry_as).run()
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    forced = {"force_rerun_actions": ["a3"]} if retry_as == "recover" else {}
    operator(2, 1, retry_as=retry_as, **forced).run()
    first, second = flyte_default.runs()
    assert list(second.run_spec.recover.force_rerun_actions) == forced.get("force_rerun_actions", [])
    assert second.run_spec.relation.related_to.name == first.name
    assert not first.run_spec.HasField("relation")


def test_what_a_first_try_of_a_task_that_recovers_launches(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(retry_as="recover", force_rerun_actions=["a3"], wait=False).run()
    [run] = flyte_default.runs()
    assert not run.run_spec.HasField("relation")
    assert not run.run_spec.HasField("recover")


def test_the_settings_of_a_run(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(
        wait=False,
        cache_lookup_scope="project-domain",
        run_base_dir="s3://bucket/runs",
        notifications=[{"on_phase": "FAILED", "webhook": {"url": "https://example.com/hook"}}],
    ).run()
    operator(2, 2, wait=False, run_name="other", notification_rule="oncall").run()
    first, second = (run.run_spec for run in flyte_default.runs())
    assert (first.cache_config.cache_lookup_scope, first.run_base_dir) == (2, "s3://bucket/runs")
    assert [rule.delivery_template.webhook.url for rule in first.notification_rules.rules] == [
        "https://example.com/hook"
    ]
    assert second.notification_rule_name == "oncall"


def test_a_retry_attaches_to_what_goes_on(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(1, 1, wait=False).run()
    [run] = flyte_default.runs()
    run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 1})
    value = operator(2, 1).run()
    assert value["action"]["id"]["run"]["name"] == run.name
    assert len(flyte_default.runs()) == 1


def test_past_the_budget_the_last_run_is_the_answer(flyte_default: LocalFlyte, operator: Make) -> None:
    """A scheduler that resets an orphan adds a try without a failure."""
    flyte_default.on_launch(lambda run: run.fails(message="no rows"))
    for number in (1, 2):
        with pytest.raises(FlyteRunFailed, match="no rows"):
            operator(number, 0).run()
    assert len(flyte_default.runs()) == 1


def test_an_orphan_that_the_scheduler_reset_attaches(flyte_default: LocalFlyte, operator: Make) -> None:
    """A try more than the budget has, without a failure: the run goes on."""
    operator(1, 0, wait=False).run()
    [run] = flyte_default.runs()
    run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 1})
    assert phase(operator(2, 0).run()) == "SUCCEEDED"
    assert flyte_default.calls.count("CreateRun") == 1
    assert flyte_default.calls("AbortRun") == []


@pytest.mark.parametrize(("cleared_to", "left"), [(3, "SUCCEEDED"), (4, "SUCCEEDED"), (4, "RUNNING")])
def test_a_task_that_is_cleared_after_its_retries_were_raised(
    flyte_default: LocalFlyte, operator: Make, cleared_to: int, left: str
) -> None:
    """Try 1 of a task with one retry; Airflow then allows the tries so far and the new ``retries``."""
    operator(1, 1, wait=False).run()
    [first] = flyte_default.runs()
    first.move(left)
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    assert phase(operator(2, cleared_to).run()) == "SUCCEEDED"
    assert len(flyte_default.runs()) == 2
    assert first.phase == (RunPhase.ABORTED if left == "RUNNING" else RunPhase[left])


def test_a_retry_under_an_explicit_name(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.fails(kind="SYSTEM"))
    with pytest.raises(FlyteRunFailed):
        operator(1, 1, run_name="nightly").run()
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    assert phase(operator(2, 1, run_name="nightly").run()) == "SUCCEEDED"
    assert [run.name for run in flyte_default.runs()] == ["nightly", "nightly-2"]


def test_a_cleared_task_starts_anew_and_ends_what_was_left(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(1, 0, wait=False).run()
    [left] = flyte_default.runs()
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    assert phase(operator(2, 1).run()) == "SUCCEEDED"
    assert left.phase == RunPhase.ABORTED
    assert len(flyte_default.runs()) == 2
    [call] = flyte_default.calls("AbortRun")
    assert call.request.reason == "Airflow: sales.train in manual__1: the task was cleared and starts anew"


def test_a_dag_run_that_was_made_again_does_not_take_the_old_runs(
    flyte_default: LocalFlyte, operator: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow, "__version__", "3.3.2")
    old, new = DagRun(trace="a" * 32), DagRun(trace="b" * 32)
    for name in (None, "nightly"):
        operator(1, 1, dag_run=old, run_name=name, wait=False).run()
    theirs = flyte_default.runs()[0]
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 2}))
    task = operator(1, 1, dag_run=new)
    first = task.run()
    assert phase(first) == "SUCCEEDED"
    assert operator(2, 1, dag_run=new).run() == first
    assert len(flyte_default.runs()) == 3
    assert theirs.phase == RunPhase.QUEUED
    with pytest.raises(FlyteRunTaken, match="Trigger the DAG under another run id with another run_name"):
        operator(1, 1, dag_run=new, run_name="nightly").run()
    assert len(flyte_default.runs()) == 3


def test_a_dag_run_that_is_set_to_queued_keeps_its_run(
    flyte_default: LocalFlyte, operator: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets another start, and counts no clear."""
    monkeypatch.setattr(airflow, "__version__", "3.3.2")
    before, after = DagRun(trace="a" * 32), DagRun(trace="a" * 32)
    after.start_date += timedelta(hours=1)
    operator(1, 1, wait=False, dag_run=before).run()
    flyte_default.runs()[0].succeeds({"o0": 1})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 2}))
    assert phase(operator(2, 1, dag_run=after).run()) == "SUCCEEDED"
    assert len(flyte_default.runs()) == 1


@pytest.mark.parametrize("traces", [(None, None), ("a" * 32, "b" * 32), ("a" * 32, "a" * 32)])
def test_where_nothing_shows_a_reset_the_next_try_starts_anew(
    flyte_default: LocalFlyte, operator: Make, monkeypatch: pytest.MonkeyPatch, traces: tuple[str | None, str | None]
) -> None:
    """Before 3.3 a trace tells nothing: a DAG run that is set to queued may begin another one."""
    monkeypatch.setattr(airflow, "__version__", "3.2.1")
    before, after = (DagRun(trace) for trace in traces)
    after.start_date += timedelta(hours=1)
    operator(1, 1, wait=False, dag_run=before).run()
    [first] = flyte_default.runs()
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    assert phase(operator(2, 1, dag_run=after).run()) == "SUCCEEDED"
    assert len(flyte_default.runs()) == 2
    assert first.phase == RunPhase.ABORTED


def test_another_task_instance_in_its_place_has_a_run_of_its_own(flyte_default: LocalFlyte, operator: Make) -> None:
    """Airflow 3: that of a DAG run which was made again has another id, though nothing else may tell."""
    made = DagRun()
    for runs, attempt in enumerate(("a", "b"), start=1):
        task = operator(wait=False, dag_run=made)
        task.ti.id = attempt
        task.run()
        assert len(flyte_default.runs()) == runs


def test_operators_inside_one_task_have_a_run_each(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    outer = TaskInstance()
    values = []
    for name, rows in [("fit", 1), ("score", 2)]:
        task = operator(task_id=name, inputs={"rows": rows})
        task.ti = task.context["ti"] = outer
        values.append(task.run())
        # The outer task could not resume it.
        assert task.deferrals == []
    assert values[0] != values[1]
    assert [run.inputs["rows"].scalar.primitive.integer for run in flyte_default.runs()] == [1, 2]
    again = operator(task_id="score", inputs={"rows": 3})
    again.context["ti"] = outer
    with pytest.raises(FlyteArgumentError, match="executed a second time in one try of task 'train'"):
        again.run()
    assert len(flyte_default.runs()) == 2


def in_loop(task: Driven, loop: Any) -> Driven:
    """Airflow 3.4 runs it several times under one map index; the context is made up after its documentation."""
    task.context["loop"] = loop
    return task


def test_each_iteration_of_a_task_loop_has_a_run(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.fails())
    first, second = (SimpleNamespace(index=index, max_iterations=5) for index in range(2))
    for loop in (first, second):
        with pytest.raises(FlyteRunFailed):
            in_loop(operator(1, 1, retry_as="rerun"), loop).run()
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.1).succeeds({"o0": 1}))
    for _ in range(2):
        # The second time its run exists.
        in_loop(operator(2, 1, retry_as="rerun"), first).run()
    runs = flyte_default.runs()
    assert [run.run_spec.annotations.values["airflow.apache.org/iteration"] for run in runs] == ["0", "1", "0"]
    assert [run.run_spec.relation.related_to.name for run in runs] == ["", "", runs[0].name]


@pytest.mark.parametrize("loop", [7, {"index": 1}, SimpleNamespace(index=None), SimpleNamespace(index=True)], ids=str)
def test_a_task_loop_that_is_not_known_launches_nothing(flyte_default: LocalFlyte, operator: Make, loop: Any) -> None:
    with pytest.raises(FlyteArgumentError, match=r"'train' is in a task loop, and which iteration .* cannot be read"):
        in_loop(operator(), loop).run()
    assert flyte_default.runs() == []


def test_a_cleared_dag_run_is_still_the_same(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(1, 0, wait=False).run()
    cleared = DagRun()
    cleared.clear_number = 1
    cleared.start_date += timedelta(hours=1)
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    assert phase(operator(2, 1, dag_run=cleared).run()) == "SUCCEEDED"


def test_a_clear_with_fewer_retries_starts_anew(flyte_default: LocalFlyte, operator: Make) -> None:
    """Airflow then sets the same max_tries again: tries so far and retries."""
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    operator(1, 1, retries=1).run()
    cleared = DagRun()
    cleared.clear_number = 1
    operator(2, 1, dag_run=cleared, retries=0).run()
    assert len(flyte_default.runs()) == 2
    # Another task of the DAG run was cleared, and this one's worker died.
    twice = DagRun()
    twice.clear_number, twice.start_date = 2, cleared.start_date
    operator(3, 3, dag_run=cleared, retries=1).run()
    operator(4, 3, dag_run=twice, retries=1).run()
    assert len(flyte_default.runs()) == 3


def test_an_explicit_name_is_attach_or_create(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.run("nightly").phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 1})
    task = operator(run_name="nightly")
    assert phase(task.run()) == "SUCCEEDED"
    assert flyte_default.calls("CreateRun") == []
    with pytest.raises(FlyteArgumentError, match="Shorten it to 28"):
        operator(1, 1, run_name="n" * 30).run()


def test_mapped_tasks_have_runs_of_their_own(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    for index in range(3):
        task = operator()
        task.ti.map_index = index
        task.run()
    assert len({run.name for run in flyte_default.runs()}) == 3


# -- what cannot be launched


def test_inputs_that_do_not_fit(flyte_default: LocalFlyte, operator: Make) -> None:
    with pytest.raises(FlyteArgumentError, match=r"rows must be int.*render_template_as_native_obj=True"):
        operator(inputs={"rows": "3"}).run()
    with pytest.raises(FlyteArgumentError, match="'row' is no input of it, did you mean rows"):
        operator(inputs={"row": 3}).run()
    assert flyte_default.runs() == []


def test_a_task_that_is_not_deployed(flyte_default: LocalFlyte, operator: Make) -> None:
    with pytest.raises(FlyteTaskMissing, match=r"v1") as missing:
        operator(version="v7").run()
    assert not isinstance(missing.value, AirflowFailException)
    assert flyte_default.runs() == []


def test_by_a_trigger_of_flytes(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.deploy_trigger("nightly", task="demo.train", inputs={"rows": 3, "rate": 0.25})
    operator(trigger_name="nightly", inputs={"rows": 4}, wait=False).run()
    with FlyteHook().get_client():
        assert RunDetails.get(flyte_default.runs()[0].name).inputs() == {"rows": 4, "rate": 0.25}
    with pytest.raises(FlyteTaskMissing, match="Did you mean nightly"):
        operator(2, 2, trigger_name="nightlly").run()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"task_name": " "}, "task_name"),
        ({"retry_as": "again"}, "'new', 'rerun', 'recover'"),
        ({"fail_fast_on": "system"}, "'user', None"),
        ({"queued_timeout": -1}, "queued_timeout"),
        ({"run_name": "No!"}, "run_name"),
        ({"inputs": [1]}, "inputs"),
        ({"env_vars": [("TOKEN", "correct-horse")]}, "env_vars"),
        ({"env_vars": HiddenValues("{{ a text }}")}, "env_vars is a str"),
        ({"log_lines": "50"}, "log_lines"),
    ],
)
def test_bad_arguments(flyte_default: LocalFlyte, operator: Make, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(FlyteArgumentError, match=says):
        operator(**arguments).run()
    assert flyte_default.runs() == []


def test_flyte_cannot_be_reached(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.inject("ListRuns", unavailable("try later"))
    with pytest.raises(FlyteUnreachable, match=r"Nothing is launched, because.*\(af-\w+\).*try later"):
        operator().run()
    assert flyte_default.runs() == []


def test_a_short_outage_at_the_launch_is_waited_through(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    flyte_default.inject("CreateRun", unavailable(times=1))
    flyte_default.inject("ListRuns", unavailable(times=2))
    assert phase(operator(unreachable_after=30).run()) == "SUCCEEDED"
    assert [run.enqueued for run in flyte_default.runs()] == [1]


def test_a_run_whose_answer_was_lost_is_searched_for(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    flyte_default.inject("CreateRun", lost_answer(times=1))
    assert phase(operator().run()) == "SUCCEEDED"
    assert [run.enqueued for run in flyte_default.runs()] == [1]


def test_a_launch_that_nobody_knows_of(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: flyte_default.inject("ListRuns", unavailable()))
    flyte_default.inject("CreateRun", lost_answer(times=1))
    with pytest.raises(FlyteLaunchUncertain, match="a retry finds it"):
        operator().run()
    flyte_default.clear_faults()
    flyte_default.runs()[0].succeeds({"o0": 1})
    assert phase(operator().run()) == "SUCCEEDED"
    assert [run.enqueued for run in flyte_default.runs()] == [1]


# -- how it ends


@pytest.mark.parametrize(
    ("how", "error"),
    [("fails", FlyteRunFailed), ("aborts", FlyteRunAborted), ("times_out", FlyteRunTimedOut)],
)
def test_each_way_to_fail(flyte_default: LocalFlyte, operator: Make, how: str, error: type[Exception]) -> None:
    flyte_default.on_launch(lambda run: getattr(run, how)())
    task = operator()
    with pytest.raises(error) as failed:
        task.run()
    assert not isinstance(failed.value, AirflowFailException)
    assert phase(task.ti.xcoms["return_value"]) in ("FAILED", "ABORTED", "TIMED_OUT")


@pytest.mark.parametrize(("kind", "for_good"), [("USER", True), ("SYSTEM", False)])
def test_fail_fast_on_user(flyte_default: LocalFlyte, operator: Make, kind: Any, for_good: bool) -> None:
    flyte_default.on_launch(lambda run: run.fails(kind=kind, message="no rows"))
    with pytest.raises(FlyteRunFailed) as failed:
        operator(fail_fast_on="user").run()
    assert isinstance(failed.value, AirflowFailException) is for_good


def test_the_end_of_the_log_of_a_failed_attempt(
    flyte_default: LocalFlyte, operator: Make, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    flyte_default.on_launch(lambda run: run.logs("reading rows", "Traceback: no rows").fails(message="no rows"))
    with pytest.raises(FlyteRunFailed):
        operator().run()
    assert "Traceback: no rows" in caplog.text + capsys.readouterr().out


def test_unreachable_while_waiting(flyte_default: LocalFlyte, operator: Make) -> None:
    task = operator()

    def script(run: Any) -> None:
        run.move("RUNNING")
        for method in ("GetRunDetails", "ListRuns", "WatchRuns"):
            flyte_default.inject(method, unavailable("gone"))

    flyte_default.on_launch(script)
    with pytest.raises(FlyteUnreachable, match=r"state .* is not known") as lost:
        task.run()
    assert lost.value.run == flyte_default.runs()[0].name
    assert flyte_default.calls("AbortRun") == []


def test_outputs_that_are_too_large(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.deploy("demo.words", outputs={"o0": str, "o1": int})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": "x" * 200_000, "o1": 7}))
    task = operator(task_name="demo.words", inputs=None)
    task.run()
    assert task.ti.xcoms["o1"] == 7
    assert task.ti.xcoms["o0"]["type"] == "too_large"
    assert task.ti.xcoms["o0"]["uri"]
    assert task.ti.xcoms["outputs"] == {"o0": task.ti.xcoms["o0"], "o1": 7}


def test_outputs_that_are_too_large_together(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.deploy("demo.words", outputs={"o0": str, "o1": str})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": "x" * 60_000, "o1": "y" * 60_000}))
    task = operator(task_name="demo.words", inputs=None)
    task.run()
    assert [len(task.ti.xcoms[name]) for name in ("o0", "o1")] == [60_000, 60_000]
    assert task.ti.xcoms["outputs"]["type"] == "too_large"
    assert task.ti.xcoms["outputs"]["uri"]


def test_a_run_that_never_leaves_its_queue(flyte_default: LocalFlyte, operator: Make) -> None:
    with pytest.raises(FlyteRunStuck, match=r"did not leave its queue in 0.3 s.*is now aborted"):
        operator(queued_timeout=0.3).run()
    [run] = flyte_default.runs()
    assert run.phase == RunPhase.ABORTED


def test_a_run_that_left_its_queue_is_waited_for(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", "RUNNING", every=0.3).succeeds({"o0": 1}))
    task = operator(queued_timeout=0.5)
    assert phase(task.run()) == "SUCCEEDED"
    assert [event["ending"] for event in task.events] in ([], ["queued", "succeeded"])
    assert flyte_default.calls("AbortRun") == []


@pytest.mark.parametrize("aborted", [False, True])
def test_the_tasks_own_timeout(
    flyte_default: LocalFlyte, operator: Make, aborted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a worker Airflow raises it; deferred, the trigger tells."""
    task = operator(execution_timeout=timedelta(seconds=1), abort_on_timeout=aborted)
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    if not task.task.deferrable:
        monkeypatch.setattr(Stopping, "sleep", lambda *args: (_ for _ in ()).throw(AirflowTaskTimeout("Timeout")))
    with pytest.raises(AirflowTaskTimeout):
        task.run()
    assert len(flyte_default.calls("AbortRun")) == aborted


def test_the_trigger_aborts_at_the_timeout_by_itself(flyte_default: LocalFlyte, operator: Make) -> None:
    """Airflow 2.11 fails a task that resumes past its execution_timeout before calling it."""
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task = operator(deferrable=True, execution_timeout=timedelta(seconds=0.5), abort_on_timeout=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.task.execute(task.context)
    assert event_of(deferred.value.trigger)["ending"] == "task_timed_out"
    [call] = flyte_default.calls("AbortRun")
    assert call.request.reason == "Airflow: sales.train in manual__1: execution_timeout has passed"


def test_an_outage_at_the_check_of_the_queue_is_no_busy_loop(
    flyte_default: LocalFlyte, operator: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("launch.launching", "wait.task_wait"):
        monkeypatch.setattr(f"airflow_provider_flyte.{module}.BRIEFLY", 0.2)
    task = operator(deferrable=True, queued_timeout=0.1, unreachable_after=60)
    with pytest.raises(TaskDeferred) as deferred:
        task.task.execute(task.context)
    event = event_of(deferred.value.trigger)
    assert event["ending"] == "queued"
    flyte_default.inject("*", unavailable())
    with pytest.raises(TaskDeferred) as again:
        task.resume(event, **kwargs_of(deferred.value))
    # Until then the trigger counts the trouble.
    assert again.value.trigger.queued_deadline > time.time() + 30
    assert kwargs_of(again.value)["queued_until"] == kwargs_of(deferred.value)["queued_until"]


def test_what_cannot_be_stored_does_not_hide_the_failure(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.on_launch(lambda run: run.fails(message="no rows"))
    task = operator()

    def refuses(key: str, value: Any) -> None:
        raise ValueError("too large")

    task.ti.xcom_push = refuses  # type: ignore[method-assign]
    with pytest.raises(FlyteRunFailed, match="no rows"):
        task.run()


# -- killed


@pytest.mark.parametrize(
    ("state", "aborted"),
    [("failed", True), ("success", True), ("skipped", True), ("restarting", True), ("running", False), (None, False)],
)
def test_a_kill_on_a_worker(flyte_default: LocalFlyte, operator: Make, state: str, aborted: bool) -> None:
    task = operator(deferrable=False)

    def script(run: Any) -> None:
        task.ti.state = state
        task.task.on_kill()
        run.phases("RUNNING", "RUNNING", every=0.7).succeeds({"o0": 1})

    flyte_default.on_launch(script)
    if aborted:
        with pytest.raises(FlyteTaskKilled):
            task.run()
    else:
        assert phase(task.run()) == "SUCCEEDED"
    assert len(flyte_default.calls("AbortRun")) == aborted


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "restarting"])
def test_a_kill_that_the_worker_was_not_notified_of(flyte_default: LocalFlyte, operator: Make, state: str) -> None:
    """It comes between two heartbeats, and before the next one the task defers."""
    task = operator(deferrable=True)
    flyte_default.on_launch(lambda run: setattr(task.ti, "state", state))
    with pytest.raises(FlyteTaskKilled):
        task.run()
    assert len(flyte_default.calls("AbortRun")) == 1


def kill(task: Driven, state: str) -> None:
    """Bring the task into this state in Airflow, which then asks its process to stop."""
    task.ti.state = state
    task.task.on_kill()


def test_a_kill_of_a_task_that_does_not_wait(flyte_default: LocalFlyte, operator: Make) -> None:
    task = operator(wait=False)
    flyte_default.on_launch(lambda run: kill(task, "failed"))
    with pytest.raises(FlyteTaskKilled):
        task.run()
    assert len(flyte_default.calls("AbortRun")) == 1


def test_a_cleared_task_starts_anew_whatever_the_setting(flyte_default: LocalFlyte, operator: Make) -> None:
    task = operator(deferrable=False, abort_on_kill=False)
    flyte_default.on_launch(lambda run: kill(task, "restarting"))
    with pytest.raises(FlyteTaskKilled):
        task.run()
    [run] = flyte_default.runs()
    assert run.phase == RunPhase.ABORTED


def test_after_a_kill_nothing_is_launched(flyte_default: LocalFlyte, operator: Make) -> None:
    task = operator()
    task.task.on_kill()
    with pytest.raises(FlyteTaskKilled, match="nothing is launched"):
        task.run()
    assert flyte_default.runs() == []


def test_a_kill_while_the_launch_is_on_its_way(flyte_default: LocalFlyte, operator: Make) -> None:
    """Airflow 2.11 raises out of its signal handler."""
    task = operator()

    def terminated(*args: object) -> None:
        kill(task, "failed")
        raise SystemExit("Task received SIGTERM signal")

    before = signal.signal(signal.SIGUSR1, terminated)
    try:
        flyte_default.on_launch(lambda run: os.kill(os.getpid(), signal.SIGUSR1))
        with pytest.raises(SystemExit):
            task.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    [run] = flyte_default.runs()
    assert run.phase == RunPhase.ABORTED


def test_a_run_of_somebody_else_is_never_aborted(flyte_default: LocalFlyte, operator: Make) -> None:
    flyte_default.run("nightly").move("RUNNING")
    task = operator(run_name="nightly", deferrable=False)
    task.task.on_kill()
    task.ti.state = "failed"
    with pytest.raises(FlyteTaskKilled):
        task.run()
    assert flyte_default.calls("AbortRun") == []


# -- resuming


def test_the_run_is_looked_up_where_airflow_has_lost_it(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(wait=False).run()
    [run] = flyte_default.runs()
    run.succeeds({"o0": 1})
    task = operator(deferrable=True)
    assert phase(task.resume(RunEvent(Ending.SUCCEEDED, run.name).to_payload())) == "SUCCEEDED"
    assert phase(task.resume("nonsense", **settled(run.name, kind=OPERATOR, ours=True))) == "SUCCEEDED"
    assert len(flyte_default.runs()) == 1


def test_a_trigger_that_crashed(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(wait=False).run()
    [run] = flyte_default.runs()
    run.move("RUNNING")
    with pytest.raises(FlyteWaitBroken, match="boom"):
        operator(deferrable=True).fail("boom", ["Traceback"])
    run.succeeds({"o0": 1})
    assert phase(operator(deferrable=True).fail("boom")) == "SUCCEEDED"


def test_a_wrong_event_makes_no_success(flyte_default: LocalFlyte, operator: Make) -> None:
    operator(wait=False).run()
    [run] = flyte_default.runs()
    run.move("RUNNING")
    with pytest.raises(TaskDeferred):
        operator(deferrable=True).resume(
            RunEvent(Ending.SUCCEEDED, run.name).to_payload(), **settled(run.name, kind=OPERATOR)
        )


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"TOKEN": "s3cret"}, "{'TOKEN': '***'}"),
        ([("TOKEN", "s3cret")], "***"),
        ([{"name": "s3cret"}], "***"),
        ("s3", "***"),
    ],
)
def test_environment_variables_show_no_value(values: Any, shown: str) -> None:
    assert str(HiddenValues(values)) == shown
