"""What the tab shows of a run's child actions: a page of each level that is open."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_flyte.client.flows.action_tree import ActionRow, ActionTree
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.plugin.actions_view import MOST_LEVELS, PAGE, Level, levels_view

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def row(name: str, parent: str = "a0", group: str = "", at: int = 0, phase: int = RunPhase.SUCCEEDED) -> ActionRow:
    started = START + timedelta(seconds=at)
    return ActionRow(name, parent, group, "train.shard", phase, 1, started, started + timedelta(seconds=1), {})


def tree(*rows: ActionRow) -> ActionTree:
    return ActionTree({each.name: each for each in (row("a0", ""), *rows)})


def shown(actions: ActionTree, *levels: Level) -> list[dict[str, Any]]:
    view: list[dict[str, Any]] = levels_view(actions, levels, "a0")["levels"]
    return view


def names(level: dict[str, Any]) -> list[str]:
    return [item.get("name", item.get("group")) for item in level["items"]]


def test_groups_stand_among_actions_in_the_order_of_their_begin() -> None:
    actions = tree(
        row("late", at=9), row("early"), row("g2", group="g", at=5, phase=RunPhase.RUNNING), row("g1", group="g", at=3)
    )
    top, group = shown(actions, Level("a0"), Level("a0", "g"))
    assert names(top) == ["early", "g", "late"]
    assert top["items"][1]["below"] == {"RUNNING": 1, "SUCCEEDED": 1}
    assert names(group) == ["g1", "g2"]
    assert top["items"][0]["started"] == "2026-01-01T00:00:00.000Z"


def test_two_thousand_are_shown_in_pages() -> None:
    actions = tree(*(row(f"c{number:04}", at=number) for number in range(2000)))
    first, last, beyond = shown(actions, Level("a0"), Level("a0", "", 1960), Level("a0", "", 5000))
    assert (first["total"], names(first)) == (2000, [f"c{number:04}" for number in range(PAGE)])
    assert (last["first"], len(last["items"])) == (1960, 40)
    assert (beyond["asked"], beyond["first"], names(beyond)) == (5000, 0, names(first))


def test_as_much_as_a_page_can_ask_for_is_small() -> None:
    actions = tree(*(row(f"{number:032x}", at=number) for number in range(10_000)))
    view = levels_view(actions, [Level("a0", "", PAGE * number) for number in range(MOST_LEVELS)], "a0")
    assert len(json.dumps(view)) < 300_000


def test_what_is_below_no_other_is_below_the_run() -> None:
    """A parent may be left out; a tree that goes in circles ends nowhere."""
    actions = tree(row("lost", "gone"), row("own", "own"), row("x", "y"), row("y", "x"))
    [top, inside, none] = shown(actions, Level("a0"), Level("x"), Level("gone"))
    assert names(top) == ["lost", "own"]
    assert names(inside) == ["y"]
    assert (none["total"], none["items"]) == (0, [])
