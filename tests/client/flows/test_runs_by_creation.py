"""Lists of runs by their creation: what is asked, what an answer says, and what the next page is."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import GarbledAnswerError
from airflow_provider_flyte.client.flows.runs_by_creation import Listing, Page
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.moments import microseconds_of, time_of
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain

HERE = ProjectDomain("flytesnacks", "development")
HERE_PARTS = (HERE.project, HERE.domain)
RECORDED = json.loads((Path(__file__).parents[2] / "recordings" / "list_runs_by_creation.json").read_text())["calls"]


def message(text: str, kind: Any) -> Any:
    return kind.FromString(base64.b64decode(text))


def recorded(note: str) -> tuple[run_service_pb2.ListRunsRequest, run_service_pb2.ListRunsResponse]:
    [call] = [call for call in RECORDED if call["note"] == note]
    answer = call["responses"][0]["message"]
    return message(call["request"], run_service_pb2.ListRunsRequest), message(answer, run_service_pb2.ListRunsResponse)


def test_the_request_is_one_that_a_real_backend_has_answered() -> None:
    request, _ = recorded("created since a moment, oldest first")
    [since] = [each.values[0] for each in request.request.filters]
    listing = Listing(HERE, (), microseconds_of(datetime.fromisoformat(since.replace("Z", "+00:00"))), limit=50)
    assert listing.call("testorg").request == request


def test_the_request_for_runs_of_a_task_that_are_not_over() -> None:
    request, _ = recorded("not over, of a task")
    since = next(each.values[0] for each in request.request.filters if each.field == "created_at")
    made = Listing(HERE, ("etl.load",), microseconds_of(datetime.fromisoformat(since.replace("Z", "+00:00"))), True, 50)
    asked = made.call("testorg").request
    asked.request.filters.sort(key=lambda each: each.field, reverse=True)
    assert asked == request
    # Without a moment only the phases are asked for.
    everything = Listing(HERE, ("etl.load",), 0, True).call("testorg").request
    assert [each.field for each in everything.request.filters] == ["phase"]


def test_the_request_for_runs_of_several_tasks_is_one_that_a_real_backend_has_answered() -> None:
    file = Path(__file__).parents[2] / "recordings" / "list_runs_by_task.json"
    [call] = [call for call in json.loads(file.read_text())["calls"] if call["note"] == "several task names"]
    recorded_request = message(call["request"], run_service_pb2.ListRunsRequest)
    asked = Listing(HERE, ("etl.check", "etl.load"), 0, limit=50).call("testorg").request
    assert list(asked.request.filters) == list(recorded_request.request.filters)[:1]
    assert asked.project_id == recorded_request.project_id
    assert recorded_request.request.filters[1].field == "phase"


def test_labels_are_those_that_a_list_shows() -> None:
    response = run_service_pb2.ListRunsResponse()
    for name, labels in (("r1", {"team": "ours", "a": "b\x1b[2J"}), ("r2", {})):
        run = response.runs.add(labels=labels)
        run.action.id.run.project, run.action.id.run.domain, run.action.id.run.name = *HERE_PARTS, name
    rows = Listing(HERE, (), 0).call("").read(response).rows
    assert [dict(row.labels) for row in rows] == [{"a": "b", "team": "ours"}, {}]


def test_the_request_for_a_window() -> None:
    request, response = recorded("a window")
    since, until = (
        microseconds_of(datetime.fromisoformat(each.values[0].replace("Z", "+00:00")))
        for each in request.request.filters
    )
    listing = Listing(HERE, (), since, limit=50, until=until)
    assert listing.call("testorg").request == request
    # What was created at its end is outside.
    rows = listing.call("testorg").read(response).rows
    assert rows
    assert all(since <= row.created_at < until for row in rows)


def test_the_request_for_the_newest() -> None:
    request, _ = recorded("the newest of a task")
    [since] = [each.values[0] for each in request.request.filters]
    since_moment = microseconds_of(datetime.fromisoformat(since.replace("Z", "+00:00")))
    listing = Listing(HERE, ("etl.check",), since_moment, limit=1, newest_first=True)
    assert listing.call("testorg").request == request


def test_the_next_page_of_a_list_that_begins_with_the_newest() -> None:
    listing = Listing(HERE, ("demo.train",), 5, until=20, newest_first=True)
    following = page_of(listing, [19, 12, 9], "3").following
    assert following == replace(listing, until=10)
    # A page of one moment.
    again = page_of(following, [9, 9], "2").following
    assert again is not None
    assert (again.until, again.call("").request.request.token) == (10, "2")
    assert page_of(again, [9, 7], "4").following == replace(listing, until=8)
    assert page_of(Listing(HERE, (), 0, newest_first=True), [9], "1").following == Listing(
        HERE, (), 0, until=10, newest_first=True
    )


def test_what_a_recorded_list_says_of_its_runs() -> None:
    _, response = recorded("created since a moment, oldest first")
    page = Listing(HERE, (), 0).call("testorg").read(response)
    assert [row.phase for row in page.rows] == [
        RunPhase.SUCCEEDED,
        RunPhase.RUNNING,
        RunPhase.QUEUED,
        RunPhase.FAILED,
        RunPhase.ABORTED,
    ]
    first, second = page.rows[:2]
    assert (str(first.key), first.task_name, first.task_version) == (
        "flytesnacks/development/born6944110",
        "etl.load",
        "v1",
    )
    assert time_of(first.created_at) == datetime(2026, 11, 26, 12, 0, 11, 647242, timezone.utc)
    assert first.ended_at is not None
    assert first.ended_at - first.created_at == 11785
    assert second.ended_at is None
    assert page.last == page.rows[-1].created_at
    assert page.following is None


def page_of(listing: Listing, created: Sequence[int], token: str = "", project: str = HERE.project) -> Page:
    response = run_service_pb2.ListRunsResponse(token=token)
    for number, at in enumerate(created):
        action = response.runs.add().action
        action.id.run.project, action.id.run.domain, action.id.run.name = project, HERE.domain, f"r{number}"
        action.status.start_time.FromMicroseconds(at)
    return listing.call("").read(response)


def test_the_next_page_begins_with_the_last_runs_moment() -> None:
    listing = Listing(HERE, ("demo.train",), 5)
    following = page_of(listing, [5, 6, 9], "3").following
    assert following == Listing(HERE, ("demo.train",), 9)
    assert page_of(listing, [5, 6, 9]).following is None


def test_a_page_of_one_moment_goes_on_by_its_token() -> None:
    listing = Listing(HERE, (), 5)
    following = page_of(listing, [5, 5], "2").following
    assert following is not None
    assert (following.since, following.call("").request.request.token) == (5, "2")
    third = page_of(following, [5, 8], "4").following
    assert third == Listing(HERE, (), 8)


def test_a_list_that_never_ends_is_no_answer() -> None:
    following = page_of(Listing(HERE, (), 5), [5], "2").following
    assert following is not None
    with pytest.raises(GarbledAnswerError, match="the list does not end"):
        page_of(following, [5], "2")


def test_runs_of_another_project_are_left_out_but_the_list_goes_on_past_them() -> None:
    page = page_of(Listing(HERE, (), 5), [6, 7], "2", project="other")
    assert page.rows == []
    assert page.following == Listing(HERE, (), 7)


def test_times() -> None:
    at = datetime(2026, 11, 27, 9, 0, 0, 123456, timezone(timedelta(hours=2)))
    assert time_of(microseconds_of(at)) == at
    assert microseconds_of(datetime(1970, 1, 1)) == 0
    assert time_of(10**30).year == 9999
