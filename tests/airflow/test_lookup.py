"""A try's lookup, launch and abort, on a Flyte: what is decided on is what the server shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_flyte.client import FlyteClient, Launch
from airflow_provider_flyte.client.errors import NotFoundError
from airflow_provider_flyte.testing import LocalFlyte, database_down, status
from airflow_provider_flyte.tries.decision import Answer, Attach, Decision, Refuse, Start, decide
from airflow_provider_flyte.tries.identity import DagRunMarks, TaskInstance, Try, abort_reason, launch_annotations
from airflow_provider_flyte.tries.lookup import find_tries
from tests.client.conftest import config_for

pytestmark = pytest.mark.one_transport("connect")


@pytest.fixture
def client(local_flyte: LocalFlyte) -> Iterator[FlyteClient]:
    with FlyteClient(config_for(local_flyte)) as made:
        yield made


TASK = TaskInstance("sales", "train", "manual__2026-11-23")


def decision(client: FlyteClient, trying: Try) -> Decision:
    return decide(trying, client.execute(find_tries(trying, client.config.key, client.config.org), retry_for=0.2))


def start(client: FlyteClient, trying: Try) -> str:
    """What an operator does on Start."""
    made = decision(client, trying)
    assert isinstance(made, Start)
    return client.launch(Launch("demo.train", run_name=made.name, annotations=launch_annotations(trying))).name


@pytest.fixture(autouse=True)
def _deployed(local_flyte: LocalFlyte) -> None:
    local_flyte.deploy("demo.train")


def test_a_life_of_launch_crash_retry_clear(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    first, second, third = (Try(TASK, number, max_tries) for number, max_tries in [(1, 1), (2, 1), (3, 3)])
    name = start(client, first)
    # The worker crashed; the try is resumed, or the next one starts while the run goes on.
    assert decision(client, first) == Attach(name)
    assert decision(client, second) == Attach(name)
    local_flyte.run(name).fails()
    assert decision(client, second) == Start(second.name, after=first.name)
    local_flyte.run(start(client, second)).succeeds()
    # A scheduler's reset, then a clear.
    assert decision(client, Try(TASK, 3, 1)) == Answer(second.name)
    assert decision(client, third) == Start(third.name)
    assert len(local_flyte.runs()) == 2
    assert [run.enqueued for run in local_flyte.runs()] == [1, 1]


def test_a_run_that_airflow_aborted_is_known_by_the_reason(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    only = Try(TASK, 1, 0)
    client.abort(start(client, only), abort_reason(TASK, "the task was cleared"))
    assert isinstance(decision(client, Try(TASK, 2, 0)), Start)


def test_a_run_that_a_person_aborted_is_the_answer_past_the_budget(
    local_flyte: LocalFlyte, client: FlyteClient
) -> None:
    only = Try(TASK, 1, 0)
    client.abort(start(client, only), "too slow")
    assert decision(client, Try(TASK, 2, 0)) == Answer(only.name)


def test_a_foreign_run_is_refused(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    local_flyte.run(Try(TASK, 1, 0).name)
    assert isinstance(decision(client, Try(TASK, 1, 0)), Refuse)


def test_a_backend_that_refuses_the_filter_is_asked_for_each(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    local_flyte.inject("ListRuns", status("INVALID_ARGUMENT", "invalid filter field: run_name"))
    first, second = Try(TASK, 1, 1), Try(TASK, 2, 1)
    name = start(client, first)
    assert decision(client, second) == Attach(name)


def test_a_database_in_trouble_is_not_a_run_that_is_gone(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """It would be launched a second time."""
    first = Try(TASK, 1, 1)
    start(client, first)
    local_flyte.inject("GetRunDetails", database_down())
    with pytest.raises(NotFoundError, match="connection refused"):
        decision(client, first)


def test_what_another_dag_run_of_the_same_id_left_is_passed_over(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    names = []
    for key in ("6", "7", "8"):
        first, second = (Try(TASK, number, 1, DagRunMarks(key)) for number in (1, 2))
        names.append(start(client, first))
        assert decision(client, first) == Attach(names[-1])
        assert decision(client, second) == Attach(names[-1])
    assert len({*names}) == 3
    calls = local_flyte.calls.count("ListRuns")
    assert decision(client, Try(TASK, 1, 1, DagRunMarks("6"))) == Attach(names[0])
    assert local_flyte.calls.count("ListRuns") == calls + 1
