"""Every list of runs that the client asks for is one that a database with a million runs answers in milliseconds.

Without names, phases that are not over or a sort by ``created_at`` it sorts them all. A page's token is an offset, so a
list whose rows may leave it meanwhile is for one page, or is paged by key.
"""

from __future__ import annotations

import ast
import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_flyte.client
from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL, PAGE_SIZE, find_runs
from airflow_provider_flyte.client.flows.run_search import RunSearch, Sought
from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import TERMINAL, RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.watch.feed_state import FeedState
from airflow_provider_flyte.client.watch.run_feed import RunFeed
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.flows.test_requests_are_whole import DOMAIN, PROJECT, config_for, use_everything

ListRuns = run_service_pb2.ListRunsRequest
GOING = {str(int(phase)) for phase in RunPhase if phase and phase not in TERMINAL}
OVER = {str(int(phase)) for phase in TERMINAL}


def values(listing: ListRuns, field: str) -> list[str]:
    return [value for each in listing.request.filters if each.field == field for value in each.values]


def way(listing: ListRuns) -> str | None:
    """Which index answers it; None for none."""
    if values(listing, "run_name"):
        return "names"
    if (phases := set(values(listing, "phase"))) and phases <= GOING:
        return "phases"
    # The sort alone reads everything for a task that never ran.
    if values(listing, "created_at") and [sort.key for sort in listing.request.sort_by_fields] == ["created_at"]:
        return "created_at"
    return None


def may_miss_rows(listing: ListRuns) -> bool:
    """Whether it goes on by offset in a list that rows may leave."""
    return bool(listing.request.token) and not (values(listing, "phase") and set(values(listing, "phase")) <= OVER)


def check(flyte: LocalFlyte) -> Counter[str | None]:
    ways: Counter[str | None] = Counter()
    for call in flyte.calls("ListRuns"):
        ways[way(call.request)] += 1
        assert way(call.request), call.request
        assert not may_miss_rows(call.request), call.request
        assert len(values(call.request, "run_name")) <= NAMES_A_CALL
        assert 0 < call.request.request.limit <= PAGE_SIZE
    return ways


def test_every_list_is_cheap() -> None:
    with LocalFlyte(keep_calls=10_000) as flyte:
        with FlyteClient(config_for(flyte)) as client:
            use_everything(flyte, client)
        assert set(check(flyte)) == {"names", "phases", "created_at"}


async def test_lists_of_many_runs_page_only_through_what_is_over() -> None:
    names = [f"r{number}" for number in range(2 * PAGE_SIZE + 50)]
    with LocalFlyte(keep_calls=10_000) as flyte:
        for name in names:
            flyte.run(name).move("RUNNING")
        async with (
            FlyteClient(config_for(flyte)) as client,
            RunWatcher(client, poll_interval=0.2, stream=False) as watcher,
        ):
            waits = asyncio.gather(*map(watcher.wait, names))
            assert len(await client.aexecute(find_runs(PROJECT, DOMAIN, names, ""))) == len(names)
            for name in names:
                flyte.run(name).succeeds()
            await waits
            terminal = await client.aexecute(find_runs(PROJECT, DOMAIN, names, "", terminal_only=True))
            assert len(terminal) == len(names)
        check(flyte)
        # There were pages to be asked for.
        assert [call for call in flyte.calls("ListRuns") if call.request.request.token]


