"""What the tab shows of a run's child actions, as JSON: a page of each level that is open. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_flyte.client.phase import phase_name
from airflow_provider_flyte.plugin.view import shown_time

if TYPE_CHECKING:
    from airflow_provider_flyte.client.flows.action_tree import ActionRow, ActionTree

PAGE = 50
"""Actions of a level that are shown at once."""

MOST_LEVELS = 20
"""Levels that one page may have open."""

_LAST = datetime.max.replace(tzinfo=timezone.utc)


class Level(NamedTuple):
    """The actions that one has started, or those of them that are one group."""

    parent: str
    group: str = ""
    first: int = 0
    """How many are left out before the first that is shown."""


def levels_view(tree: ActionTree, levels: Iterable[Level], root: str) -> dict[str, Any]:
    """A page of each of these levels; of one that there is not, an empty one.

    :param tree: what Flyte has.
    :param levels: what is open.
    :param root: the name of the root action, which is not shown itself.
    """
    children: dict[tuple[str, str], list[ActionRow]] = {}
    groups: dict[str, dict[str, list[ActionRow]]] = {}
    for row in tree.rows.values():
        if row.name == root:
            continue
        # One whose parent is left out is shown below the root.
        parent = row.parent if row.parent in tree.rows and row.parent != row.name else root
        children.setdefault((parent, row.group), []).append(row)
        if row.group:
            groups.setdefault(parent, {}).setdefault(row.group, []).append(row)
    return {
        "levels": [_level(level, children, groups) for level in levels],
        "total": len(tree.rows) - (root in tree.rows),
        "left_out": tree.left_out,
        "trouble": tree.trouble,
    }


def _level(
    level: Level,
    children: Mapping[tuple[str, str], list[ActionRow]],
    groups: Mapping[str, Mapping[str, list[ActionRow]]],
) -> dict[str, Any]:
    rows = children.get((level.parent, level.group), [])
    entries: list[tuple[datetime, str, ActionRow | list[ActionRow]]] = [(*_begin(row), row) for row in rows]
    if not level.group:
        here = groups.get(level.parent, {})
        entries += [(min(map(_begin, some))[0], name, some) for name, some in here.items()]
    entries.sort(key=lambda entry: entry[:2])
    first = level.first if level.first < len(entries) else 0
    shown = entries[first : first + PAGE]
    return {
        "parent": level.parent,
        "group": level.group,
        "asked": level.first,
        "first": first,
        "total": len(entries),
        "items": [_group(name, each) if isinstance(each, list) else _action(each) for _, name, each in shown],
    }


def _begin(row: ActionRow) -> tuple[datetime, str]:
    return row.started or _LAST, row.name


def _action(row: ActionRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "task": row.task,
        "phase": phase_name(row.phase),
        "attempts": row.attempts,
        "started": shown_time(row.started),
        "ended": shown_time(row.ended),
        "below": _counts(row.below),
    }


def _group(name: str, rows: list[ActionRow]) -> dict[str, Any]:
    started = [row.started for row in rows if row.started]
    ended = [row.ended for row in rows if row.ended]
    return {
        "group": name,
        "started": shown_time(min(started, default=None)),
        "ended": shown_time(max(ended, default=None)) if len(ended) == len(rows) else None,
        "below": _counts(Counter(row.phase for row in rows)),
    }


def _counts(phases: Mapping[int, int]) -> dict[str, int]:
    return {phase_name(phase): count for phase, count in sorted(phases.items())}
