"""The one client of an execution: made when it is first needed, and again where the connection has changed since."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.hooks import FlyteHook

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.task_log import TaskLog


class HeldClient:
    """The client of an execution; use it as ``with HeldClient(...) as held``.

    :param flyte_conn_id: the Airflow connection.
    :param log: the task's log.
    """

    def __init__(self, flyte_conn_id: str, log: TaskLog) -> None:
        self.flyte_conn_id = flyte_conn_id
        self._log = log
        self._hook = FlyteHook(flyte_conn_id)
        self._client: FlyteClient | None = None

    def __enter__(self) -> HeldClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def get(self) -> FlyteClient:
        """The client.

        :raises FlyteConfigurationError: when the connection is missing or cannot be used.
        """
        if self._client is None:
            self._client = self._hook.get_client()
        return self._client

    def refresh(self) -> bool:
        """Read the connection again, whose secret may have changed; returns whether there is another client now."""
        if self._client is None:
            return False
        try:
            fresh = self._hook.refresh_client(self._client)
        except FlyteConfigurationError as error:
            self._log.warning(
                "The Airflow connection could not be read again, so the task continues with its old settings. %s", error
            )
            return False
        if fresh is None:
            return False
        self.close()
        self._client = fresh
        return True

    def close(self) -> None:
        """Close the client; more than once does no harm."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
