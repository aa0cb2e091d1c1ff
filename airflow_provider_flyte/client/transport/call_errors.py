"""The errors of one call, the same for all transports: they say which call it was and hold none of its credentials."""

from __future__ import annotations

from typing import Any

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import BadAnswerError, Error, RpcError, Status, error_for
from airflow_provider_flyte.client.outside import without
from airflow_provider_flyte.client.rpc import Method
from airflow_provider_flyte.client.transport.base import Metadata
from airflow_provider_flyte.client.transport.route import Route


class CallErrors:
    """Makes the errors of one call.

    :param method: what is called.
    :param run: the run it is about, or None.
    :param config: whose metadata each call carries.
    :param route: the way, with the credentials of a proxy on it.
    :param metadata: what this call carries besides.
    """

    def __init__(
        self, method: Method[Any, Any], run: str | None, config: FlyteConfig, route: Route, metadata: Metadata
    ) -> None:
        self.method = method
        self._run = run
        self._config = config
        self._route = route
        self._metadata = metadata

    def error(self, status: Status, details: str) -> RpcError:
        """The error that stands for this status.

        :param details: the server's own text, or the channel's.
        """
        return error_for(status, self.cleaned(details), **self._about())

    def of(self, kind: type[Error], status: Status, details: str) -> Error:
        """An error of this kind; as :meth:`error`."""
        return kind(status, self.cleaned(details), **self._about())

    def unreadable(self, details: str) -> BadAnswerError:
        """The error for an answer that cannot be read."""
        return self.of(BadAnswerError, Status.INTERNAL, details)

    def cleaned(self, text: str) -> str:
        """A text of a server without what the call carries: some repeat what they refuse."""
        sent = (value for _, value in self._metadata)
        return without(text, (*sent, *self._config.secret_values, *self._route.proxy_credentials))

    def _about(self) -> dict[str, Any]:
        return {"method": self.method.name, "endpoint": self._config.endpoint, "run": self._run}
