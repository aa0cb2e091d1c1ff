"""Which run a search finds, and what it asks for it. Against the local server, by its clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.flows import run_search
from airflow_provider_flyte.client.flows.run_search import FIRST, NEWEST, RunSearch, Sought
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.testing import LocalFlyte, unavailable

HERE = ProjectDomain("flytesnacks", "development")
MINUTE = 60_000_000
HOUR = 60 * MINUTE
NOON = 1_795_003_200_000_000
"""In microseconds since the epoch."""


class Table:
    """A local Flyte whose time stands still, and a client of it."""

    client: FlyteClient

    def __init__(self, protocol: str) -> None:
        self.now = NOON
        self.flyte = LocalFlyte(transports=(protocol,), clock=lambda: self.now * 1000)

    def run(self, name: str, created_at: int, **more: Any) -> None:
        before, self.now = self.now, created_at
        self.flyte.run(name, **{"task": "etl.load"} | more)
        self.now = before

    def search(self, **sought: Any) -> RunSearch:
        given: dict[str, Any] = {"since": NOON - HOUR, "until": None, "which": FIRST, "at": NOON}
        return RunSearch(HERE, Sought("etl.load", **given | sought), lambda: self.now)

    def look(self, search: RunSearch) -> str | None:
        row = self.client.execute(search.look(""), retry_for=0)
        return None if row is None else row.name

    def calls(self, method: str = "ListRuns") -> list[Any]:
        calls = self.flyte.calls(method)
        self.flyte.calls.clear()
        return calls


@pytest.fixture
def table(protocol: str) -> Iterator[Table]:
    table = Table(protocol)
    with table.flyte as flyte, FlyteClient(FlyteConfig(flyte.endpoint, insecure=True)) as table.client:
        yield table


def test_first_and_newest(table: Table) -> None:
    for minutes, name in ((90, "before"), (50, "one"), (30, "two"), (10, "three"), (-10, "later")):
        table.run(name, NOON - minutes * MINUTE)
    table.run("other", NOON - 55 * MINUTE, task="etl.check")
    table.run("elsewhere", NOON - 55 * MINUTE, domain="staging")
    assert table.look(table.search()) == "one"
    assert table.look(table.search(which=NEWEST)) == "three"
    assert table.look(table.search(until=NOON - 20 * MINUTE)) == "one"
    assert table.look(table.search(until=NOON - 20 * MINUTE, which=NEWEST)) == "two"
    # A window of the future: the first after the moment at which the task began to look.
    assert table.look(table.search(since=NOON, which=NEWEST)) == "later"
    assert table.look(table.search(since=NOON + HOUR)) is None


def test_the_window_has_its_beginning_and_not_its_end(table: Table) -> None:
    table.run("begins", NOON - 10 * MINUTE)
    table.run("ends", NOON - 5 * MINUTE)
    until = NOON - 5 * MINUTE
    for which in (FIRST, NEWEST):
        assert table.look(table.search(since=NOON - 10 * MINUTE, until=until, which=which)) == "begins"
        assert table.look(table.search(since=NOON - 10 * MINUTE + 1, until=until, which=which)) is None


@pytest.mark.parametrize("which", [FIRST, NEWEST])
def test_each_look_of_a_try_finds_the_same_run_in_whichever_process(table: Table, which: str) -> None:
    """A rescheduled task and a restarted triggerer remember nothing."""
    assert table.look(table.search(which=which)) is None
    table.now += MINUTE
    table.run("one", table.now)
    assert table.look(table.search(which=which)) == "one"
    table.now += MINUTE
    table.run("two", table.now)
    assert table.look(table.search(which=which)) == "one"
    # A try that begins now.
    assert table.look(table.search(which=NEWEST, at=table.now + 1)) == "two"


def test_what_a_look_asks_for(table: Table) -> None:
    """Never all runs of a task: what was looked at before is left out, as far as clocks may differ."""
    search = table.search(which=NEWEST, until=NOON + HOUR)
    table.look(search)
    older, newer, before = (call.request for call in table.calls())
    assert [each.values[0] for each in older.request.filters] == [
        "2026-11-18T11:00:00.000000Z",
        "2026-11-18T12:00:00.000000Z",
    ]
    assert [each.values[0] for each in newer.request.filters] == [
        "2026-11-18T12:00:00.000000Z",
        "2026-11-18T13:00:00.000000Z",
    ]
    assert [each.values[0] for each in before.request.filters] == [
        "2026-11-18T10:55:00.000000Z",
        "2026-11-18T11:00:00.000000Z",
    ]
    assert before.request.limit == 1
    table.now += 20 * MINUTE
    table.look(search)
    table.now += 20 * MINUTE
    table.look(search)
    moments = [[each.values[0][11:19] for each in call.request.request.filters] for call in table.calls()]
    assert moments == [["11:55:00", "12:00:00"], ["12:00:00", "13:00:00"], ["12:15:00", "13:00:00"]]


def test_the_newest_is_the_same_for_who_has_looked_before_and_who_has_not(table: Table) -> None:
    """Also of runs that appear late, by a clock that is behind."""
    search = table.search(which=NEWEST)
    assert table.look(search) is None
    table.now += MINUTE
    table.run("older", NOON - 3 * MINUTE)
    table.run("newer", NOON - 2 * MINUTE)
    table.run("later", NOON + 1)
    assert [table.look(each) for each in (search, table.search(which=NEWEST))] == ["newer", "newer"]


def test_a_run_that_appears_late_is_found(table: Table) -> None:
    """By Flyte's clock, which is four minutes behind."""
    search = table.search()
    assert table.look(search) is None
    table.run("late", NOON - 4 * MINUTE)
    table.now += MINUTE
    assert table.look(search) == "late"


