"""How runs are watched. None of these streams can be trusted alone: each docstring names what its stream leaves out."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import ExitStack

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2 as pb
from airflow_provider_flyte.testing import answers, listing
from airflow_provider_flyte.testing.action_tree import ActionTree
from airflow_provider_flyte.testing.calls import Call, Refusal
from airflow_provider_flyte.testing.dispatch import Handlers
from airflow_provider_flyte.testing.store import Store, action_key, require_action, require_run, run_key

FIRST_BATCH = 100
"""How many runs WatchRuns sends first: about a hundred, never all."""

ACTIONS_A_MESSAGE = 100
"""How many of a run's actions WatchActions looks at for one of its first messages (the backend's source)."""


class StreamHandlers:
    """The part of RunService that answers one call with many messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.RunService
        return {
            service.WatchRuns: self.watch_runs,
            service.WatchRunDetails: self.watch_run_details,
            service.WatchActionDetails: self.watch_action_details,
            service.WatchActions: self.watch_actions,
        }

    def watch_runs(self, request: pb.WatchRunsRequest, call: Call) -> Iterator[pb.WatchRunsResponse]:
        """Some existing runs, then one Run for each change of a root action, as it is when the message is made.

        It never closes, and in a project without runs nothing at all is sent, not even headers, until the first
        change. Whether a new run is a change was not measured: here it is none, it shows when its phase moves.
        """
        scope = request.WhichOneof("target")
        if scope not in (None, "project_id"):
            raise Refusal("UNIMPLEMENTED", "the local server watches the runs of a project and domain only")
        project, domain = request.project_id.name, request.project_id.domain
        # Without a target those of every project come (broken_requests.json, call 9).
        topic = ("runs", project, domain) if scope else ("runs",)
        with self._store.hub.subscribe(topic, call) as changes:
            with self._store.lock:
                runs = self._store.roots(project, domain) if scope else self._store.all_roots()
                first = heapq.nsmallest(FIRST_BATCH, runs, key=listing.default_order)
                batch = pb.WatchRunsResponse(runs=[answers.run_row(action) for action in first])
            if batch.runs:
                yield batch
            for action in changes:
                with self._store.lock:
                    update = pb.WatchRunsResponse(runs=[answers.run_row(action)])
                yield update

    def watch_run_details(self, request: pb.WatchRunDetailsRequest, call: Call) -> Iterator[pb.WatchRunDetailsResponse]:
        """Empty details, once at first and once a change, for ever (watch_run_details.json): a wake-up at best."""
        with self._store.hub.subscribe(("run", *run_key(request.run_id)), call) as changes:
            require_run(self._store, request.run_id)
            empty = pb.WatchRunDetailsResponse(details=run_definition_pb2.RunDetails())
            yield empty
            for _ in changes:
                yield empty

    def watch_action_details(
        self, request: pb.WatchActionDetailsRequest, call: Call
    ) -> Iterator[pb.WatchActionDetailsResponse]:
        """Full details at first and at each change, of the status or of the events.

        It closes when the events of the last attempt are terminal. The executor sends them before it sets the
        status, so the last message may still have RUNNING (watch_action_details.json); an action that was aborted, or
        failed without events, keeps its stream open for ever (aborted.json, call 4).
        """
        action_id = request.action_id
        with self._store.hub.subscribe(("action", *action_key(action_id)), call) as changes:
            try:
                action = require_action(self._store, action_id)
            except Refusal as refusal:
                raise Refusal("NOT_FOUND", f"failed to get action details: not_found: {refusal.details}") from None
            while True:
                # Several changes at once are one message: the real one drains its channel too.
                changes.drain()
                with self._store.lock:
                    details = answers.action_details(action, action_id)
                    last = answers.events_are_terminal(action)
                yield pb.WatchActionDetailsResponse(details=details)
                if last or next(iter(changes), None) is None:
                    return

    def watch_actions(self, request: pb.WatchActionsRequest, call: Call) -> Iterator[pb.WatchActionsResponse]:
        """The actions of a run that pass the filters, with those above them, and then what changes, for ever.

        An action above others has how many of those are in which phase, whether they pass the filters or not; of a
        large run each of the first messages shows it anew, with more (child_counts.json, child_actions.json). A run
        that does not exist has no actions, and nothing is sent until it has.
        """
        tree = ActionTree(request.filter)
        key = run_key(request.run_id)
        # Under one lock: what changes afterwards is a message of its own, and nothing is told twice.
        with ExitStack() as subscribed:
            with self._store.lock:
                changes = subscribed.enter_context(self._store.hub.subscribe(("actions", *key), call))
                actions = sorted(self._store.actions_of(key), key=lambda action: (action.created_ns, action.number))
                first = [
                    answers.watched_actions(tree.update(actions[start : start + ACTIONS_A_MESSAGE]))
                    for start in range(0, len(actions), ACTIONS_A_MESSAGE)
                ]
            yield from (message for message in first if message.enriched_actions)
            for action in changes:
                with self._store.lock:
                    message = answers.watched_actions(tree.update([action]))
                if message.enriched_actions:
                    yield message
