"""FlyteHook: from an Airflow connection to a client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_flyte import connection
from airflow_provider_flyte.airflow_facts import aextra
from airflow_provider_flyte.connection import ConnectionProblem, config_from
from airflow_provider_flyte.exceptions import FlyteConfigurationError

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, FlyteConfig


class FlyteHook(BaseHook):
    """Gives a client for the Flyte 2 control plane that a connection names.

    :param flyte_conn_id: the Airflow connection, of type ``flyte``.
    """

    conn_name_attr = "flyte_conn_id"
    default_conn_name = connection.DEFAULT_CONN_ID
    conn_type = connection.CONN_TYPE
    hook_name = connection.CONN_NAME

    def __init__(self, flyte_conn_id: str = connection.DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.flyte_conn_id = flyte_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extra fields of the form in Airflow 2.11; Airflow 3 reads ``get_provider_info``."""
        return connection.form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The standard fields of the form in Airflow 2.11."""
        return {key.replace("-", "_"): value for key, value in connection.ui_field_behaviour().items()}

    def get_config(self) -> FlyteConfig:
        """The client's settings, read from the connection each time.

        :raises FlyteConfigurationError: when there is no such connection or it cannot be used; the text says which
            field to change.
        """
        try:
            stored = self.get_connection(self.flyte_conn_id)
        except AirflowNotFoundException as error:
            raise self._missing() from error
        except Exception as error:
            raise FlyteConfigurationError(
                f"Airflow could not read the connection {self.flyte_conn_id!r}: {type(error).__name__}: {error}"
            ) from error
        try:
            return config_from(stored, stored.extra_dejson)
        except ConnectionProblem as error:
            raise FlyteConfigurationError(str(error)) from error

    async def aget_config(self) -> FlyteConfig:
        """:meth:`get_config` on an event loop.

        A blocking ``get_connection`` in a task that was started inside a trigger finds no connection that is in the
        database (Airflow 3.3.2), hence the functions of common-compat.
        """
        try:
            stored = await get_async_connection(self.flyte_conn_id)
        except AirflowNotFoundException as error:
            raise self._missing() from error
        extra = await aextra(stored)
        try:
            return await asyncio.to_thread(config_from, stored, extra)
        except ConnectionProblem as error:
            raise FlyteConfigurationError(str(error)) from error

    def get_client(self) -> FlyteClient:
        """A client for blocking calls; use it as ``with hook.get_client() as client``.

        Nothing is connected before the first call.
        """
        from airflow_provider_flyte.client.client import FlyteClient

        return FlyteClient(self.get_config())

    async def aget_client(self) -> FlyteClient:
        """A client for a running event loop; use it as ``async with``."""
        return await asyncio.to_thread(_make_client, await self.aget_config())

    def get_conn(self) -> FlyteClient:
        """:meth:`get_client`, under the name that every Airflow hook has."""
        return self.get_client()

    def test_connection(self) -> tuple[bool, str]:
        """Ask Flyte for its runs, as the waits will. The UI's Test button shows the text.

        The API server runs this, or an executor's process that forks later: the channel is closed at once.
        """
        from airflow_provider_flyte.client.calls import list_projects, list_runs
        from airflow_provider_flyte.client.errors import FlyteError

        try:
            config = self.get_config()
            with self.get_client() as client:
                if config.project and config.domain:
                    client.run(list_runs(config.project, config.domain, ["any-name"], config.org), retry_for=0)
                    return True, f"Flyte 2 at {config.endpoint}: runs of {config.project}/{config.domain} are visible."
                client.run(list_projects(), retry_for=0)
        except (FlyteConfigurationError, FlyteError) as error:
            return False, str(error)
        return True, f"Flyte 2 at {config.endpoint} answers. Each task must name its project and domain."

    def _missing(self) -> FlyteConfigurationError:
        return FlyteConfigurationError(
            f"There is no Airflow connection {self.flyte_conn_id!r}. Create it under Admin > Connections with type "
            f"{connection.CONN_NAME!r}, or set AIRFLOW_CONN_{self.flyte_conn_id.upper()}."
        )


def _make_client(config: FlyteConfig) -> FlyteClient:
    """In a thread: the first import of grpc and protobuf holds a loop for 150 ms, and the roots are files."""
    from airflow_provider_flyte.client.client import FlyteClient

    return FlyteClient(config)
