"""FlyteRetryPolicy: what is retried, and how soon; as Airflow asks it, stores it and keeps its reasons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import RetryAction, RetryDecision

from airflow_provider_flyte.client.errors import (
    DeadlineExceededError,
    FlyteError,
    LaunchUncertainError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    Status,
    UnavailableError,
)
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteLaunchFailed,
    FlyteLaunchUncertain,
    FlyteOutputsUnreadable,
    FlyteRunAborted,
    FlyteRunError,
    FlyteRunFailed,
    FlyteRunMissing,
    FlyteRunStuck,
    FlyteRunTimedOut,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.retry_policies import FlyteRetryPolicy
from airflow_provider_flyte.testing import LocalFlyte, status, unavailable
from tests.support.driving import DagRun, Driven, TaskInstance
from tests.support.own_airflow import load_dag_file, stored_again

pytestmark = pytest.mark.one_transport("connect")

SYSTEM, UNREACHABLE, QUEUE = 30, 120, 600
"""The first pauses, by default."""

RUN: dict[str, Any] = {"run": "r1", "project": "p", "domain": "d"}


def rpc(kind: type[RpcError], code: Status = Status.UNAVAILABLE) -> RpcError:
    return kind(code, "no", method="RunService/CreateRun", endpoint="localhost:1")


EXHAUSTED = rpc(UnavailableError, Status.RESOURCE_EXHAUSTED)


def because(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def of(kind: type[FlyteRunError], cause: BaseException | None = None) -> BaseException:
    error = kind("text", **RUN)
    error.__cause__ = cause
    return error


def failed(kind: str, error: type[FlyteRunFailed] = FlyteRunFailed) -> FlyteRunFailed:
    return error("text", kind=kind, **RUN)


def ask(error: BaseException, number: int = 1, max_tries: int = 9, **arguments: Any) -> RetryDecision:
    return FlyteRetryPolicy(**arguments).evaluate(error, number, max_tries)


def test_an_error_of_the_runs_own_code_fails_at_once() -> None:
    decision = ask(failed("USER"))
    assert decision.action is RetryAction.FAIL
    assert decision.reason
    assert "(USER error)" in decision.reason


@pytest.mark.parametrize(
    ("error", "first"),
    [
        (failed("SYSTEM"), SYSTEM),
        (failed("SYSTEM", FlyteRunTimedOut), SYSTEM),
        (of(FlyteUnreachable), UNREACHABLE),
        (of(FlyteUnreachable, rpc(PermissionDeniedError, Status.PERMISSION_DENIED)), UNREACHABLE),
        (of(FlyteLaunchUncertain), UNREACHABLE),
        (of(FlyteLaunchFailed, rpc(UnavailableError)), UNREACHABLE),
        (of(FlyteOutputsUnreadable, rpc(DeadlineExceededError)), UNREACHABLE),
        (because(FlyteConfigurationError("text"), rpc(UnavailableError)), UNREACHABLE),
        (rpc(UnavailableError), UNREACHABLE),
        (rpc(LaunchUncertainError, Status.UNKNOWN), UNREACHABLE),
        (of(FlyteRunStuck), QUEUE),
        (of(FlyteLaunchFailed, EXHAUSTED), QUEUE),
        (of(FlyteUnreachable, EXHAUSTED), QUEUE),
        (of(FlyteLaunchUncertain, because(rpc(LaunchUncertainError), EXHAUSTED)), QUEUE),
        (EXHAUSTED, QUEUE),
    ],
    ids=repr,
)
def test_what_is_retried_and_how_soon(error: BaseException, first: int) -> None:
    decision = ask(error)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay
    assert first / 2 <= decision.retry_delay.total_seconds() <= first
    assert decision.reason
    assert len(decision.reason) < 500


@pytest.mark.parametrize(
    "error",
    [
        failed("UNKNOWN"),
        failed(""),
        failed("ABORTED", FlyteRunAborted),
        of(FlyteRunMissing),
        of(FlyteWaitBroken),
        of(FlyteLaunchFailed, rpc(PermissionDeniedError, Status.PERMISSION_DENIED)),
        of(FlyteOutputsUnreadable, rpc(NotFoundError, Status.NOT_FOUND)),
        FlyteConfigurationError("text"),
        FlyteError("text"),
        because(ValueError("the author's own"), rpc(UnavailableError)),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_all_else_is_left_to_airflow(error: BaseException) -> None:
    assert ask(error) == RetryDecision.default()


def test_a_circle_of_causes_ends() -> None:
    first, second = of(FlyteLaunchFailed), rpc(NotFoundError, Status.NOT_FOUND)
    first.__cause__, second.__cause__ = second, first
    assert ask(first) == RetryDecision.default()


def test_without_a_try_left_no_retry_is_announced() -> None:
    assert ask(failed("SYSTEM"), 3, 2) == RetryDecision.default()
    assert ask(failed("SYSTEM"), 2, 2).action is RetryAction.RETRY
    assert ask(failed("USER"), 3, 2).action is RetryAction.FAIL


def most(number: int, max_tries: int = 99, retries: int | None = None) -> float:
    """The longest pause of many after a try."""
    context: Any = None if retries is None else {"task": SimpleNamespace(retries=retries)}
    policy = FlyteRetryPolicy(system_delay=10, max_delay=timedelta(seconds=50))
    delays = [policy.evaluate(failed("SYSTEM"), number, max_tries, context).retry_delay for _ in range(200)]
    found = [delay.total_seconds() for delay in delays if delay is not None]
    # By chance, so that tasks that failed together do not come back together.
    assert len(set(found)) > 100
    return max(found)


def test_pauses_double_up_to_the_longest() -> None:
    assert [round(most(number), -1) for number in (1, 2, 3, 4, 90)] == [10, 20, 40, 50, 50]


def test_a_cleared_task_begins_with_the_first_pause() -> None:
    """Airflow counts on, and lets the task have ``retries`` more than its newest try."""
    assert [round(most(number, 5 + 3, retries=3), -1) for number in (6, 7)] == [10, 20]
    # Its retries have been changed in the DAG file since.
    assert round(most(1, 3, retries=0), -1) == 10
    assert round(most(2, 3, retries=9), -1) == 20


@pytest.mark.parametrize("name", ["system_delay", "unreachable_delay", "queue_delay", "max_delay"])
@pytest.mark.parametrize("value", [-1, "30", True, None, float("nan")])
def test_a_wrong_time_is_an_import_error_of_the_dag(name: str, value: Any) -> None:
    with pytest.raises(FlyteArgumentError, match=f"{name} is .*; give a number of seconds or a timedelta"):
        FlyteRetryPolicy(**{name: value})


def test_it_is_read_again_as_it_was() -> None:
    given = {"system_delay": 1, "unreachable_delay": 2.5, "queue_delay": 3, "max_delay": 4}
    stored = FlyteRetryPolicy(**given).serialize()
    assert stored == given
    assert FlyteRetryPolicy.deserialize(stored).serialize() == given


# -- What sensor and operator end with, on a worker and deferred


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def operator(request: pytest.FixtureRequest, flyte_default: LocalFlyte) -> Callable[..., Driven]:
    flyte_default.deploy("demo.train")
    made = DagRun()

    def make(**arguments: Any) -> Driven:
        task = FlyteRunOperator(
            task_id="train",
            task_name="demo.train",
            deferrable=request.param,
            poll_interval=0.1,
            resume_after=0,
            unreachable_after=0.3,
            launch_unreachable_after=0.3,
            **arguments,
        )
        return Driven(task, TaskInstance(1, 3), made)

    return make


def decided(task: Driven) -> tuple[RetryAction, float]:
    """The action and the longest pause that it can have come from."""
    with pytest.raises(FlyteRunError) as ended:
        task.run()
    decision = ask(ended.value, 1, 3)
    delay = decision.retry_delay.total_seconds() if decision.retry_delay else 0
    return decision.action, next((first for first in (0, SYSTEM, UNREACHABLE, QUEUE) if delay <= first), -1)


@pytest.mark.parametrize(("kind", "end"), [("USER", (RetryAction.FAIL, 0)), ("SYSTEM", (RetryAction.RETRY, SYSTEM))])
def test_a_run_that_fails(flyte_default: LocalFlyte, operator: Callable[..., Driven], kind: Any, end: Any) -> None:
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).fails(kind=kind))
    assert decided(operator()) == end


def test_a_flyte_that_goes_away_during_the_wait(flyte_default: LocalFlyte, operator: Callable[..., Driven]) -> None:
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", unavailable(), every=0.2))
    task = operator()
    assert decided(task) == (RetryAction.RETRY, UNREACHABLE)
    assert flyte_default.calls.count("CreateRun") == 1


@pytest.mark.parametrize(("code", "first"), [("UNAVAILABLE", UNREACHABLE), ("RESOURCE_EXHAUSTED", QUEUE)])
def test_a_launch_that_flyte_turns_away(
    flyte_default: LocalFlyte, operator: Callable[..., Driven], code: str, first: int
) -> None:
    flyte_default.inject("CreateRun", status(code))
    assert decided(operator()) == (RetryAction.RETRY, first)


def test_a_run_that_never_leaves_its_queue(flyte_default: LocalFlyte, operator: Callable[..., Driven]) -> None:
    flyte_default.on_launch(lambda run: run.phases(RunPhase.QUEUED))
    assert decided(operator(queued_timeout=0.3)) == (RetryAction.RETRY, QUEUE)


# -- In Airflow


@pytest.mark.timeout(180)
def test_airflow_goes_by_it(airflow_db: None, flyte_default: LocalFlyte) -> None:
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.session import create_session

    flyte_default.deploy("demo.user")
    flyte_default.deploy("demo.system")
    seen: list[str] = []

    def behave(run: Any) -> None:
        # The first try of each task fails.
        task = run.run_spec.annotations.values["airflow.apache.org/task_id"]
        if task in seen:
            run.succeeds()
        else:
            seen.append(task)
            run.phases("RUNNING", "RUNNING", every=0.2).fails(kind=run.task[0].removeprefix("demo.").upper())

    flyte_default.on_launch(behave)
    dag = load_dag_file("retried").dag
    tis = dag.test().get_task_instances()
    assert {ti.task_id: (str(ti.state), ti.try_number) for ti in tis} == {
        "user_on_a_worker": ("failed", 1),
        "user_deferred": ("failed", 1),
        "mapped": ("failed", 1),
        "system_on_a_worker": ("success", 2),
        "system_deferred": ("success", 2),
    }
    with create_session() as session:
        first_tries = session.query(TaskInstanceHistory).filter_by(dag_id="retried", run_id=tis[0].run_id).all()
        kept = {each.task_id: (each.retry_reason, each.retry_delay_override) for each in first_tries}
    reason = "Flyte or its cluster failed the run (SYSTEM error). The next try is due in 0 s."
    assert kept == {"system_on_a_worker": (reason, 0), "system_deferred": (reason, 0)}


def test_a_stored_dag_knows_that_there_is_one() -> None:
    """Airflow stores no more of it: a worker has it from the DAG file."""
    dag = load_dag_file("retried").dag
    again = stored_again(dag)
    assert [again.task_dict[name].has_retry_policy for name in dag.task_dict] == [True] * 5