def test_labels_are_read_once_a_run(table: Table) -> None:
    for number in range(5):
        table.run(f"r{number}", NOON - (30 - number) * MINUTE, labels={"team": "a", "n": str(number)})
    search = table.search(labels={"team": "b"})
    assert table.look(search) is None
    assert len(table.calls("GetRunDetails")) == 5
    table.run("new", NOON - MINUTE, labels={"team": "b", "n": "9"})
    table.now += MINUTE
    assert table.look(search) == "new"
    assert [call.request.run_id.name for call in table.calls("GetRunDetails")] == ["new"]
    assert table.look(table.search(labels={"team": "a", "n": "3"}, which=NEWEST)) == "r3"
    assert [call.request.run_id.name for call in table.calls("GetRunDetails")] == ["new", "r4", "r3"]


def test_a_look_reads_a_bounded_number_of_runs_and_the_next_one_goes_on(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "MOST_READ", 3)
    for number in range(7):
        table.run(f"r{number}", NOON - (30 - number) * MINUTE, labels={"n": str(number)})
    search = table.search(labels={"n": "6"})
    assert [table.look(search) for _ in range(3)] == [None, None, "r6"]
    assert len(table.calls("GetRunDetails")) == 7


def test_more_runs_than_a_page_holds(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_search, "PAGE_SIZE", 2)
    for number in range(7):
        # Three of them in one moment, which is more than a page.
        table.run(f"r{number}", NOON - 10 * MINUTE + (number // 3), labels={"n": str(number)})
    for which, last in ((FIRST, "6"), (NEWEST, "0")):
        assert table.look(table.search(labels={"n": last}, which=which)) == f"r{last}"
    monkeypatch.setattr(run_search, "MOST_PAGES", 2)
    search = table.search(labels={"n": "6"})
    assert table.look(search) is None
    assert "There are more" in search.what_is_there()


def test_more_runs_than_a_look_reads(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the window none is in the way, and in it the next look goes on."""
    monkeypatch.setattr(run_search, "MOST_PAGES", 2)
    monkeypatch.setattr(run_search, "PAGE_SIZE", 2)
    monkeypatch.setattr(run_search, "_FEW", 2)
    for number in range(7):
        table.run(f"before{number}", NOON - HOUR - MINUTE + number)
    for number in range(7):
        table.run(f"r{number}", NOON - 30 * MINUTE + number, labels={"n": str(number)})
    assert table.look(table.search()) == "r0"
    search = table.search(labels={"n": "6"})
    assert [table.look(search) for _ in range(3)] == [None, None, "r6"]
    assert len(table.calls("GetRunDetails")) == 7
    search = table.search(since=NOON, which=NEWEST)
    table.look(search)
    assert "Shortly before" not in search.what_is_there()
    search = table.search(until=NOON - 50 * MINUTE)
    table.look(search)
    assert "Shortly before the window there is before6" in search.what_is_there()


def test_a_window_closes_when_no_clock_can_put_a_run_into_it(table: Table) -> None:
    search = table.search(until=NOON)
    table.look(search)
    assert not search.closed
    table.now += 5 * MINUTE - 1
    table.look(search)
    assert not search.closed
    table.now += 1
    table.look(search)
    assert search.closed
    assert not table.search().closed


def test_what_is_there_instead(table: Table) -> None:
    search = table.search(labels={"team": "b"})
    table.look(search)
    assert search.what_is_there() == "No run of this task was created in that window."
    table.run("before", NOON - HOUR - 2 * MINUTE)
    table.run("longago", NOON - HOUR - 20 * MINUTE)
    search = table.search(labels={"team": "b"})
    table.run("r1", NOON - 30 * MINUTE)
    table.look(search)
    assert search.what_is_there() == (
        "1 run of this task was created in that window, none with these labels; the newest is r1, created "
        "2026-11-18T11:30:00Z. Shortly before the window there is before, created 2026-11-18T10:58:00Z."
    )
    table.run("r2", NOON - 2 * MINUTE)
    table.look(search)
    assert search.what_is_there().startswith("2 runs of this task were created in that window, none with")


def test_an_outage_in_between_loses_nothing(table: Table) -> None:
    search = table.search(which=NEWEST)
    table.run("r1", NOON - MINUTE)
    table.flyte.inject("ListRuns", unavailable())
    with pytest.raises(FlyteError):
        table.look(search)
    table.flyte.clear_faults()
    assert table.look(search) == "r1"


def test_it_is_told_what_is_looked_for() -> None:
    sought = Sought("etl.load", NOON - HOUR, NOON, FIRST, NOON, {"team": "b", "n": "1"})
    assert str(sought) == (
        "the first run of Flyte task etl.load created from 2026-11-18T11:00:00Z to 2026-11-18T12:00:00Z "
        "with the labels n=1, team=b"
    )
    assert str(replace(sought, until=None, labels={}, which=NEWEST)) == (
        "the newest run of Flyte task etl.load created since 2026-11-18T11:00:00Z"
    )
