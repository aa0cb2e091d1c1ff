"""The run of a try, where somebody else comes in between, and what is logged about it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, Launch
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.exceptions import FlyteLaunchFailed, FlyteRunTaken
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.tries.attempt import TryRuns
from airflow_provider_flyte.tries.identity import TaskInstance, Try, launch_annotations
from tests.client.conftest import config_for

pytestmark = pytest.mark.one_transport("connect")

TASK = TaskInstance("sales", "train", "x")


@pytest.fixture
def client(local_flyte: LocalFlyte) -> Iterator[FlyteClient]:
    local_flyte.deploy("demo.train")
    with FlyteClient(config_for(local_flyte)) as made:
        yield made


def runs_of(client: FlyteClient, trying: Try, before_create: Any = lambda: None, **more: Any) -> TryRuns:
    given: dict[str, Any] = {"retry_as": "new", "about_templates": "", "retry_for": 0.2} | more
    return TryRuns(
        client, trying, Launch("demo.train"), before_create=before_create, log=logging.getLogger("a task"), **given
    )


def launched_by(client: FlyteClient, trying: Try) -> None:
    client.launch(Launch("demo.train", run_name=trying.name, annotations=launch_annotations(trying)))


def test_a_run_that_was_launched_is_ours(client: FlyteClient) -> None:
    trying = Try(TASK, 1, 0)
    run = runs_of(client, trying).get()
    assert (run.key.name, run.ours, run.new, run.endpoint) == (trying.name, True, True, client.config.endpoint)
    again = runs_of(client, trying).get()
    assert (again.key, again.ours, again.new, again.url) == (run.key, True, False, run.url)


# -- a run that comes between our look and our launch: a backend that is asked for it again says that it is there


def test_a_run_that_somebody_else_launches_meanwhile_is_not_ours(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """Under a chosen name anybody may. It would be aborted when the task is killed."""
    local_flyte.inject("CreateRun", status("ALREADY_EXISTS", times=1))
    trying = Try(TASK, 1, 0, run_name="nightly")
    run = runs_of(client, trying, lambda: local_flyte.run("nightly").move("RUNNING")).get()
    assert (run.key.name, run.ours, run.new) == ("nightly", False, False)


def test_a_run_of_another_task_that_comes_meanwhile_is_refused(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    other = Try(TaskInstance("sales", "train", "y"), 1, 0, run_name="nightly")

    def somebody_else() -> None:
        launched_by(client, other)
        local_flyte.inject("CreateRun", status("ALREADY_EXISTS", times=1))

    with pytest.raises(FlyteRunTaken, match="another task instance"):
        runs_of(client, Try(TASK, 1, 0, run_name="nightly"), somebody_else).get()


def test_what_another_worker_of_the_same_try_launches_is_ours_and_not_new(
    local_flyte: LocalFlyte, client: FlyteClient
) -> None:
    trying = Try(TASK, 1, 0)

    def another_worker() -> None:
        launched_by(client, trying)
        local_flyte.inject("CreateRun", status("ALREADY_EXISTS", times=1))

    run = runs_of(client, trying, another_worker).get()
    assert (run.key.name, run.ours, run.new) == (trying.name, True, False)


@pytest.mark.parametrize("run_name", [None, "nightly"])
def test_a_run_that_exists_and_is_not_shown_is_asked_for_once(
    local_flyte: LocalFlyte, client: FlyteClient, run_name: str | None
) -> None:
    local_flyte.inject("CreateRun", status("ALREADY_EXISTS"))
    advice = "run_name" if run_name else "run name prefix in the Flyte connection"
    with pytest.raises(FlyteLaunchFailed, match=rf"does not show it.* Set another {advice}\."):
        runs_of(client, Try(TASK, 1, 0, run_name=run_name)).get()
    assert len(local_flyte.calls("CreateRun")) == 1


@pytest.mark.parametrize("retry_as", ["new", "rerun", "recover"])
def test_what_a_retry_repeats(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture, retry_as: str
) -> None:
    caplog.set_level(logging.INFO)
    first = runs_of(client, Try(TASK, 1, 1)).get()
    local_flyte.run(first.key.name).fails()
    second = runs_of(client, Try(TASK, 2, 1), retry_as=retry_as).get()
    assert (second.ours, second.new) == (True, True)
    how = "" if retry_as == "new" else f", as {retry_as} of {first.key.name}"
    assert caplog.messages[-1] == f"Launched Flyte run {second.key} for try 2{how}. {second.url}"


@pytest.mark.parametrize(("number", "logged"), [(1, False), (2, True)])
def test_a_retry_without_a_run_before_it_logs_that(
    client: FlyteClient, caplog: pytest.LogCaptureFixture, number: int, logged: bool
) -> None:
    caplog.set_level(logging.INFO)
    runs_of(client, Try(TASK, number, 2)).get()
    assert ("No earlier try of this task has a run" in caplog.text) == logged


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("over", [False, True])
def test_what_is_logged_of_a_run_that_was_found(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture, waits: bool, over: bool
) -> None:
    caplog.set_level(logging.INFO)
    run = local_flyte.run("nightly").move("RUNNING")
    if over:
        run.succeeds()
    found = runs_of(client, Try(TASK, 1, 0, run_name="nightly"), waits=waits).existing()
    assert found is not None
    assert not found.ours
    assert caplog.messages[-1].startswith(f"Found Flyte run {found.key}, launched by somebody else than Airflow: ")
    assert caplog.messages[-1].endswith("Nothing is launched; the task waits for this run.") == (waits and not over)


def test_nothing_is_launched_where_only_the_run_is_asked_for(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    assert runs_of(client, Try(TASK, 1, 0)).existing() is None
    assert local_flyte.runs() == []


def test_what_was_cleared_is_aborted_first(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    before = runs_of(client, Try(TASK, 1, 0)).get()
    calls: list[str] = []
    after = runs_of(client, Try(TASK, 2, 1), lambda: calls.append("create")).get()
    assert local_flyte.run(before.key.name).phase == RunPhase.ABORTED
    assert (after.new, len(local_flyte.runs())) == (True, 2)
    [call] = local_flyte.calls("AbortRun")
    assert call.request.reason == "Airflow: sales.train in x: the task was cleared and starts anew"
    # Whoever kills the task is asked before each of the two.
    assert len(calls) == 2


def test_a_prefix_that_was_changed_hides_earlier_runs_and_the_log_says_so(
    client: FlyteClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    launched_by(client, Try(TASK, 1, 2, prefix="old-"))
    assert runs_of(client, Try(TASK, 2, 2, prefix="new-"), since=SINCE).get().new
    assert "or run name prefix was changed since, an earlier try's run may still be running" in caplog.text


SINCE = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize("since", [None, SINCE])
def test_a_run_under_another_name_is_found_by_its_annotations(
    client: FlyteClient, caplog: pytest.LogCaptureFixture, since: datetime | None
) -> None:
    first = Try(TASK, 1, 2, run_name="monday")
    launched_by(client, first)
    run = runs_of(client, Try(TASK, 2, 2, run_name="tuesday"), since=since).get()
    assert (run.key.name, run.new) == (("tuesday-2", True) if since is None else ("monday", False))
    assert ("under another run_name than today's" in caplog.text) == (since is not None)
