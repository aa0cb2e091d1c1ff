"""Which data plane serves a call (ClusterService/SelectCluster): what is asked, and how the answer is read.

On hosted Flyte inputs, outputs and logs are where the run is: the control plane names the address. The open-source one
names itself, as it was asked (``data_plane.json``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.endpoint import plain_host
from airflow_provider_flyte.client.idl.cluster import payload_pb2 as pb
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.rpc import DataProxyService, Method

OPERATIONS: dict[Method[Any, Any], pb.SelectClusterRequest.Operation] = {
    DataProxyService.GetActionData: pb.SelectClusterRequest.OPERATION_GET_ACTION_DATA,
    DataProxyService.TailLogs: pb.SelectClusterRequest.OPERATION_TAIL_LOGS,
    DataProxyService.UploadInputs: pb.SelectClusterRequest.OPERATION_UPLOAD_INPUTS,
}
"""The methods that a data plane serves, those of them that we call (SDK 2.12.1, controlplane.py)."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Question:
    """Which data plane is asked for: one answer is remembered for each."""

    operation: int
    org: str
    project: str
    domain: str


@dataclass(frozen=True)
class DataPlane:
    """An address that Flyte names."""

    host: str
    """A name in lower case or an address, without brackets."""

    port: int
    insecure: bool
    """Whether it is called in plaintext: never unless the connection is, whatever scheme Flyte names."""

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'http' if self.insecure else 'https'}://{self.endpoint}"

    @property
    def endpoint(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def is_at(self, config: FlyteConfig) -> bool:
        """Whether it is at the host of the connection."""
        own = config.endpoint.rpartition(":")[0]
        return self.host in map(plain_host, (own, config.server_name))


def question(method: Method[Any, Any], request: Any) -> Question | None:
    """What to ask before a call; None where the control plane serves it."""
    operation = OPERATIONS.get(method)
    if operation is None:
        return None
    run = request.run_id if method is DataProxyService.UploadInputs else request.action_id.run
    return Question(operation, run.org, run.project, run.domain)


def select_request(asked: Question, request: Any) -> pb.SelectClusterRequest:
    """The request of SelectCluster: by action where the call is about one, else by project, as the SDK asks."""
    selecting = pb.SelectClusterRequest(operation=pb.SelectClusterRequest.Operation.Name(asked.operation))
    if "action_id" in request.DESCRIPTOR.fields_by_name:
        selecting.action_id.CopyFrom(request.action_id)
    else:
        selecting.project_id.CopyFrom(
            identifier_pb2.ProjectIdentifier(organization=asked.org, name=asked.project, domain=asked.domain)
        )
    return selecting


def named_data_plane(answer: str, config: FlyteConfig) -> DataPlane | None:
    """The data plane that an answer names; None where that is the endpoint of the connection itself.

    That is so where nothing is named, and where the connection's host is, with its port, without one, or with the usual
    one of the scheme: a proxy that ends TLS tells Flyte neither the scheme nor always the port.

    :param answer: ``scheme://host[:port]``, or without a scheme.
    :raises ValueError: for a text that is no address; its text says so, for people.
    """
    if not answer.strip():
        return None
    try:
        scheme, host, port = _parts(answer.strip())
    except ValueError:
        raise ValueError(f"{one_line(answer, LONGEST_NAME)!r}, which is no address") from None
    insecure = config.insecure and scheme != "https"
    plane = DataPlane(host, port or _PORTS["http" if insecure else "https"], insecure)
    own_port = int(config.endpoint.rpartition(":")[2])
    return None if plane.is_at(config) and port in (None, own_port, _PORTS.get(scheme)) else plane


def _parts(address: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address; ValueError for anything else."""
    address = address.replace("dns:///", "//", 1)
    parts = urlsplit(address if "//" in address else f"//{address}")
    host = plain_host(parts.hostname or "")
    # Line breaks would be left out of it.
    is_whole = host and not re.search(r"\s", address) and parts.port != 0 and parts.scheme in ("", *_PORTS)
    if not is_whole or parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(address)
    return parts.scheme, host, parts.port
