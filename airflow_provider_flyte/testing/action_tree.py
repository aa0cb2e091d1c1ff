"""The tree of a run's actions as one WatchActions stream has sent it so far: what passes the filters, and the counts.

As the backend has it (run_state_manager.go of the recorded commit): an action is shown where it passes the filters
itself or something below it does, and each change of an action below is a change of all actions above it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.store import Action

_FUNCTIONS = {"PHASE": list_pb2.Filter.VALUE_IN, "NAME": list_pb2.Filter.CONTAINS_CASE_INSENSITIVE}
"""The fields that can be filtered by, in capitals here, and the one function that each takes."""


@dataclass
class Node:
    """An action as it was at the last update."""

    action: Action
    parent: Node | None
    phase: int
    counts: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """How many actions below it are in which phase; a phase that all have left stays, with 0."""

    matches: bool = False
    matching_below: int = 0
    shown: bool = False

    def above(self) -> Iterator[Node]:
        """The actions above it, the nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


class ActionTree:
    """The actions of one run, as one stream has sent them so far.

    :param filters: of the request; INVALID_ARGUMENT for what this method cannot filter by.
    """

    def __init__(self, filters: Iterable[list_pb2.Filter]) -> None:
        self._nodes: dict[str, Node] = {}
        self._phases: set[int] = set()
        self._name = ""
        for given in filters:
            if _FUNCTIONS.get(given.field) != given.function:
                function = list_pb2.Filter.Function.Name(given.function)
                raise Refusal("INVALID_ARGUMENT", f"function {function} is not supported for filter {given.field}")
            if given.field == "NAME":
                self._name = given.values[0].lower() if given.values else self._name
                continue
            for value in given.values:
                if not value.lstrip("-").isdecimal():
                    raise Refusal("INVALID_ARGUMENT", f"invalid phase value: {value}")
                self._phases.add(int(value))

    def update(self, actions: Iterable[Action]) -> list[tuple[Node, bool]]:
        """Take in actions, new or changed; returns what a message shows, and of each whether it meets the filters."""
        changed: dict[str, Node] = {}
        for action in actions:
            self._take_in(action, changed)
        for node in changed.values():
            if (matches := self._match(node)) != node.matches:
                node.matches = matches
                for above in node.above():
                    above.matching_below += 1 if matches else -1
        shown: dict[str, tuple[Node, bool]] = {}
        for name, node in changed.items():
            if node.matches:
                shown |= {above.action.key[3]: (above, True) for above in node.above() if not above.shown}
                for each in (node, *node.above()):
                    each.shown = True
                shown[name] = node, True
            elif node.shown:
                # It shows for a last time where it is what leaves the filter, and so do those above it.
                for each in (node, *node.above()):
                    if each.shown and not each.matches and not each.matching_below:
                        each.shown = False
                        shown[each.action.key[3]] = each, False
                if node.shown:
                    shown[name] = node, True
        return sorted(shown.values(), key=lambda entry: (entry[0].action.created_ns, entry[0].action.number))

    def _take_in(self, action: Action, changed: dict[str, Node]) -> None:
        name, phase = action.key[3], int(action.phase)
        node = self._nodes.get(name)
        if node is None:
            parent = self._nodes.get(action.parent)
            if action.parent and parent is None:
                raise Refusal("UNKNOWN", f"parent node [{action.parent}] not found for action [{name}]")
            node = self._nodes[name] = Node(action, parent, phase)
            old = None
        else:
            old, node.phase = node.phase, phase
        changed[name] = node
        for above in node.above():
            above.counts[phase] += 1
            if old is not None:
                above.counts[old] -= 1
            changed[above.action.key[3]] = above

    def _match(self, node: Node) -> bool:
        if self._phases and node.phase not in self._phases:
            return False
        # The last part of its task's name; an action without a task has its own.
        name = node.action.task_id.name.rpartition(".")[2] or node.action.key[3]
        return self._name in name.lower()
