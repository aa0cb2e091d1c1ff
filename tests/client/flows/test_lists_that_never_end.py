"""A list of several pages ends, or is an error: whatever tokens a server gives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import GarbledAnswerError, is_lasting
from airflow_provider_flyte.client.flows.calls import MOST_PAGES, Call, RunsPage, all_pages, list_runs
from airflow_provider_flyte.client.flows.tasks import all_of
from airflow_provider_flyte.client.rpc import TaskService
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.transport.layer import drive


def read_runs(token_of: Callable[[int], str]) -> tuple[list[Any], int]:
    """The runs on all pages, and how many there were."""
    pages = count(1)

    def answer(call: Any) -> RunsPage:
        page = next(pages)
        return RunsPage({RunKey("p", "d", f"r{page}"): 1}, token_of(page))

    return list(drive(all_pages(list_runs("p", "d", ["r1"], "")), answer)), next(pages) - 1


def read_names(token_of: Callable[[int], str]) -> tuple[list[Any], int]:
    pages = count(1)

    def page(token: str) -> Call[tuple[list[str], str]]:
        return Call(TaskService.ListVersions, TaskService.ListVersions.request(), lambda response: response)

    def answer(call: Any) -> tuple[list[str], str]:
        page = next(pages)
        return [f"v{page}"], token_of(page)

    return drive(all_of(page), answer), next(pages) - 1


lists = pytest.mark.parametrize("read", [read_runs, read_names], ids=["runs", "names"])


@lists
def test_as_many_pages_as_there_may_be(read: Any) -> None:
    found, pages = read(lambda page: str(page) if page < MOST_PAGES else "")
    assert len(found) == pages == MOST_PAGES


@lists
@pytest.mark.parametrize(
    ("token_of", "words"),
    [
        (str, f"there is a page after {MOST_PAGES}"),
        (lambda page: "same", "the token of its next page is that of an earlier one"),
        (lambda page: "ab"[page % 2], "the token of its next page is that of an earlier one"),
    ],
    ids=["always another", "the same", "in turns"],
)
def test_pages_without_an_end(read: Any, token_of: Callable[[int], str], words: str) -> None:
    message = f"at the Flyte endpoint failed with INTERNAL: the list does not end: {words}"
    with pytest.raises(GarbledAnswerError, match=message) as raised:
        read(token_of)
    assert not is_lasting(raised.value)
