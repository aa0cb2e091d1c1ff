"""ClusterService: where the data of a run is, and which port answers which call."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.cluster import payload_pb2 as pb
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.testing.calls import Call, Refusal
from airflow_provider_flyte.testing.dispatch import Handlers, Row
from airflow_provider_flyte.testing.store import Store, run_key

_DATA: frozenset[Row] = frozenset(row for row in vars(rpc.DataProxyService).values() if isinstance(row, rpc.Method))

OF_A_PROJECT = 0
"""The cluster of what belongs to a project and to no run."""


class ClusterHandlers:
    """The clusters of a hosted Flyte; without any, the open-source one.

    :param scheme: ``http`` or ``https``.
    :param host: of every port.
    :param clusters: the ports of each cluster's data plane, by transport.
    """

    def __init__(self, store: Store, scheme: str, host: str, clusters: list[dict[str, int]]) -> None:
        self._store = store
        self._scheme = scheme
        self._host = host
        self._clusters = clusters
        self.named: str | None = None
        """What is named instead."""

    def table(self) -> Handlers:
        """The function that answers each method."""
        return {rpc.ClusterService.SelectCluster: self.select_cluster}

    def select_cluster(self, request: pb.SelectClusterRequest, call: Call) -> pb.SelectClusterResponse:
        """The address of a data plane: at the port that speaks what the call came through. Without clusters it is the
        server itself, as it was asked, whatever is asked about (data_plane.json).
        """
        if self.named is not None:
            return pb.SelectClusterResponse(cluster_endpoint=self.named)
        if not self._clusters:
            return pb.SelectClusterResponse(cluster_endpoint=f"{self._scheme}://{call.authority}")
        number = OF_A_PROJECT
        if request.HasField("action_id"):
            number = self._of_run(request.action_id.run)
        port = self._clusters[number][call.transport]
        return pb.SelectClusterResponse(
            cluster_endpoint=f"{self._scheme}://{self._host}:{port}", cluster=f"cluster-{number}"
        )

    def served(self, cluster: int | None) -> Collection[Row]:
        """The methods that are there: data at data planes alone, and nothing else.

        :param cluster: number of the cluster; None for the control plane.
        """
        if not self._clusters:
            return rpc.METHODS
        return _DATA if cluster is not None else [row for row in rpc.METHODS if row not in _DATA]

    def admit(self, row: Row, request: Any, call: Call) -> None:
        """Refuse a call about data that are on another cluster."""
        if call.cluster is None:
            return
        is_of_run = "action_id" in request.DESCRIPTOR.fields_by_name
        if call.cluster != (self._of_run(request.action_id.run) if is_of_run else OF_A_PROJECT):
            raise Refusal("NOT_FOUND", f"cluster-{call.cluster} has no data of this run")

    def _of_run(self, run: identifier_pb2.RunIdentifier) -> int:
        with self._store.lock:
            action = self._store.run(run_key(run))
        if action is None:
            raise Refusal("NOT_FOUND", f"run {run.name} not found")
        return action.cluster
