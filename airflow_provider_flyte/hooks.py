"""FlyteHook: a client from an Airflow connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import argument_errors
from airflow_provider_flyte.client.arguments import printable
from airflow_provider_flyte.compat import AirflowNotFoundException, BaseHook, mask_secret
from airflow_provider_flyte.compat.connections import (
    aconnection,
    afailing_backends,
    aunread_variable,
    failing_backends,
    unread_variable,
)
from airflow_provider_flyte.compat.masking import amask_secret, mask_here
from airflow_provider_flyte.connection import fields
from airflow_provider_flyte.connection.reader import (
    ConnectionProblem,
    StoredConnection,
    config_from,
    extra_from,
    secrets_in,
)
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConfigurationError

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, FlyteConfig, SignalledCondition

log = logging.getLogger(__name__)


class FlyteHook(BaseHook):
    """Makes clients for the Flyte 2 control plane that a connection names.

    :param flyte_conn_id: the Airflow connection, of type ``flyte``.
    """

    conn_name_attr = "flyte_conn_id"
    default_conn_name = fields.DEFAULT_CONN_ID
    conn_type = fields.CONN_TYPE
    hook_name = fields.CONN_NAME

    def __init__(self, flyte_conn_id: str = fields.DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.flyte_conn_id = flyte_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extra fields of the form in Airflow 2.11; Airflow 3 reads ``get_provider_info``."""
        return fields.form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The standard fields of the form in Airflow 2.11."""
        return {key.replace("-", "_"): value for key, value in fields.ui_field_behaviour().items()}

    def get_config(self) -> FlyteConfig:
        """The client's settings, read from the connection each time.

        :raises FlyteConfigurationError: when there is no such connection or it cannot be used; the text names which
            field to change.
        """
        return _usable(self._read())

    async def aget_config(self) -> FlyteConfig:
        """:meth:`get_config` on an event loop."""
        return _usable(await self._aread())

    def get_client(self) -> FlyteClient:
        """A client for blocking calls; use it as ``with hook.get_client() as client``.

        Nothing is connected before the first call.
        """
        return self._make_client(self.get_config())

    async def aget_client(self) -> FlyteClient:
        """A client for a running event loop; use it as ``async with``."""
        return await asyncio.to_thread(self._make_client, await self.aget_config())

    def refresh_client(self, than: FlyteClient) -> FlyteClient | None:
        """A client for a wait in trouble, whose secret may have been replaced: by the connection as it is now.

        :param than: the client that the wait has; None is returned where the connection has not changed since.
        """
        return self._if_changed(self.get_client(), than)

    async def arefresh_client(self, than: FlyteClient) -> FlyteClient | None:
        """:meth:`refresh_client` on an event loop."""
        return self._if_changed(await self.aget_client(), than)

    def _if_changed(self, fresh: FlyteClient, old: FlyteClient) -> FlyteClient | None:
        # Nothing is open yet in a client that is thrown away here.
        if fresh.config == old.config:
            return None
        # A module's logger: the log of a hook is a task's, and in the triggerer there may be none.
        log.info("The Airflow connection %r has changed; its new settings are used from now on.", self.flyte_conn_id)
        return fresh

    def get_api_server_client(self, who: str) -> FlyteClient:
        """:meth:`get_client` in Airflow's API server, which opens only the files that its configuration lets it open.

        :param who: for whom the client is, in the error about a file.
        :raises FlyteConfigurationError: also for such a file.
        """
        from airflow_provider_flyte.connection.files import why_not_opened
        from airflow_provider_flyte.settings import readable_folders

        config = self.get_config()
        if why := why_not_opened(config, readable_folders(), who):
            raise FlyteConfigurationError(f"Flyte connection {self.flyte_conn_id!r}: {why}")
        return self._make_client(config)

    def get_conn(self) -> FlyteClient:
        """:meth:`get_client`, under the name that every Airflow hook has."""
        return self.get_client()

    def signal(
        self,
        run_name: str,
        condition: str,
        value: bool | int | float | str,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> SignalledCondition:
        """Answer a condition that a run waits for (``flyte.new_condition``), as in Flyte's console.

        :param run_name: the run's name.
        :param condition: its name (``flyte.new_condition("name")``), or its action's where several have that name.
        :param value: the answer, of the type that the condition asks for: bool, int, float or str.
        :param project: by default the connection's.
        :param domain: by default the connection's.
        :raises ConditionError: where the run has no such condition or is over (``RunIsOverError``), the condition does
            not wait, or the value has another type (both in ``airflow_provider_flyte.client``). Nothing was answered
            then.
        :raises RpcError: where Flyte refuses the call or is not reached.
        """
        with self.get_client() as client:
            return client.signal(run_name, condition, value, project=project, domain=domain)

    async def asignal(
        self,
        run_name: str,
        condition: str,
        value: bool | int | float | str,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> SignalledCondition:
        """:meth:`signal` on an event loop."""
        async with await self.aget_client() as client:
            return await client.signal.aio(run_name, condition, value, project=project, domain=domain)

    def test_connection(self) -> tuple[bool, str]:
        """Whether a task could use the connection, and a text about what is wrong: see ``connection/check.py``."""
        from airflow_provider_flyte.connection.check import check

        try:
            read = self._read()
        except FlyteConfigurationError as error:
            return False, f"Settings: {error}"
        if isinstance(read, ConnectionProblem):
            # Without the connection's name: the UI tests a copy under a name that it has just made up.
            return False, f"Settings: {read.advice}"
        return check(read)

    # A problem of the connection is returned, not raised: a traceback's locals would show the connection here.

    def _read(self) -> FlyteConfig | ConnectionProblem:
        self._check_id()
        if os.environ.get(self._variable) and (failure := unread_variable(self.flyte_conn_id)):
            raise self._not_found([failure])
        stored: Any = None
        try:
            stored = self.get_connection(self.flyte_conn_id)
        except AirflowNotFoundException:
            pass
        except Exception as error:
            raise FlyteConfigurationError(
                f"Airflow could not read the connection {self.flyte_conn_id!r}: {type(error).__name__}: {error}"
            ) from error
        if stored is None:
            raise self._not_found(failing_backends(self.flyte_conn_id))
        config, secrets = self._config_and_secrets(stored)
        for secret in secrets:
            mask_secret(secret)
        return config

    async def _aread(self) -> FlyteConfig | ConnectionProblem:
        self._check_id()
        if os.environ.get(self._variable) and (failure := await aunread_variable(self.flyte_conn_id)):
            raise self._not_found([failure])
        stored: Any = None
        with contextlib.suppress(AirflowNotFoundException):
            stored = await aconnection(type(self), self.flyte_conn_id)
        if stored is None:
            raise self._not_found(await afailing_backends(self.flyte_conn_id))
        config, secrets = await asyncio.to_thread(self._config_and_secrets, stored)
        for secret in secrets:
            await amask_secret(secret)
        return config

    def _config_and_secrets(self, stored: StoredConnection) -> tuple[FlyteConfig | ConnectionProblem, list[Any]]:
        """The client's settings, and what has to be masked."""
        if not (stored.conn_type or stored.host) and os.environ.get(self._variable):
            return ConnectionProblem(self.flyte_conn_id, self._about_variable), []
        extra: dict[str, Any] = {}
        try:
            extra = extra_from(stored)
            config = config_from(stored, extra)
        except ConnectionProblem as problem:
            return problem, [extra]
        return config, [extra, *secrets_in(config, extra)]

    def _make_client(self, config: FlyteConfig) -> FlyteClient:
        """On a loop in a thread: the first import of grpc and protobuf holds it for 150 ms, and the roots are files."""
        from airflow_provider_flyte.client.client import FlyteClient
        from airflow_provider_flyte.client.errors import ConfigError
        from airflow_provider_flyte.report.metrics import count_garbled_answer

        try:
            garbled = partial(count_garbled_answer, self.flyte_conn_id)
            return FlyteClient(config, on_garbled=garbled, on_token=mask_here)
        except ConfigError as error:
            raise FlyteConfigurationError(f"Flyte connection {self.flyte_conn_id!r}: {error}") from error

    def _check_id(self) -> None:
        if not isinstance(self.flyte_conn_id, str) or not self.flyte_conn_id.strip():
            raise FlyteArgumentError(
                f"flyte_conn_id is {self.flyte_conn_id!r}. Give the id of an Airflow connection of type "
                f"{fields.CONN_NAME!r}, or leave it out for {fields.DEFAULT_CONN_ID!r}."
            )
        with argument_errors():
            printable("flyte_conn_id", self.flyte_conn_id)

    def _not_found(self, failures: list[str]) -> FlyteConfigurationError:
        """The error for a connection that does not exist, or that Airflow could not read from a secrets backend."""
        if failures:
            advice = (
                self._about_variable
                if os.environ.get(self._variable)
                else "Check that secrets backend and what it holds for this connection."
            )
            return FlyteConfigurationError(
                f"Airflow could not read the connection {self.flyte_conn_id!r}: {', '.join(failures)}. {advice}"
            )
        return FlyteConfigurationError(
            f"There is no Airflow connection {self.flyte_conn_id!r}. Create it under Admin > Connections with type "
            f"{fields.CONN_NAME!r}, or set {self._variable}."
        )

    @property
    def _variable(self) -> str:
        return f"AIRFLOW_CONN_{self.flyte_conn_id.upper()}"

    @property
    def _about_variable(self) -> str:
        return (
            f"The environment variable {self._variable} is not a connection: set it to a JSON object, such as "
            '{"conn_type": "flyte", "host": "flyte.example.com"}, or to a URI whose special characters are '
            "percent-encoded."
        )


def _usable(read: FlyteConfig | ConnectionProblem) -> FlyteConfig:
    if isinstance(read, ConnectionProblem):
        raise FlyteConfigurationError(str(read))
    return read
