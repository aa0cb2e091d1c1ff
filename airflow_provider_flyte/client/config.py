"""Settings of a client: frozen, checked when made, and safe to print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.run_key import RunKey, run_key

AUTO, GRPC, CONNECT = TRANSPORTS = ("auto", "grpc", "connect")
"""How Flyte is spoken to."""

_DEVBOX_API, _DEVBOX_CONSOLE = 8090, 8080

# What HTTP/2 takes: grpc's own words for anything else come late, and differ between blocking and asyncio calls.
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\s/:@?#\[\]]+")
_METADATA_KEY = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
_METADATA_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class FlyteConfig:
    """Where Flyte is, what is asked for by default, and how patient a call is."""

    endpoint: str
    """``host:port`` of the Flyte 2 API, for instance ``localhost:8090``; an IPv6 address stands in brackets."""

    insecure: bool = False
    """Plaintext instead of TLS. With TLS the server is verified against the system's roots."""

    transport: str = AUTO
    """``grpc``, ``connect`` (HTTP, for an ingress that does not pass gRPC), or ``auto``, which finds out."""

    org: str = ""
    """Organisation sent with each request; the open-source backend ignores it."""

    project: str = ""
    """Project of a run when the caller names none."""

    domain: str = ""
    """Domain of a run when the caller names none."""

    console_url: str = ""
    """Base URL of the Flyte console where it is not the endpoint's host, for instance ``https://flyte.example.com``."""

    timeout: float = 15.0
    """Deadline of one call, in seconds."""

    retry_budget: float = 30.0
    """How long a read that fails for a transient reason is repeated, in seconds. Writes are never repeated."""

    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Extra metadata of each call. Kept out of the repr, because it may carry a secret."""

    def __post_init__(self) -> None:
        host, _, port = self.endpoint.rpartition(":")
        if not _HOST.fullmatch(host) or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ConfigError(
                f"endpoint {self.endpoint!r} is not host:port. Give the Flyte API's host and port without a scheme, "
                "for instance 'localhost:8090' or 'flyte.example.com:443'."
            )
        if self.transport not in TRANSPORTS:
            raise ConfigError(f"transport {self.transport!r} is unknown; enter one of {', '.join(TRANSPORTS)}.")
        for name in ("timeout", "retry_budget"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be a positive number of seconds, not {getattr(self, name)!r}.")
        for key, value in self.metadata:
            if not _METADATA_KEY.fullmatch(key) or not _METADATA_VALUE.fullmatch(value):
                raise ConfigError(
                    f"metadata {key!r} cannot be sent: a key has lower-case letters, digits, '-', '_' or '.', does not "
                    "begin with 'grpc-' or end with '-bin', and a value is printable ASCII without line breaks."
                )
        if self.console_url and urlsplit(self.console_url).scheme not in ("http", "https"):
            raise ConfigError(f"console_url {self.console_url!r} must begin with http:// or https://.")

    def key(self, name: object, project: str | None = None, domain: str | None = None) -> RunKey:
        """Key of a run, with this config's project and domain where the caller names none."""
        return run_key(name, project or self.project, domain or self.domain)

    def run_url(self, key: RunKey) -> str:
        """Address of the run's page in the Flyte console."""
        return f"{self._console}/v2/domain/{key.domain}/project/{key.project}/runs/{key.name}"

    @property
    def _console(self) -> str:
        if self.console_url:
            return self.console_url.rstrip("/")
        host, _, port = self.endpoint.rpartition(":")
        scheme, default = ("http", 80) if self.insecure else ("https", 443)
        # Flyte's local devbox serves the API at 8090 and the console at 8080 of the same host.
        number = _DEVBOX_CONSOLE if self.insecure and int(port) == _DEVBOX_API else int(port)
        return f"{scheme}://{host}" if number == default else f"{scheme}://{host}:{number}"
