"""The last lines that an attempt of a run logged, where the backend serves them (DataProxyService/TailLogs)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from airflow_provider_flyte.client.arguments import seconds, whole_number
from airflow_provider_flyte.client.errors import NotFoundError, RpcError, UnimplementedError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Flow, StreamCall
from airflow_provider_flyte.client.flows.run_log import Known, LogPosition, Times
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.rpc import DataProxyService
from airflow_provider_flyte.client.run_key import RunKey

LINES, WITHIN = 50, 5.0


@dataclass(frozen=True)
class LogTail:
    """The end of a log, as far as it could be read."""

    lines: tuple[str, ...] = ()
    """The last lines, oldest first; a very long one is cut."""

    trouble: str = ""
    """Why there is no more: the pod is gone, the backend serves no logs, the credentials are not enough ..."""


def tail_log(
    key: RunKey, org: str, attempt: int, lines: int, within: float, written: LogPosition | None = None
) -> Flow[LogTail]:
    """Read the log of an attempt of the root action, and keep its end, without what was written of it before.

    Never a failed call: a log is an addition to another message. The backend sends the log from its beginning,
    and a hosted one leaves the stream open, so what came until then counts.
    """
    kept: deque[str] = deque(maxlen=lines)
    before = written if written is not None and written.attempt == attempt else LogPosition()
    known, times = Known(before, gap=True), Times()

    def read(message: dataproxy_service_pb2.TailLogsResponse) -> None:
        for log in message.logs:
            for line in log.lines:
                if (times.of(line), line.message) not in known:
                    kept.append(one_line(line.message))

    request = dataproxy_service_pb2.TailLogsRequest(
        action_id=identifier_pb2.ActionIdentifier(run=calls.run_identifier(key, org), name=calls.ROOT_ACTION),
        attempt=attempt,
    )
    try:
        yield StreamCall(DataProxyService.TailLogs, request, read, timeout=within, run=key.name)
    except (NotFoundError, UnimplementedError) as error:
        # Without the error's advice to check the name and the address: the backend has no log (data_plane.json), or
        # serves none.
        return LogTail(tuple(kept), f"Flyte has none ({error.status.name}: {error.details}).")
    except RpcError as error:
        return LogTail(tuple(kept), str(error))
    return LogTail(tuple(kept))


def check_tail(attempt: object, lines: object, within: object) -> None:
    """Refuse an attempt, a number of lines or a time that cannot be."""
    for name, value in (("attempt", attempt), ("lines", lines)):
        whole_number(name, value, least=1)
    seconds("within", within, above_least=True)