def test_lists_of_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a task that never ran, too; the window has more runs than a page."""
    with LocalFlyte(keep_calls=10_000) as flyte, FlyteClient(config_for(flyte)) as client:
        for number in range(PAGE_SIZE + 10):
            flyte.run(f"r{number}")
        monkeypatch.setattr("airflow_provider_flyte.client.flows.run_search.MOST_READ", 1000)
        for task, labels in (("demo.train", {}), ("demo.train", {"team": "b"}), ("never.ran", {"team": "b"})):
            for which in ("first", "newest"):
                search = RunSearch(ProjectDomain(PROJECT, DOMAIN), Sought(task, 1, None, which, 2**51, labels))
                assert bool(client.execute(search.look(""))) is (not labels)
        assert set(check(flyte)) == {"created_at"}


async def test_lists_for_the_ends_of_a_tasks_runs() -> None:
    """More than a page of them each: over, and going on when they are found."""
    names = [f"r{number}" for number in range(4 * PAGE_SIZE)]
    half = len(names) // 2
    with LocalFlyte(keep_calls=10_000) as flyte:
        for name in names:
            flyte.run(name).move("RUNNING")
        for name in names[:half]:
            flyte.run(name).succeeds()
        async with (
            FlyteClient(config_for(flyte)) as client,
            RunWatcher(client, poll_interval=0.2, stream=False) as watcher,
        ):
            where = ProjectDomain(PROJECT, DOMAIN)
            feed = RunFeed(watcher, where, "demo.train", FeedState(1), interval=0.2)
            ends = feed.ends()
            reported = [(await anext(ends)).name for _ in range(half)]
            following = asyncio.ensure_future(anext(ends))
            while not any(way(call.request) == "phases" for call in flyte.calls("ListRuns")):
                await asyncio.sleep(0.02)
            for name in names[half:]:
                flyte.run(name).succeeds()
            reported += [(await following).name] + [(await anext(ends)).name for _ in range(half - 1)]
            await ends.aclose()
        assert sorted(reported) == sorted(names)
        assert set(check(flyte)) == {"names", "phases", "created_at"}


def test_every_function_that_lists_runs_is_known() -> None:
    """A new one fails here until it is called by what the tests above walk through."""
    package = Path(airflow_provider_flyte.client.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                is_row = isinstance(node, ast.Attribute) and node.attr in ("ListRuns", "ListActions")
                is_list = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_list"
                if is_row or is_list:
                    found.add(f"{path.stem}.{function.name}")
    # They list the actions of one run: the failed ones of 10,000 in 20 ms on a real backend.
    actions = {"failed_actions._list_failed", "conditions._listed"}
    by_creation = {"runs_of_task.runs_of_task", "runs_by_creation.call", "runs_by_creation._following"}
    assert (
        found
        == {"calls.list_runs", "calls.list_active_runs", "calls.list_paused", "calls._list"} | by_creation | actions
    )


def listing(*filters: tuple[str, list[str]], sort: str = "", token: str = "") -> ListRuns:
    made: Any = [list_pb2.Filter(field=field, values=values) for field, values in filters]
    sorts = [list_pb2.Sort(key=sort)] if sort else []
    return ListRuns(request=list_pb2.ListRequest(limit=1, token=token, filters=made, sort_by_fields=sorts))


@pytest.mark.parametrize(
    ("asked", "index", "misses"),
    [
        (listing(), None, False),
        (listing(("phase", sorted(OVER))), None, False),
        (listing(("phase", ["4", "5"])), None, False),
        (listing(("phase", sorted(GOING))), "phases", False),
        (listing(("phase", sorted(GOING)), token="200"), "phases", True),
        (listing(("run_name", ["r1"])), "names", False),
        (listing(("run_name", ["r1"]), token="200"), "names", True),
        (listing(("run_name", ["r1"]), ("phase", sorted(OVER)), token="200"), "names", False),
        (listing(sort="created_at"), None, False),
        (listing(("created_at", ["2026-11-26T00:00:00Z"])), None, False),
        (listing(("ended_at", ["2026-11-26T00:00:00Z"]), sort="ended_at"), None, False),
        (listing(("created_at", ["2026-11-26T00:00:00Z"]), sort="created_at"), "created_at", False),
    ],
)
def test_what_is_dear_or_misses_rows_is_found(asked: ListRuns, index: str | None, misses: bool) -> None:
    assert (way(asked), may_miss_rows(asked)) == (index, misses)
