"""What XCom gets of operator and sensor: the name at once, details and outputs at the end, or a word on why not."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.compat import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteOutputsUnreadable,
    FlyteRunFailed,
    FlyteRunFailedForGood,
    FlyteWaitBroken,
)
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import Fault, LocalFlyte, status, unavailable
from tests.support.driving import DagRun, Driven, TaskInstance, Try

pytestmark = pytest.mark.one_transport("grpc")

DAG_RUN = DagRun()
DEFERRABLE = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])


@pytest.fixture
def flyte(flyte_default: LocalFlyte) -> LocalFlyte:
    """A Flyte whose runs of demo.train succeed at once."""
    flyte_default.deploy("demo.train", outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 7}))
    return flyte_default


def launching(**arguments: Any) -> Driven:
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    return Driven(FlyteRunOperator(**defaults | {"unreachable_after": 1.0} | arguments), TaskInstance(), DAG_RUN)


def refuse_everything(task: Driven) -> None:
    def refuses(key: str, value: Any) -> None:
        raise ValueError("the bucket is gone")

    task.ti.xcom_push = refuses  # type: ignore[method-assign]


# -- the run's name


def test_the_name_is_there_without_waiting(flyte: LocalFlyte) -> None:
    task = launching(wait=False)
    task.run()
    [run] = flyte.runs()
    assert task.ti.xcoms["run_name"] == run.name
    assert task.ti.xcoms["run_url"].endswith(f"/runs/{run.name}")


def test_the_name_is_there_before_the_deferral(flyte: LocalFlyte) -> None:
    flyte.on_launch(lambda run: run.move("RUNNING"))
    task = launching(deferrable=True)
    with pytest.raises(TaskDeferred):
        task.task.execute(task.context)
    assert task.ti.xcoms["run_name"] == flyte.runs()[0].name


def test_the_name_of_a_run_that_was_there(flyte: LocalFlyte) -> None:
    flyte.run("nightly").succeeds({"o0": 1})
    task = launching(run_name="nightly")
    task.run()
    assert task.ti.xcoms["run_name"] == "nightly"


def test_an_output_may_be_called_run_name(flyte: LocalFlyte) -> None:
    flyte.deploy("demo.train", outputs={"run_name": str, "o0": int})
    flyte.on_launch(lambda run: run.succeeds({"run_name": "mine", "o0": 7}))
    task = launching()
    task.run()
    assert task.ti.xcoms["run_name"] == flyte.runs()[0].name
    assert task.ti.xcoms["outputs"] == {"run_name": "mine", "o0": 7}


def test_nothing_but_the_button_without_xcom(flyte: LocalFlyte) -> None:
    task = launching(do_xcom_push=False)
    task.run()
    assert set(task.ti.xcoms) - {"_flyte_runs"} == {"_link_FlyteRunLink"}
    assert flyte.calls("GetActionData") == []


@pytest.mark.parametrize("as_text", [False, True], ids=["dict", "template"])
def test_details_given_as_a_name(flyte: LocalFlyte, as_text: bool) -> None:
    """``run_name=launch.output``, and ``{{ ti.xcom_pull("launch") }}``."""
    details = launching().run()
    given: Any = str(details) if as_text else details
    for task in (launching(run_name=given), Try(run_name=given), Try(run_names=[given])):
        with pytest.raises(FlyteArgumentError) as refused:
            task.run()
        assert 'run_name=launch.output["run_name"]' in str(refused.value)
        assert len(str(refused.value)) < 500
        assert "actionId" not in str(refused.value)
    with pytest.raises(
        FlyteArgumentError, match=r'run_names=launch.output\["run_name"\]|not a list of names'
    ) as refused:
        Try(run_names=given).run()
    assert len(str(refused.value)) < 500


# -- outputs that Flyte does not give


@pytest.fixture(autouse=True)
def _short_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.run_wait.DETAILS_LAG", 0.2)
    monkeypatch.setattr("airflow_provider_flyte.wait.run_wait.PAUSE", 0.05)


@DEFERRABLE
@pytest.mark.parametrize(
    ("fault", "says", "outlook"),
    [
        (status("PERMISSION_DENIED", "not yours"), "PERMISSION_DENIED.*not yours", "only after that is mended"),
        (status("UNIMPLEMENTED", "no such method"), "UNIMPLEMENTED.*no such method", "only after that is mended"),
        (unavailable("try later"), "UNAVAILABLE.*try later", "may find Flyte better"),
        (status("NOT_FOUND", "outputs not available"), "NOT_FOUND.*outputs not available", "only in the second case"),
    ],
    ids=["denied", "unimplemented", "unavailable", "not found"],
)
def test_outputs_that_cannot_be_read(
    flyte: LocalFlyte, deferrable: bool, fault: Fault, says: str, outlook: str
) -> None:
    flyte.inject("GetActionData", fault)
    task = launching(deferrable=deferrable)
    with pytest.raises(FlyteOutputsUnreadable, match=f"(?s)has succeeded, but.*{says}.*{outlook}") as unreadable:
        task.run()
    assert not isinstance(unreadable.value, AirflowFailException)
    assert unreadable.value.run == flyte.runs()[0].name
    assert task.ti.xcoms["return_value"]["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    # What a retry does.
    flyte.clear_faults()
    again = launching(deferrable=deferrable)
    again.run()
    assert again.ti.xcoms["o0"] == 7
    assert flyte.calls.count("CreateRun") == 1


def test_outputs_that_flyte_shows_a_moment_later(flyte: LocalFlyte) -> None:
    """Where they lie stands in events, which come after the phase."""
    flyte.inject("GetActionData", status("NOT_FOUND", "outputs not available", times=2))
    task = launching()
    task.run()
    assert task.ti.xcoms["o0"] == 7


def test_the_budget_is_the_operators(
    flyte: LocalFlyte,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flyte.inject("GetActionData", unavailable("try later"))
    with pytest.raises(FlyteOutputsUnreadable):
        launching(unreachable_after=0).run()
    assert flyte.calls.count("GetActionData") == 1
    # Brief looks, and a word after the first.
    flyte.clear_faults()
    monkeypatch.setattr("airflow_provider_flyte.launch.launched_wait.BRIEFLY", 0.0)
    flyte.inject("GetActionData", unavailable("try later", times=4))
    task = launching(unreachable_after=None)
    task.run()
    assert task.ti.xcoms["o0"] == 7
    # Airflow 3 logs to stdout, 2.11 to both.
    log = caplog.text if "Launched" in caplog.text else capsys.readouterr().out
    assert log.count("does not give its outputs yet. Asking until it does. ") == 1


# -- an XCom backend that fails


@DEFERRABLE
def test_it_hides_no_failure_of_an_operator(flyte: LocalFlyte, deferrable: bool) -> None:
    flyte.on_launch(lambda run: run.fails(kind="USER", message="no rows"))
    task = launching(deferrable=deferrable, fail_fast_on="user")
    refuse_everything(task)
    with pytest.raises(FlyteRunFailed, match="no rows") as failed:
        task.run()
    assert isinstance(failed.value, AirflowFailException)


@pytest.mark.parametrize("mode", [{"deferrable": True}, {"deferrable": False}], ids=["deferred", "poke"])
def test_it_hides_no_failure_of_a_sensor(flyte: LocalFlyte, mode: dict[str, Any]) -> None:
    flyte.run("r1").fails(kind="USER", message="no rows")
    for flags, ending in (({}, FlyteRunFailedForGood), ({"soft_fail": True}, AirflowSkipException)):
        task = Try(run_name="r1", **mode, **flags)
        refuse_everything(task)
        with pytest.raises(ending, match="no rows"):
            task.run()


def test_it_does_not_keep_a_run_from_being_launched(flyte: LocalFlyte) -> None:
    task = launching(wait=False)
    refuse_everything(task)
    assert task.run()
    assert len(flyte.runs()) == 1


def test_details_are_there_however_the_wait_ended(flyte: LocalFlyte) -> None:
    """Not only when the run has failed."""
    flyte.on_launch(lambda run: run.move("RUNNING"))
    launching(wait=False).run()
    task = launching(deferrable=True)
    with pytest.raises(FlyteWaitBroken):
        task.fail("boom")
    assert task.ti.xcoms["return_value"]["action"]["status"]["phase"] == "ACTION_PHASE_RUNNING"
